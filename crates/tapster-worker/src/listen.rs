//! New clients: accepted here, or passed on to a peer that has more time; listeners left and joined again. Run by
//! whoever leads, after a poll.
//!
//! A listener wakes one of the workers that share it, so whoever is woken must take the client even if it does not
//! want it, and whoever leaves takes one last client: nobody else was told of that one.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tapster_observe::Incident;

use tapster_sys::accept::Trouble;

use crate::accept::{Accepted, Acceptor};
use crate::connection::Connection;
use crate::introduction::Introduction;
use crate::lane::Lane;
use crate::peers::Peer;
use crate::serve::Context;
use crate::token::MONITOR;
use crate::worker::Shared;

/// Connections taken in one turn; the listener is level-triggered, the rest is reported again.
const ACCEPTS_PER_TURN: usize = 64;

/// How many clients may be gone when they are accepted, one after the other, until it is the system that is in trouble: a
/// listener that fails so for ever would be tried for ever.
const MOST_LOST: u32 = 64;

/// What came of accepting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Took {
    /// A connection.
    One,
    /// One that was gone already.
    Lost,
    /// Nobody waits.
    Nothing,
}

/// Why a client might better go to a peer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A peer has clearly fewer clients.
    Balance,
    /// A peer has a free thread, this worker has not.
    Busy,
    /// This worker has no room for it.
    Full,
    /// This worker takes no more.
    Draining,
}

impl Shared<'_> {
    /// Takes new connections from a listener that has some.
    pub(crate) fn accept_from(&self, context: &Context, index: usize) {
        let Some(acceptor) = self.lane.acceptors.get(index) else { return };
        if self.is_draining() {
            return self.lane.leave(acceptor);
        }
        let is_shared = self.peers.any() || self.lanes.len() > 1;
        let (turns, reason) = match (is_shared, context.may_call()) {
            (false, _) if self.capacity.is_full() => return,
            (true, _) if self.capacity.is_full() => (1, Reason::Full),
            (false, _) => (ACCEPTS_PER_TURN, Reason::Balance),
            (true, true) => (1, Reason::Balance),
            (true, false) => (1, Reason::Busy),
        };
        for _ in 0..turns {
            match self.accept_one(acceptor, index, reason) {
                Ok(Took::One) if reason != Reason::Full && self.stop_when_full() => return,
                Ok(Took::One | Took::Lost) => {}
                Ok(Took::Nothing) => break,
                Err(error) => return self.accept_failed(context.now, index, &error),
            }
        }
        match reason {
            Reason::Busy => self.leave_while_busy(),
            Reason::Full => self.lane.leave(acceptor),
            Reason::Balance | Reason::Draining => {}
        }
    }

    fn accept_one(&self, acceptor: &Acceptor, index: usize, reason: Reason) -> io::Result<Took> {
        let lost = &self.lane.lost_in_a_row;
        match acceptor.accept() {
            Ok(accepted) => {
                lost.store(0, Ordering::Relaxed);
                self.enter_here_or_pass(accepted, index as u16, reason);
                Ok(Took::One)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Took::Nothing),
            Err(error) if Trouble::of(&error) != Trouble::Client => Err(error),
            Err(_) if lost.fetch_add(1, Ordering::Relaxed) < MOST_LOST => Ok(Took::Lost),
            Err(error) => {
                lost.store(0, Ordering::Relaxed);
                Err(error)
            }
        }
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
            Reason::Balance => self.peers.less_busy_than(self.board.connections()),
            Reason::Busy if self.policy.times.queue.is_some() && !self.peers.has_one_with_room() => {
                self.peers.with_shorter_queue(self.board.waiting())
            }
            Reason::Busy | Reason::Full => self.peers.with_free_thread(),
            Reason::Draining => self.peers.ready().first().copied(),
        }
    }

    /// Makes a connection of a new socket, which is counted already.
    pub(crate) fn enter(&self, accepted: Accepted, listener: u16) {
        self.enter_as(accepted, listener, |_| {});
    }

    /// As [`Shared::enter`], for one that has a history.
    pub(crate) fn enter_as(&self, accepted: Accepted, listener: u16, tell: impl FnOnce(&mut Connection)) {
        let is_proxied = self.lane.acceptors.get(usize::from(listener)).is_some_and(|one| one.is_proxied);
        let introduction = if is_proxied { Introduction::Awaited } else { Introduction::None };
        self.enter_introduced(accepted, listener, introduction, tell);
    }

    /// Makes a connection of a socket whose introduction is known.
    pub(crate) fn enter_introduced(
        &self,
        accepted: Accepted,
        listener: u16,
        introduction: Introduction,
        tell: impl FnOnce(&mut Connection),
    ) {
        let Accepted { stream, local, peer } = accepted;
        let facts = self.policy.facts(local, peer, introduction);
        self.lane.core().insert(|key| {
            let mut connection = Box::new(Connection::new(key, listener, stream, facts));
            tell(&mut connection);
            connection
        });
        // Whoever accepts may have lost the token in the meantime, and the new leader may be asleep already.
        self.lane.wake_poller();
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

    /// Whether another worker can serve a connection: nobody introduces a client twice, and the front has connections to
    /// every worker.
    pub(crate) fn may_move(&self, connection: &Connection) -> bool {
        matches!(connection.facts.introduction, Introduction::None | Introduction::Awaited)
    }

    /// Gives a connection between requests to a peer, which finds in the socket whatever comes next. True if it took
    /// it: then it is this worker's no more.
    pub(crate) fn give_to(&self, peer: &Peer, connection: &Connection) -> bool {
        if !self.may_move(connection) || !peer.send(connection.listener, connection.stream.as_fd()) {
            return false;
        }
        self.let_go(connection);
        true
    }

    /// Forgets a connection that is a peer's now.
    pub(crate) fn let_go(&self, connection: &Connection) {
        // The peer keeps the socket open, so that the poller would go on telling of it.
        if connection.watched {
            let _gone = connection.stream.deregister(&self.lane.registry);
        }
        self.lane.core().remove(connection.key);
        self.forget_one();
    }

    /// Others take new clients until a thread of this lane is free; the last lane to be busy goes on where there are no
    /// other workers.
    pub(crate) fn leave_while_busy(&self) {
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
    ///
    /// In the listener's queue they wait for whoever is free first. But their time there is counted by nobody, so where it
    /// is limited the last worker to be busy goes on taking them.
    fn is_better_elsewhere(&self) -> bool {
        let is_counted = self.policy.times.queue.is_some();
        let are_peers_better = || self.peers.any() && (!is_counted || self.peers.has_one_with_room());
        self.lane.is_busy.load(Ordering::SeqCst) && (!self.are_all_busy() || are_peers_better())
    }

    /// Looks anew whether peers take the clients that this worker has left to them. Run now and then by the monitor while no
    /// thread can lead.
    pub(crate) fn look_at_peers(&self) {
        if self.lane.is_busy.load(Ordering::SeqCst) {
            self.join_listeners();
        }
    }

    fn are_all_busy(&self) -> bool {
        self.lanes.iter().all(|lane| lane.is_busy.load(Ordering::SeqCst))
    }

    /// Says on the scoreboard whether new clients are better off elsewhere.
    pub(crate) fn note_full(&self) {
        let is_full = || self.are_all_busy() || self.capacity.is_full();
        self.board.set_full(is_full());
        if !is_full() {
            self.board.set_full(false);
        }
    }

    /// Leaves new connections to the other workers for good.
    pub(crate) fn leave_to_drain(&self) {
        self.leave_and_take_last(Reason::Draining);
    }

    /// Nobody will take what waits, and whoever comes is to be refused rather than to wait for nothing.
    pub(crate) fn close_listeners(&self) {
        for acceptor in &self.lane.acceptors {
            if let Err(error) = acceptor.close() {
                self.log.report(Incident::MESSAGE_LOST, format_args!("cannot give {acceptor} up: {error}"));
            }
        }
    }

    /// Takes whoever waits to be accepted, while the server that stops is the last to listen. Until the listeners end.
    pub(crate) fn take_last_clients(&self) {
        if !self.takes_last.load(Ordering::Relaxed) {
            return;
        }
        for (index, acceptor) in self.lane.acceptors.iter().enumerate() {
            loop {
                match self.accept_one(acceptor, index, Reason::Draining) {
                    Ok(Took::One | Took::Lost) if !self.capacity.is_full() => {}
                    Ok(_) => break,
                    // It has ended, or there is no room: then nobody can be taken there any more.
                    Err(_) => return self.takes_last.store(false, Ordering::Relaxed),
                }
            }
        }
    }

    fn leave_and_take_last(&self, reason: Reason) {
        self.lane.leave_listeners();
        for (index, acceptor) in self.lane.acceptors.iter().enumerate() {
            if let Err(error) = self.accept_one(acceptor, index, reason) {
                self.accept_failed(Instant::now(), index, &error);
            }
        }
    }

    /// Listens, unless there is a reason not to.
    pub(crate) fn join_listeners(&self) {
        let reason = self.is_draining() || self.capacity.is_full() || self.is_better_elsewhere();
        if !reason && let Err(error) = self.lane.watch_listeners() {
            self.log.report(Incident::CANNOT_ACCEPT, format_args!("cannot listen again: {error}"));
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

    pub(crate) fn leave_listeners(&self) {
        self.acceptors.iter().for_each(|acceptor| self.leave(acceptor));
    }

    pub(crate) fn leave(&self, acceptor: &Acceptor) {
        acceptor.leave(self.poll_fd.as_fd(), &self.registry);
    }
}
