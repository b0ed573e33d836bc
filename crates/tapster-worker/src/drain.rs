//! The end of a worker: new clients go elsewhere, idle ones are handed over, what runs is finished, then it is over.
//! Started by a message or a signal, continued by the leader of each lane, after each poll.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapster_observe::WorkerState;

use crate::drive;
use crate::serve::Context;
use crate::worker::{Engine, Shared};

/// How often a draining worker looks at what is left.
const STEP: Duration = Duration::from_millis(50);

/// How long an idle connection that no peer takes stays open: a request may be on its way.
const GRACE: Duration = Duration::from_millis(50);

/// What is known of a drain.
#[derive(Clone, Copy)]
pub(crate) struct Drain {
    since: Instant,
    deadline: Instant,
}

impl Engine {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Accepts nothing new; answers from now on end their connections. A second call can only shorten the time.
    pub(crate) fn start_drain(&self, timeout: Duration) {
        let now = Instant::now();
        let deadline = now + timeout;
        let mut drain = self.drain.lock().unwrap_or_else(PoisonError::into_inner);
        match drain.as_mut() {
            Some(drain) => drain.deadline = drain.deadline.min(deadline),
            None => *drain = Some(Drain { since: now, deadline }),
        }
        drop(drain);
        self.draining.store(true, Ordering::SeqCst);
        self.board.set_state(WorkerState::Draining);
        self.wake_leaders();
    }

    /// How long a leader may sleep at most while the worker drains.
    pub(crate) fn drain_step(&self) -> Option<Duration> {
        self.is_draining().then_some(STEP)
    }

    /// What is left of the time to drain; none without one.
    pub(crate) fn drain_left(&self) -> Option<Duration> {
        self.drain_state().map(|drain| drain.deadline.saturating_duration_since(Instant::now()))
    }

    fn drain_state(&self) -> Option<Drain> {
        *self.drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared<'_> {
    /// One step of a lane's drain: idle connections go to workers that stay, and the last one out ends the worker.
    pub(crate) fn continue_drain(&self, context: &mut Context) {
        if !self.is_draining() {
            return;
        }
        let Some(drain) = self.drain_state() else { return };
        if !self.lane.has_left.load(Ordering::SeqCst) {
            self.leave_to_drain();
            self.lane.has_left.store(true, Ordering::SeqCst);
        }
        let late = context.now >= drain.deadline;
        self.end_idle(context, late || context.now >= drain.since + GRACE);
        let left: usize = self.lanes.iter().map(|lane| lane.core().len()).sum();
        if late && left > 0 && !self.is_stopping() {
            self.log.warning(format_args!(
                "{left} connections were cut: still busy at the end of the graceful time-out"
            ));
        }
        let all_left = self.lanes.iter().all(|lane| lane.has_left.load(Ordering::SeqCst));
        if left == 0 && all_left || late {
            self.stop();
        }
    }

    /// Gives idle connections to workers that stay, so that their clients notice nothing; closes those that none
    /// takes, if their time is over.
    fn end_idle(&self, context: &mut Context, is_over: bool) {
        let peers = self.peers.ready();
        if peers.is_empty() && !is_over {
            return;
        }
        let idle = self.lane.core().take_idle();
        for connection in idle {
            if peers.iter().any(|peer| self.give_to(peer, &connection)) {
                continue;
            } else if is_over {
                drive::close(self, connection, "idle when the worker drained");
            } else {
                drive::requeue(self, context, connection);
            }
        }
    }
}
