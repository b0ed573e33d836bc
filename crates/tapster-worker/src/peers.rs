//! The other workers of the server: who is ready, who has fewer clients, and where to send them one.

use tapster_observe::{Scoreboard, WorkerState};
use tapster_sys::inbox::Inbox;

/// How many more connections than a peer a worker may have before it passes new ones on: moving a connection costs
/// three system calls, so small differences are left alone.
const SLACK: u64 = 8;

/// The inboxes of all workers by scoreboard slot, and the scoreboard that tells what they are doing.
#[derive(Default)]
pub struct Peers {
    inboxes: Vec<(usize, Inbox)>,
    board: Option<Scoreboard>,
}

impl Peers {
    /// The peers of the worker in slot `own`.
    pub fn new(own: usize, mut inboxes: Vec<(usize, Inbox)>, board: Scoreboard) -> Peers {
        inboxes.retain(|(slot, _)| *slot != own);
        Peers { inboxes, board: Some(board) }
    }

    /// The ready peer with the fewest connections, if it has clearly fewer than `own`.
    pub(crate) fn less_busy_than(&self, own: u64) -> Option<&Inbox> {
        if own < SLACK {
            return None;
        }
        let (connections, inbox) = self.by_connections().min_by_key(|(connections, _)| *connections)?;
        (own > connections + SLACK + connections / 8).then_some(inbox)
    }

    /// All ready peers, those with the fewest connections first.
    pub(crate) fn ready(&self) -> Vec<&Inbox> {
        let mut ready: Vec<_> = self.by_connections().collect();
        ready.sort_by_key(|(connections, _)| *connections);
        ready.into_iter().map(|(_, inbox)| inbox).collect()
    }

    fn by_connections(&self) -> impl Iterator<Item = (u64, &Inbox)> {
        self.inboxes.iter().filter_map(|(slot, inbox)| {
            let worker = self.board.as_ref()?.worker(*slot);
            (worker.state() == WorkerState::Ready).then(|| (worker.connections(), inbox))
        })
    }
}
