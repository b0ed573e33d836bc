//! What a row of the option table says, and the spellings that follow from it.

use crate::kind::Kind;

/// One option: everything that is known about it, once.
///
/// From the name come its spellings: the flag `--graceful-timeout`, the variable `TAPSTER_GRACEFUL_TIMEOUT`, the
/// key `graceful-timeout`.
pub struct OptionSpec {
    /// The name, in small letters with hyphens.
    pub name: &'static str,
    /// The short flag, for the few that are typed all day.
    pub short: Option<char>,
    /// What stands for the value in help and messages; empty for flags without a value.
    pub metavar: &'static str,
    /// The type of the value, its range, and the field that it sets.
    pub kind: Kind,
    /// Whether it may be given several times, and what separates several values in one text.
    pub list: List,
    /// What holds when nobody gives it.
    pub fallback: Fallback,
    /// Where it stands in the help.
    pub group: Group,
    /// Whether `--help` shows it; `--help-all` shows every option.
    pub common: bool,
    /// Variables besides `TAPSTER_*` that give the same value, weaker than it.
    pub variables: &'static [&'static str],
    /// What it does, in one sentence without a full stop.
    pub help: &'static str,
    /// What else the reference page says.
    pub details: &'static str,
}

/// Whether an option takes several values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum List {
    /// One value; the last one given on the command line holds.
    One,
    /// Several, one each time it is given.
    Many,
    /// Several, each time one or more with this between them.
    Separated(char),
}

/// What holds when an option is not given.
pub enum Fallback {
    /// This value, in the syntax that a user would write.
    Value(&'static str),
    /// No value, which means what these words say.
    Words(&'static str),
}

/// Options that are explained together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// What is served.
    Application,
    /// Where it is served.
    Listening,
    /// By what it is served.
    Processes,
    /// Who runs it, and what the host grants it.
    Host,
    /// What is written to the log.
    Logging,
    /// How long things may take.
    Times,
    /// How large a request may be.
    Limits,
    /// What stands before the workers.
    Front,
    /// What is changed of requests and answers.
    Overrides,
    /// Which answers are compressed.
    Compression,
    /// Which answers are kept.
    Caching,
    /// How connections are encrypted.
    Tls,
    /// Servers that a front alone passes requests to.
    Upstreams,
    /// How often clients may come, and who may.
    Protection,
    /// Who is believed.
    Trust,
    /// How a running server is reached by its operator.
    Control,
    /// What helps while an application is made.
    Development,
    /// The command itself.
    Command,
}

impl Group {
    /// All of them, in the order of the help.
    pub const ALL: &'static [Self] = &[
        Self::Application,
        Self::Listening,
        Self::Processes,
        Self::Host,
        Self::Logging,
        Self::Times,
        Self::Limits,
        Self::Front,
        Self::Overrides,
        Self::Compression,
        Self::Caching,
        Self::Tls,
        Self::Upstreams,
        Self::Protection,
        Self::Trust,
        Self::Control,
        Self::Development,
        Self::Command,
    ];

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Listening => "Listening",
            Self::Processes => "Workers and threads",
            Self::Host => "User, files and limits",
            Self::Logging => "Logging",
            Self::Times => "Time limits",
            Self::Limits => "Request limits",
            Self::Front => "Static files",
            Self::Overrides => "Fields and error pages",
            Self::Compression => "Compression",
            Self::Caching => "Response cache",
            Self::Tls => "TLS",
            Self::Upstreams => "Upstreams of tapster front",
            Self::Protection => "Protection",
            Self::Trust => "Proxies and trust",
            Self::Control => "Control and health checks",
            Self::Development => "Development",
            Self::Command => "Configuration and help",
        }
    }
}

impl OptionSpec {
    /// Whether it is the application, which is given without a flag.
    pub fn is_positional(&self) -> bool {
        matches!(self.kind, Kind::App(_))
    }

    /// Whether it takes no value.
    pub fn is_switch(&self) -> bool {
        matches!(self.kind, Kind::Switch(_))
    }

    /// Whether a configuration file may have it.
    pub fn in_file(&self) -> bool {
        !matches!(self.kind, Kind::Switch(_) | Kind::ConfigFile | Kind::Imported(_))
    }

    /// Its long flag; for the application its placeholder.
    pub fn flag(&self) -> String {
        if self.is_positional() { self.metavar.to_owned() } else { format!("--{}", self.name) }
    }

    /// Its own variable, none for flags without a value.
    pub fn variable(&self) -> Option<String> {
        (!self.is_switch()).then(|| variable_name(self.name))
    }

    /// The values in one text.
    pub(crate) fn split(&self, text: &str) -> Vec<String> {
        match self.list {
            List::One | List::Many => vec![text.to_owned()],
            List::Separated(separator) => text
                .split(separator)
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// The variable of the option with this name.
pub(crate) fn variable_name(name: &str) -> String {
    format!("TAPSTER_{}", name.to_ascii_uppercase().replace('-', "_"))
}
