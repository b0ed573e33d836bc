//! Where the meters of all workers and threads lie on the scoreboard, and what they say together.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::Method;
use crate::meter::{METER_WORDS, Meter, Reading};
use crate::refusals::{REASONS, place_of};
use crate::scoreboard::Words;

/// Words of a worker before those of its threads.
const OWN_WORDS: usize = 32;
const REFUSED: usize = 0;

const _: () = assert!(REFUSED + REASONS.len() <= OWN_WORDS);

/// Words of the meters of so many workers, of so many threads each.
pub(crate) const fn words_of(workers: usize, threads: usize) -> usize {
    workers.saturating_mul(stride(threads))
}

const fn stride(threads: usize) -> usize {
    threads.saturating_mul(METER_WORDS).saturating_add(OWN_WORDS)
}

/// The meters of one worker. Clones show the same memory.
#[derive(Clone)]
pub struct WorkerMeters {
    words: Words,
    first: usize,
    threads: usize,
}

impl WorkerMeters {
    /// Those of the worker in this slot, of meters that begin with this word.
    pub(crate) fn new(words: Words, start: usize, slot: usize, threads: usize) -> WorkerMeters {
        WorkerMeters { words, first: start + slot * stride(threads), threads }
    }

    /// The meter of one thread; none if there is no such thread.
    pub fn thread(&self, thread: usize) -> Option<Meter> {
        let first = self.first + OWN_WORDS + thread * METER_WORDS;
        (thread < self.threads).then(|| Meter::new(self.words.clone(), first))
    }

    /// Counts an answer that the worker gave without the application. Any thread may call it.
    pub(crate) fn refused(&self, status: u16) {
        self.own()[REFUSED + place_of(status)].fetch_add(1, Relaxed);
    }

    /// What its threads answered, and the worker without them, in all processes of this slot.
    pub fn read(&self) -> Reading {
        let mut reading = Reading::default();
        self.add_to(&mut reading);
        reading
    }

    /// Adds what they answered to what others did.
    pub fn add_to(&self, reading: &mut Reading) {
        (0..self.threads).filter_map(|thread| self.thread(thread)).for_each(|meter| reading.add(&meter));
        for (place, status) in REASONS.into_iter().enumerate() {
            let count = self.own()[REFUSED + place].load(Relaxed);
            if count > 0 {
                // Those that are not counted apart are failures of the server, or rare: a class.
                let status = if status == 0 { 5 } else { status };
                reading.add_answers((status, Method::Unknown), count);
            }
        }
    }

    fn own(&self) -> &[AtomicU64] {
        &self.words[self.first..self.first + OWN_WORDS]
    }
}

impl std::fmt::Debug for WorkerMeters {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("WorkerMeters").field("threads", &self.threads).finish_non_exhaustive()
    }
}
