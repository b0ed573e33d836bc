//! What a thread of the pool does: lead when the token is its own, take requests that wait, else park. The leader's
//! loop stands here too; the monitor runs it when no thread can.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapster_observe::{Incident, Meter, SpanRing, name_thread};

use crate::burst::{self, Pace};
use crate::connection::{Connection, Scratch};
use crate::date::DateClock;
use crate::drive;
use crate::monitor::Watched;
use crate::overdue::{self, Overseer};
use crate::token::{Holder, MONITOR};
use crate::worker::Shared;

/// A thread at work: its number, its buffers, and whether the token was its own when last seen.
pub(crate) struct Context {
    pub(crate) holder: Holder,
    pub(crate) scratch: Scratch,
    pub(crate) date: DateClock,
    pub(crate) leads: bool,
    /// A connection that has more to do was put behind the others: those that are not seen yet come first.
    pub(crate) must_poll: bool,
    /// Answers that are kept back.
    pub(crate) burst: Pace,
    /// The connection that the thread works on: its lane and its key.
    pub(crate) at_hand: Option<(usize, usize)>,
    /// The monitor's knowledge of slow requests.
    pub(crate) overseer: Option<Overseer>,
    /// Where the thread counts what is measured, if anybody is to read it.
    pub(crate) meter: Option<Meter>,
    /// Where the thread records spans, if anybody is to get them.
    pub(crate) spans: Option<SpanRing>,
    /// The time as of the last event; saves a clock call for each request.
    pub(crate) now: Instant,
}

impl Context {
    pub(crate) fn new(shared: &Shared, holder: Holder) -> Context {
        Context {
            holder,
            scratch: Scratch::new(&shared.policy),
            date: DateClock::new(),
            leads: false,
            must_poll: false,
            burst: Pace::of(holder),
            at_hand: None,
            overseer: (holder == MONITOR).then(|| Overseer::new(shared)),
            meter: shared.board.meter(usize::from(holder)),
            spans: shared.board.span_ring(usize::from(holder)),
            now: Instant::now(),
        }
    }

    /// The monitor reads and flushes; it never calls the application.
    pub(crate) fn may_call(&self) -> bool {
        self.holder != MONITOR
    }
}

/// Serves as a thread of the pool until the worker ends.
pub(crate) fn run(shared: &Shared, thread: Holder) {
    name_thread(usize::from(thread) + 1);
    let mut context = Context::new(shared, thread);
    if let (Ok(watched), Some(place)) = (Watched::current(), shared.watched.get(usize::from(thread))) {
        let _set_once = place.set(watched);
    }
    while !shared.is_stopping() {
        survive(shared, &mut context, turn);
    }
}

/// Runs a part of the loop. Should it panic, which is a defect of the server, the thread goes on without the
/// connection that it had.
pub(crate) fn survive(shared: &Shared, context: &mut Context, part: fn(&Shared<'_>, &mut Context)) {
    if catch_unwind(AssertUnwindSafe(|| part(shared, context))).is_ok() {
        return;
    }
    shared.board.count_panic();
    let lost = context.at_hand.take();
    shared.log.report(Incident::PANIC, format_args!(
        "a thread panicked in the server's own loop and goes on; connections lost: {}. Please report this defect",
        u8::from(lost.is_some())
    ));
    shared.home.core().parked.retain(|&parked| parked != context.holder);
    if let Some((lane, key)) = lost
        && shared.lanes[lane].core().remove_working(key)
    {
        shared.forget_one();
    }
}

/// Leads if the token is this thread's or nobody's, else answers what waits here or in another lane, else parks.
fn turn(shared: &Shared, context: &mut Context) {
    let thread = context.holder;
    let token = &shared.lane.token;
    let seizes = || token.seize_from_app(thread, shared.lane.blocking.is_usual());
    if token.accept_grant(thread) || token.is_led_by(thread) || seizes() {
        lead(shared, context);
    } else if token.reclaim(thread) {
        shared.lane.wake_poller();
        lead(shared, context);
    } else if !take_waiting(shared, context) && !shared.help(context) {
        park(shared, thread);
    }
}

/// Leads until the token goes to somebody else or the worker ends.
pub(crate) fn lead(shared: &Shared, context: &mut Context) {
    let lane = shared.lane;
    context.leads = true;
    context.now = Instant::now();
    if context.may_call() {
        shared.join_when_free();
    } else {
        overdue::look_soon(context);
    }
    burst::take_over(shared, context);
    while lane.token.is_held_by(context.holder) && !shared.is_stopping() {
        if shared.signalled.load(Ordering::SeqCst) && context.may_call() {
            shared.signalled.store(false, Ordering::SeqCst);
            shared.app.run_signal_handlers();
        }
        // One request of another lane's for each connection of this one's.
        let has_helped = context.may_call() && shared.help(context);
        if std::mem::take(&mut context.must_poll) || has_helped {
            crate::events::poll(shared, context, Some(Duration::ZERO));
        }
        let next = lane.core().next(context.may_call());
        match next {
            Some((connection, has_more)) => {
                context.burst.has_more = has_more;
                work_on(shared, context, connection);
                burst::release_due(shared, context);
            }
            None if burst::release_own(shared, context) => {}
            None => wait_for_events(shared, context),
        }
        if !context.may_call() {
            overdue::look_if_due(shared, context);
        }
    }
    burst::release_own(shared, context);
    context.leads = false;
}

/// Drives a connection; should the thread panic meanwhile, that is the one that is lost.
pub(crate) fn work_on(shared: &Shared, context: &mut Context, connection: Box<Connection>) {
    context.at_hand = Some((shared.lane.index, connection.key));
    drive::drive(shared, context, connection);
    context.at_hand = None;
}

/// First without waiting and with the interpreter's lock held (under load there always is something), then with the
/// lock released for as long as it takes.
fn wait_for_events(shared: &Shared, context: &mut Context) {
    if crate::events::poll(shared, context, Some(Duration::ZERO)) {
        return;
    }
    let sleep = shared.sleep(context.now);
    if context.may_call() {
        let token = &shared.lane.token;
        let mut asked = None;
        shared.app.unlocked(&mut || {
            crate::events::poll(shared, context, sleep);
            token.await_lock(context.holder);
            shared.lane.wake_monitor();
            asked = context.meter.as_ref().map(|_| Instant::now());
        });
        context.leads = token.accept_grant(context.holder);
        // The lock may have been long in coming.
        context.now = Instant::now();
        if let (Some(meter), Some(asked)) = (&context.meter, asked) {
            meter.waited_for_lock(context.now.saturating_duration_since(asked));
        }
    } else {
        let sleep = sleep.into_iter().chain(overdue::wait(context)).chain(shared.patience()).min();
        crate::events::poll(shared, context, sleep);
    }
}

/// Answers a request of the lane that found no free thread; false if there is none.
pub(crate) fn take_waiting(shared: &Shared, context: &mut Context) -> bool {
    let waiting = shared.lane.core().next_waiting();
    let Some(connection) = waiting else { return false };
    context.now = Instant::now();
    work_on(shared, context, connection);
    true
}

/// Parks until the token is granted, or the worker ends.
fn park(shared: &Shared, thread: Holder) {
    {
        let mut core = shared.lane.core();
        // Whoever queues a request looks for parked threads under the same lock.
        let token = &shared.lane.token;
        if core.has_waiting() || token.is_held_by(MONITOR) || token.is_offered() || shared.is_stopping() {
            return;
        }
        core.parked.push(thread);
    }
    if shared.others_wait() && shared.lane.core().unpark(thread) {
        return;
    }
    let parker = &shared.parkers[usize::from(thread)];
    shared.app.unlocked(&mut || parker.wait());
}
