//! Requests that wait: for a slot in the order they came, or for an upstream that accepts connections.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tapster_observe::{FrontCounter, FrontGauge};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::{State, Ticket, Upstreams};
use crate::balance::{Ask, Choice, Ending, HostId};

/// Requests that may wait for a slot, whatever the slots are: the fewest, as in the backlog of a server, and the most.
const LEAST_QUEUE: usize = 100;
const QUEUE: usize = 16 * 1024;

/// How many of those that wait are looked at when a slot is free: the first may wait for another host.
const LOOKED_AT: usize = 64;

/// A request that waits for a slot.
pub(super) struct Waiter {
    ask: Ask,
    grant: oneshot::Sender<Ticket>,
}

/// Why a request finds no upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoUpstream {
    /// None accepts connections.
    Absent,
    /// It waited for a slot for as long as it may.
    Late,
    /// Too many wait for a slot.
    Full,
}

/// How long a request may still wait for an upstream that accepts connections.
pub(super) struct Hold {
    limit: Duration,
    since: Option<Instant>,
}

impl Hold {
    pub(super) fn new(limit: Duration) -> Hold {
        Hold { limit, since: None }
    }

    /// What is left of it; none when it is over. It begins with the first question.
    pub(super) fn left(&mut self) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.limit.checked_sub(since.elapsed()).filter(|left| !left.is_zero())
    }
}

impl Upstreams {
    /// Leave to send a request, as soon as there is a host for it.
    pub(super) async fn ticket(
        self: &Rc<Upstreams>,
        ask: &Ask,
        hold: &mut Hold,
    ) -> Result<Ticket, NoUpstream> {
        let mut held = None;
        loop {
            match self.choose(ask) {
                Choice::Host(host) => {
                    if let Some(ticket) = self.issue(host) {
                        return Ok(ticket);
                    }
                }
                Choice::Full => return self.wait_for_slot(ask).await,
                Choice::Wait(until) => {
                    let left = hold.left().ok_or(NoUpstream::Absent)?;
                    if held.is_none() {
                        self.counters.count(FrontCounter::Held);
                        held = Some(self.counters.enter(FrontGauge::Holding));
                    }
                    let pause = until.saturating_sub(self.now()).max(Duration::from_millis(1));
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = sleep(pause.min(left)) => {}
                    }
                }
            }
        }
    }

    fn choose(&self, ask: &Ask) -> Choice {
        let State { group, waiting, .. } = &mut *self.state.borrow_mut();
        // Those that came before have the next slot.
        if waiting.iter().any(|waiter| !waiter.grant.is_closed()) {
            return Choice::Full;
        }
        waiting.clear();
        group.choose(ask, self.now())
    }

    fn issue(self: &Rc<Upstreams>, host: HostId) -> Option<Ticket> {
        let place = self.state.borrow().places.get(&host).cloned()?;
        place.board.borrow().iter().for_each(|board| board.begin());
        Some(Ticket { upstreams: self.clone(), host, place, ending: Ending::Abandoned })
    }

    async fn wait_for_slot(self: &Rc<Upstreams>, ask: &Ask) -> Result<Ticket, NoUpstream> {
        let (grant, granted) = oneshot::channel();
        {
            let State { group, waiting, .. } = &mut *self.state.borrow_mut();
            let limit = group.queue_limit().clamp(LEAST_QUEUE, QUEUE);
            if waiting.len() >= limit {
                waiting.retain(|waiter| !waiter.grant.is_closed());
            }
            if waiting.len() >= limit {
                return Err(NoUpstream::Full);
            }
            waiting.push_back(Waiter { ask: ask.clone(), grant });
        }
        let _waiting = self.counters.enter(FrontGauge::Waiting);
        match timeout(self.rules.queue_timeout, granted).await {
            Ok(Ok(ticket)) => Ok(ticket),
            Ok(Err(_)) | Err(_) => Err(NoUpstream::Late),
        }
    }

    /// Gives the slots that are free to those that wait.
    pub(super) fn dispatch(self: &Rc<Upstreams>) {
        let mut place = 0;
        while place < LOOKED_AT {
            let chosen = {
                let State { group, waiting, .. } = &mut *self.state.borrow_mut();
                let Some(waiter) = waiting.get(place) else { return };
                if waiter.grant.is_closed() {
                    waiting.remove(place);
                    continue;
                }
                match group.choose(&waiter.ask, self.now()) {
                    Choice::Host(host) => waiting.remove(place).map(|waiter| (waiter, host)),
                    Choice::Full | Choice::Wait(_) => None,
                }
            };
            let Some((waiter, host)) = chosen else {
                place += 1;
                continue;
            };
            if let Some(ticket) = self.issue(host) {
                // Who waits no more leaves its slot to the next: the ticket is dropped.
                let _unused = waiter.grant.send(ticket);
            }
        }
    }
}
