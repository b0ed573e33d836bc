//! What the access log is asked for: which requests, what of them, and where to.

use std::path::PathBuf;
use std::time::Duration;

/// The access log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessLogSettings {
    /// Which requests are logged where nothing else is said.
    pub which: AccessLog,
    /// Where they go; none means with the log, or to standard output.
    pub destination: Option<LogDestination>,
    /// What a line looks like, as it was written: `auto`, a name, or a format.
    pub format: String,
    /// Only requests with one of these statuses, first and last.
    pub statuses: Vec<(u16, u16)>,
    /// Only, or also, requests that take this long; none is no such bound.
    pub slower: Option<Duration>,
    /// No requests for these paths and what is below them.
    pub skip: Vec<String>,
}

/// Which requests are written to the access log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessLog {
    /// All on a terminal, with `--reload` or with a destination of their own; elsewhere 5xx and slow ones.
    Auto,
    /// All.
    On,
    /// None.
    Off,
}

/// Where lines about requests go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogDestination {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file that they are added to.
    File(PathBuf),
    /// The syslog of this host, which listens at this path.
    Syslog(PathBuf),
    /// A syslog by UDP: host and port.
    Udp(String),
    /// A unix socket for datagrams.
    Unix(PathBuf),
    /// The logger `tapster.access` of the application's own `logging`.
    Python,
}
