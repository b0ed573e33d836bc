//! What the cache counts, for whoever shows it.

use std::cell::Cell;

/// How often each thing happened since the front started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Requests that were answered from the cache with a fresh answer.
    pub(crate) hits: Cell<u64>,
    /// Requests that were answered with a stale one.
    pub(crate) stale: Cell<u64>,
    /// Requests for which somebody had to be asked.
    pub(crate) misses: Cell<u64>,
    /// Requests that waited for the answer to another one, and got it.
    pub(crate) collapsed: Cell<u64>,
    /// Requests that were none of the cache's business.
    pub(crate) bypassed: Cell<u64>,
    /// Answers that were stored.
    pub(crate) stored: Cell<u64>,
    /// Stored answers that were found to be right still.
    pub(crate) revalidated: Cell<u64>,
    /// Answers that were removed by an order or because something was written.
    pub(crate) removed: Cell<u64>,
}

/// Counts one.
pub(crate) fn count(counter: &Cell<u64>) {
    counter.set(counter.get().wrapping_add(1));
}
