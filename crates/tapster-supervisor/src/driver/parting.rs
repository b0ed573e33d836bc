//! How a server that stops parts from its clients: who waits to be accepted still is, who comes later is refused at once and can
//! go elsewhere, and a connection between requests may bring one more. Run by the supervisor.

use std::time::{Duration, Instant};

use tapster_sys::inbox::Message;
use tapster_sys::socket::Listener;

use super::Driver;

/// From turning new clients away until the listeners end: a little more than workers take for those that are in already.
const SETTLE: Duration = Duration::from_millis(100);

/// How long connections between requests are kept, at least: one that was just accepted has yet to bring its first.
const LEAST_GRACE: Duration = Duration::from_millis(150);

/// The same, at most, where a `--drain-delay` says that a balancer is in front: it has kept connections, and may be about to
/// use one of them.
const MOST_GRACE: Duration = Duration::from_secs(2);

/// Listeners that take no new clients, and when they end.
#[derive(Debug, Default)]
pub(super) struct Parting {
    listeners: Vec<Listener>,
    ends_at: Option<Instant>,
}

impl Parting {
    fn new(listeners: Vec<Listener>, now: Instant) -> Parting {
        listeners.iter().for_each(Listener::turn_away);
        Parting { listeners, ends_at: Some(now + SETTLE) }
    }

    pub(super) fn sleep(&self, now: Instant) -> Option<Duration> {
        self.ends_at.map(|at| at.saturating_duration_since(now))
    }

    pub(super) fn end_when_due(&mut self, now: Instant) {
        if self.ends_at.is_some_and(|at| at <= now) {
            std::mem::take(self).listeners.iter().for_each(Listener::end);
        }
    }
}

impl Driver<'_> {
    /// The order to stop has been given: nobody is accepted any more, unless another server or a service manager has the
    /// sockets too. Where there is a front, clients are its.
    pub(super) fn part_from_clients(&mut self) {
        if self.upgrade.shares_listeners() || self.front.is_there() {
            return self.close_listeners();
        }
        let is_last = self.listeners.iter().any(Listener::is_own);
        self.listeners.iter().for_each(Listener::remove_file);
        let listeners: Vec<_> = self.listeners.drain(..).filter(Listener::can_turn_away).collect();
        let grace = self.drain_delay.clamp(LEAST_GRACE, MOST_GRACE);
        let grace_ms = u32::try_from(grace.as_millis()).unwrap_or(u32::MAX);
        let message = match is_last {
            true => Message::LastClients { grace_ms },
            false => Message::KeepIdle { grace_ms },
        };
        self.parting = Parting::new(listeners, Instant::now());
        for slot in (0..self.board.workers()).filter(|slot| self.children.is_taken(*slot)) {
            self.outbox.order(slot, message);
        }
    }
}
