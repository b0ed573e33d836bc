//! `if-env … endif`, `for … endfor`: which lines hold, and how often. Pure: what is the case is asked for.

use crate::error::ConfigError;
use crate::file::{Fact, Files};

/// What is between `if-…` or `for…` and its end.
#[derive(Debug)]
pub(super) struct Logic {
    /// What began it.
    pub(super) key: String,
    argument: String,
}

/// What holds of the line between.
pub(super) enum Holds {
    /// Nothing.
    Never,
    /// The line, once for each of these, which stand for `%(_)`.
    With(Vec<String>),
}

/// What a condition is about, besides files.
pub(super) struct World<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(super) option: &'a dyn Fn(&str) -> Option<String>,
}

/// Whether this key ends what another began.
pub(super) fn is_end(key: &str) -> bool {
    matches!(key, "end" | "endif" | "end-if" | "endfor" | "end-for")
}

/// Whether this key begins a condition or a loop.
pub(super) fn is_beginning(key: &str) -> bool {
    key.starts_with("if-")
        || matches!(key, "ifenv" | "ifexists" | "ifdir" | "ifplugin")
        || matches!(key, "for" | "for-glob" | "for-times" | "for-readline")
}

impl Logic {
    /// What begins with this key.
    pub(super) fn new(key: &str, argument: &str) -> Logic {
        let key = match key {
            "ifenv" | "ifexists" | "ifdir" | "ifplugin" => format!("if-{}", &key[2..]),
            "if-directory" => "if-dir".to_owned(),
            _ => key.to_owned(),
        };
        Logic { key, argument: argument.to_owned() }
    }

    /// What holds of a line between.
    ///
    /// # Errors
    /// For a condition that is not known, and a file of lines that cannot be read.
    pub(super) fn holds(&self, world: &World<'_>) -> Result<Holds, ConfigError> {
        let all = |values: Vec<String>| Ok(Holds::With(values));
        match self.key.as_str() {
            "for" => {
                all(self.argument.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect())
            }
            "for-times" => {
                let times = super::placeholders::number(&self.argument).clamp(0, 10_000);
                all((1..=times).map(|number| number.to_string()).collect())
            }
            "for-glob" => {
                let found = world.files.fact(&Fact::Matching(&self.argument));
                let found = found.unwrap_or_else(|| self.argument.clone());
                all(found.lines().map(str::to_owned).collect())
            }
            "for-readline" => match world.files.read(self.argument.as_ref()) {
                Ok(Some(text)) => all(text.lines().map(str::to_owned).collect()),
                _ => Err(ConfigError::new(format!("the lines of {:?} cannot be read", self.argument))),
            },
            condition => self.condition(condition, world),
        }
    }

    fn condition(&self, condition: &str, world: &World<'_>) -> Result<Holds, ConfigError> {
        let condition = condition.strip_prefix("if-").unwrap_or(condition);
        let (is_wanted, about) = match condition.strip_prefix("not-") {
            Some(about) => (false, about),
            None => (true, condition),
        };
        let kind = || world.files.fact(&Fact::Kind(&self.argument));
        let argument = || self.argument.clone();
        let found = match about {
            "env" => self.compared(world.variable),
            "opt" => self.compared(world.option),
            "exists" => kind().map(|_| argument()),
            "file" => kind().filter(|kind| kind == "file").map(|_| argument()),
            "dir" | "directory" => kind().filter(|kind| kind == "directory").map(|_| argument()),
            "hostname" => {
                let host = world.files.fact(&Fact::Host('h'));
                host.filter(|name| *name == self.argument).map(|_| argument())
            }
            "plugin" => (self.argument.starts_with("python") || self.argument == "http").then(argument),
            "reload" => None,
            _ => {
                return Err(ConfigError::new(format!("{} is not supported", self.key))
                    .hint("conditions are if-env, if-opt, if-exists, if-file, if-dir, if-hostname, and each with not-"));
            }
        };
        Ok(match (found, is_wanted) {
            (Some(value), true) => Holds::With(vec![value]),
            (None, false) => Holds::With(vec![argument()]),
            _ => Holds::Never,
        })
    }

    /// `NAME` or `NAME=VALUE`: what the name stands for, if it is that.
    fn compared(&self, look_up: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let (name, wanted) = match self.argument.split_once('=') {
            Some((name, wanted)) => (name, Some(wanted)),
            None => (self.argument.as_str(), None),
        };
        look_up(name).filter(|value| wanted.is_none_or(|wanted| wanted == value))
    }
}
