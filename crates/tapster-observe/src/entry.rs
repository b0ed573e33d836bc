//! One entry of the log on its way: what it is, what it says, and which request it is about.

use std::fmt;

use crate::{Incident, Level, Log, about};

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An error or a warning, by its incident.
    Incident(Incident),
    /// A start, a stop, a reload.
    Info,
    /// A step.
    Debug,
}

impl Kind {
    /// How important it is.
    pub fn level(self) -> Level {
        match self {
            Kind::Incident(incident) => incident.level(),
            Kind::Info => Level::Info,
            Kind::Debug => Level::Debug,
        }
    }

    /// The incident that it is, if it is an error or a warning.
    pub fn incident(self) -> Option<Incident> {
        match self {
            Kind::Incident(incident) => Some(incident),
            Kind::Info | Kind::Debug => None,
        }
    }
}

impl From<Incident> for Kind {
    fn from(incident: Incident) -> Kind {
        Kind::Incident(incident)
    }
}

/// All that is known of an entry, but for the request id, which the thread knows.
pub(crate) struct Line<'a> {
    pub(crate) kind: Kind,
    pub(crate) message: fmt::Arguments<'a>,
    /// From 1.
    pub(crate) worker: Option<usize>,
    /// From 1.
    pub(crate) thread: Option<usize>,
    /// Method and path, if it is about a request.
    pub(crate) request: Option<(&'a [u8], &'a [u8])>,
    /// What JSON calls the text below it, and that text.
    pub(crate) below: (&'static str, &'a [u8]),
    /// It tells of so many that were not logged.
    pub(crate) repeated: u64,
}

impl<'a> Line<'a> {
    pub(crate) fn new(kind: Kind, message: fmt::Arguments<'a>) -> Line<'a> {
        Line { kind, message, worker: None, thread: None, request: None, below: ("", b""), repeated: 0 }
    }
}

/// An entry that is made: begun by [`Log::entry`], ended by [`Entry::write`].
#[must_use = "nothing is logged before `write`"]
pub struct Entry<'a> {
    log: &'a Log,
    kind: Kind,
    request: Option<(&'a [u8], &'a [u8])>,
    thread: Option<usize>,
    below: (&'static str, &'a [u8]),
}

impl Log {
    /// Begins an entry that has more to it than a message.
    pub fn entry<'a>(&'a self, kind: impl Into<Kind>) -> Entry<'a> {
        Entry { log: self, kind: kind.into(), request: None, thread: None, below: ("", b"") }
    }

    /// Logs an error or a warning.
    pub fn report(&self, incident: Incident, message: fmt::Arguments<'_>) {
        self.entry(incident).write(message);
    }

    /// Logs a start, a stop, a reload.
    pub fn info(&self, message: fmt::Arguments<'_>) {
        self.entry(Kind::Info).write(message);
    }

    /// Logs a step.
    pub fn debug(&self, message: fmt::Arguments<'_>) {
        self.entry(Kind::Debug).write(message);
    }

    /// Logs one line. Control characters in it, newlines too, are escaped.
    pub fn message(&self, kind: impl Into<Kind>, message: fmt::Arguments<'_>) {
        self.entry(kind).write(message);
    }
}

impl<'a> Entry<'a> {
    /// Says which request it is about: its method, and its path without the query. Text has them in the message.
    pub fn request(mut self, method: &'a [u8], path: &'a [u8]) -> Entry<'a> {
        self.request = Some((method, path));
        self
    }

    /// Says which thread of the worker it is about, from 1, where that is not the one that logs.
    pub fn thread(mut self, number: usize) -> Entry<'a> {
        self.thread = Some(number);
        self
    }

    /// Puts a traceback, or other words of the application, below it. Text has it indented, line by line.
    pub fn traceback(mut self, text: &'a [u8]) -> Entry<'a> {
        self.below = ("traceback", text.trim_ascii_end());
        self
    }

    /// Puts the stacks of threads below it.
    pub fn stacks(mut self, text: &'a [u8]) -> Entry<'a> {
        self.below = ("stacks", text.trim_ascii_end());
        self
    }

    /// Logs it, unless it was logged often enough a moment ago (`--log-repeats`). As text, lines of one entry stay together,
    /// unless several processes write longer ones than a pipe takes in one piece (4 KiB).
    pub fn write(self, message: fmt::Arguments<'_>) {
        let Entry { log, kind, request, thread, below } = self;
        let thread = thread.or_else(about::thread);
        log.put(Line { request, thread, below, ..Line::new(kind, message) });
    }
}
