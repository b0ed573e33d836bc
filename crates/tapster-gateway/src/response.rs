//! The head of a response as the application gives it: checked on the way in, so that nothing it says can split
//! or desynchronise the stream (RFC 9110 §5.5, RFC 9112 §4).

use std::fmt;

use tapster_http1::syntax;

/// Why a status or a response field was refused. It is the application's fault: a 500 with its traceback in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeadError {
    /// The status does not start with three digits from 100 to 599 and a space or the end.
    Status(String),
    /// A status from 100 to 199 for the final answer (RFC 9110 §15.2).
    Interim(String),
    /// A field name that is no token (RFC 9110 §5.6.2).
    FieldName(String),
    /// CR, LF or NUL in the value of the named field.
    FieldValue(String),
    /// A connection-level field that belongs to the server (PEP 3333 "Other HTTP Features").
    HopByHop(String),
    /// A Content-Length that is no number, or given twice.
    ContentLength(String),
}

impl fmt::Display for HeadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeadError::Status(text) => {
                write!(
                    out,
                    "status {text:?} is not of the form \"200 OK\": three digits, a space, a reason without control bytes"
                )
            }
            HeadError::Interim(text) => {
                write!(
                    out,
                    "status {text:?} is interim (1xx), and the client waits for a final one; hints go out by \
                     environ[\"wsgi.early_hints\"]"
                )
            }
            HeadError::FieldName(name) => {
                write!(out, "response header name {name:?} is not a token (RFC 9110 §5.6.2)")
            }
            HeadError::FieldValue(name) => {
                write!(out, "value of response header {name:?} has a control byte (CR, LF or NUL)")
            }
            HeadError::HopByHop(name) => {
                write!(out, "response header {name:?} is hop-by-hop: it belongs to the server (PEP 3333)")
            }
            HeadError::ContentLength(value) => {
                write!(out, "Content-Length {value:?} is not one whole number")
            }
        }
    }
}

impl std::error::Error for HeadError {}

/// A checked status line and fields. Reused from request to request.
#[derive(Default, Debug)]
pub struct ResponseHead {
    status: u16,
    text: Vec<u8>,
    content_length: Option<u64>,
    has_date: bool,
    has_server: bool,
    /// A bit for each name that was set, by [`mark`]: most names that are asked for are not there, and that is seen at once.
    names: u64,
}

impl ResponseHead {
    /// Starts a new head with a status such as `200 OK`; the application's reason phrase is kept.
    pub fn begin(&mut self, status: &[u8]) -> Result<(), HeadError> {
        self.clear();
        let refused = || HeadError::Status(latin1(status));
        let [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', reason @ ..] = status else {
            return Err(refused());
        };
        if !(reason.is_empty() || reason[0] == b' ') || !syntax::is_field_value(reason) {
            return Err(refused());
        }
        if *a == b'1' {
            return Err(HeadError::Interim(latin1(status)));
        }
        self.status = u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0');
        self.text.extend_from_slice(status);
        if reason.is_empty() {
            self.text.push(b' ');
        }
        self.text.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Starts the head of a 103 (RFC 8297), for [`Respond::early_hints`](crate::Respond::early_hints).
    pub fn begin_early_hints(&mut self) {
        self.clear();
        self.status = 103;
        self.text.extend_from_slice(b"103 Early Hints\r\n");
    }

    /// Adds a field. Bytes of the value are sent as they are (latin-1 in WSGI).
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        if !syntax::is_token(name) {
            return Err(HeadError::FieldName(latin1(name)));
        }
        if !syntax::is_field_value(value) {
            return Err(HeadError::FieldValue(latin1(name)));
        }
        if !self.note(name, value)? {
            return Ok(());
        }
        self.names |= mark(name);
        self.text.reserve(name.len() + value.len() + 4);
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(value);
        self.text.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// The status code: 200 to 599, or 103.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// `200 OK\r\n` and the fields, each ended by CRLF: what follows `HTTP/1.1 ` on the wire.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The Content-Length that the application set.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether the application set `Date`.
    pub fn has_date(&self) -> bool {
        self.has_date
    }

    /// Whether the application set `Server`.
    pub fn has_server(&self) -> bool {
        self.has_server
    }

    /// Whether the application set a field, whose name is given in small letters.
    pub fn has(&self, name: &[u8]) -> bool {
        self.names & mark(name) != 0
            && self.text.split(|&byte| byte == b'\n').skip(1).any(|line| {
                line.get(..name.len()).is_some_and(|start| syntax::is_lower_case_of(name, start))
                    && line.get(name.len()) == Some(&b':')
            })
    }

    fn clear(&mut self) {
        *self = ResponseHead { text: std::mem::take(&mut self.text), ..ResponseHead::default() };
        self.text.clear();
    }

    /// Remembers the fields that framing depends on and refuses those that are the server's. `false`: the field may
    /// not be sent with this status, and says nothing that would be lost.
    fn note(&mut self, name: &[u8], value: &[u8]) -> Result<bool, HeadError> {
        let is = |known: &str| syntax::is_lower_case_of(known.as_bytes(), name);
        match name.len() {
            4 if is("date") => self.has_date = true,
            6 if is("server") => self.has_server = true,
            14 if is("content-length") => {
                let refused = || HeadError::ContentLength(latin1(value));
                if self.content_length.is_some() {
                    return Err(refused());
                }
                let number = syntax::decimal(value).ok_or_else(refused)?;
                // RFC 9110 §8.6: none with 1xx and 204, which have no body of any length.
                if matches!(self.status, 100..=199 | 204) {
                    return Ok(false);
                }
                self.content_length = Some(number);
            }
            2 | 7 | 8 | 10 | 17..=19 if HOP_BY_HOP.iter().any(|known| is(known)) => {
                return Err(HeadError::HopByHop(latin1(name)));
            }
            _ => {}
        }
        Ok(true)
    }
}

/// One of 64 bits for a field's name, in whatever letters.
fn mark(name: &[u8]) -> u64 {
    let first = name.first().map_or(0, |first| usize::from(first | 0x20));
    1 << ((first + name.len() * 7) % 64)
}

/// Fields that a WSGI application must not send (PEP 3333, `wsgiref.util.is_hop_by_hop`).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
