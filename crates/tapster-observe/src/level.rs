//! How important a log line is.

/// The importance of a log line. Ordered: what is logged at a level is logged at all greater ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// Failures of the server or an application.
    Error,
    /// What an operator should look at.
    Warning,
    /// Starts, stops, reloads.
    #[default]
    Info,
    /// Each step.
    Debug,
}

impl Level {
    /// All levels, the most important first.
    pub const ALL: [Level; 4] = [Level::Error, Level::Warning, Level::Info, Level::Debug];

    /// The level as the log and `--log-level` write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}
