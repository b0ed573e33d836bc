//! The moment at which a worker's threads may take requests. They are started before the worker says that it serves, since
//! the system may refuse them, and wait for this until it has said so. Used by `worker.rs`.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Closed at first. Clones are the same one.
#[derive(Clone, Default, Debug)]
pub(crate) struct Opening {
    state: Arc<(Mutex<bool>, Condvar)>,
}

impl Opening {
    /// Lets all through, now and later.
    pub(crate) fn open(&self) {
        let (is_open, opened) = &*self.state;
        *is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        opened.notify_all();
    }

    /// Waits until it is open. Not to be called with the interpreter's lock.
    pub(crate) fn wait(&self) {
        let (is_open, opened) = &*self.state;
        let is_open = is_open.lock().unwrap_or_else(PoisonError::into_inner);
        let _open = opened.wait_while(is_open, |is_open| !*is_open).unwrap_or_else(PoisonError::into_inner);
    }
}
