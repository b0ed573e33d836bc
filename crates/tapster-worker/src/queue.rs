//! Whole requests that wait for a thread: how long they may, and those whose client is gone by the time that one comes. Run
//! by whoever leads, after a poll.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapster_observe::Lost;

use crate::connection::{Connection, State};
use crate::drive;
use crate::receive::Refused;
use crate::serve::Context;
use crate::worker::Shared;

impl Shared<'_> {
    /// Refuses the requests that have waited for too long, and those that would. With no thread left that could come back,
    /// all of them.
    pub(crate) fn end_waiting(&self, context: &mut Context, is_over: bool) {
        let limit = self.policy.times.queue;
        let before = match limit {
            _ if is_over || self.is_nobody_left() => Some(context.now),
            Some(limit) => context.now.checked_sub(limit),
            None => None,
        };
        if let Some(before) = before {
            loop {
                let Some(connection) = self.lane.core().take_waiting_since(before) else { break };
                self.refuse_waiting(context, connection, "no thread was free for it in");
            }
        }
        if let Some(limit) = limit.filter(|_| self.lane.load.waiting() > 0) {
            loop {
                let Some(connection) = self.lane.core().take_waiting_beyond(limit, context.now) else {
                    break;
                };
                self.refuse_waiting(
                    context,
                    connection,
                    "no thread would be free for it in time; it was told after",
                );
            }
        }
    }

    /// How long a leader may sleep at most while requests wait.
    pub(crate) fn queue_wait(&self, now: Instant) -> Option<Duration> {
        let since = self.policy.times.queue.and(self.lane.core().waits_since())?;
        Some(self.policy.times.queue?.saturating_sub(now.saturating_duration_since(since)))
    }

    fn is_nobody_left(&self) -> bool {
        let is_wedged = self.is_wedged.load(Ordering::SeqCst);
        self.is_draining() && (is_wedged || self.lost_threads() == self.running.len())
    }

    fn refuse_waiting(&self, context: &mut Context, connection: Box<Connection>, why: &str) {
        // What was no reason not to run it is one not to answer it: nobody waits for a 503.
        if connection.gone || connection.read_closed {
            return self.abandon(connection);
        }
        let State::Waiting(waiting) = &connection.state else {
            return drive::drive(self, context, connection);
        };
        let waited = connection.since.map(|since| context.now.saturating_duration_since(since));
        let reason = format!("{why} {:.1} s (--queue-timeout)", waited.unwrap_or_default().as_secs_f64());
        let refused = Refused::new(503, reason).for_head(waiting.1.head_only);
        self.board.count_lost(Lost::Queued);
        drive::drive_on(self, context, connection, &refused);
    }

    /// Closes a connection whose request nobody waits for any more.
    pub(crate) fn abandon(&self, connection: Box<Connection>) {
        self.board.count_lost(Lost::Abandoned);
        drive::close(self, connection, "the client was gone before its request was run");
    }
}
