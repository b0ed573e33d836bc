//! When the application forks: the child keeps none of the server's sockets, so that no client waits for it and no
//! port stays taken by it. Called on the thread that forks, through the interpreter's own fork hooks.

use std::cell::RefCell;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use crate::lane::Lane;
use crate::worker::{Engine, Worker};

thread_local! {
    /// What the child of the fork that is under way has to let go.
    static HELD: RefCell<Vec<RawFd>> = const { RefCell::new(Vec::new()) };
}

impl Worker {
    /// In the parent, before the fork: notes what the child is to let go. The child itself must take no lock, since
    /// the thread that holds it may not exist there.
    pub fn before_fork(&self) {
        HELD.with(|held| *held.borrow_mut() = self.engine.descriptors());
    }

    /// In the child: lets the server's descriptors go (their numbers then stand for `/dev/null`) and serves no more.
    pub fn after_fork_in_child(&self) {
        let held = HELD.with(RefCell::take);
        tapster_sys::fork::let_go_in_child(&held);
        self.engine.stop_in_child();
    }
}

impl Engine {
    fn descriptors(&self) -> Vec<RawFd> {
        let mut held: Vec<RawFd> = self.lanes.iter().flat_map(|lane| lane.descriptors()).collect();
        held.extend(self.peers.descriptors());
        held.push(self.inbox.as_fd().as_raw_fd());
        held.extend(self.alive.as_ref().map(AsRawFd::as_raw_fd));
        held
    }
}

impl Lane {
    fn descriptors(&self) -> Vec<RawFd> {
        let mut held: Vec<RawFd> = self.core().descriptors().collect();
        held.extend(self.acceptors.iter().map(|acceptor| acceptor.fd().as_raw_fd()));
        held.extend([self.poll_fd.as_raw_fd(), self.registry.as_raw_fd()]);
        held
    }
}
