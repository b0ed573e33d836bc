//! What a row of gunicorn's table says: a setting there, how it is written, and what becomes of it here.

/// One setting of gunicorn.
pub(crate) struct Row {
    /// Its name in a gunicorn.conf.py.
    pub(crate) name: &'static str,
    /// Its flags, with their hyphens; none where only a file may have it.
    pub(crate) flags: &'static [&'static str],
    /// The type of its value.
    pub(crate) kind: Kind,
    /// What holds in gunicorn when nobody says anything, as JSON.
    pub(crate) default: &'static str,
    /// What it becomes.
    pub(crate) becomes: Becomes,
}

/// The type of a setting, which also decides how its flag is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// One text, or none.
    Text,
    /// A number that is not negative.
    Number,
    /// Such a number, octal where it begins with 0.
    Octal,
    /// On by its flag, which takes no value.
    On,
    /// Off by its flag, which takes no value.
    Off,
    /// Several texts: the flag may be repeated.
    List,
    /// A text whose flag may stand alone; then it is this one.
    Optional(&'static str),
    /// Names and texts; only in a file.
    Map,
    /// A function; only in a file.
    Function,
}

/// What becomes of a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Becomes {
    /// This option of ours, with its value converted; with `true` gunicorn's default holds as well.
    Option(&'static str, Convert, bool),
    /// A part of what several settings say together (`parts.rs`); in words, for the table of the documentation.
    Part(&'static str),
    /// A function that is called; when, in words.
    Hook(&'static str),
    /// Nothing, because of this.
    Nothing(&'static str),
    /// The end of the start unless it has its default: this is to be done instead.
    Stop(&'static str),
}

/// How a value is converted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Convert {
    /// As it is.
    Text,
    /// A path, which is relative to `chdir`.
    Path,
    /// A number of seconds.
    Seconds,
    /// A number between these, where 0 means the greatest.
    Within(u64, u64),
    /// On or off.
    Switch,
}

impl Row {
    /// How it is named where it was written: by its first long flag, or by its name in a file.
    pub(crate) fn flag(&self) -> Option<&'static str> {
        self.flags.iter().find(|flag| flag.starts_with("--")).or(self.flags.first()).copied()
    }
}
