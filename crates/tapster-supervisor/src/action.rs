//! What a fleet wants done: the output of the state machine.

use std::time::Duration;

use crate::{BootFailure, Outcome, Report};

/// One thing to do, in the order given.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Action {
    /// Start a worker in this free slot; if that is impossible, say [`Event::NotStarted`](crate::Event::NotStarted).
    Start {
        /// The slot.
        slot: usize,
        /// How many reloads were ordered before it.
        generation: u64,
    },
    /// Start a worker that answers requests with the reason why there is no application, in this free slot.
    StandIn {
        /// The slot.
        slot: usize,
        /// How many reloads were ordered before it.
        generation: u64,
        /// The reason.
        failure: BootFailure,
    },
    /// Tell a worker something.
    Tell {
        /// Its slot.
        slot: usize,
        /// What.
        order: Order,
    },
    /// Ask a worker that is not listening yet to end (SIGTERM).
    Terminate {
        /// Its slot.
        slot: usize,
    },
    /// End a worker (SIGKILL).
    Kill {
        /// Its slot.
        slot: usize,
    },
    /// Give up the listeners: once the last worker has, clients are refused at once instead of waiting in vain.
    CloseListeners,
    /// Put something into the log.
    Report(Report),
    /// Nothing is left: return.
    Finish(Outcome),
}

/// What a worker is told through its inbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Finish what runs within this time, then exit.
    Drain(Duration),
    /// As [`Order::Drain`], but answer nothing new: clients between requests wait for the next worker.
    HandOver(Duration),
    /// Exit now.
    Stop,
    /// Look at the listeners again: a worker died and may have swallowed a wake-up.
    Poke,
    /// Open log files again.
    Reopen,
}
