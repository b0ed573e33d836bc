//! What happens to a fleet: the input of the state machine.

use tapster_sys::wait::Status;

use crate::{Reason, RetireReason};

/// One thing that happened. Workers are named by their slot on the scoreboard, which holds one process at a time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Event {
    /// The operator wants something.
    Command(Command),
    /// A worker could not be started: the system has no process, memory or descriptor left.
    NotStarted {
        /// The slot it was for.
        slot: usize,
    },
    /// A worker serves.
    Ready {
        /// Its slot.
        slot: usize,
    },
    /// A worker serves the reason why the application cannot be loaded.
    StandsIn {
        /// Its slot.
        slot: usize,
    },
    /// A worker cannot load the application, has said why, and is about to exit.
    BootFailed {
        /// Its slot.
        slot: usize,
    },
    /// A worker has ended.
    Exited {
        /// The slot it had.
        slot: usize,
        /// How it ended.
        status: Status,
    },
    /// A worker should be replaced; it serves until its successor does.
    Retire {
        /// Its slot.
        slot: usize,
        /// Why.
        reason: RetireReason,
    },
    /// The load asks for another number of workers.
    Demand {
        /// How many.
        workers: usize,
        /// Why.
        reason: Reason,
    },
    /// A template has forked the worker of a slot.
    Born {
        /// The slot.
        slot: usize,
    },
    /// A worker has answered as many requests as `--refork-after` says, or more.
    Warm {
        /// Its slot.
        slot: usize,
        /// How many since its start.
        requests: u64,
    },
    /// A worker has done what [`Order::Promote`](crate::Order::Promote) says, and waits to fork.
    Promoted {
        /// The slot it had.
        slot: usize,
    },
    /// Something happened to a template.
    Template {
        /// Its number.
        template: u64,
        /// What.
        event: TemplateEvent,
    },
    /// Time has passed; deadlines may be due.
    Tick,
}

/// What can happen to a template (`--preload`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplateEvent {
    /// It could not be started: the system has no process, memory or descriptor left.
    NotStarted,
    /// It has imported the application.
    Ready,
    /// It cannot import the application, has said why, and is about to exit.
    BootFailed,
    /// It has ended.
    Exited(Status),
}

/// What an operator can want, mostly by a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Start serving. Once, first of all.
    Start,
    /// Finish what runs, then end. A second time: end now. (TERM, INT, QUIT)
    Stop,
    /// As [`Command::Stop`], by somebody who waits for it: for a few seconds at most. (Ctrl-C)
    Interrupt,
    /// As [`Command::Stop`], because another server has taken over: without `--drain-delay`.
    MakeWay,
    /// Replace every worker by one with the application as it is now. (HUP)
    Reload,
    /// One worker more. (TTIN)
    Grow,
    /// One worker less. (TTOU)
    Shrink,
    /// This many workers, at least 1.
    Scale(usize),
    /// Replace the worker of this slot.
    Recycle {
        /// Its slot.
        slot: usize,
    },
    /// Open log files again. (USR1)
    Reopen,
}
