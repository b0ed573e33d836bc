//! The step that a connection can take with the bytes that are there: reading, parsing, bodies that go to a file. Run by
//! whoever drives it.

use std::io;
use std::sync::Arc;

use crate::body::{self, Writing};
use crate::incoming::Incoming;
use crate::policy::Policy;
use crate::receive::{self, Parsed};
use crate::spool::Spool;

use super::{Connection, Exchange, Scratch, State, Step};

/// Reads before another connection gets its turn.
const READS_PER_TURN: usize = 16;

/// Bytes of what was left over that are looked at first.
const AT_ONCE: usize = 8 * 1024;

impl Connection {
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
}
