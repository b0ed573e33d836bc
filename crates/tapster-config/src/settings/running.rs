//! How the processes run and when they are replaced, and what is logged.

use std::time::Duration;

use crate::error::Invalid;

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

/// What messages of the log look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object of JSON a line.
    Json,
}

impl LogFormat {
    /// uWSGI's option of this name is about requests, so whoever writes a format gets advice.
    pub(crate) fn parse(text: &str) -> Result<LogFormat, Invalid> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            format if format.contains('%') => Err(Invalid::with_hint(
                format!("{format:?} is no format of messages: text or json"),
                "a format of requests is --access-log-format; uWSGI's %(addr) and gunicorn's %(h)s are known there",
            )),
            _ => Err(Invalid::new(format!("{text:?} is neither text nor json"))),
        }
    }
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

/// What `tapster gunicorn` was configured with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gunicorn {
    /// The file that was executed, as it was named.
    pub file: Option<String>,
    /// Every setting under gunicorn's name for it, as JSON.
    pub settings: String,
}
