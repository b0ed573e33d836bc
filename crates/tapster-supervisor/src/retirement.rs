//! Why a worker that serves is replaced by a new one. Said by the worker, by the supervisor's own samples or by the
//! operator; decided about by the fleet.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use tapster_sys::inbox::Retire;

/// Why a worker is to be replaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetireReason {
    /// It answered as many requests as it should.
    MaxRequests {
        /// How many.
        requests: u32,
    },
    /// It served for as long as it should.
    Lifetime {
        /// How long ago it was started.
        age: Duration,
    },
    /// It uses more memory than it should.
    Memory {
        /// Bytes of memory that it has for itself.
        rss: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// One of its threads is lost in a request. Goes before all other reasons.
    Stuck {
        /// Whole seconds since the request began.
        seconds: u32,
    },
    /// A signal stopped it and it does not go on. Goes before all other reasons, too.
    Stopped {
        /// For how long.
        since: Duration,
    },
    /// It has answered enough requests to become the template (`--refork-after`).
    Warm {
        /// How many.
        requests: u64,
    },
    /// It was forked by the former template (`--refork-after`).
    Refork,
    /// The operator wants it.
    Asked,
}

impl RetireReason {
    /// The reason in two words, for counters.
    pub fn name(self) -> &'static str {
        match self {
            RetireReason::MaxRequests { .. } => "max requests",
            RetireReason::Lifetime { .. } => "max lifetime",
            RetireReason::Memory { .. } => "max rss",
            RetireReason::Stuck { .. } => "stuck",
            RetireReason::Stopped { .. } => "stopped",
            RetireReason::Warm { .. } => "becomes the template",
            RetireReason::Refork => "refork",
            RetireReason::Asked => "recycled",
        }
    }

    /// Whether the worker fails, and is not only due.
    pub fn is_urgent(self) -> bool {
        matches!(self, RetireReason::Stuck { .. } | RetireReason::Stopped { .. })
    }
}

impl From<Retire> for RetireReason {
    fn from(said: Retire) -> RetireReason {
        match said {
            Retire::Requests(requests) => RetireReason::MaxRequests { requests },
            Retire::Stuck { seconds } => RetireReason::Stuck { seconds },
        }
    }
}

/// The text, to be put behind the name of the worker.
impl Display for RetireReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            RetireReason::MaxRequests { requests } => {
                write!(f, "answered {requests} requests (--max-requests)")
            }
            RetireReason::Lifetime { age } => {
                write!(f, "has served for {} s (--max-worker-lifetime)", age.as_secs())
            }
            RetireReason::Memory { rss, limit } => {
                write!(
                    f,
                    "uses {} MiB of memory of its own, more than {} MiB (--max-rss)",
                    rss >> 20,
                    limit >> 20
                )
            }
            RetireReason::Stuck { seconds } => {
                write!(f, "has a request that does not end, begun {seconds} s ago")
            }
            RetireReason::Stopped { since } => {
                write!(f, "was stopped by a signal {} s ago and does not go on", since.as_secs())
            }
            RetireReason::Warm { requests } => {
                write!(f, "answered {requests} requests and is to become the template (--refork-after)")
            }
            RetireReason::Refork => f.write_str("was forked by the former template (--refork-after)"),
            RetireReason::Asked => f.write_str("is replaced as ordered"),
        }
    }
}
