//! What a row of uWSGI's table says: the names of an option there, and what becomes of it here.

/// One option of uWSGI, or several of which the same is true.
pub(crate) struct Row {
    /// The long names.
    pub(crate) names: &'static [&'static str],
    /// The short flag of its command line.
    pub(crate) short: Option<char>,
    /// Whether the command line wants a value.
    pub(crate) argument: Argument,
    /// What it becomes.
    pub(crate) becomes: Becomes,
}

/// Whether an option takes a value on uWSGI's command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Argument {
    /// Always, as the next word or behind `=`.
    Required,
    /// Only behind `=`.
    Optional,
    /// None: it is on, unless a file says otherwise.
    Switch,
}

/// What becomes of an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Becomes {
    /// This option of ours, with its value converted.
    Option(&'static str, Convert),
    /// A part of something that several options say together; in words, for the table of the documentation.
    Part(Part, &'static str),
    /// Nothing, because of this.
    Nothing(&'static str),
    /// The end of the start: this is to be done instead.
    Stop(&'static str),
}

/// How a value is converted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Convert {
    /// As it is.
    Text,
    /// The number that it begins with.
    Number,
    /// Such a number, of seconds.
    Seconds,
    /// Such a number, of seconds, where 0 is no limit at all, and so no option.
    SecondsOrNone,
    /// Such a number, of MiB.
    Mebibytes,
    /// Such a number, of bytes.
    Bytes,
    /// What uWSGI takes for yes or no: this word for yes, and nothing for no.
    Switch(&'static str),
    /// A path, relative to the directory of the start.
    Path,
    /// A path, relative to `chdir`.
    PathAfterChdir,
    /// An address to listen on.
    Address,
}

/// Parts of what several options say together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Chdir,
    Module,
    File,
    Callable,
    Mount,
    ManageScriptName,
    Socket,
    UwsgiSocket,
    Tls,
    Protocol,
    ChmodSocket,
    ChownSocket,
    Processes,
    Cheaper,
    Threads,
    LazyApps,
    User,
    Group,
    Plugins,
    Environment,
    StaticMap,
    StaticMap2,
    CheckStatic,
    StaticExpires,
    Reload,
    DisableLogging,
    LogStatus,
    LogSlow,
    LogTo,
    RequestLogger,
    AddHeader,
    RemoveHeader,
    Route,
    MasterHook,
    Execute,
    Statsd,
}

pub(super) const fn option(names: &'static [&'static str], becomes: &'static str, how: Convert) -> Row {
    let argument = if matches!(how, Convert::Switch(_)) { Argument::Switch } else { Argument::Required };
    Row { names, short: None, argument, becomes: Becomes::Option(becomes, how) }
}

pub(super) const fn part(names: &'static [&'static str], part: Part, words: &'static str) -> Row {
    Row { names, short: None, argument: Argument::Required, becomes: Becomes::Part(part, words) }
}

pub(super) const fn nothing(names: &'static [&'static str], why: &'static str) -> Row {
    Row { names, short: None, argument: Argument::Required, becomes: Becomes::Nothing(why) }
}

pub(super) const fn stop(names: &'static [&'static str], instead: &'static str) -> Row {
    Row { names, short: None, argument: Argument::Required, becomes: Becomes::Stop(instead) }
}

impl Row {
    pub(super) const fn short(self, letter: char) -> Row {
        Row { short: Some(letter), ..self }
    }

    pub(super) const fn switch(self) -> Row {
        Row { argument: Argument::Switch, ..self }
    }

    pub(super) const fn optional(self) -> Row {
        Row { argument: Argument::Optional, ..self }
    }
}
