//! How an answer is framed and whether the connection outlives it: one function over what is known when its head
//! goes out (RFC 9112 §6.1, §6.3, §9.3).

use crate::Version;
use crate::encode::{BodyField, Connection};

/// What is known when the head of an answer goes out.
#[derive(Clone, Copy, Debug)]
pub struct ResponseFacts {
    /// The version of the request.
    pub version: Version,
    /// Whether the method of the request was HEAD.
    pub head_request: bool,
    /// Whether the request allows the connection to stay, and so does the server.
    pub keep_alive: bool,
    /// The status of the answer.
    pub status: u16,
    /// The Content-Length that the application set.
    pub content_length: Option<u64>,
    /// How many bytes of body there are, if that is known.
    pub body_size: Option<u64>,
}

/// How an answer goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseFraming {
    /// The field to add for the body.
    pub body: BodyField,
    /// The Connection field to add.
    pub connection: Connection,
    /// Whether body bytes are sent at all: not for HEAD, 1xx, 204 and 304.
    pub sends_body: bool,
    /// Whether the connection stays after a whole answer.
    pub keep_alive: bool,
}

impl ResponseFacts {
    /// Decides the framing.
    pub fn framing(&self) -> ResponseFraming {
        let bodiless = matches!(self.status, 100..=199 | 204 | 304);
        let body = self.body_field(bodiless);
        let sends_body = !bodiless && !self.head_request;
        // Neither a length nor chunks: only the end of the connection ends the body (RFC 9112 §6.3, step 8).
        let ends_by_close = sends_body && body == BodyField::None && self.content_length.is_none();
        let keep_alive = self.keep_alive && !ends_by_close;
        let connection = match (keep_alive, self.version) {
            (false, _) => Connection::Close,
            (true, Version::Http11) => Connection::Default,
            (true, Version::Http10) => Connection::KeepAlive,
        };
        ResponseFraming { body, connection, sends_body, keep_alive }
    }

    fn body_field(&self, bodiless: bool) -> BodyField {
        match (self.content_length, self.body_size) {
            // No framing field may stand on these (RFC 9110 §8.6, RFC 9112 §6.1).
            _ if bodiless => BodyField::None,
            (Some(_), _) => BodyField::None,
            // The body an application gives to HEAD says nothing of what GET would have.
            (None, Some(0)) if self.head_request => BodyField::None,
            (None, Some(size)) => BodyField::Length(size),
            (None, None) if self.version == Version::Http11 && !self.head_request => BodyField::Chunked,
            (None, None) => BodyField::None,
        }
    }
}
