//! One client connection: what it is in the middle of, and the step it can take with the bytes that are there.
//! Owned by one thread at a time; between steps it rests in the lane.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tapster_gateway::{Protocol, Request};

use crate::backing::Backing;
use crate::body::{self, Writing};
use crate::held::Held;
use crate::incoming::{Discard, Incoming, Left};
use crate::introduction::Introduction;
use crate::outbound::Outbound;
use crate::policy::Policy;
use crate::receive::{self, Parsed, Receiving, Refused};
use crate::spool::Spool;
use crate::stream::{Shutdown, Stream};
use crate::worker::Shared;

/// Reads before another connection gets its turn.
const READS_PER_TURN: usize = 16;

/// Bytes of what was left over that are looked at first.
const AT_ONCE: usize = 8 * 1024;

/// Bytes that may stand before a request line (RFC 9112 §2.2) and behind it.
const EMPTY_LINES: usize = 8;

/// Buffers of one thread, reused by every connection it works on, so that an idle connection owns none.
pub(crate) struct Scratch {
    /// Unparsed bytes of the connection at hand; larger than any head by one read, so that a read never finds it full.
    pub(crate) read: Vec<u8>,
    /// The head and small body of an answer.
    pub(crate) out: Vec<u8>,
    pub(crate) head: tapster_http1::Head,
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
            incoming: None,
            discard: None,
            listener,
            served: 0,
            since: None,
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

    /// Parses and reads until something is complete, nothing more is there, or the turn is over.
    pub(crate) fn advance(&mut self, scratch: &mut Scratch, policy: &Policy, spool: &Spool) -> Step {
        match self.state {
            State::Flushing { .. } => return Step::Rest,
            State::Waiting(_) => return self.take_waiting(scratch),
            State::Spooling(..) => {
                if let Some(step) = self.take_written(scratch, policy, spool) {
                    return step;
                }
            }
            State::Head => {
                if let Some(discard) = self.discard.take() {
                    self.state = State::Discarding(*discard);
                }
            }
            State::Body(_) | State::Discarding(_) | State::Lingering => {}
        }
        for _ in 0..READS_PER_TURN {
            if self.unparsed {
                self.unparsed = false;
                if let Some(step) = self.parse_held(scratch, policy) {
                    return step;
                }
                if self.unparsed {
                    continue;
                }
            }
            if self.drained && !self.read_closed {
                return Step::Rest;
            }
            match self.read(scratch) {
                Ok(0) => return self.ended(),
                Ok(filled) => {
                    if let Some(step) = self.parse(scratch, filled, policy) {
                        return step;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.drained = true;
                    return Step::Rest;
                }
                Err(_) => return Step::Close("connection reset by the client"),
            }
        }
        Step::Yield
    }

    fn take_waiting(&mut self, scratch: &mut Scratch) -> Step {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Waiting(waiting) => {
                let (request, exchange) = *waiting;
                self.since = None;
                scratch.request = request;
                Step::Dispatch(exchange)
            }
            other => {
                self.state = other;
                Step::Rest
            }
        }
    }

    /// Hands what the body has in memory to the file thread, which calls `done` when it is written.
    pub(crate) fn spool(&mut self, spool: &Arc<Spool>, done: impl FnOnce() + Send + 'static) {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Body(mut receiving) => {
                let expected = receiving.expected();
                let buffer = std::mem::take(&mut receiving.buffer);
                self.state = State::Spooling(receiving, Writing::start(buffer, expected, spool, done));
            }
            other => self.state = other,
        }
    }

    /// Goes on with a body whose piece is written; gives a step if there is none to go on with.
    fn take_written(&mut self, scratch: &mut Scratch, policy: &Policy, spool: &Spool) -> Option<Step> {
        let State::Spooling(receiving, writing) = &mut self.state else { return None };
        let written = match writing.result() {
            None => return Some(Step::Rest),
            Some(Err(error)) => {
                let refused = body::refusal(&error, spool);
                return Some(Step::Refuse(refused.for_head(receiving.exchange.head_only)));
            }
            Some(Ok(buffer)) => buffer,
        };
        receiving.buffer = written;
        let parsed = receiving.next(policy);
        if let State::Spooling(receiving, _) = std::mem::replace(&mut self.state, State::Head) {
            self.state = State::Body(receiving);
        }
        self.follow(parsed, scratch, policy)
    }

    /// Copies what was left over, but no more than `most` of it, to the front of the read buffer.
    fn stash(&self, scratch: &mut Scratch, most: usize) -> usize {
        let held = self.input.as_slice();
        let held = &held[..held.len().min(most)];
        scratch.read[..held.len()].copy_from_slice(held);
        held.len()
    }

    /// Reads behind what was left over; gives the number of bytes at hand, 0 at the end of the stream.
    fn read(&mut self, scratch: &mut Scratch) -> io::Result<usize> {
        let held = self.stash(scratch, usize::MAX);
        let room = &mut scratch.read[held..];
        let count = self.stream.read(room)?;
        self.drained = count < room.len();
        if held == 0 && matches!(self.state, State::Head) {
            // The time for a head counts from its first byte.
            self.since = None;
        }
        Ok(if count == 0 { 0 } else { held + count })
    }

    /// Uses up the first `filled` bytes of the read buffer; what is left stays with the connection.
    fn parse(&mut self, scratch: &mut Scratch, filled: usize, policy: &Policy) -> Option<Step> {
        let (used, parsed) = self.use_up(scratch, filled, policy);
        self.input.replace(&scratch.read[used..filled]);
        self.follow(parsed, scratch, policy)
    }

    /// Uses up what was left over. There may be thousands of requests: a head is looked for in a part of it first.
    fn parse_held(&mut self, scratch: &mut Scratch, policy: &Policy) -> Option<Step> {
        let whole = self.input.as_slice().len();
        let most = if matches!(self.state, State::Head) { AT_ONCE } else { whole };
        let mut filled = self.stash(scratch, most);
        let (mut used, mut parsed) = self.use_up(scratch, filled, policy);
        if filled < whole && matches!(parsed, Parsed::More) {
            filled = self.stash(scratch, whole);
            (used, parsed) = self.use_up(scratch, filled, policy);
        }
        self.input.advance(used);
        self.follow(parsed, scratch, policy)
    }

    fn use_up(&mut self, scratch: &mut Scratch, filled: usize, policy: &Policy) -> (usize, Parsed) {
        match &mut self.state {
            State::Lingering => (filled, Parsed::More),
            State::Discarding(discard) => discard.feed(&scratch.read[..filled]),
            State::Body(receiving) => {
                let (used, parsed) = receiving.feed(&scratch.read[..filled], policy);
                receiving.moved += used as u64;
                (used, parsed)
            }
            State::Head | State::Waiting(_) | State::Spooling(..) | State::Flushing { .. } => {
                receive::head(self, scratch, filled, policy)
            }
        }
    }

    fn follow(&mut self, parsed: Parsed, scratch: &mut Scratch, policy: &Policy) -> Option<Step> {
        match parsed {
            Parsed::More => None,
            Parsed::Request(exchange) => Some(self.dispatch(exchange)),
            Parsed::BodyFollows(receiving) => {
                if receiving.expects_continue && self.input.is_empty() {
                    // A socket between requests has room; a client that sees no 100 sends its body all the same.
                    let _late = self.stream.write(tapster_http1::encode::CONTINUE);
                }
                self.unparsed = !self.input.is_empty();
                self.since = None;
                self.state = State::Body(receiving);
                None
            }
            Parsed::BodyStreams(receiving) => {
                let input = self.input.take();
                let (incoming, request, exchange) = Incoming::open(*receiving, input, &self.stream, policy);
                self.incoming = Some(incoming);
                scratch.request = request;
                Some(self.dispatch(exchange))
            }
            Parsed::Introduced => {
                self.unparsed = !self.input.is_empty();
                None
            }
            Parsed::Discarded => {
                self.unparsed = !self.input.is_empty();
                self.since = None;
                self.state = State::Head;
                None
            }
            Parsed::Undiscardable => {
                self.linger();
                None
            }
            Parsed::BodyComplete => match std::mem::replace(&mut self.state, State::Head) {
                State::Body(receiving) => {
                    let (request, exchange) = receiving.finish();
                    scratch.request = request;
                    Some(self.dispatch(exchange))
                }
                other => {
                    self.state = other;
                    None
                }
            },
            Parsed::PieceDue => Some(Step::Spool),
            Parsed::Refused(refused) => Some(Step::Refuse(refused)),
            Parsed::Pong => Some(Step::Pong),
        }
    }

    fn dispatch(&mut self, exchange: Exchange) -> Step {
        self.unparsed = !self.input.is_empty();
        self.since = None;
        Step::Dispatch(exchange)
    }

    /// The client sent FIN: nothing more will come.
    fn ended(&mut self) -> Step {
        self.drained = true;
        match self.state {
            State::Head if self.input.is_empty() => Step::Close("closed by the client"),
            State::Lingering | State::Discarding(_) => Step::Close("closed"),
            State::Head => Step::Broken("the client closed in the middle of a request head"),
            _ => Step::Broken("the client closed in the middle of a request body"),
        }
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
