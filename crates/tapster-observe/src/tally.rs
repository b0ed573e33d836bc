//! What the log of one process counts, in the words of the scoreboard that its worker or front has for that.

use std::sync::atomic::Ordering::Relaxed;

use crate::Level;
use crate::scoreboard::Words;

/// Where one process counts. Clones show the same memory.
#[derive(Clone)]
pub(crate) struct Tally {
    words: Words,
    places: Places,
}

/// The words that it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) dropped: usize,
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    pub(crate) suppressed: usize,
}

/// What a log has counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LogCounts {
    /// Errors, those too that were not logged because they repeat.
    pub errors: u64,
    /// Warnings, in the same way.
    pub warnings: u64,
    /// Errors and warnings that were not logged because they repeat.
    pub suppressed: u64,
    /// Lines that nobody read.
    pub dropped: u64,
}

impl LogCounts {
    /// These and others together.
    pub fn plus(self, other: LogCounts) -> LogCounts {
        LogCounts {
            errors: self.errors + other.errors,
            warnings: self.warnings + other.warnings,
            suppressed: self.suppressed + other.suppressed,
            dropped: self.dropped + other.dropped,
        }
    }
}

impl Tally {
    pub(crate) fn new(words: Words, places: Places) -> Tally {
        Tally { words, places }
    }

    /// Counts lines that nobody will read (negative: what was counted, and is no line).
    pub(crate) fn dropped_changed(&self, delta: i64) {
        self.words[self.places.dropped].fetch_add(delta as u64, Relaxed);
    }

    /// Counts an error or a warning.
    pub(crate) fn count(&self, level: Level) {
        let place = if level == Level::Error { self.places.errors } else { self.places.warnings };
        self.words[place].fetch_add(1, Relaxed);
    }

    /// Counts one that was not logged.
    pub(crate) fn count_suppressed(&self) {
        self.words[self.places.suppressed].fetch_add(1, Relaxed);
    }

    pub(crate) fn counts(&self) -> LogCounts {
        let read = |place: usize| self.words[place].load(Relaxed);
        LogCounts {
            errors: read(self.places.errors),
            warnings: read(self.places.warnings),
            suppressed: read(self.places.suppressed),
            dropped: read(self.places.dropped),
        }
    }
}
