//! How much the temporary files of all workers may hold together (`--spool-max`). Each worker counts its own share in
//! the scoreboard, so that the share of one that dies goes with it. Asked by the file thread, never by the loop.

use std::sync::atomic::{AtomicBool, Ordering};

use tapster_observe::{Scoreboard, WorkerBoard};

/// What may lie on the disk, and this worker's account of it.
pub(crate) struct Budget {
    most: u64,
    own: WorkerBoard,
    /// All workers; none where this one is alone.
    all: Option<Scoreboard>,
    /// This process is a child of the application: what it drops is still its parent's.
    is_child: AtomicBool,
}

impl Budget {
    pub(crate) fn new(most: u64, own: WorkerBoard, all: Option<Scoreboard>) -> Budget {
        Budget { most, own, all, is_child: AtomicBool::new(false) }
    }

    /// Takes `bytes` out of the budget, of which at most `limit` may be in use then; false if that is too much.
    /// Counted first and compared then: of two workers that ask for the last bytes, both may be refused, but never
    /// are both served.
    pub(crate) fn take(&self, bytes: u64, limit: u64) -> bool {
        self.own.spooled_more(bytes);
        let fits = self.in_use() <= limit;
        if !fits {
            self.own.spooled_less(bytes);
        }
        fits
    }

    /// Gives bytes back, after they are gone from the disk.
    pub(crate) fn give_back(&self, bytes: u64) {
        if !self.is_left_to_parent() {
            self.own.spooled_less(bytes);
        }
    }

    /// Whether a file of `bytes` would fit now.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.in_use().saturating_add(bytes) <= self.most
    }

    /// Bytes that may be in use.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }

    /// Counts no more: the process is a fork of the worker.
    pub(crate) fn leave_to_parent(&self) {
        self.is_child.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_left_to_parent(&self) -> bool {
        self.is_child.load(Ordering::Relaxed)
    }

    fn in_use(&self) -> u64 {
        self.all
            .as_ref()
            .map_or_else(|| self.own.spooled(), |board| board.iter().map(|one| one.spooled()).sum())
    }
}
