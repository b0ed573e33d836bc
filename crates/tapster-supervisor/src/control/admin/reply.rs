//! Answers of the admin listeners, and how they become bytes. One answer a connection.

use tapster_http1::encode::{BodyField, Connection, ServerFields, reason_phrase, response_head};

/// What most answers are.
const PLAIN: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const NO_STORE: &str = "Cache-Control: no-store\r\n";
/// What browsers are told of everything that belongs to the dashboard: nobody else may show it, load it or guess what it is.
pub const GUARDED: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
     Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
     Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n";

/// What is said to a request.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    /// Fields besides the usual ones, each with its line end.
    fields: String,
    /// Whether the body goes on until the connection ends.
    is_endless: bool,
}

impl Reply {
    /// A line for people.
    pub fn new(status: u16, text: &str) -> Reply {
        Reply::of(status, PLAIN, format!("{text}\n").into_bytes()).with(NO_STORE)
    }

    /// A document that is true now.
    pub fn text(content_type: &'static str, text: String) -> Reply {
        Reply::of(200, content_type, text.into_bytes()).with(NO_STORE)
    }

    /// What scripts of the dashboard read.
    pub fn json(body: Vec<u8>) -> Reply {
        Reply::of(200, JSON, body).with(NO_STORE).with(GUARDED)
    }

    /// The beginning of events without end.
    pub fn events(begin: Vec<u8>) -> Reply {
        let fields = "X-Accel-Buffering: no\r\n";
        let reply = Reply::of(200, "text/event-stream", begin).with(NO_STORE).with(GUARDED).with(fields);
        Reply { is_endless: true, ..reply }
    }

    /// A part of the page.
    pub fn of(status: u16, content_type: &'static str, body: Vec<u8>) -> Reply {
        Reply { status, content_type, body, fields: String::new(), is_endless: false }
    }

    /// The same with these fields, each with its line end.
    #[must_use]
    pub fn with(mut self, fields: &str) -> Reply {
        self.fields.push_str(fields);
        self
    }

    /// The whole answer.
    pub fn encode(&self, without_body: bool, date: &[u8]) -> Vec<u8> {
        let phrase = match self.status {
            200 => "OK",
            304 => "Not Modified",
            308 => "Permanent Redirect",
            401 => "Unauthorized",
            415 => "Unsupported Media Type",
            status => reason_phrase(status),
        };
        let mut text = format!("{} {phrase}\r\n", self.status);
        if self.status != 304 {
            text.push_str(&format!("Content-Type: {}\r\n", self.content_type));
        }
        text.push_str(&self.fields);
        let body = match self.is_endless || self.status == 304 {
            true => BodyField::None,
            false => BodyField::Length(self.body.len() as u64),
        };
        let fields =
            ServerFields { date: Some(date), server: false, body, connection: Connection::Close, lines: b"" };
        let mut out = Vec::new();
        response_head(&mut out, text.as_bytes(), &fields);
        if !without_body && self.status != 304 {
            out.extend_from_slice(&self.body);
        }
        out
    }
}
