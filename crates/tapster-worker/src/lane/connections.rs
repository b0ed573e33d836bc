//! The connections of a lane: who has which, what the poller saw of it, until when it may rest. Used by the lane's threads
//! and its monitor, under the lane's lock.

use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use slab::Slab;
use tapster_observe::WorkerBoard;

use crate::connection::{Connection, State};
use crate::deadline::{Fired, Timer, Wheel};
use crate::flow::Flow;
use crate::outbound::Outbound;
use crate::token::Holder;

/// What the poller saw of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) read_closed: bool,
    /// Nobody is there any more.
    pub(crate) gone: bool,
    /// The file thread did its part.
    pub(crate) resumed: bool,
}

impl Readiness {
    fn any(self) -> bool {
        self.readable || self.writable || self.read_closed || self.gone || self.resumed
    }

    fn add(&mut self, other: Readiness) {
        self.readable |= other.readable;
        self.writable |= other.writable;
        self.read_closed |= other.read_closed;
        self.gone |= other.gone;
        self.resumed |= other.resumed;
    }
}

pub(super) enum Place {
    /// Nobody works on it.
    Resting(Box<Connection>),
    /// A thread has it; bytes it could not send stand here, so that the loop can flush them meanwhile.
    Working(Option<Arc<Outbound>>),
}

/// A connection's entry in the lane.
pub(super) struct Slot {
    pub(super) place: Place,
    /// Seen while a thread had it, or not yet looked at: edge-triggered events are never lost.
    readiness: Readiness,
    queued: bool,
    pub(super) timer: Timer,
    /// The socket's number, whoever has the connection.
    descriptor: RawFd,
}

/// Bytes of a connection's entry.
#[cfg(test)]
pub(crate) const SLOT_SIZE: usize = size_of::<Slot>();

/// How much a lane has to do, to be read by other lanes without its lock. Whoever has the lock writes it.
#[derive(Default)]
pub(crate) struct Load {
    connections: AtomicUsize,
    pub(super) waiting: AtomicUsize,
}

impl Load {
    /// Open connections.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whole requests that wait for a thread.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }
}

/// What the lane's lock protects.
pub(crate) struct Core {
    pub(super) load: Arc<Load>,
    pub(super) board: WorkerBoard,
    pub(super) slots: Slab<Slot>,
    ready: VecDeque<usize>,
    /// Connections with a whole request that found no free thread, oldest first.
    pub(super) waiting: VecDeque<usize>,
    /// How fast those get on.
    pub(super) flow: Flow,
    /// Threads without work, last parked first.
    pub(crate) parked: Vec<Holder>,
    pub(super) wheel: Wheel,
}

impl Core {
    pub(super) fn new(load: Arc<Load>, board: WorkerBoard) -> Core {
        Core {
            load,
            board,
            slots: Slab::new(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            flow: Flow::default(),
            parked: Vec::new(),
            wheel: Wheel::new(Instant::now()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Connections that a thread has.
    pub(crate) fn working(&self) -> usize {
        self.slots.iter().filter(|(_, slot)| matches!(slot.place, Place::Working(_))).count()
    }

    /// The numbers of all sockets.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.slots.iter().map(|(_, slot)| slot.descriptor)
    }

    /// Makes room for a new connection and puts it behind the others that are ready.
    pub(crate) fn insert(&mut self, make: impl FnOnce(usize) -> Box<Connection>) {
        let entry = self.slots.vacant_entry();
        let key = entry.key();
        let connection = make(key);
        let readiness = Readiness::default();
        let descriptor = connection.stream.as_fd().as_raw_fd();
        let (place, timer) = (Place::Resting(connection), Timer::default());
        entry.insert(Slot { place, readiness, queued: true, timer, descriptor });
        self.ready.push_back(key);
        self.note_connections();
    }

    fn note_connections(&self) {
        self.load.connections.store(self.slots.len(), Ordering::Relaxed);
    }

    /// Notes what the poller saw. Gives the queue to flush if a thread has the connection and room was made.
    pub(crate) fn saw(&mut self, key: usize, readiness: Readiness) -> Option<Arc<Outbound>> {
        let slot = self.slots.get_mut(key)?;
        slot.readiness.add(readiness);
        match &slot.place {
            Place::Resting(connection) => {
                let waits = match connection.state {
                    // One that nobody waits for is closed at once.
                    State::Waiting(_) => !readiness.gone,
                    State::Spooling(..) => !readiness.resumed,
                    _ => false,
                };
                if !slot.queued && !waits {
                    slot.queued = true;
                    self.ready.push_back(key);
                }
                None
            }
            Place::Working(outbound) if readiness.writable => outbound.clone(),
            Place::Working(_) => None,
        }
    }

    /// The loop sent the last of a working thread's bytes. If the thread has put the connection to rest meanwhile, no
    /// further event may come: it is looked at now.
    pub(crate) fn flushed(&mut self, key: usize) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let waits = match &slot.place {
            Place::Resting(connection) => matches!(connection.state, State::Flushing { .. }),
            Place::Working(_) => false,
        };
        if waits && !slot.queued {
            slot.queued = true;
            self.ready.push_back(key);
        }
    }

    /// The next connection to work on: first whole requests that waited for a thread, if this one may call. Says too
    /// whether there are more.
    pub(crate) fn next(&mut self, may_call: bool) -> Option<(Box<Connection>, bool)> {
        if may_call && let Some(connection) = self.next_waiting() {
            return Some((connection, false));
        }
        while let Some(key) = self.ready.pop_front() {
            if let Some(connection) = self.take(key) {
                return Some((connection, !self.ready.is_empty()));
            }
        }
        None
    }

    /// Takes a thread from the parked ones; false if somebody has, who wakes it.
    pub(crate) fn unpark(&mut self, thread: Holder) -> bool {
        let place = self.parked.iter().position(|&parked| parked == thread);
        place.map(|place| self.parked.remove(place)).is_some()
    }

    /// Whether the leader must not go to sleep: [`Core::next`] would find something, or a deadline came in that is
    /// due before the end of that sleep.
    pub(crate) fn has_work(&self, may_call: bool) -> bool {
        !self.ready.is_empty() || may_call && !self.waiting.is_empty() || self.has_sooner_deadline()
    }

    /// How many connections a leader could work on now.
    pub(crate) fn queued(&self) -> usize {
        self.ready.len() + self.waiting.len()
    }

    /// Whether a leader that sleeps would miss a deadline.
    pub(crate) fn has_sooner_deadline(&self) -> bool {
        self.wheel.is_sooner()
    }

    pub(super) fn take(&mut self, key: usize) -> Option<Box<Connection>> {
        let slot = self.slots.get_mut(key)?;
        slot.queued = false;
        let Place::Resting(connection) = &slot.place else { return None };
        let working = Place::Working(connection.outbound.clone());
        match std::mem::replace(&mut slot.place, working) {
            Place::Resting(mut connection) => {
                apply(&mut slot.readiness, &mut connection);
                Some(connection)
            }
            Place::Working(_) => None,
        }
    }

    /// Lets the loop flush what a working thread could not send.
    pub(crate) fn share_outbound(&mut self, key: usize, outbound: Arc<Outbound>) {
        if let Some(Slot { place: Place::Working(shared), .. }) = self.slots.get_mut(key) {
            *shared = Some(outbound);
        }
    }

    /// Puts a connection to rest until `deadline`; gives it back at once if the poller saw something meanwhile.
    pub(crate) fn rest(
        &mut self,
        mut connection: Box<Connection>,
        deadline: Option<Instant>,
    ) -> Option<Box<Connection>> {
        let key = connection.key;
        let slot = self.slots.get_mut(key)?;
        if slot.readiness.any() {
            apply(&mut slot.readiness, &mut connection);
            return Some(connection);
        }
        self.wheel.set(key, &mut slot.timer, deadline);
        slot.place = Place::Resting(connection);
        None
    }

    /// Puts a connection behind the others that are ready.
    pub(crate) fn requeue(&mut self, connection: Box<Connection>) {
        let key = connection.key;
        if let Some(slot) = self.slots.get_mut(key) {
            self.wheel.set(key, &mut slot.timer, None);
            slot.place = Place::Resting(connection);
            slot.queued = true;
            self.ready.push_back(key);
        }
    }

    /// Whether the poller saw bytes of a connection that a thread has.
    pub(crate) fn has_unread(&self, key: usize) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.readiness.readable)
    }

    /// Forgets a connection that a thread has.
    pub(crate) fn remove(&mut self, key: usize) {
        self.slots.try_remove(key);
        self.note_connections();
    }

    /// Forgets a connection that its thread lost; false if no thread has it.
    pub(crate) fn remove_working(&mut self, key: usize) -> bool {
        let working = self.slots.get(key).is_some_and(|slot| matches!(slot.place, Place::Working(_)));
        let removed = working && self.slots.try_remove(key).is_some();
        self.note_connections();
        removed
    }

    /// Takes all connections whose deadline is over. What came in the last moment counts, except for deadlines that
    /// bytes do not move.
    #[expect(clippy::vec_box, reason = "connections move between owners as boxes")]
    pub(crate) fn expired(&mut self, now: Instant, into: &mut Vec<Box<Connection>>) {
        let mut due = Vec::new();
        self.wheel.advance(now, &mut due);
        for (key, fired) in due {
            let Some(slot) = self.slots.get_mut(key) else { continue };
            // Whoever works on the connection, now or next, sets the deadline anew.
            if self.wheel.judge(key, fired, &mut slot.timer) != Fired::Expired {
                continue;
            }
            let saved = match &slot.place {
                Place::Resting(connection) => slot.queued && connection.lives_by_bytes(),
                Place::Working(_) => true,
            };
            if !saved {
                into.extend(self.take(key));
            }
        }
    }

    /// How long the poller may sleep.
    pub(crate) fn sleep(&mut self, now: Instant) -> Option<Duration> {
        self.wheel.wait(now)
    }

    /// Takes the `count` connections that have been idle for the longest time, of those that were so before a moment.
    #[expect(clippy::vec_box, reason = "connections move between owners as boxes")]
    pub(crate) fn take_idlest(&mut self, before: Instant, count: usize) -> Vec<Box<Connection>> {
        let since = |(key, slot): (usize, &Slot)| match &slot.place {
            Place::Resting(connection) if connection.is_idle() && !slot.readiness.any() => {
                Some((connection.since.filter(|&since| since <= before)?, key))
            }
            _ => None,
        };
        let mut idle: Vec<_> = self.slots.iter().filter_map(since).collect();
        idle.sort_unstable();
        idle.into_iter().take(count).filter_map(|(_, key)| self.take(key)).collect()
    }

    /// Takes every connection that is between requests.
    #[expect(clippy::vec_box, reason = "connections move between owners as boxes")]
    pub(crate) fn take_idle(&mut self) -> Vec<Box<Connection>> {
        let idle: Vec<usize> = self
            .slots
            .iter()
            .filter(|(_, slot)| match &slot.place {
                Place::Resting(connection) => connection.is_idle() && !slot.readiness.any(),
                Place::Working(_) => false,
            })
            .map(|(key, _)| key)
            .collect();
        idle.into_iter().filter_map(|key| self.take(key)).collect()
    }
}

fn apply(readiness: &mut Readiness, connection: &mut Connection) {
    if readiness.readable || readiness.read_closed {
        connection.drained = false;
    }
    connection.read_closed |= readiness.read_closed;
    connection.gone |= readiness.gone;
    connection.writable |= readiness.writable;
    *readiness = Readiness::default();
}
