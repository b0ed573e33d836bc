//! The access log: what is known of an answered request, and what a line may ask for beside.

mod field;
mod filter;
mod format;
mod json;
mod program;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

pub use field::FieldName;
pub use filter::{AccessFilter, AccessMode, SLOW};
pub use format::{AccessFormat, FormatError};
pub use program::Needs;
pub(crate) use program::Place;

/// One answered request. What came from the client is given as it came: the line escapes it.
#[derive(Clone, Copy)]
pub struct AccessEvent<'a> {
    /// The client's address; empty for a unix socket.
    pub peer: &'a [u8],
    /// The method; empty when the request was refused before it was known.
    pub method: &'a [u8],
    /// The request target (path and query) as the client sent it.
    pub target: &'a [u8],
    /// `HTTP/1.1`.
    pub protocol: &'a [u8],
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// When the answer ended.
    pub ended: SystemTime,
    /// From the complete request to the answer.
    pub duration: Duration,
    /// How much of it the request waited for a thread.
    pub queued: Duration,
    /// How much of it the application took; none if it was not asked.
    pub application: Option<Duration>,
    /// The thread that answered, from 1; none outside workers.
    pub thread: Option<usize>,
    /// What names the request in all logs.
    pub request_id: Option<&'a [u8]>,
    /// The `Referer` field.
    pub referer: Option<&'a [u8]>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
    /// Whatever else a format may ask for.
    pub details: &'a dyn Details,
}

/// What only some formats show, looked up when a line is written.
pub trait Details {
    /// A field of the request.
    fn request_field(&self, _name: &FieldName) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// A variable of the request, as the application saw it at its end.
    fn variable(&self, _name: &str) -> Option<Cow<'_, [u8]>> {
        None
    }

    /// How many variables the request had.
    fn variable_count(&self) -> usize {
        0
    }

    /// The head of the answer as it was sent, from its status line to the empty line; empty if it was not kept.
    fn response_head(&self) -> &[u8] {
        b""
    }

    /// What the application said of the request for the log, in order.
    fn log_variables(&self) -> &[(String, Vec<u8>)] {
        &[]
    }
}

/// Nothing is known but the event.
#[derive(Clone, Copy, Debug)]
pub struct NoDetails;

impl Details for NoDetails {}
