//! A lane: one poller, one queue of ready connections, one token. A worker has one, or one a core where the interpreter
//! has no lock. Its threads and its monitor work on it; its lock is held for moments only, and never while the
//! application or its interpreter may run.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token as PollToken, Waker};
use slab::Slab;
use tapster_observe::WorkerBoard;
use tapster_sys::socket::Listener;

use crate::accept::Acceptor;
use crate::blocking::Blocking;
use crate::burst::Burst;
use crate::connection::{Connection, State};
use crate::deadline::{Fired, Timer, Wheel};
use crate::outbound::Outbound;
use crate::token::{Holder, Token};
use crate::worker::{FIRST_LISTENER, WAKE};

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

enum Place {
    /// Nobody works on it.
    Resting(Box<Connection>),
    /// A thread has it; bytes it could not send stand here, so that the loop can flush them meanwhile.
    Working(Option<Arc<Outbound>>),
}

/// A connection's entry in the lane.
struct Slot {
    place: Place,
    /// Seen while a thread had it, or not yet looked at: edge-triggered events are never lost.
    readiness: Readiness,
    queued: bool,
    timer: Timer,
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
    waiting: AtomicUsize,
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
    load: Arc<Load>,
    board: WorkerBoard,
    slots: Slab<Slot>,
    ready: VecDeque<usize>,
    /// Connections with a whole request that found no free thread, oldest first.
    waiting: VecDeque<usize>,
    /// Threads without work, last parked first.
    pub(crate) parked: Vec<Holder>,
    wheel: Wheel,
}

/// One lane of a worker. Two lanes never meet in a cache line.
#[repr(align(128))]
pub(crate) struct Lane {
    pub(crate) index: usize,
    pub(crate) load: Arc<Load>,
    pub(crate) token: Token,
    pub(crate) blocking: Blocking,
    pub(crate) burst: Burst,
    pub(crate) registry: Registry,
    pub(crate) waker: Waker,
    /// The leader is inside a poll that may block.
    pub(crate) polling: AtomicBool,
    pub(crate) monitor: Monitor,
    pub(crate) acceptors: Vec<Acceptor>,
    /// The monitor left the listeners, since all its threads are busy.
    pub(crate) is_busy: AtomicBool,
    /// The listeners are left for good.
    pub(crate) has_left: AtomicBool,
    /// The poller's own descriptor, to register shared listeners with.
    pub(crate) poll_fd: OwnedFd,
    core: Mutex<Core>,
    poller: Mutex<Poller>,
}

/// The monitor's bed.
#[derive(Default)]
pub(crate) struct Monitor {
    pub(crate) thread: OnceLock<Thread>,
    pub(crate) asleep: AtomicBool,
}

/// The poller and its buffer of events: one thread's at a time.
pub(crate) struct Poller {
    pub(crate) poll: Poll,
    pub(crate) events: Events,
}

impl Lane {
    /// Lane `index` of a worker; the thread of that number is the first to lead.
    pub(crate) fn new(index: usize, listeners: &[Listener], board: WorkerBoard) -> io::Result<Lane> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKE)?;
        let acceptors = listeners
            .iter()
            .enumerate()
            .map(|(index, listener)| Acceptor::new(listener, PollToken(FIRST_LISTENER + index)))
            .collect::<io::Result<Vec<_>>>()?;
        let load = Arc::new(Load::default());
        let core = Core {
            load: load.clone(),
            board,
            slots: Slab::new(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            parked: Vec::new(),
            wheel: Wheel::new(Instant::now()),
        };
        Ok(Lane {
            index,
            load,
            token: Token::granted_to(index as Holder),
            blocking: Blocking::default(),
            burst: Burst::default(),
            registry,
            waker,
            polling: AtomicBool::new(false),
            monitor: Monitor::default(),
            acceptors,
            is_busy: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            poll_fd: tapster_sys::poll::duplicate(&poll)?,
            core: Mutex::new(core),
            poller: Mutex::new(Poller { poll, events: Events::with_capacity(256) }),
        })
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poller(&self) -> MutexGuard<'_, Poller> {
        self.poller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The poller, if nobody else has it.
    pub(crate) fn try_poller(&self) -> Option<MutexGuard<'_, Poller>> {
        match self.poller.try_lock() {
            Ok(poller) => Some(poller),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The file thread did its part for a connection, which can go on.
    pub(crate) fn resume(&self, key: usize) {
        let resumed = Readiness { resumed: true, ..Readiness::default() };
        let _only_for_writable = self.core().saw(key, resumed);
        self.wake_poller();
    }

    /// Brings whoever polls back to the queue.
    pub(crate) fn wake_poller(&self) {
        if self.polling.load(Ordering::SeqCst) {
            // Fails only when the poller itself is gone.
            let _gone = self.waker.wake();
        }
    }

    pub(crate) fn wake_monitor(&self) {
        if self.monitor.asleep.load(Ordering::SeqCst)
            && self.monitor.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.monitor.thread.get()
        {
            thread.unpark();
        }
    }
}

impl Core {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
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

    fn note_waiting(&self) {
        let before = self.load.waiting.swap(self.waiting.len(), Ordering::SeqCst);
        self.board.waiting_changed(self.waiting.len() as i64 - before as i64);
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

    /// The oldest whole request that waits for a thread.
    pub(crate) fn next_waiting(&mut self) -> Option<Box<Connection>> {
        while let Some(key) = self.waiting.pop_front() {
            self.note_waiting();
            if let Some(connection) = self.take(key) {
                return Some(connection);
            }
        }
        None
    }

    /// The whole request that has waited for the longest, if it has since `before` or longer.
    pub(crate) fn take_waiting_since(&mut self, before: Instant) -> Option<Box<Connection>> {
        (self.waits_since()? <= before).then(|| self.next_waiting()).flatten()
    }

    /// Since when the oldest of the whole requests waits.
    pub(crate) fn waits_since(&mut self) -> Option<Instant> {
        while let Some(key) = self.waiting.front() {
            if let Some(Slot { place: Place::Resting(connection), .. }) = self.slots.get(*key)
                && matches!(connection.state, State::Waiting(_))
            {
                return connection.since;
            }
            // Its client has left it.
            self.waiting.pop_front();
            self.note_waiting();
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

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn take(&mut self, key: usize) -> Option<Box<Connection>> {
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

    /// Queues a whole request until a thread is free.
    pub(crate) fn wait_for_thread(&mut self, connection: Box<Connection>) {
        let key = connection.key;
        if let Some(slot) = self.slots.get_mut(key) {
            self.wheel.set(key, &mut slot.timer, None);
            slot.place = Place::Resting(connection);
            self.waiting.push_back(key);
            self.note_waiting();
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
