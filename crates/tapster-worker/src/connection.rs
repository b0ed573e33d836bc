//! One client connection: what it is in the middle of, and what it shares with the poller. The step that it can take with
//! the bytes that are there stands in `advance.rs`. Owned by one thread at a time; between steps it rests in the lane.

mod advance;

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tapster_gateway::{Protocol, Request, RequestIds};
use tapster_sys::jitter;

use crate::backing::Backing;
use crate::body::Writing;
use crate::held::Held;
use crate::incoming::{Discard, Incoming, Left};
use crate::introduction::Introduction;
use crate::outbound::Outbound;
use crate::policy::Policy;
use crate::receive::{Receiving, Refused};
use crate::stream::{Shutdown, Stream};
use crate::worker::Shared;

/// Bytes that may stand before a request line (RFC 9112 §2.2) and behind it.
const EMPTY_LINES: usize = 8;

/// Buffers of one thread, reused by every connection it works on, so that an idle connection owns none.
pub(crate) struct Scratch {
    /// Unparsed bytes of the connection at hand; larger than any head by one read, so that a read never finds it full.
    pub(crate) read: Vec<u8>,
    /// The head and small body of an answer.
    pub(crate) out: Vec<u8>,
    pub(crate) head: tapster_http1::Head,
    /// Names for requests.
    pub(crate) ids: RequestIds,
    /// The line of an answer's head that names the request; empty where requests have no names.
    pub(crate) id_field: Vec<u8>,
    /// The request that is complete.
    pub(crate) request: Request,
}

impl Scratch {
    pub(crate) fn new(policy: &Policy) -> Scratch {
        let http = policy.http.head.max(policy.http.request_line + EMPTY_LINES);
        let largest = http.max(tapster_uwsgi::MAX_PACKET);
        Scratch {
            read: vec![0; largest + 64 * 1024],
            out: Vec::with_capacity(32 * 1024),
            head: tapster_http1::Head::default(),
            ids: RequestIds::new(jitter::seed()),
            id_field: Vec::new(),
            request: Request::default(),
        }
    }
}

/// Who is at both ends, and what that allows.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) connection: tapster_gateway::Connection,
    /// Whether this peer may speak uwsgi here.
    pub(crate) may_speak_uwsgi: bool,
    /// Whether this peer's forwarding fields are believed.
    pub(crate) is_trusted_proxy: bool,
    /// Whether a PROXY header is due, or was read.
    pub(crate) introduction: Introduction,
    /// The client spoke TLS with the proxy that introduced it.
    pub(crate) is_tls: bool,
    /// The client speaks HTTP/2 with the front.
    pub(crate) speaks_http2: bool,
    /// What the front said of the client of its last request here: most have the same.
    pub(crate) said: Box<[u8]>,
    /// What it said that the application is to see as it is: about TLS.
    pub(crate) variables: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What a request needs of its connection when it is answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) protocol: Protocol,
    pub(crate) http10: bool,
    pub(crate) head_only: bool,
    pub(crate) keep_alive: bool,
    /// It says that a proxy is in between.
    pub(crate) proxied: bool,
}

/// What a connection is in the middle of.
pub(crate) enum State {
    /// Between requests, or inside the next head.
    Head,
    /// Inside a body.
    Body(Box<Receiving>),
    /// A piece of the body is being written to its file; nothing is read meanwhile.
    Spooling(Box<Receiving>, Arc<Writing>),
    /// Inside a body that nobody reads, whose request is answered.
    Discarding(Discard),
    /// A complete request waits for a thread.
    Waiting(Box<(Request, Exchange)>),
    /// The answer is written as far as the socket takes it; then the connection goes on or closes.
    Flushing { keep_alive: bool, linger: bool },
    /// The last answer is out; input is read and dropped so that the client sees it (no reset).
    Lingering,
}

/// What to do with the connection next.
pub(crate) enum Step {
    /// Nothing until the poller or a deadline says so.
    Rest,
    /// There may be more to read, but it is another connection's turn.
    Yield,
    /// A whole request stands in the scratch.
    Dispatch(Exchange),
    /// A piece of the body must be written to its file.
    Spool,
    /// A bad request: answer and close.
    Refuse(Refused),
    /// A uwsgi ping: answer pong and close.
    Pong,
    /// Close: the client left a request unfinished. Nobody is there for an answer; the log gets a line.
    Broken(&'static str),
    /// Close without a word; the text says why, for the log's debug level.
    Close(&'static str),
}

/// A client connection.
pub(crate) struct Connection {
    pub(crate) key: usize,
    pub(crate) stream: Arc<Stream>,
    pub(crate) facts: Facts,
    /// Decided by the first byte, once.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) state: State,
    /// Bytes read and not yet used: a part of a head, or pipelined requests.
    pub(crate) input: Held,
    /// `input` may hold a whole request.
    pub(crate) unparsed: bool,
    /// The last read emptied the socket.
    pub(crate) drained: bool,
    /// The poller saw room to write.
    pub(crate) writable: bool,
    /// The poller has it. A new connection is read first: most have sent their request, and some are done with it.
    pub(crate) watched: bool,
    /// The poller is asked for room to write.
    pub(crate) watches_writes: bool,
    /// The poller saw that nobody is there any more: the client reset the connection, or closed a unix socket.
    pub(crate) gone: bool,
    /// The poller saw the client's FIN.
    pub(crate) read_closed: bool,
    pub(crate) outbound: Option<Arc<Outbound>>,
    /// An answer that is kept back for a moment; nothing is queued before it.
    pub(crate) unsent: Vec<u8>,
    /// The head of the last answer, where the access log asks for it.
    pub(crate) kept_head: Vec<u8>,
    /// The body that the application reads by itself.
    pub(crate) incoming: Option<Arc<Incoming>>,
    /// What the last request left of its body.
    discard: Option<Box<Discard>>,
    /// Which listener accepted it.
    pub(crate) listener: u16,
    /// Requests answered.
    pub(crate) served: u64,
    /// Since when it waits for what it is in the middle of; none after progress.
    pub(crate) since: Option<Instant>,
}

impl Connection {
    pub(crate) fn new(key: usize, listener: u16, stream: Stream, facts: Facts) -> Connection {
        Connection {
            key,
            stream: Arc::new(stream),
            facts,
            protocol: None,
            state: State::Head,
            input: Held::default(),
            unparsed: false,
            drained: false,
            writable: false,
            watched: false,
            watches_writes: false,
            gone: false,
            read_closed: false,
            outbound: None,
            unsent: Vec::new(),
            kept_head: Vec::new(),
            incoming: None,
            discard: None,
            listener,
            served: 0,
            since: None,
        }
    }

    /// The request that has begun and is not with the application.
    pub(crate) fn request(&self) -> Option<&Request> {
        match &self.state {
            State::Body(receiving) | State::Spooling(receiving, _) => Some(&receiving.request),
            State::Waiting(waiting) => Some(&waiting.0),
            State::Head | State::Discarding(_) | State::Flushing { .. } | State::Lingering => None,
        }
    }

    /// Between requests, with nothing of the next one there: may be closed or given away without loss.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Head) && self.input.is_empty() && self.discard.is_none()
    }

    /// Whether bytes, of which there are some, are what its deadline waits for.
    pub(crate) fn lives_by_bytes(&self) -> bool {
        self.is_idle() || matches!(self.state, State::Body(_))
    }

    /// Writes bytes of the server's own while nothing is queued before them, and queues what does not fit. False if
    /// the client is gone.
    pub(crate) fn send(&mut self, bytes: &[u8], shared: &Shared) -> bool {
        let sent = match self.stream.write(bytes) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => return false,
        };
        if sent == bytes.len() {
            return true;
        }
        let backing = Backing::of(shared, self.key);
        let outbound = self.outbound.insert(Outbound::new(self.stream.clone(), sent as u64, backing));
        let _flushed_next = outbound.push(Box::new(bytes[sent..].to_vec()), 0);
        self.watch_writes(&shared.lane.registry).is_ok()
    }

    /// Has the poller tell of bytes, of the end, and of room to write once that was asked for.
    pub(crate) fn watch(&mut self, registry: &mio::Registry) -> io::Result<()> {
        if !self.watched {
            self.stream.register(registry, mio::Token(self.key), self.watches_writes)?;
            self.watched = true;
        }
        Ok(())
    }

    /// Has the poller tell of room to write too.
    pub(crate) fn watch_writes(&mut self, registry: &mio::Registry) -> io::Result<()> {
        if std::mem::replace(&mut self.watches_writes, true) {
            return Ok(());
        }
        if self.watched {
            self.stream.watch_writes(registry, mio::Token(self.key))
        } else {
            self.watch(registry)
        }
    }

    /// Whether bytes came that nobody has read, as far as this connection can tell.
    pub(crate) fn has_unread(&self) -> bool {
        !self.input.is_empty() || !self.drained || !self.watched && self.stream.has_unread()
    }

    /// Whether the connection has nothing else to do than to wait for this answer.
    pub(crate) fn only_waits(&self) -> bool {
        self.input.is_empty()
            && self.drained
            && self.watched
            && self.outbound.is_none()
            && self.incoming.is_none()
            && self.discard.is_none()
    }

    /// The request is answered whose body the application read by itself: what follows it in the stream, or what it
    /// left of it, is the loop's again. False if the connection cannot go on.
    pub(crate) fn end_incoming(&mut self, incoming: &Incoming) -> bool {
        // Its reader has read the socket, or has not: what there is must be looked for.
        self.drained = false;
        let (discard, input) = match incoming.end() {
            Left::Nothing(input) => (None, input),
            Left::Some(discard, input) => (Some(Box::new(discard)), input),
            Left::TooMuch => return false,
        };
        self.unparsed = !input.is_empty();
        self.input = input.into();
        self.discard = discard;
        true
    }

    /// Turns to reading and dropping what still comes, so that the last answer is not lost to a reset.
    pub(crate) fn linger(&mut self) {
        self.stream.shutdown(Shutdown::Write);
        self.input.clear();
        self.unparsed = false;
        self.since = None;
        self.state = State::Lingering;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What 10,000 idle clients cost, 10,000 times.
    #[test]
    fn an_idle_connection_is_small_and_owns_no_buffer() {
        let connection = size_of::<Connection>();
        let stream = size_of::<Stream>() + 2 * size_of::<usize>();
        println!(
            "connection {connection} bytes, stream {stream} bytes, slot {} bytes",
            crate::lane::SLOT_SIZE
        );
        assert!(connection + stream + crate::lane::SLOT_SIZE < 512);
    }
}
