//! A request head: the request line and the fields, as spans of the caller's buffer (RFC 9112 §2 to §5).

use std::mem::MaybeUninit;

use crate::lines::{self, Lines};
use crate::{Limits, Refusal, Span, Target, target};

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

/// Fields parsed on the stack; a larger [`Limits::fields`] takes an allocation for heads that use it.
const FIELDS_ON_STACK: usize = 100;

impl Head {
    /// Parses a head from the start of `buffer`, which holds all that came so far. `false`: more bytes are needed,
    /// call again with the longer buffer. A head gives the same answer in however many pieces it comes, and the
    /// cost of a call that ends in `false` is a search for line ends.
    ///
    /// At most two empty lines before the request line are skipped (RFC 9112 §2.2).
    pub fn parse(&mut self, buffer: &[u8], limits: &Limits) -> Result<bool, Refusal> {
        let Lines { start, request_line_end, end } = lines::scan(buffer, limits);
        self.fields.clear();
        if let Ok(Some(end)) = end {
            return self.read(buffer, start, end).map(|()| true);
        }
        if let Some(line_end) = request_line_end {
            // A request line that will never do is refused before the fields are there.
            self.read_request_line(buffer, start, line_end)?;
        }
        end.map(|_| false)
    }

    /// The value of the first field called `name` (given in any case).
    pub fn field<'a>(&self, buffer: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let named = |field: &&Field| field.name.of(buffer).eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().find(named).map(|field| field.value.of(buffer))
    }

    /// Reads a whole head, `buffer[start..end]`, whose lines are known to end with CRLF.
    fn read(&mut self, buffer: &[u8], start: usize, end: usize) -> Result<(), Refusal> {
        let text = buffer.get(start..end).unwrap_or_default();
        let mut stack = [const { MaybeUninit::uninit() }; FIELDS_ON_STACK];
        let mut request = httparse::Request::new(&mut []);
        let mut parsed = request.parse_with_uninit_headers(text, &mut stack);
        let mut heap;
        if parsed == Err(httparse::Error::TooManyHeaders) {
            heap = vec![MaybeUninit::uninit(); memchr::memchr_iter(b'\n', text).count()];
            request = httparse::Request::new(&mut []);
            parsed = request.parse_with_uninit_headers(text, &mut heap);
        }
        if parsed != Ok(httparse::Status::Complete(text.len())) {
            // What is wrong in the request line comes first, as it does when the head comes in pieces.
            let line = memchr::memchr(b'\n', text).map_or(text.len(), |feed| feed + 1);
            self.read_request_line(buffer, start, start + line)?;
            return Err(parsed.map_or_else(refusal, |_| Refusal::FieldName));
        }
        self.take_request_line(buffer, &request)?;
        self.fields.extend(request.headers.iter().map(|field| Field {
            name: Span::locate(field.name.as_bytes(), buffer),
            value: Span::locate(field.value, buffer),
        }));
        self.length = end;
        Ok(())
    }

    /// Reads the request line alone.
    fn read_request_line(&mut self, buffer: &[u8], start: usize, end: usize) -> Result<(), Refusal> {
        let line = buffer.get(start..end).unwrap_or_default();
        let mut request = httparse::Request::new(&mut []);
        match request.parse(line) {
            Ok(_) => self.take_request_line(buffer, &request),
            Err(_) => Err(explain_request_line(line)),
        }
    }

    fn take_request_line(
        &mut self,
        buffer: &[u8],
        request: &httparse::Request<'_, '_>,
    ) -> Result<(), Refusal> {
        let (Some(method), Some(path), Some(version)) = (request.method, request.path, request.version)
        else {
            return Err(Refusal::RequestLine);
        };
        self.method = Span::locate(method.as_bytes(), buffer);
        self.target = Span::locate(path.as_bytes(), buffer);
        self.version = if version == 0 { Version::Http10 } else { Version::Http11 };
        self.parts = target::parse(method.as_bytes(), self.target, buffer)?;
        Ok(())
    }
}

/// The reason for an error in the fields.
fn refusal(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::HeaderValue => Refusal::FieldValue,
        httparse::Error::TooManyHeaders => Refusal::TooManyFields,
        _ => Refusal::FieldName,
    }
}

/// Why a request line that ends with CRLF was not accepted.
fn explain_request_line(line: &[u8]) -> Refusal {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    let parts: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let [method, target, version] = parts[..] else { return Refusal::RequestLine };
    if !crate::syntax::is_token(method) {
        return Refusal::Method;
    }
    if target.is_empty() || !target.iter().all(|byte| matches!(byte, 0x21..=0x7e)) {
        return Refusal::Target;
    }
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => Refusal::Version,
        _ => Refusal::RequestLine,
    }
}
