//! How the processes run and when they are replaced, and what is logged.

use std::time::Duration;

/// What the workers are kept from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sandbox {
    /// Nothing that the system does not keep them from.
    #[default]
    Off,
    /// Changing files, but for temporary ones, and what else an application has no need of.
    ReadOnlyFiles,
}

/// A number of processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Count {
    /// One for each CPU that this process may use (affinity and control group quota).
    Auto,
    /// This many.
    Fixed(usize),
    /// As many as the load needs.
    Range {
        /// At least this many, and at least 1.
        least: usize,
        /// At most this many: more than the least.
        most: usize,
    },
}

/// When a worker that serves is replaced by a new one; 0 is never.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recycling {
    /// After this many requests.
    pub requests: u32,
    /// And up to so many more, drawn anew for each worker.
    pub requests_jitter: u32,
    /// After this time.
    pub lifetime: Duration,
    /// And up to so much more, drawn anew for each worker.
    pub lifetime_jitter: Duration,
    /// With more than so many bytes of memory in use.
    pub rss: u64,
}

/// What is written to the log, from least to most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Failures of the server or an application.
    Error,
    /// What an operator should look at.
    Warning,
    /// Starts, stops, reloads.
    Info,
    /// Each step.
    Debug,
}
