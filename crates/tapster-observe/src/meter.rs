//! One thread's part of the meters: what it answered, and how long that took. Written by the thread alone,
//! a few plain stores a request; read by the supervisor and by tools.
//!
//! The meters lie behind all else on the scoreboard, if anybody is to read them: for each worker the words below, then those of
//! its threads. They count on when the process in a slot is another one.
//!
//! ```text
//! word  worker (32 words)                     word  thread (240 words)
//!    0  refusals of the server by status          0  durations of answers 1xx … 5xx: 5 histograms of 21 words
//!                                               105  times in the queue: a histogram
//!                                               126  times in the application: a histogram
//!                                               147  waits for the interpreter's lock: a histogram
//!                                               168  bytes of request bodies
//!                                               169  bytes of the bodies of answers
//!                                               170  answers by status and method: 64 + 5 words
//!                                               239  reserved
//! ```

mod answers;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::Method;
use crate::histogram::{HISTOGRAM_WORDS, Histogram, add, observe};
use crate::scoreboard::Words;

use answers::ANSWER_WORDS;
pub use answers::Status;
pub(crate) use answers::class;

const CLASSES: usize = 5;
const QUEUE: usize = CLASSES * HISTOGRAM_WORDS;
const APP: usize = QUEUE + HISTOGRAM_WORDS;
const LOCK: usize = APP + HISTOGRAM_WORDS;
const RECEIVED: usize = LOCK + HISTOGRAM_WORDS;
const SENT: usize = RECEIVED + 1;
const ANSWERS: usize = SENT + 1;

/// Words of a thread's meter: pairs of cache lines of its own.
pub(crate) const METER_WORDS: usize = 240;

const _: () = assert!(ANSWERS + ANSWER_WORDS <= METER_WORDS && METER_WORDS.is_multiple_of(16));

/// One answered request.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// Its method.
    pub method: Method,
    /// The status of the answer.
    pub status: u16,
    /// From the complete request to the call.
    pub queued: Duration,
    /// From the call to the end of the answer.
    pub app: Duration,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
}

/// The meter of one thread. Clones show the same memory.
#[derive(Clone)]
pub struct Meter {
    words: Words,
    first: usize,
}

impl Meter {
    pub(crate) fn new(words: Words, first: usize) -> Meter {
        Meter { words, first }
    }

    /// Counts an answer. Only the thread itself, or whoever acts in its place, may call this and the other writers.
    pub fn count(&self, answered: &Answered) {
        let own = self.own();
        let durations = class(answered.status) * HISTOGRAM_WORDS;
        observe(&own[durations..durations + HISTOGRAM_WORDS], answered.queued + answered.app);
        observe(&own[QUEUE..APP], answered.queued);
        observe(&own[APP..LOCK], answered.app);
        add(&own[RECEIVED], answered.received);
        add(&own[SENT], answered.sent);
        answers::count(&own[ANSWERS..ANSWERS + ANSWER_WORDS], answered.status, answered.method);
    }

    /// Counts how long the thread, back from waiting for events, waited for the interpreter's lock.
    pub fn waited_for_lock(&self, time: Duration) {
        observe(&self.own()[LOCK..RECEIVED], time);
    }

    /// What it counted.
    pub fn read(&self) -> Reading {
        let mut reading = Reading::default();
        reading.add_words(self.own());
        reading
    }

    fn own(&self) -> &[AtomicU64] {
        &self.words[self.first..self.first + METER_WORDS]
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Meter").field("first", &self.first).finish_non_exhaustive()
    }
}

/// What was counted so far, by one thread or by several together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reading {
    /// From the complete request to the end of its answer, by class of the status: 1xx to 5xx.
    pub durations: [Histogram; CLASSES],
    /// From the complete request to the call.
    pub queued: Histogram,
    /// From the call to the end of the answer.
    pub app: Histogram,
    /// Waits for the interpreter's lock, of threads that come back from waiting for events.
    pub lock: Histogram,
    /// Bytes of request bodies.
    pub received: u64,
    /// Bytes of the bodies of answers.
    pub sent: u64,
    /// Answers by status and method, sorted. A status below 10 is a whole class: the application has more statuses than are
    /// counted apart.
    pub answers: Vec<((Status, Method), u64)>,
}

impl Reading {
    fn add_words(&mut self, own: &[AtomicU64]) {
        use std::sync::atomic::Ordering::Relaxed;
        for (class, durations) in self.durations.iter_mut().enumerate() {
            durations.add_words(&own[class * HISTOGRAM_WORDS..][..HISTOGRAM_WORDS]);
        }
        self.queued.add_words(&own[QUEUE..APP]);
        self.app.add_words(&own[APP..LOCK]);
        self.lock.add_words(&own[LOCK..RECEIVED]);
        self.received += own[RECEIVED].load(Relaxed);
        self.sent += own[SENT].load(Relaxed);
        for (key, count) in answers::read(&own[ANSWERS..ANSWERS + ANSWER_WORDS]) {
            self.add_answers(key, count);
        }
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, meter: &Meter) {
        self.add_words(meter.own());
    }

    pub(crate) fn add_answers(&mut self, key: (Status, Method), count: u64) {
        match self.answers.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.answers[place].1 += count,
            Err(place) => self.answers.insert(place, (key, count)),
        }
    }

    /// All answers.
    pub fn requests(&self) -> u64 {
        self.answers.iter().map(|(_, count)| count).sum()
    }
}
