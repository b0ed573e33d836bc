//! The log of a process: messages to standard error, requests to standard output. Logging never makes a request (or
//! the supervisor) wait for whoever reads the log: what cannot be written is dropped, counted, and the count is logged.

use std::cell::Cell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use crate::about;
use crate::access::Place;
use crate::direct::Direct;
use crate::drain::Queue;
use crate::line::{Record, Style};
use crate::relay::Relay;
use crate::{AccessEvent, AccessFilter, AccessFormat, AccessMode, Level, Needs, Output, WorkerBoard};

/// Which of the two outputs a line goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
    /// Messages of the server and the application.
    Messages = 0,
    /// The access log.
    Requests = 1,
}

/// What a log is told when it is made.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// The least important level that is written.
    pub level: Level,
    /// Which requests are written.
    pub access: AccessFilter,
    /// What a line about a request looks like.
    pub format: AccessFormat,
    /// Where messages go.
    pub messages: Output,
    /// Where requests go.
    pub requests: Output,
    /// How many bytes may wait for each output in a worker before lines are dropped.
    pub capacity: usize,
    /// Tells the number of the process that asks; asked for every line.
    pub process: fn() -> u32,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            level: Level::default(),
            access: AccessFilter::new(AccessMode::Auto),
            format: AccessFormat::default(),
            messages: Output::Stderr,
            requests: Output::Stdout,
            capacity: 1024 * 1024,
            process: std::process::id,
        }
    }
}

/// The log. Clones share everything.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    options: LogOptions,
    style: Style,
    filter: AccessFilter,
    format: AccessFormat,
    needs: Needs,
    /// The number of this worker, from 1; none in other processes.
    worker: Option<usize>,
    board: Option<WorkerBoard>,
    direct: Direct,
    /// The queue and the process whose thread empties it.
    queue: Option<(Arc<Queue>, u32)>,
}

impl Log {
    /// A log without a thread, for the supervisor: a line is written at once if its output takes it without waiting.
    pub fn new(options: LogOptions) -> Log {
        Log::with_queue(options, None, None, |_, _| None)
    }

    /// A log with the same options for this process, usually a forked worker (`worker` is its number, from 1), whose lines
    /// are written by a thread of its own. The thread starts with the first line and runs `on_start` first (to block
    /// signals: a thread inherits the mask of the one that logs first). Dropped lines are counted on the `board` too.
    /// Requests that Python is to log go to standard output where there is no worker.
    pub fn threaded(&self, on_start: fn(), board: Option<WorkerBoard>, worker: Option<usize>) -> Log {
        let mut options = self.shared.options.clone();
        if let Output::Relay(_) = options.requests {
            let own = || Output::Relay(Arc::new(Relay::default()));
            options.requests = worker.map_or(Output::Stdout, |_| own());
        }
        Log::with_queue(options, board.clone(), worker, |options, style| {
            let queue = Queue::new(outputs(options), style, options.capacity, on_start, board);
            Some((queue, (options.process)()))
        })
    }

    /// A log with the same options whose lines are written at once, as by [`Log::new`].
    pub fn unthreaded(&self) -> Log {
        Log::new(self.shared.options.clone())
    }

    fn with_queue(
        options: LogOptions,
        board: Option<WorkerBoard>,
        worker: Option<usize>,
        queue: impl FnOnce(&LogOptions, Style) -> Option<(Arc<Queue>, u32)>,
    ) -> Log {
        let style = style_for(&options.messages);
        let is_terminal = options.requests.is_terminal();
        let filter = options.access.clone().decide(is_terminal);
        let format = options.format.clone().decide(is_terminal);
        let needs = if filter.is_off() { Needs::default() } else { format.needs() };
        let queue = queue(&options, style);
        let direct = Direct::new(outputs(&options), style, board.clone());
        let shared = Shared { options, style, filter, format, needs, worker, board, direct, queue };
        Log { shared: Arc::new(shared) }
    }

    /// Whether messages of this level are written.
    pub fn wants(&self, level: Level) -> bool {
        level <= self.shared.options.level
    }

    /// Logs a failure.
    pub fn error(&self, message: fmt::Arguments<'_>) {
        self.message(Level::Error, message);
    }

    /// Logs what an operator should look at.
    pub fn warning(&self, message: fmt::Arguments<'_>) {
        self.message(Level::Warning, message);
    }

    /// Logs a start, a stop, a reload.
    pub fn info(&self, message: fmt::Arguments<'_>) {
        self.message(Level::Info, message);
    }

    /// Logs a step.
    pub fn debug(&self, message: fmt::Arguments<'_>) {
        self.message(Level::Debug, message);
    }

    /// Logs one line. Control characters in it, newlines too, are escaped.
    pub fn message(&self, level: Level, message: fmt::Arguments<'_>) {
        self.block(level, message, b"");
    }

    /// Logs a line and, below it, text of many lines (a traceback, an application's own words), each indented. Lines of
    /// one block stay together, unless several processes write longer blocks than a pipe takes in one piece (4 KiB).
    pub fn block(&self, level: Level, message: fmt::Arguments<'_>, text: &[u8]) {
        if !self.wants(level) {
            return;
        }
        with_record(|record| {
            record.begin(self.shared.style, level);
            record.message(message);
            about::with_id(|id| record.message(format_args!(" (request {})", id.escape_ascii())));
            if !text.trim_ascii().is_empty() {
                record.block(text);
            }
            record.finish();
            self.push(Stream::Messages, record.as_bytes(), level <= Level::Warning);
        });
    }

    /// Whether a request with this status that took this long may be written: ask before collecting what
    /// [`Log::access`] needs.
    #[inline]
    pub fn wants_access(&self, status: u16, duration: Duration) -> bool {
        self.shared.filter.wants(status, duration)
    }

    /// What has to be kept of each request for its line.
    pub fn access_needs(&self) -> &Needs {
        &self.shared.needs
    }

    /// Writes a request to the access log, if it is one that is wanted.
    pub fn access(&self, event: &AccessEvent<'_>) {
        if !self.wants_access(event.status, event.duration) || self.shared.filter.is_probe(event) {
            return;
        }
        with_record(|record| {
            let place = Place {
                pid: (self.shared.options.process)(),
                worker: self.shared.worker,
                board: self.shared.board.as_ref(),
            };
            self.shared.format.write(record.raw(), event, place);
            record.finish();
            self.push(Stream::Requests, record.as_bytes(), false);
        });
    }

    /// Waits until all lines are written, at most this long. Says whether all are; the rest is lost with the process.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.own_queue().is_none_or(|queue| queue.flush(timeout))
    }

    /// Ends the thread that writes the lines, which takes at most this long; the next line would start another one. For a
    /// process that is to be forked. Says whether all lines are written.
    pub fn end_writer(&self, timeout: Duration) -> bool {
        self.own_queue().is_none_or(|queue| queue.end_writer(timeout))
    }

    /// The file that messages go to, if it is one that was opened for them.
    pub fn file(&self) -> Option<BorrowedFd<'_>> {
        descriptor(&self.shared.options.messages)
    }

    /// The file that requests go to, if it is one that was opened for them alone.
    pub fn access_file(&self) -> Option<BorrowedFd<'_>> {
        let LogOptions { messages, requests, .. } = &self.shared.options;
        if requests.is_same_file(messages) { None } else { descriptor(requests) }
    }

    /// Whoever is to read the lines about requests in this process.
    pub fn relay(&self) -> Option<&Arc<Relay>> {
        match &self.shared.options.requests {
            Output::Relay(relay) => Some(relay),
            _ => None,
        }
    }

    /// How many lines were dropped, because an output was not read, full or broken.
    pub fn dropped(&self) -> u64 {
        self.shared.direct.dropped() + self.own_queue().map_or(0, |queue| queue.dropped())
    }

    fn push(&self, stream: Stream, record: &[u8], urgent: bool) {
        let queued = self.own_queue().is_some_and(|queue| queue.push(stream, record, urgent).is_ok());
        if !queued {
            self.shared.direct.push(stream, record);
        }
    }

    /// The queue, unless this process was forked from the one that empties it (by the application): there its writer
    /// does not exist and its lock may be held for ever.
    fn own_queue(&self) -> Option<&Arc<Queue>> {
        let (queue, owner) = self.shared.queue.as_ref()?;
        (*owner == (self.shared.options.process)()).then_some(queue)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

fn outputs(options: &LogOptions) -> [Output; 2] {
    [options.messages.clone(), options.requests.clone()]
}

fn descriptor(output: &Output) -> Option<BorrowedFd<'_>> {
    match output {
        Output::Descriptor(file) => Some(file.as_fd()),
        _ => None,
    }
}

fn style_for(output: &Output) -> Style {
    if output.is_terminal() { Style::Short } else { Style::Full }
}

/// Lends memory that the thread keeps for its lines. A line logged while another is formatted gets memory of its own.
fn with_record(compose: impl FnOnce(&mut Record)) {
    /// More than this is given back: a long traceback must not stay in every thread.
    const KEPT: usize = 16 * 1024;
    thread_local! {
        static MEMORY: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut record = Record::reusing(MEMORY.try_with(Cell::take).unwrap_or_default());
    compose(&mut record);
    let memory = record.into_bytes();
    if memory.capacity() <= KEPT {
        // A thread that ends has no memory to keep any more.
        let _ = MEMORY.try_with(|kept| kept.set(memory));
    }
}
