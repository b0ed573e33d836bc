//! What was wrong with a value or an option, in words for the person who wrote it.

use std::fmt;

/// Why a text is not a value of its option, without saying where it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid {
    /// What is wrong, naming the text.
    pub message: String,
    /// What to write instead; none means that the option's own description says it best.
    pub hint: Option<String>,
}

impl Invalid {
    /// A problem that the description of the option explains well enough.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// A problem with advice of its own.
    pub fn with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }

    /// The error for the value at this place.
    pub(crate) fn at(self, place: &str) -> ConfigError {
        ConfigError { message: format!("{place}: {}", self.message), hint: self.hint }
    }
}

/// Why the configuration cannot be used: the first problem found, with its place.
///
/// Displayed as the message, then a line `hint: …`. The caller puts its own prefix before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigError {
    /// Where it is and what is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn within(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}
