//! How far each thread of the pool has come with its request, so that the monitor can tell whether anything comes of it, and
//! take the request away. What it is stands on the scoreboard.

use std::sync::atomic::{AtomicU64, Ordering};

use tapster_gateway::{Variable, Vars};

use crate::ownership::Owner;

/// One thread's entry. Only the thread itself writes it.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Running {
    /// Another for each request.
    sequence: AtomicU64,
    /// How many parts of its answer have left.
    parts: AtomicU64,
    /// Whose the request is, where its time is limited.
    pub(crate) owner: Owner,
}

impl Running {
    /// The thread begins a request.
    pub(crate) fn begin(&self) {
        // One writer: a load and a store are enough.
        self.parts.store(0, Ordering::Relaxed);
        self.sequence.store(self.sequence.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
    }

    /// A part of the answer has left.
    pub(crate) fn note_part(&self) {
        // One writer: a load and a store are enough.
        self.parts.store(self.parts.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether something of the answer has left.
    pub(crate) fn has_started(&self) -> bool {
        self.parts.load(Ordering::Relaxed) > 0
    }

    /// Another number whenever the thread has begun a request, or a part of its answer has left.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.sequence.load(Ordering::Relaxed), self.parts.load(Ordering::Relaxed))
    }
}

/// The path as the client wrote it.
pub(crate) fn path(vars: &Vars) -> &[u8] {
    let target = vars.get(Variable::RequestUri).or_else(|| vars.get(Variable::PathInfo)).unwrap_or(b"/");
    target.split(|&byte| byte == b'?').next().unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    use tapster_gateway::Name;

    #[test]
    fn a_path_has_no_query() {
        let mut vars = Vars::default();
        assert_eq!(path(&vars), b"/");
        vars.set(Name::Known(Variable::RequestUri), b"/some/where?secret=1");
        assert_eq!(path(&vars), b"/some/where");
    }

    #[test]
    fn progress_is_another_number_for_each_request_and_each_part() {
        let running = Running::default();
        let mut seen = vec![running.progress()];
        running.begin();
        seen.push(running.progress());
        running.note_part();
        seen.push(running.progress());
        assert!(running.has_started());
        running.begin();
        seen.push(running.progress());
        assert_eq!((seen, running.has_started()), (vec![(0, 0), (1, 0), (1, 1), (2, 0)], false));
    }
}
