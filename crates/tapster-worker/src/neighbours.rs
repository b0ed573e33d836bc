//! The lanes of a worker among themselves: which one takes a new client, and who answers a whole request whose own lane
//! has no free thread. Run by leaders, free threads and monitors; nothing is done where there is one lane.
//!
//! A connection stays in its lane. A thread that helps answers for that lane and keeps its own: should the call block,
//! the monitor of the thread's own lane takes that token, as ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::lane::Lane;
use crate::serve::{self, Context};
use crate::token::MONITOR;
use crate::worker::{Engine, Shared};

/// How many more connections than another a lane may have before it passes new ones on.
const SLACK: usize = 1;

impl<'e> Shared<'e> {
    /// The lane for a new client: this one, unless another has clearly fewer.
    pub(crate) fn lane_for_client(&self) -> &'e Arc<Lane> {
        let own = self.lane.load.connections();
        match self.others().min_by_key(|lane| lane.load.connections()) {
            Some(other) if own > other.load.connections() + SLACK => other,
            _ => self.lane,
        }
    }

    /// Another lane that has a free thread, with the fewest connections.
    pub(crate) fn free_lane(&self) -> Option<&'e Arc<Lane>> {
        let free = self.others().filter(|lane| lane.has_free_thread());
        free.min_by_key(|lane| lane.load.connections())
    }

    /// A whole request waits in this lane: a free thread of another lane comes for it. One that parks or polls at this
    /// moment looks at what waits after it has said so.
    pub(crate) fn call_for_help(&self) {
        let _someone_comes = self.others().any(|lane| lane.send_parked_thread(self.engine))
            || self.others().any(|lane| lane.send_idle_leader());
    }

    /// Whether whole requests wait in other lanes.
    pub(crate) fn others_wait(&self) -> bool {
        self.others().any(|lane| lane.load.waiting() > 0)
    }

    /// Answers a whole request that waits in another lane; false if there is none.
    pub(crate) fn help(&self, context: &mut Context) -> bool {
        for lane in self.others().filter(|lane| lane.load.waiting() > 0) {
            if serve::take_waiting(&Shared { lane, ..*self }, context) {
                return true;
            }
        }
        false
    }

    fn others(&self) -> impl Iterator<Item = &'e Arc<Lane>> {
        let own = self.lane.index;
        self.engine.lanes.iter().filter(move |lane| lane.index != own)
    }
}

impl Lane {
    /// Whether a thread of its own parks, or leads and has nothing to do.
    fn has_free_thread(&self) -> bool {
        self.is_led_idly() || !self.core().parked.is_empty()
    }

    fn is_led_idly(&self) -> bool {
        self.polling.load(Ordering::SeqCst) && !self.token.is_held_by(MONITOR)
    }

    fn send_parked_thread(&self, engine: &Engine) -> bool {
        let parked = self.core().parked.pop();
        parked.inspect(|&thread| engine.wake(thread)).is_some()
    }

    fn send_idle_leader(&self) -> bool {
        // Fails only when the poller itself is gone.
        self.is_led_idly() && self.waker.wake().is_ok()
    }
}
