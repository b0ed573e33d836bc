//! The log of a process: messages (made in `entry.rs`) to standard error, requests to standard output. Logging never makes a request (or
//! the supervisor) wait for whoever reads the log: what cannot be written is dropped, counted, and the count is logged.

use std::cell::Cell;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::about;
use crate::access::Place;
use crate::direct::Direct;
use crate::drain::Queue;
use crate::entry::{Kind, Line};
use crate::line::{Layout, Record, Style};
use crate::recent::{Recent, Topic};
use crate::relay::Relay;
use crate::repeats::{Repeats, Verdict};
use crate::tally::Tally;
use crate::{
    AccessEvent, AccessFilter, AccessFormat, AccessMode, FrontBoard, Incident, Level, LogCounts, Needs,
    Output, WorkerBoard,
};

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
    /// Messages are objects of JSON and not text.
    pub as_json: bool,
    /// How often the same error or warning is written in ten seconds, before it is only counted; 0 is without end.
    pub repeats: u32,
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
    /// Where errors, warnings and slow requests are kept besides, if anybody is to read them there.
    pub recent: Option<Recent>,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions {
            level: Level::default(),
            as_json: false,
            repeats: 10,
            access: AccessFilter::new(AccessMode::Auto),
            format: AccessFormat::default(),
            messages: Output::Stderr,
            requests: Output::Stdout,
            capacity: 1024 * 1024,
            process: std::process::id,
            recent: None,
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
    layout: Layout,
    filter: AccessFilter,
    format: AccessFormat,
    needs: Needs,
    board: Option<WorkerBoard>,
    /// Where this process counts for others to see.
    tally: Option<Tally>,
    /// What it counts where there is no such place.
    own: Own,
    repeats: Arc<Repeats>,
    direct: Direct,
    /// The queue and the process whose thread empties it.
    queue: Option<(Arc<Queue>, u32)>,
}

#[derive(Default)]
struct Own {
    errors: AtomicU64,
    warnings: AtomicU64,
    suppressed: AtomicU64,
}

/// Which process a log is for.
#[derive(Default)]
struct Whose {
    worker: Option<usize>,
    board: Option<WorkerBoard>,
    tally: Option<Tally>,
    /// Its lines are written by a thread of its own, which begins with this.
    writer: Option<fn()>,
}

impl Log {
    /// A log without a thread, for the supervisor: a line is written at once if its output takes it without waiting.
    pub fn new(options: LogOptions) -> Log {
        Log::of(options, Whose::default())
    }

    /// A log with the same options for this process, usually a forked worker (`worker` is its number, from 1), whose lines
    /// are written by a thread of its own. The thread starts with the first line and runs `on_start` first (to block
    /// signals: a thread inherits the mask of the one that logs first). What is logged and dropped is counted on the `board`
    /// too. Requests that Python is to log go to standard output where there is no worker.
    pub fn threaded(&self, on_start: fn(), board: Option<WorkerBoard>, worker: Option<usize>) -> Log {
        let tally = board.as_ref().map(WorkerBoard::tally);
        self.for_process(Whose { worker, board, tally, writer: Some(on_start) })
    }

    /// As [`Log::threaded`], for a front that is no worker.
    pub fn threaded_for_front(&self, on_start: fn(), board: &FrontBoard) -> Log {
        self.for_process(Whose { tally: Some(board.tally()), writer: Some(on_start), ..Whose::default() })
    }

    /// A log with the same options whose lines are written at once, as by [`Log::new`].
    pub fn unthreaded(&self) -> Log {
        Log::new(self.shared.options.clone())
    }

    fn for_process(&self, whose: Whose) -> Log {
        let mut options = self.shared.options.clone();
        if let Output::Relay(_) = options.requests {
            let own = || Output::Relay(Arc::new(Relay::default()));
            options.requests = whose.worker.map_or(Output::Stdout, |_| own());
        }
        Log::of(options, whose)
    }

    fn of(options: LogOptions, whose: Whose) -> Log {
        let Whose { worker, board, tally, writer } = whose;
        let layout = Layout { style: style_for(&options), worker };
        let is_terminal = options.requests.is_terminal();
        let filter = options.access.clone().decide(is_terminal);
        let format = options.format.clone().decide(is_terminal);
        let needs = if filter.is_off() { Needs::default() } else { format.needs() };
        let repeats = Arc::new(Repeats::new(options.repeats));
        let queue = writer.map(|on_start| {
            let (outputs, told) = (outputs(&options), repeats.clone());
            let queue = Queue::new(outputs, layout, options.capacity, on_start, tally.clone(), told);
            (queue, (options.process)())
        });
        let direct = Direct::new(outputs(&options), layout, tally.clone());
        let own = Own::default();
        let shared =
            Shared { options, layout, filter, format, needs, board, tally, own, repeats, direct, queue };
        Log { shared: Arc::new(shared) }
    }

    /// Whether messages of this level are written.
    pub fn wants(&self, level: Level) -> bool {
        level <= self.shared.options.level
    }

    /// Logs an entry, unless it is of a level that is not wanted or repeats.
    pub(crate) fn put(&self, line: Line<'_>) {
        let level = line.kind.level();
        if let Kind::Incident(incident) = line.kind {
            self.count(level);
            if !self.wants(level) || self.is_repeat(incident, &line) {
                return;
            }
        } else if !self.wants(level) {
            return;
        }
        self.tell_repeats_if_due();
        self.keep(&line);
        with_record(|record| {
            record.compose(self.shared.layout, line);
            self.push(Stream::Messages, record.as_bytes(), level <= Level::Warning);
        });
    }

    /// Whether it is only to be counted.
    fn is_repeat(&self, incident: Incident, line: &Line<'_>) -> bool {
        let Shared { repeats, options, .. } = &*self.shared;
        if options.repeats == 0 {
            return false;
        }
        let key = repeats.key(incident, line.message, line.below.1);
        match repeats.note(key, incident, line.message) {
            Verdict::Log => false,
            Verdict::Tell(before) => {
                self.tell_of(|record| record.repeated(self.shared.layout, &before));
                false
            }
            Verdict::Count(is_first) => {
                self.count_suppressed();
                if let (true, Some(queue)) = (is_first, self.own_queue()) {
                    queue.note_repeats();
                }
                true
            }
        }
    }

    /// Tells of errors that were not logged because they repeat, where it is time for that. For a process whose log has no
    /// thread, and which is to call it after [`Log::repeats_left`].
    pub fn tell_repeats_if_due(&self) {
        if self.shared.repeats.is_due() {
            self.tell_repeats(false);
        }
    }

    /// How long it is until errors are to be told of that were not logged, if there are any.
    pub fn repeats_left(&self) -> Option<Duration> {
        self.shared.repeats.left()
    }

    fn tell_repeats(&self, all: bool) {
        self.tell_of(|record| {
            self.shared.repeats.tell(all, |repeated| record.repeated(self.shared.layout, repeated));
        });
    }

    fn tell_of(&self, compose: impl FnOnce(&mut Record)) {
        let mut record = Record::default();
        compose(&mut record);
        if !record.as_bytes().is_empty() {
            self.push(Stream::Messages, record.as_bytes(), true);
        }
    }

    fn count(&self, level: Level) {
        match (&self.shared.tally, level) {
            (Some(tally), _) => tally.count(level),
            (None, Level::Error) => _ = self.shared.own.errors.fetch_add(1, Relaxed),
            (None, _) => _ = self.shared.own.warnings.fetch_add(1, Relaxed),
        }
    }

    fn count_suppressed(&self) {
        match &self.shared.tally {
            Some(tally) => tally.count_suppressed(),
            None => _ = self.shared.own.suppressed.fetch_add(1, Relaxed),
        }
    }

    /// What a process has counted that has no part of the scoreboard for it: the supervisor.
    pub fn counts(&self) -> LogCounts {
        let own = &self.shared.own;
        LogCounts {
            errors: own.errors.load(Relaxed),
            warnings: own.warnings.load(Relaxed),
            suppressed: own.suppressed.load(Relaxed),
            dropped: self.dropped(),
        }
    }

    /// For whoever shows what was logged last.
    fn keep(&self, line: &Line<'_>) {
        let Shared { options, layout, .. } = &*self.shared;
        let (Some(recent), Kind::Incident(incident)) = (&options.recent, line.kind) else { return };
        let is_slow = [Incident::REQUEST_SLOW, Incident::REQUEST_TIMED_OUT].contains(&incident);
        let topic = if is_slow { Topic::SlowRequests } else { Topic::Messages };
        let mut whole = format!("{} ({incident})", line.message).into_bytes();
        about::with_id(|id| {
            whole.extend_from_slice(format!(" (request {})", id.escape_ascii()).as_bytes());
        });
        if !line.below.1.is_empty() {
            whole.push(b'\n');
            whole.extend_from_slice(line.below.1);
        }
        recent.note(topic, incident.level(), line.worker.or(layout.worker), &whole);
    }

    /// What was logged last, if that is kept.
    pub fn recent(&self) -> Option<&Recent> {
        self.shared.options.recent.as_ref()
    }

    /// Whether a request with this status that took this long may be written: ask before collecting what
    /// [`Log::access`] needs.
    #[inline]
    pub fn wants_access(&self, status: u16, duration: Duration) -> bool {
        self.shared.filter.wants(status, duration)
    }

    /// Whether a request that the server refused may be written. Its reason stands among the messages anyway: another line is for
    /// who asked for every answer, or for those with its status.
    pub fn wants_refusal(&self, status: u16) -> bool {
        self.shared.filter.wants_refusal(status)
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
                worker: self.shared.layout.worker,
                board: self.shared.board.as_ref(),
            };
            self.shared.format.write(record.raw(), event, place);
            record.finish();
            self.push(Stream::Requests, record.as_bytes(), false);
        });
    }

    /// Waits until all lines are written, at most this long. Says whether all are; the rest is lost with the process.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.tell_repeats(true);
        self.own_queue().is_none_or(|queue| queue.flush(timeout))
    }

    /// Ends the thread that writes the lines, which takes at most this long; the next line would start another one. For a
    /// process that is to be forked. Says whether all lines are written.
    pub fn end_writer(&self, timeout: Duration) -> bool {
        self.tell_repeats(true);
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

fn style_for(options: &LogOptions) -> Style {
    match options.as_json {
        true => Style::Object,
        false if options.messages.is_terminal() => Style::Short,
        false => Style::Full,
    }
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
