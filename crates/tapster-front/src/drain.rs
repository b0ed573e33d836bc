//! The end of the front: connections that rest are closed, what runs is finished, and then it is over.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// How long a connection that rests stays open when the drain begins: a request may be on its way.
pub(crate) const IDLE_GRACE: Duration = Duration::from_millis(50);

/// Whether the front drains, and what is left.
pub(crate) struct Drain {
    draining: watch::Sender<bool>,
    /// The same, for who only looks.
    has_begun: Cell<bool>,
    open: Cell<usize>,
    last: Notify,
}

/// An open connection, as long as it lives.
pub(crate) struct Open(Rc<Drain>);

impl Drain {
    pub(crate) fn new() -> Rc<Drain> {
        Rc::new(Drain {
            draining: watch::Sender::new(false),
            has_begun: Cell::new(false),
            open: Cell::new(0),
            last: Notify::new(),
        })
    }

    /// Begins it.
    pub(crate) fn begin(&self) {
        self.has_begun.set(true);
        self.draining.send_replace(true);
    }

    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// Waits until it begins.
    pub(crate) async fn begun(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as this.
        let _never = draining.wait_for(|draining| *draining).await;
    }

    /// Counts a connection.
    pub(crate) fn open(self: &Rc<Drain>) -> Open {
        self.open.set(self.open.get() + 1);
        Open(self.clone())
    }

    /// How many connections there are.
    pub(crate) fn left(&self) -> usize {
        self.open.get()
    }

    /// Waits until there is no connection.
    pub(crate) async fn is_empty(&self) {
        while self.open.get() > 0 {
            self.last.notified().await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            self.0.last.notify_one();
        }
    }
}
