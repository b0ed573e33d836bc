//! One worker's part of the scoreboard. Its threads write it on every request, so each call is a few plain stores;
//! peers, the supervisor and tools read it.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::meter::Meter;
use crate::meters::WorkerMeters;
use crate::scoreboard::{THREAD_WORDS, WORKER_WORDS, Words, subjects_of};
use crate::spans::{SpanRing, Spans};
use crate::subject::{self, SUBJECT_WORDS, Subject};
use crate::tally::{LogCounts, Places, Tally};

const PID: usize = 0;
const STATE: usize = 1;
const CONNECTIONS: usize = 2;
const STARTS: usize = 3;
const REQUESTS_BEFORE: usize = 4;
const REFUSALS: usize = 5;
const FULL: usize = 11;
const SPOOLED: usize = 12;
const WAITING: usize = 16;
const LINES_DROPPED: usize = 17;
const PANICS: usize = 18;
const BEGAN: usize = 19;
const ERRORS: usize = 20;
const WARNINGS: usize = 21;
const SUPPRESSED: usize = 22;

const STARTED: usize = 0;
const ENDED: usize = 1;

/// Status classes 1xx to 5xx.
const CLASSES: usize = 5;

/// Why a request did not get the application's answer although nothing failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// The application took longer than `--request-timeout`.
    TimedOut = 13,
    /// It waited for a thread for longer than `--queue-timeout`.
    Queued = 14,
    /// Its client was gone before it was its turn.
    Abandoned = 15,
}

/// What a worker is doing, as its slot says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WorkerState {
    /// No process: never started, or ended.
    Gone = 0,
    /// Started, and not yet able to serve.
    Booting = 1,
    /// Accepting and serving.
    Ready = 2,
    /// Finishing its requests, accepting no connection.
    Draining = 3,
}

impl WorkerState {
    fn from_word(word: u64) -> WorkerState {
        match word {
            1 => WorkerState::Booting,
            2 => WorkerState::Ready,
            3 => WorkerState::Draining,
            _ => WorkerState::Gone,
        }
    }

    /// The state in one lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            WorkerState::Gone => "gone",
            WorkerState::Booting => "booting",
            WorkerState::Ready => "ready",
            WorkerState::Draining => "draining",
        }
    }
}

/// The counters of one worker. Clones show the same memory.
#[derive(Clone)]
pub struct WorkerBoard {
    words: Words,
    first: usize,
    threads: usize,
    meters: Option<WorkerMeters>,
    /// The spans of all workers, and which worker this is.
    spans: Option<(Spans, usize)>,
}

impl WorkerBoard {
    pub(crate) fn new(
        words: Words,
        first: usize,
        threads: usize,
        meters: Option<WorkerMeters>,
        spans: Option<(Spans, usize)>,
    ) -> WorkerBoard {
        WorkerBoard { words, first, threads, meters, spans }
    }

    /// What is measured of the worker besides, if anybody is to read it.
    pub fn meters(&self) -> Option<&WorkerMeters> {
        self.meters.as_ref()
    }

    /// What is measured of one thread, if anybody is to read it.
    pub fn meter(&self, thread: usize) -> Option<Meter> {
        self.meters.as_ref()?.thread(thread)
    }

    /// Where one thread records what it answers, if anybody is to get it.
    pub fn span_ring(&self, thread: usize) -> Option<SpanRing> {
        let (spans, worker) = self.spans.as_ref()?;
        spans.ring(*worker, thread)
    }

    /// Gives the slot to a new process, which is booting. What belongs to a process (connections, running requests)
    /// is forgotten, what belongs to the server (requests by status) goes on counting.
    pub fn reset(&self, pid: u32) {
        for thread in 0..self.threads {
            if let Some(words) = self.thread(thread) {
                words[STARTED].store(0, Relaxed);
            }
        }
        let worker = self.worker();
        worker[CONNECTIONS].store(0, Relaxed);
        worker[FULL].store(0, Relaxed);
        worker[SPOOLED].store(0, SeqCst);
        worker[WAITING].store(0, Relaxed);
        worker[REQUESTS_BEFORE].store(self.requests_total(), Relaxed);
        worker[STARTS].fetch_add(1, Relaxed);
        worker[STATE].store(WorkerState::Booting as u64, Relaxed);
        worker[PID].store(u64::from(pid), Relaxed);
    }

    /// Says what the worker is doing. [`WorkerState::Gone`] also empties what belonged to the process.
    pub fn set_state(&self, state: WorkerState) {
        let worker = self.worker();
        worker[STATE].store(state as u64, Relaxed);
        if state == WorkerState::Gone {
            worker[PID].store(0, Relaxed);
            worker[CONNECTIONS].store(0, Relaxed);
            worker[FULL].store(0, Relaxed);
            worker[SPOOLED].store(0, SeqCst);
            worker[WAITING].store(0, Relaxed);
            (0..self.threads)
                .filter_map(|thread| self.thread(thread))
                .for_each(|words| words[STARTED].store(0, Relaxed));
        }
    }

    /// Says when the process in this slot began to serve, in microseconds since the epoch. From then on count the times of
    /// [`WorkerBoard::begin`].
    pub fn set_began(&self, micros: u64) {
        self.worker()[BEGAN].store(micros, Relaxed);
    }

    /// When the process in this slot, or the last one, began to serve, in microseconds since the epoch; none before the first.
    pub fn began(&self) -> Option<u64> {
        Some(self.worker()[BEGAN].load(Relaxed)).filter(|micros| *micros > 0)
    }

    /// Says what a thread serves from now on: to be called before [`WorkerBoard::begin`], by the same.
    #[inline]
    pub fn set_subject(&self, thread: usize, method: &[u8], path: &[u8], id: &[u8]) {
        if let Some(words) = self.subject_words(thread) {
            subject::write(words, method, path, id);
        }
    }

    /// What a thread serves, or served last; none while that changes, and before its first request.
    pub fn subject(&self, thread: usize) -> Option<Subject> {
        subject::read(self.subject_words(thread)?)
    }

    /// Says that a thread begins a request, so many microseconds after its worker began. Only the thread itself, or
    /// whoever acts in its place, may call this and [`WorkerBoard::end`]. A thread that is not in the table is not counted.
    #[inline]
    pub fn begin(&self, thread: usize, now_micros: u64) {
        if let Some(words) = self.thread(thread) {
            words[STARTED].store(now_micros.max(1), Relaxed);
        }
    }

    /// Says that a thread ends its request, answered with this status.
    #[inline]
    pub fn end(&self, thread: usize, status: u16) {
        if let Some(words) = self.thread(thread) {
            words[STARTED].store(0, Relaxed);
            // One writer: a load and a store are enough, and cost a fifth of an atomic addition.
            add_alone(&words[ENDED]);
            add_alone(&words[ENDED + class(status)]);
        }
    }

    /// Counts an answer that the worker gave without the application (400, 408, 503 …). Any thread may call it.
    pub fn refused(&self, status: u16) {
        let worker = self.worker();
        worker[REFUSALS].fetch_add(1, Relaxed);
        worker[REFUSALS + class(status)].fetch_add(1, Relaxed);
        if let Some(meters) = &self.meters {
            meters.refused(status);
        }
    }

    /// Counts a request that was lost. Any thread may call it.
    pub fn count_lost(&self, why: Lost) {
        self.worker()[why as usize].fetch_add(1, Relaxed);
    }

    /// Requests that were lost for this reason, in all processes of this slot.
    pub fn lost(&self, why: Lost) -> u64 {
        self.worker()[why as usize].load(Relaxed)
    }

    /// Where the log of the worker counts.
    pub(crate) fn tally(&self) -> Tally {
        let at = |place| self.first + place;
        let (dropped, errors) = (at(LINES_DROPPED), at(ERRORS));
        let (warnings, suppressed) = (at(WARNINGS), at(SUPPRESSED));
        Tally::new(self.words.clone(), Places { dropped, errors, warnings, suppressed })
    }

    /// What the logs of all processes of this slot have counted.
    pub fn log_counts(&self) -> LogCounts {
        self.tally().counts()
    }

    /// Log lines that were dropped, in all processes of this slot.
    pub fn lines_dropped(&self) -> u64 {
        self.worker()[LINES_DROPPED].load(Relaxed)
    }

    /// Counts a panic, of the server or of an extension, that ended one request and nothing else. Any thread may call it.
    pub fn count_panic(&self) {
        self.worker()[PANICS].fetch_add(1, Relaxed);
    }

    /// Panics that were caught, in all processes of this slot.
    pub fn panics(&self) -> u64 {
        self.worker()[PANICS].load(Relaxed)
    }

    /// Counts connections opened (positive) or closed (negative). Any thread may call it.
    #[inline]
    pub fn connections_changed(&self, delta: i64) {
        self.worker()[CONNECTIONS].fetch_add(delta as u64, Relaxed);
    }

    /// Says whether every thread is in a request that goes on, so that new clients are better off with a peer.
    pub fn set_full(&self, full: bool) {
        self.worker()[FULL].store(u64::from(full), Relaxed);
    }

    /// Whether the worker said that it is full.
    pub fn is_full(&self) -> bool {
        self.worker()[FULL].load(Relaxed) != 0
    }

    /// Counts requests that begin (positive) or end (negative) to wait for a thread. Any thread may call it.
    pub fn waiting_changed(&self, delta: i64) {
        self.worker()[WAITING].fetch_add(delta as u64, Relaxed);
    }

    /// Whole requests that wait for a thread.
    pub fn waiting(&self) -> u64 {
        (self.worker()[WAITING].load(Relaxed) as i64).max(0) as u64
    }

    /// Counts bytes put into the worker's temporary files. Ordered with the other workers' calls, so that a budget
    /// compared after it is never overdrawn.
    pub fn spooled_more(&self, bytes: u64) {
        self.worker()[SPOOLED].fetch_add(bytes, SeqCst);
    }

    /// Counts bytes that are gone from them.
    pub fn spooled_less(&self, bytes: u64) {
        // A worker that is over may still close its files after its count was emptied.
        let _always_some =
            self.worker()[SPOOLED].fetch_update(SeqCst, SeqCst, |before| Some(before.saturating_sub(bytes)));
    }

    /// Bytes in the worker's temporary files.
    pub fn spooled(&self) -> u64 {
        self.worker()[SPOOLED].load(SeqCst)
    }

    /// The process in this slot; none when there is none.
    pub fn pid(&self) -> Option<u32> {
        u32::try_from(self.worker()[PID].load(Relaxed)).ok().filter(|pid| *pid != 0)
    }

    /// What the worker is doing.
    pub fn state(&self) -> WorkerState {
        WorkerState::from_word(self.worker()[STATE].load(Relaxed))
    }

    /// Open connections.
    pub fn connections(&self) -> u64 {
        // A decrement may be seen before its increment.
        (self.worker()[CONNECTIONS].load(Relaxed) as i64).max(0) as u64
    }

    /// Threads that are in a request.
    pub fn busy_threads(&self) -> usize {
        (0..self.threads).filter(|thread| self.started_micros(*thread).is_some()).count()
    }

    /// When a thread began the request it is in, in microseconds after its worker began; none when it is in none.
    pub fn started_micros(&self, thread: usize) -> Option<u64> {
        self.thread(thread).map(|words| words[STARTED].load(Relaxed)).filter(|micros| *micros != 0)
    }

    /// Requests that the application answered in this process.
    pub fn requests(&self) -> u64 {
        self.requests_total().saturating_sub(self.worker()[REQUESTS_BEFORE].load(Relaxed))
    }

    /// Requests that the application answered in this slot, in all its processes.
    pub fn requests_total(&self) -> u64 {
        self.thread_words().map(|words| words[ENDED].load(Relaxed)).sum()
    }

    /// Answers without the application in this slot, in all its processes.
    pub fn refusals(&self) -> u64 {
        self.worker()[REFUSALS].load(Relaxed)
    }

    /// Answers in this slot, in all its processes, the refusals too: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub fn statuses(&self) -> [u64; CLASSES] {
        let refusals = &self.worker()[REFUSALS + 1..];
        std::array::from_fn(|class| {
            let answers: u64 = self.thread_words().map(|words| words[ENDED + 1 + class].load(Relaxed)).sum();
            answers + refusals[class].load(Relaxed)
        })
    }

    /// How often a process was started in this slot after the first.
    pub fn restarts(&self) -> u64 {
        self.worker()[STARTS].load(Relaxed).saturating_sub(1)
    }

    fn worker(&self) -> &[AtomicU64] {
        &self.words[self.first..self.first + WORKER_WORDS]
    }

    fn thread_words(&self) -> impl Iterator<Item = &[AtomicU64; THREAD_WORDS]> {
        (0..self.threads).filter_map(|thread| self.thread(thread))
    }

    #[inline]
    fn subject_words(&self, thread: usize) -> Option<&[AtomicU64; SUBJECT_WORDS]> {
        if thread >= self.threads {
            return None;
        }
        let first = self.first + subjects_of(self.threads) + thread * SUBJECT_WORDS;
        self.words.get(first..)?.first_chunk()
    }

    #[inline]
    fn thread(&self, thread: usize) -> Option<&[AtomicU64; THREAD_WORDS]> {
        if thread >= self.threads {
            return None;
        }
        let first = self.first + WORKER_WORDS + thread * THREAD_WORDS;
        self.words.get(first..)?.first_chunk()
    }
}

impl fmt::Debug for WorkerBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerBoard")
            .field("pid", &self.pid())
            .field("state", &self.state())
            .field("connections", &self.connections())
            .field("requests", &self.requests())
            .finish_non_exhaustive()
    }
}

/// 1 for 1xx to 5 for 5xx. What no HTTP status is counts as a failure of the server.
fn class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=4 => usize::from(class),
        _ => 5,
    }
}

fn add_alone(word: &AtomicU64) {
    word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
}
