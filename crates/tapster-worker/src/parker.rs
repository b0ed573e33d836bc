//! Where a thread without work waits: a futex, not a poll. Woken by the leader, the monitor, or the end.

use std::sync::{Condvar, Mutex, PoisonError};

/// One thread's place to wait.
#[derive(Default)]
pub(crate) struct Parker {
    woken: Mutex<bool>,
    signal: Condvar,
}

impl Parker {
    /// Waits until [`Parker::wake`], which may have come first.
    pub(crate) fn wait(&self) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        while !*woken {
            woken = self.signal.wait(woken).unwrap_or_else(PoisonError::into_inner);
        }
        *woken = false;
    }

    /// Lets the thread go on.
    pub(crate) fn wake(&self) {
        *self.woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.notify_one();
    }
}
