//! What the supervisor has to say to the operator. Made by the fleet, written to the log by the driver.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use tapster_observe::{Incident, Kind};
use tapster_sys::wait::Status;

use crate::{Reason, RetireReason};

/// One line of the log.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Report {
    /// All workers serve for the first time.
    AllReady {
        /// How many.
        workers: usize,
        /// How long after the start.
        took: Duration,
    },
    /// A worker serves.
    WorkerReady {
        /// Its slot.
        slot: usize,
        /// How long it took.
        took: Duration,
    },
    /// A worker did not come to serve.
    NotBooted {
        /// Its slot.
        slot: usize,
        /// Why.
        failure: BootFailure,
    },
    /// A worker ended that nobody had told to.
    Died {
        /// Its slot.
        slot: usize,
        /// How.
        status: Status,
        /// How long after its start.
        lived: Duration,
    },
    /// A worker ended that was told to.
    Gone {
        /// Its slot.
        slot: usize,
        /// How.
        status: Status,
        /// How long after its start.
        lived: Duration,
    },
    /// Something about a template.
    Template {
        /// Its number.
        template: u64,
        /// What.
        news: TemplateNews,
    },
    /// A worker that does not live is tried again after a while.
    Retrying(Duration),
    /// The first worker cannot boot, so the server ends.
    GivingUp,
    /// A worker is still there after its time and is killed.
    Overdue {
        /// Its slot.
        slot: usize,
        /// What it was to do.
        task: Task,
        /// The time it had.
        limit: Duration,
    },
    /// A worker is to be replaced, for this reason.
    Retiring {
        /// Its slot.
        slot: usize,
        /// Why.
        reason: RetireReason,
    },
    /// There is no worker to be replaced in this slot.
    NotRetiring {
        /// The slot.
        slot: usize,
    },
    /// Workers are being replaced.
    Reloading,
    /// A reload was ordered while one was running; it will bring in this change too.
    ReloadingFurther,
    /// What runs belongs to the code of before, and new workers are started at once (`--reload`).
    Renewing,
    /// There is no application, and requests are answered with the reason until a file changes (`--reload`).
    StandingIn,
    /// All workers are of the newest generation, this long after the order.
    Reloaded(Duration),
    /// The configuration that was read anew is not right; the driver has said why.
    ConfigurationRefused,
    /// A worker of the new generation did not boot; this many others go on serving.
    ReloadAborted {
        /// Workers that serve.
        serving: usize,
    },
    /// All workers are forks of the new template, this long after a worker became that (`--refork-after`).
    Reforked(Duration),
    /// A worker of the new template did not boot, so the former one forks again.
    ReforkAborted,
    /// A worker has become the template.
    Promoted {
        /// The slot it had.
        slot: usize,
        /// How long after its start.
        lived: Duration,
    },
    /// A worker that was to become the template has ended instead.
    NotPromoted {
        /// The slot it had.
        slot: usize,
    },
    /// The number of workers was changed.
    Resized(usize),
    /// The load changed the number of workers.
    Adapted {
        /// How many there are to be.
        workers: usize,
        /// Why.
        reason: Reason,
    },
    /// The number of workers cannot go beyond this.
    ResizeRefused(usize),
    /// Requests are being finished, for this long at most.
    Stopping(Duration),
    /// Clients are accepted for this long still, so that whoever sends them notices the stop.
    Leaving(Duration),
    /// The operator orders what is being done, since another server has taken over: this long at most.
    StoppingAlready(Duration),
    /// The operator does not want to wait.
    StoppingNow,
    /// No worker is left.
    Stopped,
}

/// What there is to say about a template (`--preload`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplateNews {
    /// It has imported the application; it took this long.
    Ready(Duration),
    /// It did not come to fork workers.
    NotBooted(BootFailure),
    /// It ended and nobody had told it to.
    Died {
        /// How.
        status: Status,
        /// How long after its start.
        lived: Duration,
    },
    /// It ended as it was told to.
    Gone {
        /// How.
        status: Status,
        /// How long after its start.
        lived: Duration,
    },
    /// It is still there after its time and is killed.
    Overdue {
        /// What it was to do.
        task: Task,
        /// The time it had.
        limit: Duration,
    },
    /// It does not fork when it is told to, and is killed.
    Stuck,
}

/// What an overdue worker was to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// Load the application.
    Boot,
    /// Exit after it could not load the application.
    ExitAfterFailure,
    /// Finish its requests.
    Drain,
    /// Exit at once.
    Exit,
}

/// Why a worker did not come to serve.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootFailure {
    /// The application cannot be loaded; the worker has said why.
    Refused,
    /// It ended while it loaded the application.
    Died(Status),
    /// Loading the application took longer than the boot time-out.
    TooSlow,
    /// The system could not start a process; the driver has said why.
    NotStarted,
}

impl Report {
    /// What it is for the log.
    pub fn kind(&self) -> Kind {
        match self {
            Report::WorkerReady { .. } => Kind::Debug,
            // One line for each worker that says no more than the line about the template.
            Report::Retiring { reason: RetireReason::Refork, .. } => Kind::Debug,
            // The driver has said why.
            Report::NotBooted { failure: BootFailure::NotStarted, .. } => Kind::Debug,
            Report::Template { news, .. } => news.kind(),
            Report::Gone { .. }
            | Report::AllReady { .. }
            | Report::Retrying(_)
            | Report::Reloading
            | Report::Renewing
            | Report::StandingIn
            | Report::ReloadingFurther
            | Report::Reloaded(_)
            | Report::Reforked(_)
            | Report::Promoted { .. }
            | Report::Resized(_)
            | Report::Adapted { .. }
            | Report::Stopping(_)
            | Report::Leaving(_)
            | Report::StoppingAlready(_)
            | Report::StoppingNow
            | Report::Stopped => Kind::Info,
            // It ended by itself: after its number of requests, or because somebody sent it a signal.
            Report::Died { status: Status::Exited(0), .. } => Kind::Info,
            Report::Retiring { reason, .. } if !reason.is_urgent() => Kind::Info,
            Report::Overdue { .. } => Incident::WORKER_OVERDUE.into(),
            Report::ResizeRefused(_) => Incident::SCALE_REFUSED.into(),
            Report::ReforkAborted => Incident::REFORK_ABORTED.into(),
            Report::NotPromoted { .. } => Incident::NOT_PROMOTED.into(),
            Report::Retiring { .. } => Incident::WORKER_RETIRED.into(),
            Report::NotRetiring { .. } => Incident::WORKER_NOT_REPLACED.into(),
            Report::Died { .. } => Incident::WORKER_DIED.into(),
            Report::NotBooted { .. } => Incident::WORKER_NOT_BOOTED.into(),
            Report::GivingUp => Incident::NO_WORKER_BOOTS.into(),
            Report::ReloadAborted { .. } => Incident::RELOAD_ABORTED.into(),
            Report::ConfigurationRefused => Incident::CONFIGURATION_REFUSED.into(),
        }
    }

    /// The template it is about.
    pub fn template(&self) -> Option<u64> {
        match self {
            Report::Template { template, .. } => Some(*template),
            _ => None,
        }
    }

    /// The worker it is about.
    pub fn slot(&self) -> Option<usize> {
        match self {
            Report::WorkerReady { slot, .. }
            | Report::NotBooted { slot, .. }
            | Report::Died { slot, .. }
            | Report::Gone { slot, .. }
            | Report::Retiring { slot, .. }
            | Report::NotRetiring { slot }
            | Report::NotPromoted { slot }
            | Report::Promoted { slot, .. }
            | Report::Overdue { slot, .. } => Some(*slot),
            _ => None,
        }
    }
}

/// The text, to be put behind the name of the worker if there is one.
impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Report::AllReady { workers, took } => {
                write!(f, "ready after {}: {}", Seconds(*took), Workers(*workers))
            }
            Report::WorkerReady { took, .. } => write!(f, "ready after {}", Seconds(*took)),
            Report::NotBooted { failure, .. } => failure.fmt(f),
            Report::Died { status, lived, .. } => {
                write!(f, "{status} unasked, {} after its start", Seconds(*lived))
            }
            Report::Gone { status, lived, .. } => write!(f, "{status}, {} after its start", Seconds(*lived)),
            Report::Template { news, .. } => news.fmt(f),
            Report::Retrying(delay) => write!(f, "trying again in {}", Seconds(*delay)),
            Report::GivingUp => f.write_str("the application cannot be served; stopping"),
            Report::Overdue { task, limit, .. } => write!(f, "{task} within {}: killed", Seconds(*limit)),
            Report::Retiring { reason, .. } => write!(f, "{reason}: it goes when a new worker is ready"),
            Report::NotRetiring { .. } => f.write_str("does not serve, so it is not replaced"),
            Report::Reloading => f.write_str("reloading: replacing the workers one by one"),
            Report::ReloadingFurther => {
                f.write_str("reloading once more: the workers started so far are replaced too")
            }
            Report::Renewing => f.write_str("reloading"),
            Report::StandingIn => f.write_str(
                "the application cannot be loaded: requests are answered with the reason until a file changes",
            ),
            Report::ConfigurationRefused => {
                f.write_str("not reloaded: the configuration cannot be used, and what was there goes on")
            }
            Report::Reloaded(took) => write!(f, "reloaded in {}", Seconds(*took)),
            Report::Reforked(took) => {
                write!(f, "all workers are forks of the new template after {}", Seconds(*took))
            }
            Report::ReforkAborted => {
                f.write_str("a worker of the new template does not start: the former one forks again")
            }
            Report::Promoted { lived, .. } => {
                write!(f, "has become the template, {} after its start", Seconds(*lived))
            }
            Report::NotPromoted { .. } => f.write_str("did not become the template: the former one forks on"),
            Report::ReloadAborted { serving } => write!(
                f,
                "reload given up because a new worker does not start; still serving: {}; send HUP when it is mended",
                Workers(*serving)
            ),
            Report::Resized(workers) => write!(f, "from now on {}", Workers(*workers)),
            Report::Adapted { workers, reason } => {
                write!(f, "{reason}: from now on {} (--workers)", Workers(*workers))
            }
            Report::ResizeRefused(workers) => write!(f, "staying at {}", Workers(*workers)),
            Report::Stopping(limit) => {
                write!(f, "stopping: finishing requests for up to {}; again to stop at once", Seconds(*limit))
            }
            Report::Leaving(delay) => write!(f, "accepting for {} more (--drain-delay)", Seconds(*delay)),
            Report::StoppingAlready(limit) => {
                write!(f, "stopping already: finishing requests for up to {}; again to stop at once", Seconds(*limit))
            }
            Report::StoppingNow => f.write_str("stopping at once"),
            Report::Stopped => f.write_str("stopped"),
        }
    }
}

impl TemplateNews {
    fn kind(self) -> Kind {
        match self {
            TemplateNews::Ready(_) | TemplateNews::Gone { .. } => Kind::Debug,
            TemplateNews::Overdue { .. } => Incident::TEMPLATE_OVERDUE.into(),
            TemplateNews::Died { .. } => Incident::TEMPLATE_DIED.into(),
            TemplateNews::NotBooted(_) => Incident::TEMPLATE_NOT_BOOTED.into(),
            TemplateNews::Stuck => Incident::TEMPLATE_STUCK.into(),
        }
    }
}

/// The text, to be put behind the name of the template.
impl Display for TemplateNews {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            TemplateNews::Ready(took) => write!(f, "ready after {}", Seconds(*took)),
            TemplateNews::NotBooted(failure) => failure.fmt(f),
            TemplateNews::Died { status, lived } => {
                write!(f, "{status} unasked, {} after its start; the workers serve on", Seconds(*lived))
            }
            TemplateNews::Gone { status, lived } => write!(f, "{status}, {} after its start", Seconds(*lived)),
            TemplateNews::Overdue { task, limit } => write!(f, "{task} within {}: killed", Seconds(*limit)),
            TemplateNews::Stuck => f.write_str(
                "does not fork a worker within --boot-timeout; does a callback of os.register_at_fork hang? Killed",
            ),
        }
    }
}

impl Display for Task {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Task::Boot => "did not load the application",
            Task::ExitAfterFailure => "could not load the application and did not exit",
            Task::Drain => "did not finish its requests",
            Task::Exit => "did not exit",
        })
    }
}

impl Display for BootFailure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            BootFailure::Refused => f.write_str("could not load the application"),
            BootFailure::Died(status) => write!(f, "{status} while it loaded the application"),
            BootFailure::TooSlow => f.write_str("took too long to load the application (--boot-timeout)"),
            BootFailure::NotStarted => f.write_str("could not be started"),
        }
    }
}

/// A duration in the unit that people think in: `0.25 s`, `90 s`.
pub(crate) struct Seconds(pub(crate) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let decimals = match self.0.as_millis() {
            0..1_000 => 2,
            1_000..10_000 => 1,
            _ => 0,
        };
        write!(f, "{:.decimals$} s", self.0.as_secs_f64())
    }
}

/// A number of workers.
struct Workers(usize);

impl Display for Workers {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 worker"),
            number => write!(f, "{number} workers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_like_sentences() {
        let millis = Duration::from_millis;
        let lines = [
            (Report::AllReady { workers: 1, took: millis(251) }, "ready after 0.25 s: 1 worker"),
            (Report::AllReady { workers: 4, took: millis(2_510) }, "ready after 2.5 s: 4 workers"),
            (Report::Retrying(millis(10_000)), "trying again in 10 s"),
            (
                Report::Overdue { slot: 0, task: Task::Drain, limit: millis(25_000) },
                "did not finish its requests within 25 s: killed",
            ),
            (
                Report::Died { slot: 0, status: Status::Exited(1), lived: millis(90_000) },
                "exited with code 1 unasked, 90 s after its start",
            ),
            (
                Report::Retiring { slot: 0, reason: RetireReason::MaxRequests { requests: 500 } },
                "answered 500 requests (--max-requests): it goes when a new worker is ready",
            ),
        ];
        for (report, text) in lines {
            assert_eq!(report.to_string(), text);
        }
    }
}
