//! A template process as the fleet sees it: one that imported the application and forks workers (`--preload`).

use crate::BootFailure;
use crate::member::Time;

/// With this a template exits whose import cannot be shared, though each worker may do it by itself: threads were left.
pub const EXIT_NOT_SHARED: i32 = 4;

/// One template process.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its number: never used twice.
    pub id: u64,
    /// The template that imported the application: itself, unless it was a worker before.
    pub import: u64,
    /// How many reloads were ordered before it was started: the age of the code that its workers run.
    pub generation: u64,
    /// Whether a worker was told to become its successor, or it was a worker itself.
    pub is_followed: bool,
    /// When it was started, or became a template.
    pub started: Time,
    /// What it is doing.
    pub state: TemplateState,
}

/// What a template is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplateState {
    /// Importing the application, until this time at most.
    Booting { deadline: Time },
    /// About to exit because it cannot import it; killed at the deadline, or already when there is none.
    Failing { failure: BootFailure, deadline: Option<Time> },
    /// Forks a worker whenever it is told to.
    Ready,
    /// Forks no more, and stays until the workers that it forked have gone: what they share is its own.
    Retired,
    /// Told to end; killed at the deadline, or already when there is none.
    Ending { deadline: Option<Time> },
}

impl Template {
    /// Whether it is on the way to fork workers.
    pub fn is_booting(&self) -> bool {
        matches!(self.state, TemplateState::Booting { .. })
    }

    /// Whether it was a worker before (`--refork-after`).
    pub fn is_promoted(self) -> bool {
        self.import != self.id
    }

    /// When something is to be done about it.
    pub fn deadline(&self) -> Option<Time> {
        match self.state {
            TemplateState::Booting { deadline } => Some(deadline),
            TemplateState::Failing { deadline, .. } | TemplateState::Ending { deadline } => deadline,
            TemplateState::Ready | TemplateState::Retired => None,
        }
    }
}

/// How the worker in a slot comes to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It waits for a template.
    Queued,
    /// This template was told to fork it.
    Asked(u64),
    /// This template has forked it.
    Born(u64),
}

impl Origin {
    /// The template that it comes from.
    pub fn template(self) -> Option<u64> {
        match self {
            Origin::Queued => None,
            Origin::Asked(id) | Origin::Born(id) => Some(id),
        }
    }
}
