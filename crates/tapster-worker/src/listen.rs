//! New clients: accepted here, or passed on to a peer that has more time; listeners left and joined again. Run by
//! whoever leads, after a poll.
//!
//! A listener wakes one of the workers that share it, so whoever is woken must take the client even if it does not
//! want it, and whoever leaves takes one last client: nobody else was told of that one.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::accept::{Accepted, Acceptor};
use crate::connection::Connection;
use crate::lane::Lane;
use crate::peers::Peer;
use crate::policy::Rest;
use crate::serve::Context;
use crate::token::MONITOR;
use crate::worker::Shared;

/// Connections taken in one turn; the listener is level-triggered, the rest is reported again.
const ACCEPTS_PER_TURN: usize = 64;

/// How long accepting pauses when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(250);

/// How often that is said while it lasts.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// The time in which the process has no descriptor for another connection, so that no lane listens.
#[derive(Default)]
pub(crate) struct Pause {
    full: AtomicBool,
    /// Until when, and when that was last said.
    times: Mutex<(Option<Instant>, Option<Instant>)>,
}

/// Why a client might better go to a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A peer has clearly fewer clients.
    Balance,
    /// A peer has a free thread, this worker has not.
    Busy,
    /// This worker takes no more.
    Draining,
}

impl Shared<'_> {
    /// Takes new connections from a listener that has some.
    pub(crate) fn accept_from(&self, context: &Context, index: usize) {
        let Some(acceptor) = self.lane.acceptors.get(index) else { return };
        if self.is_draining() {
            return acceptor.leave(self.lane.poll_fd.as_fd(), &self.lane.registry);
        }
        let is_shared = self.has_peers || self.lanes.len() > 1;
        let (turns, reason) = match (is_shared, context.may_call()) {
            (false, _) => (ACCEPTS_PER_TURN, Reason::Balance),
            (true, true) => (1, Reason::Balance),
            (true, false) => (1, Reason::Busy),
        };
        for _ in 0..turns {
            match self.accept_one(acceptor, index, reason) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return self.pause_accepting(context.now, &error),
            }
        }
        if reason == Reason::Busy {
            self.leave_while_busy();
        }
    }

    /// False when there is no new connection.
    fn accept_one(&self, acceptor: &Acceptor, index: usize, reason: Reason) -> io::Result<bool> {
        match acceptor.accept() {
            Ok(accepted) => self.enter_here_or_pass(accepted, index as u16, reason),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if is_of_that_client(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn enter_here_or_pass(&self, accepted: Accepted, listener: u16, reason: Reason) {
        let free_lane = if reason == Reason::Busy { self.free_lane() } else { None };
        let send = |peer: &Peer| peer.send(listener, accepted.stream.as_fd());
        if free_lane.is_none() && self.peer_for(reason).is_some_and(send) {
            return;
        }
        self.board.connections_changed(1);
        let lane = free_lane.unwrap_or_else(|| self.lane_for_client());
        Shared { lane, ..*self }.enter(accepted, listener);
    }

    fn peer_for(&self, reason: Reason) -> Option<&Peer> {
        match reason {
            Reason::Balance if !self.has_peers => None,
            Reason::Balance => self.peers.less_busy_than(self.board.connections()),
            Reason::Busy => self.peers.with_free_thread(),
            Reason::Draining => self.peers.ready().first().copied(),
        }
    }

    /// Makes a connection of a new socket, which is counted already.
    pub(crate) fn enter(&self, accepted: Accepted, listener: u16) {
        let Accepted { stream, local, peer } = accepted;
        let facts = self.policy.facts(local, peer);
        let now = Instant::now();
        let deadline = self.policy.deadline(Rest::Head, now, now);
        let entered = self.lane.core().insert(deadline, |key| {
            stream.register(&self.lane.registry, mio::Token(key)).ok()?;
            Some(Box::new(Connection::new(key, listener, stream, facts)))
        });
        if !entered {
            self.board.connections_changed(-1);
            self.log.error(format_args!("a new connection was dropped: the poller refused it"));
        }
        if self.lane.index != self.home.index && self.lane.core().has_sooner_deadline() {
            self.lane.wake_poller();
        }
    }

    /// A client whose next request is there, still unread, and finds no free thread here, goes to a peer that has one.
    pub(crate) fn pass_on(&self, connection: &Connection) -> bool {
        connection.is_idle()
            && !connection.read_closed
            && self
                .peers
                .with_idle_thread()
                .is_some_and(|peer| self.free_lane().is_none() && self.give_to(peer, connection))
    }

    /// Gives a connection between requests to a peer, which finds in the socket whatever comes next. True if it took
    /// it: then it is this worker's no more.
    pub(crate) fn give_to(&self, peer: &Peer, connection: &Connection) -> bool {
        if !peer.send(connection.listener, connection.stream.as_fd()) {
            return false;
        }
        // The peer keeps the socket open, so that the poller would go on telling of it.
        let _gone = connection.stream.deregister(&self.lane.registry);
        self.lane.core().remove(connection.key);
        self.board.connections_changed(-1);
        true
    }

    fn pause_accepting(&self, now: Instant, error: &io::Error) {
        let mut times = self.pause.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.1.is_none_or(|said| now >= said + SAID_EVERY) {
            times.1 = Some(now);
            self.log.error(format_args!(
                "cannot accept connections for now: {error}; raise the limit on open files (ulimit -n) or lower the load"
            ));
        }
        times.0 = Some(now + PAUSE);
        drop(times);
        self.pause.full.store(true, Ordering::SeqCst);
        self.lanes.iter().for_each(|lane| lane.leave_listeners());
    }

    /// Listens again when a pause is over.
    pub(crate) fn resume_accepting(&self, now: Instant) {
        if !self.pause.full.load(Ordering::SeqCst) {
            return;
        }
        let until = self.pause.times.lock().unwrap_or_else(PoisonError::into_inner).0;
        if until.is_none_or(|until| now >= until) {
            self.pause.full.store(false, Ordering::SeqCst);
            self.lanes.iter().for_each(|lane| Shared { lane, ..*self }.join_listeners());
        }
    }

    /// How long the leader may sleep at most while accepting pauses.
    pub(crate) fn pause_left(&self) -> Option<Duration> {
        self.pause.full.load(Ordering::SeqCst).then_some(PAUSE)
    }

    /// Others take new clients until a thread of this lane is free; the last lane to be busy goes on where there are no
    /// other workers.
    fn leave_while_busy(&self) {
        self.lane.is_busy.store(true, Ordering::SeqCst);
        self.note_full();
        if self.is_better_elsewhere() {
            self.leave_and_take_last(Reason::Busy);
        }
        if !self.lane.token.is_held_by(MONITOR) {
            // A thread took over meanwhile and may have looked too early.
            self.join_when_free();
        }
    }

    /// A thread that can serve leads again.
    pub(crate) fn join_when_free(&self) {
        if self.lane.is_busy.load(Ordering::SeqCst) && self.lane.is_busy.swap(false, Ordering::SeqCst) {
            self.note_full();
            self.join_listeners();
        }
    }

    /// Whether new clients are to come to other lanes or workers, since this lane has no free thread.
    fn is_better_elsewhere(&self) -> bool {
        self.lane.is_busy.load(Ordering::SeqCst) && (self.has_peers || !self.are_all_busy())
    }

    fn are_all_busy(&self) -> bool {
        self.lanes.iter().all(|lane| lane.is_busy.load(Ordering::SeqCst))
    }

    fn note_full(&self) {
        let is_full = self.are_all_busy();
        self.board.set_full(is_full);
        if is_full && !self.are_all_busy() {
            self.board.set_full(false);
        }
    }

    /// Leaves new connections to the other workers for good.
    pub(crate) fn leave_to_drain(&self) {
        self.leave_and_take_last(Reason::Draining);
    }

    fn leave_and_take_last(&self, reason: Reason) {
        self.lane.leave_listeners();
        for (index, acceptor) in self.lane.acceptors.iter().enumerate() {
            if let Err(error) = self.accept_one(acceptor, index, reason) {
                self.log.error(format_args!("a last connection cannot be accepted: {error}"));
            }
        }
    }

    /// Listens, unless there is a reason not to.
    fn join_listeners(&self) {
        let reason =
            self.is_draining() || self.pause.full.load(Ordering::SeqCst) || self.is_better_elsewhere();
        if !reason && let Err(error) = self.lane.watch_listeners() {
            self.log.error(format_args!("cannot listen again: {error}"));
        }
    }

    /// Asks anew whether connections wait: a worker that died may have been the only one that was told.
    pub(crate) fn look_at_listeners(&self) {
        self.lane.leave_listeners();
        self.join_listeners();
    }
}

impl Lane {
    pub(crate) fn watch_listeners(&self) -> io::Result<()> {
        self.acceptors.iter().try_for_each(|acceptor| acceptor.watch(self.poll_fd.as_fd(), &self.registry))
    }

    fn leave_listeners(&self) {
        for acceptor in &self.acceptors {
            acceptor.leave(self.poll_fd.as_fd(), &self.registry);
        }
    }
}

/// Errors of accept that concern one client only.
fn is_of_that_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
