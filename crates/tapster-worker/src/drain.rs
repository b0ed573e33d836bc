//! The end of a worker: new clients go elsewhere, idle ones are handed over, what runs is finished, then it is over.
//! Started by a message or a signal, continued by the leader of each lane, after each poll.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapster_observe::{Incident, WorkerState};

use crate::connection::Connection;
use crate::drive;
use crate::introduction::Introduction;
use crate::lane::Core;
use crate::peers::Peer;
use crate::serve::Context;
use crate::worker::{Engine, Shared};

/// How often a draining worker looks at what is left.
const STEP: Duration = Duration::from_millis(50);

/// Milliseconds that an idle connection which no peer takes stays open, if nothing else is said: a request may be on its
/// way.
pub(crate) const IDLE_GRACE_MS: u32 = 50;

/// How long clients are accepted that the kernel let in before it was told to let in no more: handshakes under way.
const LAST_CLIENTS: Duration = Duration::from_millis(50);

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

    /// As [`Engine::start_drain`], and from now on nothing new is answered.
    pub(crate) fn hand_over(&self, timeout: Duration) {
        self.handing_over.store(true, Ordering::SeqCst);
        self.start_drain(timeout);
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
            // Clients that nobody was told of wait in the listener's queue for the next worker.
            if self.handing_over.load(Ordering::SeqCst) {
                self.lane.leave_listeners();
            } else {
                self.leave_to_drain();
            }
            self.lane.has_left.store(true, Ordering::SeqCst);
        }
        if self.orphan.is_one.load(Ordering::SeqCst) && !self.lane.has_closed.swap(true, Ordering::SeqCst) {
            self.close_listeners();
        }
        let late = context.now >= drain.deadline;
        let expects = self.takes_last.load(Ordering::Relaxed) && context.now < drain.since + LAST_CLIENTS;
        self.take_last_clients();
        let grace = Duration::from_millis(self.idle_grace_ms.load(Ordering::Relaxed).into());
        self.end_idle(context, context.now >= drain.since + grace, late);
        if late {
            self.end_waiting(context, true);
        }
        let left = self.left();
        if late && left > 0 && !self.is_stopping() {
            self.log.report(
                Incident::REQUESTS_CUT,
                format_args!("{left} connections were cut: still busy at the end of the graceful time-out"),
            );
        }
        let all_left = self.lanes.iter().all(|lane| lane.has_left.load(Ordering::SeqCst));
        if left == 0 && all_left && !expects || late {
            self.stop();
        }
    }

    /// Connections that still may come to an end by themselves: nothing is waited for that may never come.
    fn left(&self) -> usize {
        let count =
            |count: fn(&Core) -> usize| self.lanes.iter().map(|lane| count(&lane.core())).sum::<usize>();
        if self.is_wedged.load(Ordering::SeqCst) {
            count(|core| core.len() - core.working())
        } else {
            count(Core::len).saturating_sub(self.lost_threads())
        }
    }

    /// Gives a client whose request is there, still unread, to the next worker, if this one is to answer nothing new.
    pub(crate) fn hand_on(&self, connection: &Connection) -> bool {
        self.handing_over.load(Ordering::Relaxed)
            && connection.is_idle()
            && !connection.read_closed
            && self.successors().iter().any(|peer| self.give_to(peer, connection))
    }

    /// Whether an unread request of the front's is for the next worker: the front asks that when it finds this connection
    /// closed.
    pub(crate) fn sends_front_away(&self, connection: &Connection) -> bool {
        self.handing_over.load(Ordering::Relaxed)
            && connection.is_idle()
            && connection.facts.introduction == Introduction::Each
    }

    /// Who takes what this worker does not finish.
    pub(crate) fn successors(&self) -> Vec<&Peer> {
        if self.handing_over.load(Ordering::SeqCst) { self.peers.next() } else { self.peers.ready() }
    }

    /// Gives idle connections to workers that stay, so that their clients notice nothing; closes those that none may
    /// take, if their time is over. An inbox has room for some hundred, so that many leave in several steps.
    fn end_idle(&self, context: &mut Context, is_over: bool, is_late: bool) {
        let peers = self.successors();
        if peers.is_empty() && !is_over && !is_late {
            return;
        }
        let idle = self.lane.core().take_idle();
        for connection in idle {
            if peers.iter().any(|peer| self.give_to(peer, &connection)) {
                continue;
            } else if is_late || is_over && (peers.is_empty() || !self.may_move(&connection)) {
                drive::close(self, connection, "idle when the worker drained");
            } else {
                drive::requeue(self, context, connection);
            }
        }
    }
}
