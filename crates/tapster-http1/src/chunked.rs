//! The chunked coding, decoded incrementally (RFC 9112 §7.1). Extensions and trailers are checked, bounded and
//! dropped: RFC 9110 §6.5.1 lets a recipient discard trailers, and merging them into the head is an attack.

use crate::{Refusal, syntax};

/// Most digits of a chunk size.
const DIGITS: usize = 16;
/// Bytes of extensions allowed in a chunk, with the semicolons.
const EXTENSION: usize = 256;
/// Longest chunk-size line in bytes, without CRLF.
const LINE: usize = DIGITS + EXTENSION;
/// Bytes of extensions allowed in a body, beside a sixteenth of its data.
const EXTENSIONS: u64 = 16 * 1024;
/// Bytes of trailer section allowed, with line ends.
const TRAILERS: usize = 8 * 1024;
/// Fields of trailer section allowed.
const TRAILER_FIELDS: usize = 100;

/// Decodes one chunked body. A new one (`default()`) for each body.
#[derive(Debug, Default)]
pub struct ChunkedDecoder {
    state: State,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    /// Data bytes so far.
    data: u64,
    /// Extension bytes so far.
    extensions: u64,
    /// Trailer bytes so far.
    trailers: usize,
    /// Trailer fields so far.
    trailer_fields: usize,
}

/// What comes next.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum State {
    /// The line with the size of a chunk.
    #[default]
    Size,
    /// This many bytes of data.
    Data(u64),
    /// The CR after data.
    DataCr,
    /// The LF after data.
    DataLf,
    /// A line of the trailer section, or the blank one that ends it.
    Trailer,
    /// Nothing.
    Finished,
}

impl ChunkedDecoder {
    /// Decodes what of `input` belongs to the body and appends its data to `output` (never more bytes than
    /// `input` has). Gives how many bytes were consumed, all of them unless the body ended, and whether it ended.
    ///
    /// After an error the body is lost: what follows cannot be told from data.
    pub fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(usize, bool), Refusal> {
        let mut rest = input;
        while self.state != State::Finished && !rest.is_empty() {
            rest = self.step(rest, output)?;
        }
        Ok((input.len() - rest.len(), self.state == State::Finished))
    }

    /// Whether the body has ended.
    pub fn is_finished(&self) -> bool {
        self.state == State::Finished
    }

    /// Takes one element from `input`, which is not empty, and gives what is left.
    fn step<'a>(&mut self, input: &'a [u8], output: &mut Vec<u8>) -> Result<&'a [u8], Refusal> {
        match (self.state, input) {
            (State::Data(left), _) => {
                let here = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                let (data, rest) = input.split_at(here);
                output.extend_from_slice(data);
                self.data = self.data.saturating_add(here as u64);
                let left = left - here as u64;
                self.state = if left == 0 { State::DataCr } else { State::Data(left) };
                Ok(rest)
            }
            (State::DataCr, [b'\r', rest @ ..]) => {
                self.state = State::DataLf;
                Ok(rest)
            }
            (State::DataLf, [b'\n', rest @ ..]) => {
                self.state = State::Size;
                Ok(rest)
            }
            (State::DataCr | State::DataLf, _) => Err(Refusal::ChunkDataEnd),
            (State::Size, _) => self.line(input, LINE, Self::size_line),
            (State::Trailer, _) => {
                self.line(input, TRAILERS - self.trailers.min(TRAILERS), Self::trailer_line)
            }
            (State::Finished, rest) => Ok(rest),
        }
    }

    /// Gathers a line of at most `longest` bytes and hands it to `take` without its CRLF.
    fn line<'a>(
        &mut self,
        input: &'a [u8],
        longest: usize,
        take: fn(&mut Self, &[u8]) -> Result<(), Refusal>,
    ) -> Result<&'a [u8], Refusal> {
        let allowed = (longest + 2).saturating_sub(self.line.len());
        let window = input.get(..allowed).unwrap_or(input);
        let Some(feed) = memchr::memchr(b'\n', window) else {
            if input.len() >= allowed {
                return Err(self.line_too_long());
            }
            self.line.extend_from_slice(input);
            return Ok(&[]);
        };
        let (here, rest) = input.split_at(feed + 1);
        if self.line.is_empty() {
            take(self, without_end(here)?)?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(here);
            take(self, without_end(&line)?)?;
            line.clear();
            self.line = line;
        }
        Ok(rest)
    }

    fn line_too_long(&self) -> Refusal {
        match self.state {
            State::Trailer => Refusal::TrailersTooLarge,
            _ => Refusal::ChunkExtensionTooLong,
        }
    }

    /// `chunk-size [ chunk-ext ]`
    fn size_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extensions) = line.split_at(digits);
        if !(1..=DIGITS).contains(&digits.len()) {
            return Err(Refusal::ChunkSize);
        }
        let size = digits
            .iter()
            .filter_map(|&digit| syntax::hex_digit(digit))
            .fold(0_u64, |size, digit| size << 4 | u64::from(digit));
        if i64::try_from(size).is_err() {
            return Err(Refusal::ChunkTooLarge);
        }
        if !extensions.is_empty() {
            self.check_extensions(extensions)?;
        }
        self.state = if size == 0 { State::Trailer } else { State::Data(size) };
        Ok(())
    }

    /// Checks what follows the size, which is not empty. The bound on all of them stops a body that is made of
    /// extensions (CVE-2023-39326 and its kin).
    fn check_extensions(&mut self, text: &[u8]) -> Result<(), Refusal> {
        self.extensions += text.len() as u64;
        if text.len() > EXTENSION || self.extensions > EXTENSIONS + self.data / 16 {
            return Err(Refusal::ChunkExtensionTooLong);
        }
        if !extensions_are_valid(text) {
            let starts = syntax::trim_ows(text).first() == Some(&b';');
            return Err(if starts { Refusal::ChunkExtension } else { Refusal::ChunkSize });
        }
        Ok(())
    }

    /// A trailer field, or the blank line that ends the body.
    fn trailer_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.trailers += line.len() + 2;
        if line.is_empty() {
            self.state = State::Finished;
            return Ok(());
        }
        self.trailer_fields += 1;
        if self.trailer_fields > TRAILER_FIELDS {
            return Err(Refusal::TrailersTooLarge);
        }
        let colon = memchr::memchr(b':', line).ok_or(Refusal::TrailerMalformed)?;
        let (name, value) = line.split_at(colon);
        if !syntax::is_token(name) || !syntax::is_field_value(value) {
            return Err(Refusal::TrailerMalformed);
        }
        if FORBIDDEN.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            return Err(Refusal::TrailerForbidden);
        }
        Ok(())
    }
}

/// Fields that frame or route a message: in a trailer they are an attack (RFC 9110 §6.5.1).
const FORBIDDEN: &[&str] = &["transfer-encoding", "content-length", "host", "trailer"];

/// A line without its CRLF.
fn without_end(line: &[u8]) -> Result<&[u8], Refusal> {
    line.strip_suffix(b"\r\n").ok_or(Refusal::ChunkLineEnd)
}

/// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`, nothing before or after.
fn extensions_are_valid(mut text: &[u8]) -> bool {
    while !text.is_empty() {
        let Some(rest) = skip_blanks(text).strip_prefix(b";") else { return false };
        let Some(rest) = take_token(skip_blanks(rest)) else { return false };
        text = match skip_blanks(rest).strip_prefix(b"=") {
            None => rest,
            Some(value) => {
                let value = skip_blanks(value);
                let end = if value.first() == Some(&b'"') { take_quoted(value) } else { take_token(value) };
                let Some(rest) = end else { return false };
                rest
            }
        };
    }
    true
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    text.get(blanks..).unwrap_or_default()
}

/// What follows the token that `text` starts with.
fn take_token(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take_while(|&&byte| syntax::is_token_byte(byte)).count();
    if length == 0 { None } else { text.get(length..) }
}

/// What follows the quoted-string that `text` starts with (RFC 9110 §5.6.4).
fn take_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut text = text.strip_prefix(b"\"")?;
    loop {
        text = match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if syntax::is_field_byte(*escaped) => rest,
            [byte, rest @ ..] if *byte != b'\\' && syntax::is_field_byte(*byte) => rest,
            _ => return None,
        };
    }
}
