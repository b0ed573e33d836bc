//! What the server writes: the head of an answer with the server's own fields, chunk frames, and the answers it
//! gives on its own (RFC 9112 §4, §6, §7.1, §9.6).

pub use crate::date::DateCache;

/// `100 Continue`, to be sent before a body that the client holds back (RFC 9110 §10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Ends a chunked body: the last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Ends the data of a chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// The field that names the server.
const SERVER: &[u8] = b"Server: tapster\r\n";

/// The field that says how the body is delimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyField {
    /// None is added: the application set Content-Length, the answer has no body, or the connection ends it.
    None,
    /// `Content-Length`.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// The Connection field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connection {
    /// None: the connection stays by default (HTTP/1.1).
    Default,
    /// `keep-alive`: it stays, said to an HTTP/1.0 client that asked (RFC 9112 §9.3).
    KeepAlive,
    /// `close`: it ends after this answer.
    Close,
}

/// The fields that the server adds to an answer.
#[derive(Clone, Copy, Debug)]
pub struct ServerFields<'a> {
    /// A value from [`DateCache`], unless the application set Date.
    pub date: Option<&'a [u8]>,
    /// Whether to add `Server: tapster`.
    pub server: bool,
    /// How the body is delimited.
    pub body: BodyField,
    /// Whether the connection stays.
    pub connection: Connection,
    /// Whole lines besides; mostly none.
    pub lines: &'a [u8],
}

/// Appends the whole head of an answer. `text` is the status line after `HTTP/1.1 ` and the application's fields,
/// each line ended by CRLF.
pub fn response_head(out: &mut Vec<u8>, text: &[u8], fields: &ServerFields<'_>) {
    out.reserve(text.len() + 160);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(text);
    server_fields(out, fields);
}

/// Appends the first part of the head of an answer that is made once and sent often: what does not differ from answer to answer.
/// `text` is as for [`response_head`]; `length` is that of the body, if it has one to announce. [`end_head`] ends it.
pub fn begin_head(out: &mut Vec<u8>, text: &[u8], server: bool, length: Option<u64>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(text);
    if server {
        out.extend_from_slice(SERVER);
    }
    if let Some(length) = length {
        content_length(out, length);
    }
}

/// Appends what [`begin_head`] left out; `date` is a value from [`DateCache`].
pub fn end_head(out: &mut Vec<u8>, date: &[u8], connection: Connection) {
    let fields =
        ServerFields { date: Some(date), server: false, body: BodyField::None, connection, lines: b"" };
    server_fields(out, &fields);
}

/// Appends the head of an interim answer, which has none of the server's fields and no body (RFC 9110 §15.2).
/// `text` is as for [`response_head`].
pub fn interim_head(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends the server's own fields and the blank line that ends the head.
fn server_fields(out: &mut Vec<u8>, fields: &ServerFields<'_>) {
    out.extend_from_slice(fields.lines);
    if fields.server {
        out.extend_from_slice(SERVER);
    }
    if let Some(date) = fields.date {
        out.extend_from_slice(b"Date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    match fields.body {
        BodyField::None => {}
        BodyField::Length(length) => content_length(out, length),
        BodyField::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(match fields.connection {
        Connection::Default => b"\r\n",
        Connection::KeepAlive => b"Connection: keep-alive\r\n\r\n",
        Connection::Close => b"Connection: close\r\n\r\n",
    });
}

fn content_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"Content-Length: ");
    decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal digits.
pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Seconds after which a client that was answered with 503 may try again.
const RETRY_AFTER: u64 = 5;

/// Appends the line before the data of a chunk of `length` bytes, which is not 0: that would end the body.
/// [`CHUNK_END`] follows the data.
pub fn chunk_header(out: &mut Vec<u8>, length: usize) {
    let mut digits = [0_u8; 16];
    let mut start = digits.len();
    let mut rest = length;
    loop {
        start -= 1;
        digits[start] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
    out.extend_from_slice(b"\r\n");
}

/// The server's fields in an answer of its own.
#[derive(Clone, Copy, Debug)]
pub struct RefusalFields<'a> {
    /// A value from [`DateCache`].
    pub date: Option<&'a [u8]>,
    /// Whether to add `Server: tapster`.
    pub server: bool,
    /// Whole lines besides; mostly none.
    pub lines: &'a [u8],
}

/// Appends a whole answer of the server's own, which ends the connection: to a request it refused, or that the
/// application never saw. The body is one line of plain text: the status and why, `reason`, in the server's words
/// (a [`Refusal::reason`](crate::Refusal::reason)), never the client's; it may be empty. A 503 has `Retry-After`.
pub fn refusal_response(out: &mut Vec<u8>, status: u16, reason: &str, fields: &RefusalFields<'_>) {
    let separator = if reason.is_empty() { "" } else { ": " };
    let text = format!("{status:03} {}{separator}{reason}\n", reason_phrase(status));
    status_line(out, status);
    out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    if status == 503 {
        out.extend_from_slice(b"Retry-After: ");
        decimal(out, RETRY_AFTER);
        out.extend_from_slice(b"\r\n");
    }
    let RefusalFields { date, server, lines } = *fields;
    let body = BodyField::Length(text.len() as u64);
    server_fields(out, &ServerFields { date, server, body, connection: Connection::Close, lines });
    out.extend_from_slice(text.as_bytes());
}

fn status_line(out: &mut Vec<u8>, status: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The reason phrase of a status that the server gives on its own (RFC 9110 §15); empty for others.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}
