//! The scoreboard: counters of every worker and thread in memory that all processes of a server share.
//! Written by workers (and the supervisor), read by anybody who has the memory: peers, the supervisor, tools.
//!
//! It is an array of 64-bit words in native byte order, each read and written atomically and relaxed: a reader sees
//! every word whole, but not all words of one instant. The layout, so that other programs can read it too:
//!
//! ```text
//! word  head (16 words)                      word  worker (24 words, then its threads)    word  thread (8 words)
//!    0  MAGIC                                   0  process id, 0 while empty                 0  microseconds at which its
//!    1  VERSION                                 1  WorkerState                                  request began, 0 when idle
//!    2  words of the head                       2  open connections                          1  requests ended
//!    3  workers                                 3  times it was started                      2  of these, status 1xx
//!    4  threads of each worker                  4  requests ended before this process        3  … 2xx
//!    5  words of a worker with its threads      5  refusals: answers without the app         4  … 3xx
//!    6  words of a worker before its threads    6…10  of these, status 1xx…5xx               5  … 4xx
//!    7  words of a thread                         11  1 while no thread is free              6  … 5xx
//!     8  digest of the last boot failure told     12  bytes in its temporary files           7  reserved
//!     9  1 once there was more than one worker    13  requests that ran into their time-out
//!    10  fronts                                   14  requests that waited too long for a thread
//!    11  first word of the fronts                 15  requests not run: their client was gone
//!    12  words of a front                         16  requests that wait for a thread
//!    13  first word of the meters, 0: none        17  log lines that were dropped
//!    14  first word of the spans, 0: none
//!    15  reserved                                 18  panics of the server that were caught
//!                                               19  microseconds since the epoch at which
//!                                                   its process began to serve
//!                                            20…23  reserved
//! ```
//!
//! Behind the threads of a worker, from the next pair of cache lines on, stands what each of them serves: 32 words a thread, see
//! `subject.rs`.
//!
//! Behind the last worker come the fronts, if there are any: their words are described in `front_board.rs`. Behind those come the
//! meters, if anybody is to read them: see `meter.rs`. Behind all else come the spans, if anybody is to get them: see `spans.rs`.
//!
//! Workers start on a pair of cache lines of their own, threads on one of their own, so that no two writers share a line.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::WorkerBoard;
use crate::front_board::{FRONT_WORDS, FrontBoard};
use crate::meter::Reading;
use crate::meters::{self, WorkerMeters};
use crate::spans::{self, Spans};
use crate::subject::SUBJECT_WORDS;

/// First word of the memory: `TAPSTER` and a zero byte, read as a little-endian number.
pub const MAGIC: u64 = u64::from_le_bytes(*b"TAPSTER\0");

/// Version of the layout; changes whenever a word changes its meaning.
pub const VERSION: u64 = 1;

const BOOT_FAILURE: usize = 8;
const MANY_WORKERS: usize = 9;
const FRONTS: usize = 10;
const METERS: usize = 13;
const SPANS: usize = 14;

/// Words before the first worker.
pub(crate) const HEAD_WORDS: usize = 16;
/// Words of a worker before its first thread: three cache lines.
pub(crate) const WORKER_WORDS: usize = 24;
/// A pair of cache lines, for processors that fetch lines in pairs.
const PAIR_WORDS: usize = 16;
/// Words of a thread: one cache line.
pub(crate) const THREAD_WORDS: usize = 8;

/// Shared memory as this crate wants it: words that somebody else mapped and keeps mapped.
pub type Words = Arc<dyn Deref<Target = [AtomicU64]> + Send + Sync>;

/// How many words a scoreboard for this many workers, of this many threads each, takes.
pub const fn words_needed(workers: usize, threads: usize) -> usize {
    HEAD_WORDS + workers * worker_stride(threads)
}

/// How many words more it takes with so many fronts.
pub const fn front_words(fronts: usize) -> usize {
    fronts * FRONT_WORDS
}

/// How many words more it takes with meters.
pub const fn meter_words(workers: usize, threads: usize) -> usize {
    meters::words_of(workers, threads)
}

/// How many words more it takes with spans.
pub const fn span_words(workers: usize, threads: usize) -> usize {
    spans::words_of(workers, threads)
}

/// Words from one worker to the next: each starts on a pair of cache lines.
const fn worker_stride(threads: usize) -> usize {
    subjects_of(threads) + threads * SUBJECT_WORDS
}

/// Words from the first of a worker to what its threads serve.
pub(crate) const fn subjects_of(threads: usize) -> usize {
    (WORKER_WORDS + threads * THREAD_WORDS).next_multiple_of(PAIR_WORDS)
}

/// The counters of all workers. Clones show the same memory.
#[derive(Clone)]
pub struct Scoreboard {
    words: Words,
    workers: usize,
    threads: usize,
    fronts: usize,
    /// Where the meters begin, if there are any.
    meters: Option<usize>,
    /// Where the spans begin, if there are any.
    spans: Option<usize>,
}

impl Scoreboard {
    /// Makes a scoreboard of zeroed memory, which must hold [`words_needed`] words.
    pub fn new(words: Words, workers: usize, threads: usize) -> Result<Scoreboard, ScoreboardError> {
        check_size(&words, workers, threads)?;
        let sizes = [HEAD_WORDS, workers, threads, worker_stride(threads), WORKER_WORDS, THREAD_WORDS];
        for (place, size) in sizes.into_iter().enumerate() {
            words[2 + place].store(size as u64, Relaxed);
        }
        words[1].store(VERSION, Relaxed);
        words[0].store(MAGIC, Relaxed);
        Ok(Scoreboard { words, workers, threads, fronts: 0, meters: None, spans: None })
    }

    /// The same with room for fronts, which takes [`front_words`] more.
    pub fn with_fronts(self, fronts: usize) -> Result<Scoreboard, ScoreboardError> {
        let first = words_needed(self.workers, self.threads);
        check_fronts(&self.words, first, fronts)?;
        for (place, size) in [fronts, first, FRONT_WORDS].into_iter().enumerate() {
            self.words[FRONTS + place].store(size as u64, Relaxed);
        }
        Ok(Scoreboard { fronts, ..self })
    }

    /// The same with room for meters, which takes [`meter_words`] more. They lie behind the fronts, so those come first.
    pub fn with_meters(self) -> Result<Scoreboard, ScoreboardError> {
        let first = words_needed(self.workers, self.threads) + front_words(self.fronts);
        check_meters(&self.words, first, self.workers, self.threads)?;
        self.words[METERS].store(first as u64, Relaxed);
        Ok(Scoreboard { meters: Some(first), ..self })
    }

    /// The same with room for spans, which takes [`span_words`] more. They lie behind all else, so that comes first.
    pub fn with_spans(self) -> Result<Scoreboard, ScoreboardError> {
        let first = words_needed(self.workers, self.threads) + front_words(self.fronts);
        let first = first + self.meters.map_or(0, |_| meter_words(self.workers, self.threads));
        check_spans(&self.words, first, self.workers, self.threads)?;
        self.words[SPANS].store(first as u64, Relaxed);
        Ok(Scoreboard { spans: Some(first), ..self })
    }

    /// Opens a scoreboard that [`Scoreboard::new`] made, in this process or another.
    pub fn open(words: Words) -> Result<Scoreboard, ScoreboardError> {
        let head = |place: usize| words.get(place).map_or(0, |word| word.load(Relaxed));
        if head(0) != MAGIC {
            return Err(ScoreboardError::NotAScoreboard);
        }
        if head(1) != VERSION {
            return Err(ScoreboardError::OtherVersion(head(1)));
        }
        let (workers, threads) = (head(3) as usize, head(4) as usize);
        check_size(&words, workers, threads)?;
        let fronts = head(FRONTS) as usize;
        check_fronts(&words, words_needed(workers, threads), fronts)?;
        let meters = Some(head(METERS) as usize).filter(|first| *first > 0);
        meters.map_or(Ok(()), |first| check_meters(&words, first, workers, threads))?;
        let spans = Some(head(SPANS) as usize).filter(|first| *first > 0);
        spans.map_or(Ok(()), |first| check_spans(&words, first, workers, threads))?;
        Ok(Scoreboard { words, workers, threads, fronts, meters, spans })
    }

    /// How many workers it has room for.
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// How many threads each worker has.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// The counters of one worker.
    ///
    /// # Panics
    /// When `slot` is not below [`Scoreboard::workers`].
    pub fn worker(&self, slot: usize) -> WorkerBoard {
        assert!(slot < self.workers, "worker slot {slot} of a scoreboard for {}", self.workers);
        let first = HEAD_WORDS + slot * worker_stride(self.threads);
        let spans = self.spans().map(|spans| (spans, slot));
        WorkerBoard::new(Arc::clone(&self.words), first, self.threads, self.meters(slot), spans)
    }

    /// The meters of one worker; none where there are no meters, or no such worker.
    pub fn meters(&self, slot: usize) -> Option<WorkerMeters> {
        let start = self.meters.filter(|_| slot < self.workers)?;
        Some(WorkerMeters::new(Arc::clone(&self.words), start, slot, self.threads))
    }

    /// The spans of all workers; none where there are no spans.
    pub fn spans(&self) -> Option<Spans> {
        Some(Spans::new(Arc::clone(&self.words), self.spans?, self.workers, self.threads))
    }

    /// What all meters say together; none where there are none. It costs some microseconds a thread.
    pub fn read_meters(&self) -> Option<Reading> {
        self.meters?;
        let mut all = Reading::default();
        (0..self.workers).filter_map(|slot| self.meters(slot)).for_each(|meters| meters.add_to(&mut all));
        Some(all)
    }

    /// The counters of one front; none where there is no such front.
    pub fn front(&self, place: usize) -> Option<FrontBoard> {
        let first = words_needed(self.workers, self.threads) + front_words(place);
        (place < self.fronts).then(|| FrontBoard::new(Arc::clone(&self.words), first))
    }

    /// The counters of all fronts.
    pub fn fronts(&self) -> impl Iterator<Item = FrontBoard> {
        (0..self.fronts).filter_map(|place| self.front(place))
    }

    /// Takes note of how an application could not be loaded. False when that, by its digest, was the last one noted: then
    /// it was told already, by this worker or another one.
    pub fn is_new_boot_failure(&self, digest: u64) -> bool {
        self.words[BOOT_FAILURE].swap(digest, Relaxed) != digest
    }

    /// The next boot failure is to be told, whatever was told before.
    pub fn forget_boot_failure(&self) {
        self.words[BOOT_FAILURE].store(0, Relaxed);
    }

    /// From now on several workers may serve at the same time.
    pub fn note_many_workers(&self) {
        self.words[MANY_WORKERS].store(1, Relaxed);
    }

    /// Whether several workers may serve at the same time, or did.
    pub fn has_many_workers(&self) -> bool {
        self.words[MANY_WORKERS].load(Relaxed) != 0
    }

    /// The counters of all workers, by slot.
    pub fn iter(&self) -> impl Iterator<Item = WorkerBoard> {
        (0..self.workers).map(|slot| self.worker(slot))
    }
}

impl fmt::Debug for Scoreboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scoreboard({} workers of {} threads)", self.workers, self.threads)
    }
}

fn check_size(words: &[AtomicU64], workers: usize, threads: usize) -> Result<(), ScoreboardError> {
    let per_worker = threads
        .checked_mul(THREAD_WORDS + SUBJECT_WORDS)
        .and_then(|words| words.checked_add(2 * WORKER_WORDS));
    let needed = match per_worker.and_then(|words| words.checked_mul(workers)) {
        Some(_) => words_needed(workers, threads),
        None => usize::MAX,
    };
    if words.len() < needed {
        return Err(ScoreboardError::TooSmall { words: words.len(), needed });
    }
    Ok(())
}

fn check_fronts(words: &[AtomicU64], first: usize, fronts: usize) -> Result<(), ScoreboardError> {
    let needed =
        fronts.checked_mul(FRONT_WORDS).and_then(|more| more.checked_add(first)).unwrap_or(usize::MAX);
    match words.len() >= needed {
        true => Ok(()),
        false => Err(ScoreboardError::TooSmall { words: words.len(), needed }),
    }
}

fn check_meters(
    words: &[AtomicU64],
    first: usize,
    workers: usize,
    threads: usize,
) -> Result<(), ScoreboardError> {
    let needed = meters::words_of(workers, threads).saturating_add(first);
    match words.len() >= needed {
        true => Ok(()),
        false => Err(ScoreboardError::TooSmall { words: words.len(), needed }),
    }
}

fn check_spans(
    words: &[AtomicU64],
    first: usize,
    workers: usize,
    threads: usize,
) -> Result<(), ScoreboardError> {
    let needed = spans::words_of(workers, threads).saturating_add(first);
    match words.len() >= needed {
        true => Ok(()),
        false => Err(ScoreboardError::TooSmall { words: words.len(), needed }),
    }
}

/// Why memory is not a scoreboard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScoreboardError {
    /// There are fewer words than [`words_needed`] asks for.
    TooSmall {
        /// Words that are there.
        words: usize,
        /// Words that are needed.
        needed: usize,
    },
    /// The memory does not begin with [`MAGIC`].
    NotAScoreboard,
    /// The layout has this version, and this program knows [`VERSION`].
    OtherVersion(u64),
}

impl fmt::Display for ScoreboardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScoreboardError::TooSmall { words, needed } => {
                write!(f, "the scoreboard needs {needed} words of memory and was given {words}")
            }
            ScoreboardError::NotAScoreboard => f.write_str("this memory is not a scoreboard of Tapster"),
            ScoreboardError::OtherVersion(version) => {
                write!(f, "the scoreboard has layout {version}, this program reads layout {VERSION}")
            }
        }
    }
}

impl std::error::Error for ScoreboardError {}

#[cfg(test)]
mod tests;
