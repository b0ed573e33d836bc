//! Where a value came from: every value keeps its origin, for errors and for `tapster config show`.

use std::fmt;

use crate::option::OptionSpec;

/// Where a value was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody wrote it.
    Default,
    /// Nobody wrote it, in a configuration of uWSGI.
    Uwsgi,
    /// Nobody wrote it, and gunicorn has it so.
    Gunicorn,
    /// A line of a configuration file, counted from 1.
    File {
        /// The file, as it was named.
        path: String,
        /// The line of the value.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag on the command line, as it was spelled (`-w`, `--workers`), or `APP`.
    Flag(String),
}

impl Origin {
    /// What an error about a value of `option` begins with.
    pub(crate) fn place(&self, option: &str) -> String {
        match self {
            Self::Default | Self::Uwsgi | Self::Gunicorn => option.to_owned(),
            Self::File { path, line } => format!("{path}:{line}: {option}"),
            Self::Variable(name) | Self::Flag(name) => name.clone(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Uwsgi => f.write_str("default of uWSGI"),
            Self::Gunicorn => f.write_str("gunicorn's default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(flag) => write!(f, "command line, {flag}"),
        }
    }
}

/// One time that one option was given: its texts, not yet checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// One text, or for a list any number of them.
    pub texts: Vec<String>,
    /// Where they were written.
    pub origin: Origin,
}

/// What one source gives, in its order.
pub(crate) type Layer = Vec<(&'static OptionSpec, Given)>;
