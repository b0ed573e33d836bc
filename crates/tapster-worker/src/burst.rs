//! Answers of a burst leave together: while more connections are at hand, the leader keeps small answers back for a
//! moment and then writes one behind the other. Whoever sleeps until an answer comes (a client, a proxy) is woken by the
//! first and finds the rest; waking it anew for each costs more than the writes do.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::{Connection, State};
use crate::serve::{self, Context, work_on};
use crate::stream::Stream;
use crate::token::{Holder, Token};
use crate::worker::Shared;

/// How long an answer is kept back at most, as long as the application's calls are brief. A call that takes long
/// is interrupted by the monitor, which writes what is kept.
const LONGEST: Duration = Duration::from_millis(1);

/// A call above this is too long to keep an answer for: the next may be as long.
const BRIEF: Duration = Duration::from_micros(500);

/// How many answers are kept back at most.
const MOST: usize = 32;

/// Larger answers are written at once.
const LARGEST: usize = 16 * 1024;

/// Connections of a lane whose answer is kept back, oldest first. Theirs is [`Connection::unsent`].
#[derive(Default)]
pub(crate) struct Burst {
    kept: Mutex<VecDeque<Box<Connection>>>,
    /// The whole answer of a call that has not ended: the application may still be at work after its last byte.
    entrusted: Mutex<Option<Entrusted>>,
}

struct Entrusted {
    stream: Arc<Stream>,
    bytes: Vec<u8>,
    /// How many of them the monitor wrote.
    sent: usize,
}

impl Burst {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Box<Connection>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Box<Connection>> {
        self.kept().pop_front()
    }

    fn entrusted(&self) -> MutexGuard<'_, Option<Entrusted>> {
        self.entrusted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the whole answer of the leader's call until that ends. Gives it back if there is one already, of a call
    /// that was the leader's before.
    pub(crate) fn entrust(&self, stream: Arc<Stream>, bytes: Vec<u8>) -> Result<(), Vec<u8>> {
        let mut place = self.entrusted();
        if place.is_some() {
            return Err(bytes);
        }
        *place = Some(Entrusted { stream, bytes, sent: 0 });
        Ok(())
    }

    /// Gives back what is left of that answer when its call has ended.
    pub(crate) fn give_back(&self, connection: &mut Connection) {
        let mut place = self.entrusted();
        // The lane may have another leader by now, with an answer of its own.
        let is_own = |entrusted: &mut Entrusted| Arc::ptr_eq(&entrusted.stream, &connection.stream);
        if let Some(Entrusted { mut bytes, sent, .. }) = place.take_if(is_own) {
            bytes.drain(..sent);
            connection.unsent = bytes;
        }
    }

    /// Writes the answer of a call that goes on and on.
    fn write_entrusted(&self) {
        let mut place = self.entrusted();
        let Some(Entrusted { stream, bytes, sent }) = place.as_mut() else { return };
        match stream.write(&bytes[*sent..]) {
            Ok(count) => *sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // Nobody is there for it: the connection's next read tells the loop.
            Err(_) => *sent = bytes.len(),
        }
    }
}

/// What a leader knows of the burst that it is in.
#[derive(Default)]
pub(crate) struct Pace {
    /// More connections are at hand.
    pub(crate) has_more: bool,
    /// When the first of the answers was kept back.
    since: Option<Instant>,
    count: usize,
    /// The last call was brief.
    is_brief: bool,
    /// The answer of the call that runs, or has just ended, is entrusted to the lane.
    pub(crate) has_entrusted: bool,
    /// Whose this is.
    holder: Holder,
    /// Buffers of answers that were written.
    spare: Vec<Vec<u8>>,
}

impl Pace {
    pub(crate) fn of(holder: Holder) -> Pace {
        Pace { holder, ..Pace::default() }
    }

    /// Whether an answer may stay entrusted: a next leader looks for one when it begins, and may have looked before.
    pub(crate) fn still_leads(&mut self, token: &Token) -> bool {
        self.has_entrusted = token.is_held_by(self.holder);
        self.has_entrusted
    }

    /// Notes how long a call took.
    pub(crate) fn note(&mut self, wall: Duration) {
        self.is_brief = wall <= BRIEF;
    }

    /// Takes what stands in `out` for later; an empty buffer takes its place.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>) -> Vec<u8> {
        std::mem::replace(out, self.spare.pop().unwrap_or_default())
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        if self.spare.len() < MOST {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    fn is_due(&self, now: Instant) -> bool {
        self.since.is_some_and(|since| self.count >= MOST || now.saturating_duration_since(since) >= LONGEST)
    }
}

/// Whether an answer may be kept back until others are there too.
pub(crate) fn may_keep(shared: &Shared, context: &Context) -> bool {
    let pace = &context.burst;
    context.leads
        && pace.has_more
        && pace.is_brief
        && shared.lane.index == shared.home.index
        && !shared.home.blocking.is_usual()
}

/// Whether an answer of `length` bytes is small enough to be kept back.
pub(crate) fn is_small(length: usize) -> bool {
    length <= LARGEST
}

/// Keeps back a connection with an unsent answer.
pub(crate) fn keep(shared: &Shared, context: &mut Context, connection: Box<Connection>) {
    context.burst.since.get_or_insert(context.now);
    context.burst.count += 1;
    shared.lane.burst.kept().push_back(connection);
}

/// Writes what is kept back if that is due. Run by the leader after each connection.
pub(crate) fn release_due(shared: &Shared, context: &mut Context) {
    if context.burst.is_due(context.now) {
        release(shared, context);
    }
}

/// Writes what this thread keeps back; false if that is nothing.
pub(crate) fn release_own(shared: &Shared, context: &mut Context) -> bool {
    context.burst.since.is_some() && {
        release(shared, context);
        true
    }
}

/// Takes over from another leader: writes what that kept back.
pub(crate) fn take_over(shared: &Shared, context: &mut Context) {
    shared.lane.burst.write_entrusted();
    release(shared, context);
}

/// Writes what anybody kept back in this lane, and goes on with those connections.
fn release(shared: &Shared, context: &mut Context) {
    context.burst.since = None;
    context.burst.count = 0;
    context.burst.has_more = false;
    while let Some(connection) = shared.lane.burst.next() {
        work_on(shared, context, connection);
    }
}

/// Writes what a leader kept back that is in a long call now. Run by the monitor, which does not lead.
pub(crate) fn release_for(shared: &Shared, context: &mut Context) {
    context.now = Instant::now();
    serve::survive(shared, context, take_over);
}

/// Writes the answer that was kept back for this connection, if there is one. False if the client is gone.
pub(crate) fn write(shared: &Shared, context: &mut Context, connection: &mut Connection) -> bool {
    if connection.unsent.is_empty() || !matches!(connection.state, State::Flushing { .. }) {
        return true;
    }
    let unsent = std::mem::take(&mut connection.unsent);
    let is_there = connection.send(&unsent, shared);
    context.burst.give_back(unsent);
    is_there
}
