//! A connection to a host: one request at a time, and with HTTP one after the other.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tapster_config::UpstreamProtocol;
use tapster_http1::{Limits, ResponseHead};
use tokio::time::timeout;

use super::cgi;
use super::message::Message;
use crate::stream::Stream;

/// The largest head of an answer.
const LIMITS: Limits = Limits { request_line: 64 * 1024, head: 256 * 1024, fields: 1000 };

/// One connection.
pub(super) struct Link {
    stream: Rc<Stream>,
    protocol: UpstreamProtocol,
    /// What came and is not used yet; the head of the answer begins it.
    pub(super) input: Vec<u8>,
    /// The last head that was read.
    pub(super) head: ResponseHead,
    /// All of the request was sent.
    pub(super) is_sent: bool,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Lost {
    /// The connection ended before an answer.
    Ended {
        /// Not a byte of the request was taken.
        unsent: bool,
    },
    /// Nothing came for as long as it may.
    Late,
    /// What came is no answer.
    Malformed(tapster_http1::Refusal),
}

impl Link {
    pub(super) fn new(stream: Stream, protocol: UpstreamProtocol) -> Link {
        Link {
            stream: Rc::new(stream),
            protocol,
            input: Vec::new(),
            head: ResponseHead::default(),
            is_sent: false,
        }
    }

    /// Whether it is open and silent, as it should be between two requests.
    pub(super) fn is_alive(&self) -> bool {
        self.stream.is_silent()
    }

    /// The same as far as the event loop knows, without a system call.
    pub(super) fn seems_alive(&self) -> bool {
        self.stream.seems_silent()
    }

    /// Whether its protocol has more than one request on a connection.
    pub(super) fn may_stay(&self) -> bool {
        self.protocol == UpstreamProtocol::Http
    }

    /// Sends a request, and reads the head of the answer.
    pub(super) async fn ask(&mut self, message: &Message, limit: Duration) -> Result<(), Lost> {
        let Link { stream, protocol, input, head, is_sent } = self;
        *is_sent = false;
        let sent = Cell::new(0);
        let sending = message.send(stream, *protocol, limit, &sent);
        let answered = read_head(stream, *protocol, input, head);
        tokio::pin!(answered);
        tokio::select! {
            biased;
            // Before all was sent: nothing else can follow on this connection.
            answered = &mut answered => return answered,
            outcome = sending => match outcome {
                Ok(()) => *is_sent = true,
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Lost::Late),
                // Who reads no more may have said why.
                Err(_) if sent.get() == 0 => return Err(Lost::Ended { unsent: true }),
                Err(_) => {}
            }
        }
        timeout(limit, answered).await.unwrap_or(Err(Lost::Late))
    }

    /// Its bytes, for who sends a request while the answer is read.
    pub(super) fn stream(&self) -> Rc<Stream> {
        self.stream.clone()
    }

    /// Reads the first head, while or after somebody else sends the request.
    pub(super) async fn first_head(&mut self) -> Result<(), Lost> {
        let Link { stream, protocol, input, head, .. } = self;
        read_head(stream, *protocol, input, head).await
    }

    /// Reads the next head, after one that was interim.
    pub(super) async fn next_head(&mut self, limit: Duration) -> Result<(), Lost> {
        self.input.drain(..self.head.length);
        let Link { stream, protocol, input, head, .. } = self;
        timeout(limit, read_head(stream, *protocol, input, head)).await.unwrap_or(Err(Lost::Late))
    }

    /// The connection, and what came behind the head that was read last; none while somebody else has it.
    pub(super) fn into_parts(mut self) -> Option<(Stream, Vec<u8>)> {
        self.input.drain(..self.head.length);
        Some((Rc::into_inner(self.stream)?, self.input))
    }

    /// Appends what comes next; 0 at the end.
    pub(super) async fn read(&mut self, limit: Duration) -> io::Result<usize> {
        let read = timeout(limit, self.stream.read(&mut self.input)).await;
        read.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, "the upstream is silent (--answer-timeout)")
        })?
    }
}

/// Reads the head of an answer to the front of `input`.
async fn read_head(
    stream: &Stream,
    protocol: UpstreamProtocol,
    input: &mut Vec<u8>,
    head: &mut ResponseHead,
) -> Result<(), Lost> {
    loop {
        let is_readable = match protocol {
            UpstreamProtocol::Http => !input.is_empty(),
            UpstreamProtocol::Uwsgi => cgi::add_status_line(input, LIMITS.head),
        };
        if is_readable && head.parse(input, &LIMITS).map_err(Lost::Malformed)? {
            return Ok(());
        }
        match stream.read(input).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return Err(Lost::Ended { unsent: false }),
        }
    }
}
