//! The other workers of the server: who is ready, who has fewer clients, and where to send them one.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{Ordering, fence};

use tapster_observe::{Scoreboard, WorkerBoard, WorkerState};
use tapster_sys::inbox::{Inbox, Message};

/// How many more connections than a peer a worker may have before it passes new ones on: moving a connection costs
/// three system calls, so small differences are left alone.
const SLACK: u64 = 8;

/// The other workers as one of them sees them.
#[derive(Default)]
pub struct Peers {
    peers: Vec<Peer>,
    /// Of each.
    threads: usize,
    board: Option<Scoreboard>,
}

/// Another worker.
pub(crate) struct Peer {
    board: WorkerBoard,
    inbox: Inbox,
}

impl Peers {
    /// The peers of the worker in slot `own`: the inboxes of all workers by scoreboard slot.
    pub fn new(own: usize, inboxes: Vec<(usize, Inbox)>, board: Scoreboard) -> Peers {
        let others = inboxes.into_iter().filter(|(slot, _)| *slot != own);
        let peers = others.map(|(slot, inbox)| Peer { board: board.worker(slot), inbox }).collect();
        Peers { peers, threads: board.threads(), board: Some(board) }
    }

    /// The counters of all workers; none where this one is alone.
    pub(crate) fn scoreboard(&self) -> Option<Scoreboard> {
        self.board.clone()
    }

    /// The peer that serves and has the fewest connections, if it has clearly fewer than `own`.
    pub(crate) fn less_busy_than(&self, own: u64) -> Option<&Peer> {
        if own < SLACK {
            return None;
        }
        let peer = self.serving().min_by_key(|peer| peer.board.connections())?;
        let theirs = peer.board.connections();
        (own > theirs + SLACK + theirs / 8).then_some(peer)
    }

    /// The peer for a client that this worker has no thread for: one with a free thread, else one whose threads come
    /// and go.
    pub(crate) fn with_free_thread(&self) -> Option<&Peer> {
        self.serving()
            .min_by_key(|peer| (peer.board.busy_threads() >= self.threads, peer.board.connections()))
    }

    /// Whether one serves and is not full. Ordered with what this worker said of itself before, so that of two that ask at
    /// once not both rely on the other.
    pub(crate) fn has_one_with_room(&self) -> bool {
        fence(Ordering::SeqCst);
        self.serving().next().is_some()
    }

    /// A peer that has a thread without work.
    pub(crate) fn with_idle_thread(&self) -> Option<&Peer> {
        self.serving().find(|peer| peer.board.busy_threads() < self.threads)
    }

    /// Whether any other worker serves.
    pub(crate) fn any(&self) -> bool {
        self.peers.iter().any(Peer::is_ready)
    }

    /// The peers that have threads without work, and how many each.
    pub(crate) fn with_idle_threads(&self) -> Vec<(&Peer, usize)> {
        let idle = |peer: &Peer| self.threads.saturating_sub(peer.board.busy_threads());
        self.serving().map(|peer| (peer, idle(peer))).filter(|(_, idle)| *idle > 0).collect()
    }

    /// The peer in which the fewest requests wait, if they are fewer than here.
    pub(crate) fn with_shorter_queue(&self, own: u64) -> Option<&Peer> {
        let peer =
            self.peers.iter().filter(|peer| peer.is_ready()).min_by_key(|peer| peer.board.waiting())?;
        (peer.board.waiting() < own).then_some(peer)
    }

    /// All ready peers, those with the fewest connections first.
    pub(crate) fn ready(&self) -> Vec<&Peer> {
        let mut ready: Vec<_> = self.peers.iter().filter(|peer| peer.is_ready()).collect();
        ready.sort_by_key(|peer| peer.board.connections());
        ready
    }

    /// Where a client may wait for the next worker to serve: with one that starts, else with one that serves, else in a
    /// place without a worker, which the supervisor looks after.
    pub(crate) fn next(&self) -> Vec<&Peer> {
        let order = |peer: &&Peer| match peer.board.state() {
            WorkerState::Booting => 0,
            WorkerState::Ready => 1,
            WorkerState::Gone => 2,
            WorkerState::Draining => 3,
        };
        let mut next: Vec<_> = self.peers.iter().filter(|peer| order(peer) < 3).collect();
        next.sort_by_key(order);
        next
    }

    /// The descriptors of their inboxes.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.peers.iter().map(|peer| peer.inbox.as_fd().as_raw_fd())
    }

    fn serving(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| peer.is_ready() && !peer.board.is_full())
    }
}

impl Peer {
    fn is_ready(&self) -> bool {
        self.board.state() == WorkerState::Ready
    }

    /// Sends it a connection; false if it takes no more messages. The sender counts it for the receiver: many may be
    /// sent before the first is received, and each is to be weighed.
    pub(crate) fn send(&self, listener: u16, connection: BorrowedFd<'_>) -> bool {
        self.send_as(Message::Adopt { listener }, connection)
    }

    /// As [`Peer::send`], for a connection packed with a request.
    pub(crate) fn send_request(&self, listener: u16, parcel: BorrowedFd<'_>) -> bool {
        self.send_as(Message::AdoptRequest { listener }, parcel)
    }

    fn send_as(&self, message: Message, beside: BorrowedFd<'_>) -> bool {
        let sent = self.inbox.send(message, Some(beside)).is_ok();
        if sent {
            self.board.connections_changed(1);
        }
        sent
    }
}
