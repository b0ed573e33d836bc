//! One poll and what it brought: connections that are ready, new ones, messages, deadlines. Run by whoever leads.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use mio::event::Event;

use crate::drive;
use crate::lane::{Lane, Poller, Readiness};
use crate::outbound::{Flushed, Outbound};
use crate::serve::Context;
use crate::worker::{ALIVE, FIRST_LISTENER, INBOX, SIGNALS, Shared, WAKE};

/// What needs more than a mark in the queue, found in one batch of events.
#[derive(Default)]
struct Batch {
    listeners: Vec<usize>,
    outbound: Vec<(usize, Arc<Outbound>)>,
    inbox: bool,
    supervisor_gone: bool,
    signals: bool,
}

/// Polls once for at most `sleep` (none: until something comes). False if nothing came.
pub(crate) fn poll(shared: &Shared, context: &mut Context, sleep: Option<Duration>) -> bool {
    let lane = &shared.lane;
    let may_block = sleep != Some(Duration::ZERO);
    let Some(mut poller) = poller(lane, may_block) else { return false };
    if may_block {
        lane.polling.store(true, Ordering::SeqCst);
        // Whoever queued work or took the token before the store above did not wake the poller.
        if !lane.token.is_held_by(context.holder)
            || lane.core().has_work(context.may_call())
            || context.may_call() && shared.others_wait()
            || shared.is_stopping()
        {
            lane.polling.store(false, Ordering::SeqCst);
            return false;
        }
    }
    let Poller { poll, events } = &mut *poller;
    let polled = poll.poll(events, sleep);
    if may_block {
        lane.polling.store(false, Ordering::SeqCst);
        context.now = Instant::now();
    }
    if polled.is_err() || events.is_empty() {
        drop(poller);
        if may_block {
            after(shared, context, Batch::default());
        }
        return false;
    }
    let batch = sort(shared, events);
    drop(poller);
    if !may_block {
        context.now = Instant::now();
    }
    after(shared, context, batch);
    true
}

/// The poller. Whoever holds the interpreter's lock does not wait for the one that polls now and is being woken.
fn poller(lane: &Lane, may_block: bool) -> Option<MutexGuard<'_, Poller>> {
    if may_block { Some(lane.poller()) } else { lane.try_poller() }
}

fn sort(shared: &Shared, events: &mio::Events) -> Batch {
    let mut batch = Batch::default();
    let mut core = shared.lane.core();
    for event in events {
        match event.token() {
            WAKE => {}
            INBOX => batch.inbox = true,
            ALIVE => batch.supervisor_gone = true,
            SIGNALS => batch.signals = true,
            token if token.0 >= FIRST_LISTENER => batch.listeners.push(token.0 - FIRST_LISTENER),
            token => {
                let outbound = core.saw(token.0, readiness(event));
                batch.outbound.extend(outbound.map(|outbound| (token.0, outbound)));
            }
        }
    }
    batch
}

fn readiness(event: &Event) -> Readiness {
    let broken = event.is_error();
    Readiness {
        readable: event.is_readable() || broken,
        writable: event.is_writable() || broken,
        read_closed: event.is_read_closed() || broken,
        gone: broken || event.is_write_closed(),
        resumed: false,
    }
}

fn after(shared: &Shared, context: &mut Context, batch: Batch) {
    for (key, outbound) in batch.outbound {
        if matches!(outbound.flush(), Flushed::Empty | Flushed::Gone) {
            shared.lane.core().flushed(key);
            drive::tell_leader(shared, context);
        }
    }
    // Before clients that came with it: an order not to answer them may be among the messages.
    if batch.inbox {
        shared.read_inbox();
    }
    for listener in batch.listeners {
        shared.accept_from(context, listener);
    }
    if batch.signals {
        shared.clear_signals();
    }
    if batch.supervisor_gone {
        shared.supervisor_gone();
    }
    let mut expired = Vec::new();
    shared.lane.core().expired(context.now, &mut expired);
    for connection in expired {
        drive::expired(shared, context, connection);
    }
    shared.send_waiting_elsewhere(context);
    shared.end_waiting(context, false);
    shared.look_for_room(context.now);
    shared.look_at_quota();
    shared.continue_drain(context);
}
