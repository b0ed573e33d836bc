//! One worker as the fleet sees it.

use std::time::Duration;

use crate::{BootFailure, RetireReason};

/// Time since the supervisor started.
pub type Time = Duration;

/// A worker, or the plan of one, in a slot.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// How many reloads were ordered before it was started.
    pub generation: u64,
    /// When it was started.
    pub started: Time,
    /// How many workers in a row, up to its predecessor, did not live.
    pub failures: u32,
    /// Why it is to be replaced, if it is.
    pub retire: Option<RetireReason>,
    /// Whether it has no application, and answers with the reason.
    pub stands_in: bool,
    /// What it is doing.
    pub state: State,
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug)]
pub enum State {
    /// Nothing: it is to be started at this time.
    Waiting { until: Time },
    /// Loading the application, until this time at most; without a deadline it waits for a template to fork it.
    Booting { deadline: Option<Time> },
    /// About to exit because it cannot serve; killed at the deadline, or already when there is none.
    Failing { failure: BootFailure, deadline: Option<Time> },
    /// Serving.
    Ready { since: Time },
    /// Finishing its requests.
    Draining { deadline: Time },
    /// Told to end; killed at the deadline, or already when there is none.
    Ending { deadline: Option<Time> },
}

impl Member {
    /// Whether it serves.
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    /// Whether it serves, or is on the way there as far as is known: it fills one of the places that are wanted.
    pub fn is_active(&self) -> bool {
        match self.state {
            State::Waiting { .. } | State::Booting { .. } | State::Failing { .. } | State::Ready { .. } => {
                true
            }
            State::Draining { .. } | State::Ending { .. } => false,
        }
    }

    /// Whether it serves until its successor does.
    pub fn is_retiring(&self) -> bool {
        self.is_ready() && self.retire.is_some()
    }

    /// Whether it fails and is to be replaced before all others.
    pub fn is_urgent(&self) -> bool {
        self.retire.is_some_and(RetireReason::is_urgent)
    }

    /// When something is to be done about it.
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Waiting { until } => Some(until),
            State::Draining { deadline } => Some(deadline),
            State::Booting { deadline } | State::Failing { deadline, .. } | State::Ending { deadline } => {
                deadline
            }
            State::Ready { .. } => None,
        }
    }
}
