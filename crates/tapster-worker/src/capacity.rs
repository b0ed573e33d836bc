//! Room for clients: no more connections than the worker may have, and what is done when the system has no descriptor
//! for another one. Run by whoever accepts, closes or leads.
//!
//! A worker without room leaves its listeners, so that its peers are woken for new clients, or, where none has room,
//! clients wait in the kernel's queue. A worker without descriptors also answers some clients with 503, by means of a
//! descriptor that it keeps for this, so that they do not wait in vain.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::Shutdown;
use tapster_http1::encode::{RefusalFields, refusal_response};
use tapster_observe::Incident;
use tapster_sys::accept::Trouble;

use crate::accept::{Accepted, Acceptor};
use crate::drive;
use crate::reserve::Reserve;
use crate::stream::Stream;
use crate::worker::Shared;

/// The bound on connections where the system would allow more.
const MOST: u64 = 65_536;

/// How long accepting pauses when there is no descriptor or no memory left.
const PAUSE: Duration = Duration::from_millis(250);

/// Clients refused before each pause.
const REFUSALS: u64 = 16;

/// How long a listener that is broken is left alone, and how often a full worker looks for idle connections.
const LOOK: Duration = Duration::from_secs(1);

/// How long a connection must have been idle to make room for another client.
const IDLE: Duration = Duration::from_secs(5);

/// How often trouble is said while it lasts.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// How much room a worker has.
pub(crate) struct Capacity {
    most: u64,
    /// There are as many connections as may be.
    is_reached: AtomicBool,
    /// The system gave no descriptor, or no memory, a moment ago.
    is_short: AtomicBool,
    /// A listener is broken, and left alone for a while.
    is_broken: AtomicBool,
    times: Mutex<Times>,
    pub(crate) reserve: Reserve,
}

#[derive(Default)]
struct Times {
    /// When to try again.
    until: Option<Instant>,
    /// When the trouble was last said, and how many clients were refused since.
    said: Option<Instant>,
    refused: u64,
    /// When idle connections were last looked for.
    looked: Option<Instant>,
}

impl Capacity {
    /// Room for `most` connections; for as many as there are descriptors by default, less some for the application.
    pub(crate) fn new(most: Option<usize>) -> Capacity {
        let most = match most {
            Some(most) => most as u64,
            None => {
                tapster_sys::open_files::room().map_or(MOST, |room| (room - room.div_ceil(8)).clamp(1, MOST))
            }
        };
        Capacity {
            most,
            is_reached: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
            is_broken: AtomicBool::new(false),
            times: Mutex::default(),
            reserve: Reserve::new(),
        }
    }

    /// Whether no further client can be taken now.
    pub(crate) fn is_full(&self) -> bool {
        self.is_reached.load(Ordering::SeqCst) || self.is_short.load(Ordering::SeqCst)
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared<'_> {
    /// After a new client: leaves the listeners if there are as many connections as may be. True if so.
    pub(crate) fn stop_when_full(&self) -> bool {
        if self.board.connections() < self.capacity.most {
            return false;
        }
        self.capacity.is_reached.store(true, Ordering::SeqCst);
        self.capacity.times().looked = Some(Instant::now());
        self.leave_all_listeners();
        self.log.debug(format_args!(
            "{} connections are as many as this worker may have (--worker-connections); new clients wait, or go elsewhere",
            self.capacity.most
        ));
        // A connection may have ended meanwhile, too early to be noticed.
        self.go_on_if_there_is_room();
        if !self.capacity.is_full() {
            self.join_all_listeners();
        }
        true
    }

    /// Counts a connection that is no more.
    pub(crate) fn forget_one(&self) {
        self.board.connections_changed(-1);
        if self.capacity.is_reached.load(Ordering::SeqCst) {
            self.go_on_if_there_is_room();
        }
    }

    fn go_on_if_there_is_room(&self) {
        let has_room = self.board.connections() < self.capacity.most;
        if has_room && self.capacity.is_reached.swap(false, Ordering::SeqCst) {
            self.join_all_listeners();
        }
    }

    /// A client could not be taken, for a reason that is not its own.
    pub(crate) fn accept_failed(&self, now: Instant, listener: usize, error: &io::Error) {
        let Some(acceptor) = self.lane.acceptors.get(listener) else { return };
        let trouble = Trouble::of(error);
        if trouble == Trouble::Listener {
            self.capacity.times().until = Some(now + LOOK);
            self.capacity.is_broken.store(true, Ordering::SeqCst);
            self.lane.leave(acceptor);
            return self.say(
                now,
                format_args!("cannot accept connections on {acceptor}, and will try again: {error}"),
            );
        }
        let refused =
            if trouble == Trouble::NoDescriptor { self.refuse_some(acceptor, listener as u16) } else { 0 };
        let refused = {
            let mut times = self.capacity.times();
            times.until = Some(now + PAUSE);
            times.refused += refused;
            times.refused
        };
        self.capacity.is_short.store(true, Ordering::SeqCst);
        self.leave_all_listeners();
        let hint = match trouble {
            Trouble::NoDescriptor => {
                "; raise the limit on open files (ulimit -n) or lower --worker-connections"
            }
            _ => "",
        };
        self.say(
            now,
            format_args!(
                "cannot accept connections for now: {error}; {refused} clients were answered with 503{hint}"
            ),
        );
    }

    /// Tells the operator of trouble, unless that was done a moment ago.
    fn say(&self, now: Instant, what: fmt::Arguments<'_>) {
        let mut times = self.capacity.times();
        if times.said.is_none_or(|said| now >= said + SAID_EVERY) {
            times.said = Some(now);
            times.refused = 0;
            drop(times);
            self.log.report(Incident::CANNOT_ACCEPT, what);
        }
    }

    /// Takes some of the clients that wait by means of the reserve: a peer may have room for them, else they are told.
    fn refuse_some(&self, acceptor: &Acceptor, listener: u16) -> u64 {
        let mut reserve = self.capacity.reserve.take();
        let mut refused = 0;
        while refused < REFUSALS {
            reserve.lend();
            // The application may have been faster.
            let Ok(accepted) = acceptor.accept() else { break };
            // One whose threads are busy is better than none.
            let peer = self.peers.with_free_thread().or_else(|| self.peers.ready().first().copied());
            if !peer.is_some_and(|peer| peer.send(listener, accepted.stream.as_fd())) {
                self.tell_no_room(&accepted.stream);
                refused += 1;
            }
            drop(accepted);
            reserve.restore();
        }
        refused
    }

    /// A client that a peer sent, and counted here, took the last descriptor: another peer may have room, else it is
    /// told.
    pub(crate) fn send_away(&self, accepted: Accepted, listener: u16) {
        self.capacity.times().until = Some(Instant::now() + PAUSE);
        self.capacity.is_short.store(true, Ordering::SeqCst);
        self.leave_all_listeners();
        // Not to one that may be short itself: it would come back.
        let peer = self.peers.with_free_thread();
        if !peer.is_some_and(|peer| peer.send(listener, accepted.stream.as_fd())) {
            self.tell_no_room(&accepted.stream);
        }
        self.forget_one();
    }

    /// Answers 503 at once. What the client has sent is read, so that closing does not reset the connection and with it
    /// the answer; what it still sends is not waited for.
    fn tell_no_room(&self, stream: &Stream) {
        let mut answer = Vec::with_capacity(256);
        refusal_response(&mut answer, 503, "", &RefusalFields { date: None, server: true, lines: b"" });
        let _unread = stream.read(&mut [0; 16 * 1024]);
        let _gone = stream.write(&answer);
        stream.shutdown(Shutdown::Write);
        self.board.refused(503);
    }

    /// Goes on when a pause is over, and makes room where connections are idle. Called after each poll.
    pub(crate) fn look_for_room(&self, now: Instant) {
        let Capacity { is_reached, is_short, is_broken, .. } = &self.capacity;
        if is_reached.load(Ordering::SeqCst) {
            self.go_on_if_there_is_room();
            self.close_idle(now);
        }
        let is_paused = is_short.load(Ordering::SeqCst) || is_broken.load(Ordering::SeqCst);
        if is_paused && self.capacity.times().until.is_none_or(|until| now >= until) {
            is_short.store(false, Ordering::SeqCst);
            is_broken.store(false, Ordering::SeqCst);
            self.join_all_listeners();
        }
    }

    /// How long a leader may sleep at most while new clients cannot be taken.
    pub(crate) fn pause_left(&self) -> Option<Duration> {
        let Capacity { is_reached, is_short, is_broken, .. } = &self.capacity;
        let is_waiting = is_reached.load(Ordering::SeqCst) || is_broken.load(Ordering::SeqCst);
        if is_short.load(Ordering::SeqCst) { Some(PAUSE) } else { is_waiting.then_some(LOOK) }
    }

    /// In a full worker, closes some of the lane's connections that have been idle for long.
    fn close_idle(&self, now: Instant) {
        let is_time = {
            let mut times = self.capacity.times();
            let is_time = times.looked.is_none_or(|looked| now >= looked + LOOK);
            times.looked = if is_time { Some(now) } else { times.looked };
            is_time
        };
        let Some(before) = now.checked_sub(IDLE).filter(|_| is_time) else { return };
        let count = usize::try_from(self.capacity.most.div_ceil(16)).unwrap_or(usize::MAX);
        for lane in &self.lanes {
            let idle = lane.core().take_idlest(before, count);
            for connection in idle {
                drive::close(&Shared { lane, ..*self }, connection, "idle while other clients wait");
            }
        }
    }

    fn leave_all_listeners(&self) {
        self.note_full();
        self.lanes.iter().for_each(|lane| lane.leave_listeners());
    }

    fn join_all_listeners(&self) {
        self.note_full();
        self.lanes.iter().for_each(|lane| Shared { lane, ..*self }.join_listeners());
    }
}
