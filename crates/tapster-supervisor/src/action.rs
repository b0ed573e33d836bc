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
    /// Do something with a template.
    Template {
        /// Its number, never used twice.
        template: u64,
        /// What.
        deed: TemplateDeed,
    },
    /// Give up the listeners: once the last worker has, clients are refused at once instead of waiting in vain.
    CloseListeners,
    /// Put something into the log.
    Report(Report),
    /// Nothing is left: return.
    Finish(Outcome),
}

/// What can be done with a template (`--preload`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplateDeed {
    /// Start it; if that is impossible, say [`TemplateEvent::NotStarted`](crate::TemplateEvent::NotStarted).
    Start {
        /// How many reloads were ordered before it.
        generation: u64,
    },
    /// Have it fork the worker of this free slot; say [`Event::Born`](crate::Event::Born) when there is one, and
    /// [`Event::NotStarted`](crate::Event::NotStarted) if that is impossible.
    Fork {
        /// The slot.
        slot: usize,
        /// The template's.
        generation: u64,
    },
    /// The worker of this slot has become this template.
    Adopt {
        /// The slot, free from now on.
        slot: usize,
    },
    /// Tell it to give up the listeners: it will fork no more.
    Retire,
    /// Tell it to end, and to remove what the import made to be removed at exit.
    Stop,
    /// Tell it to end; another template has the same import and goes on.
    Leave,
    /// Ask one to end that does not listen yet (SIGTERM).
    Terminate,
    /// End it (SIGKILL).
    Kill,
}

/// What a worker is told through its inbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Finish what runs within this time, then exit.
    Drain(Duration),
    /// As [`Order::Drain`], but answer nothing new: clients between requests wait for the next worker.
    HandOver(Duration),
    /// As [`Order::Drain`]; then become a template instead of exiting, and say
    /// [`Event::Promoted`](crate::Event::Promoted).
    Promote(Duration),
    /// Exit now.
    Stop,
    /// Look at the listeners again: a worker died and may have swallowed a wake-up.
    Poke,
    /// Open log files again.
    Reopen,
}
