//! The head of an answer as its client reads it: status line, fields, and how long the body is (RFC 9112 §4, §6.3). As
//! strict as for requests: what could be read in two ways is refused.

use crate::{Field, Limits, Refusal, Span, Version, head, syntax};

/// The head of an answer. Reused from answer to answer; meaningful after [`ResponseHead::parse`] gave `true`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ResponseHead {
    /// The status: 100 to 999.
    pub status: u16,
    /// The version.
    pub version: Version,
    /// The status line behind the version: the code, a space, and the reason, which may be empty.
    pub status_text: Span,
    /// The fields in the order they came.
    pub fields: Vec<Field>,
    /// Bytes of the buffer that the head takes, with the blank line.
    pub length: usize,
}

/// How the body of an answer is delimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResponseBody {
    /// This many bytes, which may be none.
    Length(u64),
    /// Chunked: see [`ChunkedDecoder`](crate::ChunkedDecoder).
    Chunked,
    /// Everything until the connection ends.
    UntilClose,
}

impl ResponseHead {
    /// Parses a head from the start of `buffer`, which holds all that came so far. `false`: more bytes are needed.
    ///
    /// # Errors
    /// When it is no HTTP/1 head, or beyond the limits on head and fields. The status of the error means nothing.
    pub fn parse(&mut self, buffer: &[u8], limits: &Limits) -> Result<bool, Refusal> {
        self.fields.clear();
        let mut next = 0;
        for feed in memchr::memchr_iter(b'\n', buffer) {
            if feed >= limits.head {
                return Err(Refusal::HeadTooLarge);
            }
            let line = head::line(buffer, next, feed)?;
            let is_first = next == 0;
            next = feed + 1;
            if is_first {
                self.read_status_line(buffer, line)?;
            } else if line.is_empty() {
                self.length = next;
                return Ok(true);
            } else if self.fields.len() >= limits.fields {
                return Err(Refusal::TooManyFields);
            } else {
                self.fields.push(head::field(buffer, line)?);
            }
        }
        if buffer.len() < limits.head { Ok(false) } else { Err(Refusal::HeadTooLarge) }
    }

    /// Whether another head follows this one: 1xx but 101 (RFC 9110 §15.2).
    pub fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// How the body is delimited; `to_head` says that the request was HEAD.
    ///
    /// # Errors
    /// For both Content-Length and Transfer-Encoding, two lengths, and codings other than chunked.
    pub fn body(&self, buffer: &[u8], to_head: bool) -> Result<ResponseBody, Refusal> {
        if to_head || matches!(self.status, 100..=199 | 204 | 304) {
            return Ok(ResponseBody::Length(0));
        }
        let (mut length, mut chunked) = (None, false);
        for field in &self.fields {
            let (name, value) = (field.name.of(buffer), field.value.of(buffer));
            if syntax::is_lower_case_of(b"content-length", name) {
                let digits = syntax::decimal(value).ok_or(Refusal::ContentLengthMalformed)?;
                if length.replace(digits).is_some() {
                    return Err(Refusal::ContentLengthRepeated);
                }
            } else if syntax::is_lower_case_of(b"transfer-encoding", name) {
                if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Refusal::EncodingUnknown);
                }
                chunked = true;
            }
        }
        match (length, chunked) {
            (Some(_), true) => Err(Refusal::LengthAndEncoding),
            (Some(length), false) => Ok(ResponseBody::Length(length)),
            (None, true) => Ok(ResponseBody::Chunked),
            (None, false) => Ok(ResponseBody::UntilClose),
        }
    }

    /// Whether the connection may carry another request after this answer.
    pub fn keeps_alive(&self, buffer: &[u8]) -> bool {
        let named = |field: &&Field| syntax::is_lower_case_of(b"connection", field.name.of(buffer));
        let said = |option: &[u8]| {
            let fields = self.fields.iter().filter(named);
            fields
                .flat_map(|field| syntax::list(field.value.of(buffer)))
                .any(|one| one.eq_ignore_ascii_case(option))
        };
        !said(b"close") && (self.version == Version::Http11 || said(b"keep-alive"))
    }

    /// `HTTP-version SP status-code SP [ reason-phrase ]`
    fn read_status_line(&mut self, buffer: &[u8], line: Span) -> Result<(), Refusal> {
        let text = line.of(buffer);
        self.version = match text.get(..9) {
            Some(b"HTTP/1.1 ") => Version::Http11,
            Some(b"HTTP/1.0 ") => Version::Http10,
            _ => return Err(Refusal::Version),
        };
        let rest = text.get(9..).unwrap_or_default();
        let (code, reason) = rest.split_at(rest.len().min(3));
        let status = syntax::decimal(code).filter(|code| (100..=999).contains(code));
        self.status = status.and_then(|code| u16::try_from(code).ok()).ok_or(Refusal::RequestLine)?;
        if !matches!(reason, [] | [b' ', ..]) || !syntax::is_field_value(reason) {
            return Err(Refusal::RequestLine);
        }
        self.status_text = Span { start: line.start + 9, end: line.end };
        Ok(())
    }
}
