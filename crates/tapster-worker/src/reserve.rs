//! A descriptor kept for the moment in which there is no other: it is given up to take a client that may have to be
//! refused. Used by whoever accepts or reads messages.

use std::fs::File;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The reserve of a worker.
pub(crate) struct Reserve(Mutex<Option<File>>);

impl Reserve {
    pub(crate) fn new() -> Reserve {
        Reserve(Mutex::new(open()))
    }

    /// The reserve, for one thread at a time; it is restored when it is let go.
    pub(crate) fn take(&self) -> Taken<'_> {
        Taken(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The reserve while a thread uses it.
pub(crate) struct Taken<'a>(MutexGuard<'a, Option<File>>);

impl Taken<'_> {
    /// Makes room for one descriptor.
    pub(crate) fn lend(&mut self) {
        *self.0 = None;
    }

    /// Takes the room back; false if there is none.
    pub(crate) fn restore(&mut self) -> bool {
        if self.0.is_none() {
            *self.0 = open();
        }
        self.0.is_some()
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.restore();
    }
}

fn open() -> Option<File> {
    File::open("/dev/null").ok()
}
