//! A request head: the request line and the fields, as spans of the caller's buffer (RFC 9112 §2 to §5).

use crate::{Limits, Refusal, Span, Target, syntax, target};

/// The HTTP version of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

impl Version {
    /// `HTTP/1.0` or `HTTP/1.1`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// One field line. The name is a token in the case the client used; the value is trimmed and has no control byte
/// but tab.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Field {
    /// The field name.
    pub name: Span,
    /// The field value, which may be empty.
    pub value: Span,
}

/// A request head. Reused from request to request without allocating; meaningful after [`Head::parse`] gave `true`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// The method, a token in the case the client used.
    pub method: Span,
    /// The request target as sent: bytes 0x21 to 0x7E.
    pub target: Span,
    /// The parts of the target.
    pub parts: Target,
    /// The version.
    pub version: Version,
    /// The fields in the order they came.
    pub fields: Vec<Field>,
    /// Bytes of the buffer that the head takes, with the blank line and any empty lines before it.
    pub length: usize,
}

/// Empty lines allowed before a request line: old clients send one after a POST body.
const LEADING_LINES: usize = 2;

impl Head {
    /// Parses a head from the start of `buffer`, which holds all that came so far. `false`: more bytes are needed,
    /// call again with the longer buffer. The first wrong line decides, as soon as it is there, so a head gives the
    /// same answer in however many pieces it comes. Costs one pass over the lines at hand.
    ///
    /// At most two empty lines before the request line are skipped (RFC 9112 §2.2).
    pub fn parse(&mut self, buffer: &[u8], limits: &Limits) -> Result<bool, Refusal> {
        self.fields.clear();
        let start = leading_lines(buffer) * 2;
        let arrived = buffer.len() - start;
        let longest = limits.request_line.saturating_add(2);
        let mut feeds = memchr::memchr_iter(b'\n', buffer);
        let Some(feed) = feeds.nth(start / 2).filter(|feed| feed - start < longest) else {
            return if arrived < longest { Ok(false) } else { Err(Refusal::RequestLineTooLong) };
        };
        self.read_request_line(buffer, line(buffer, start, feed)?)?;

        let end = start.saturating_add(limits.head);
        let mut next = feed + 1;
        for feed in feeds {
            if feed >= end {
                return Err(Refusal::HeadTooLarge);
            }
            let line = line(buffer, next, feed)?;
            next = feed + 1;
            if line.is_empty() {
                self.length = next;
                return Ok(true);
            }
            if self.fields.len() >= limits.fields {
                return Err(Refusal::TooManyFields);
            }
            self.fields.push(field(buffer, line)?);
        }
        if arrived < limits.head { Ok(false) } else { Err(Refusal::HeadTooLarge) }
    }

    /// The value of the first field called `name` (given in any case).
    pub fn field<'a>(&self, buffer: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let named = |field: &&Field| field.name.of(buffer).eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().find(named).map(|field| field.value.of(buffer))
    }

    /// `method SP request-target SP HTTP-version` (RFC 9112 §3).
    fn read_request_line(&mut self, buffer: &[u8], line: Span) -> Result<(), Refusal> {
        if line.is_empty() {
            return Err(Refusal::LeadingLines);
        }
        let text = line.of(buffer);
        let method = text.iter().position(|&byte| !syntax::is_token_byte(byte)).unwrap_or(text.len());
        let first = match text.get(method) {
            Some(b' ') => method,
            _ => memchr::memchr(b' ', text).ok_or(Refusal::RequestLine)?,
        };
        let last = last_space(text).filter(|&last| last > first).ok_or(Refusal::RequestLine)?;
        self.method = Span { start: line.start, end: line.start + first };
        self.target = Span { start: line.start + first + 1, end: line.start + last };
        self.version = version(text.get(last + 1..).unwrap_or_default())?;
        if first != method || first == 0 {
            return Err(Refusal::Method);
        }
        self.parts = target::parse(self.method.of(buffer), self.target, buffer)?;
        Ok(())
    }
}

/// How many empty lines come first, at most those that are allowed.
fn leading_lines(buffer: &[u8]) -> usize {
    if buffer.first() != Some(&b'\r') {
        return 0;
    }
    buffer.chunks_exact(2).take(LEADING_LINES).take_while(|pair| pair == b"\r\n").count()
}

/// The line from `start` to the LF at `feed`, without its CRLF.
pub(crate) fn line(buffer: &[u8], start: usize, feed: usize) -> Result<Span, Refusal> {
    match buffer.get(start..feed) {
        Some([.., b'\r']) => Ok(Span { start, end: feed - 1 }),
        _ => Err(Refusal::BareLf),
    }
}

/// Where the last space is: before the version in nearly every line.
fn last_space(text: &[u8]) -> Option<usize> {
    match text {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0' | b'1'] => Some(text.len() - 9),
        _ => memchr::memrchr(b' ', text),
    }
}

/// `HTTP/1.0` or `HTTP/1.1`; others that exist are told from what is no version (RFC 9112 §2.3).
fn version(text: &[u8]) -> Result<Version, Refusal> {
    match text {
        b"HTTP/1.1" => Ok(Version::Http11),
        b"HTTP/1.0" => Ok(Version::Http10),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Err(Refusal::Version),
        _ => Err(Refusal::RequestLine),
    }
}

/// `field-name ":" OWS field-value OWS` (RFC 9112 §5): no space before the colon, no folding (§5.1, §5.2).
pub(crate) fn field(buffer: &[u8], line: Span) -> Result<Field, Refusal> {
    let text = line.of(buffer);
    let length = text.iter().position(|&byte| !syntax::is_token_byte(byte)).unwrap_or(text.len());
    let (name, rest) = text.split_at(length);
    match (name, rest) {
        ([], [b' ' | b'\t', ..]) => return Err(Refusal::FieldFolded),
        ([_, ..], [b':', ..]) => {}
        _ => return Err(Refusal::FieldName),
    }
    let padded = rest.get(1..).unwrap_or_default();
    let start = line.end - padded.len() + blanks(padded.iter());
    let end = line.end - blanks(buffer.get(start..line.end).unwrap_or_default().iter().rev());
    let value = Span { start, end };
    if !syntax::is_field_value(value.of(buffer)) {
        return Err(Refusal::FieldValue);
    }
    Ok(Field { name: Span { start: line.start, end: line.start + length }, value })
}

/// How many spaces and tabs come first.
fn blanks<'a>(bytes: impl Iterator<Item = &'a u8>) -> usize {
    bytes.take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}
