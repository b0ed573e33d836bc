//! Lines for somebody in this process: the thread that gives them to Python's `logging`. Bounded; whoever writes never
//! waits for whoever reads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::output::Progress;

/// Bytes that may wait for the reader. Behind it is the queue of the log itself.
const CAPACITY: usize = 64 * 1024;

/// Lines on their way.
#[derive(Debug, Default)]
pub struct Relay {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    is_closed: bool,
}

impl Relay {
    /// Takes the lines in, if there is room.
    pub(crate) fn put(&self, lines: &[u8]) -> Progress {
        // Taken for long only in a child that was forked while somebody had it.
        let Ok(mut state) = self.state.try_lock() else { return Progress::Blocked };
        if state.is_closed {
            return Progress::Failed;
        }
        if !state.lines.is_empty() && state.lines.len() + lines.len() > CAPACITY {
            return Progress::Blocked;
        }
        state.lines.extend_from_slice(lines);
        drop(state);
        self.changed.notify_one();
        Progress::Wrote(lines.len())
    }

    /// Waits for lines and takes them all; empty when there were none in this time, none when no more can come.
    pub fn take(&self, timeout: Duration) -> Option<Vec<u8>> {
        let nothing = |state: &mut State| state.lines.is_empty() && !state.is_closed;
        let waited = self.changed.wait_timeout_while(self.lock(), timeout, nothing);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let lines = std::mem::take(&mut state.lines);
        (!(lines.is_empty() && state.is_closed)).then_some(lines)
    }

    /// Takes no more in; what is there can still be taken.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_what_was_taken_in_comes_out_before_the_end() {
        let relay = Relay::default();
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        let count = (0..).take_while(|_| relay.put(&line) != Progress::Blocked).count();
        assert_eq!(count, CAPACITY / 1024);
        relay.close();
        assert_eq!(relay.put(&line), Progress::Failed);
        assert_eq!(relay.take(Duration::ZERO).map(|lines| lines.len()), Some(CAPACITY));
        assert_eq!(relay.take(Duration::ZERO), None);
    }
}
