//! One connection, driven as far as it goes: receive, answer, flush, rest or close. Run by the leader, by a thread
//! that lost the token in the application, and by the monitor (which calls nothing).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tapster_gateway::Body;
use tapster_observe::Incident;

use crate::answer;
use crate::backing::Backing;
use crate::burst;
use crate::connection::{Connection, State, Step};
use crate::http;
use crate::introduction::Introduction;
use crate::outbound::Flushed;
use crate::pace::Slow;
use crate::policy::Rest;
use crate::receive::{Refused, too_slow};
use crate::refusal::refuse_and_close;
use crate::serve::Context;
use crate::stream::Shutdown;
use crate::token::Phase;
use crate::worker::Shared;

/// Requests of one connection answered before another gets its turn (pipelining).
const REQUESTS_PER_TURN: u32 = 8;

/// Drives a connection until it rests, closes, or somebody else has it.
pub(crate) fn drive(shared: &Shared, context: &mut Context, mut connection: Box<Connection>) {
    if shared.hand_on(&connection) || !context.may_call() && shared.pass_on(&connection) {
        return;
    }
    if shared.sends_front_away(&connection) {
        return close(shared, connection, "the front is to ask the next worker");
    }
    let mut answered = 0;
    loop {
        if !burst::write(shared, context, &mut connection) {
            return close(shared, connection, "the client went away before the answer was out");
        }
        let waits_since = if matches!(connection.state, State::Waiting(_)) { connection.since } else { None };
        let step = match flush(&mut connection) {
            Some(step) => step,
            None => connection.advance(&mut context.scratch, &shared.policy, &shared.spool),
        };
        let next = match step {
            Step::Rest => rest(shared, context, connection),
            Step::Dispatch(_) if connection.gone => {
                // It may be a file.
                context.scratch.request.body = Body::Empty;
                return shared.abandon(connection);
            }
            Step::Dispatch(exchange) if context.may_call() => {
                answered += 1;
                connection.since = None;
                let queued =
                    waits_since.map_or(Duration::ZERO, |since| context.now.saturating_duration_since(since));
                answer::answer(shared, context, connection, exchange, queued)
            }
            Step::Dispatch(exchange) => {
                let request = std::mem::take(&mut context.scratch.request);
                connection.state = State::Waiting(Box::new((request, exchange)));
                // One that came from a peer has waited there.
                connection.since.get_or_insert(context.now);
                // Should the client leave meanwhile, its request need not be run. If that fails it is run.
                let _unknown = connection.watch(&shared.lane.registry);
                queue_for_thread(shared, context, connection);
                None
            }
            Step::Yield => {
                requeue(shared, context, connection);
                None
            }
            Step::Spool => {
                let backing = Backing::of(shared, connection.key);
                connection.spool(&shared.spool, move || backing.tell_loop());
                rest(shared, context, connection)
            }
            Step::Refuse(refused) => refuse_and_close(shared, context, connection, &refused),
            Step::Pong => {
                let _gone = connection.stream.write(&tapster_uwsgi::PONG);
                close(shared, connection, "answered a uwsgi ping");
                None
            }
            Step::Broken(why) => {
                shared.log.info(format_args!("{}: {why}", connection.facts.connection.peer()));
                close(shared, connection, why);
                None
            }
            Step::Close(why) => {
                close(shared, connection, why);
                None
            }
        };
        match next {
            Some(next) if answered >= REQUESTS_PER_TURN => return requeue(shared, context, next),
            Some(next) => connection = next,
            None => return,
        }
    }
}

/// Deals with a deadline that is over.
pub(crate) fn expired(shared: &Shared, context: &mut Context, connection: Box<Connection>) {
    let why = match &connection.state {
        State::Head if connection.input.is_empty() => "idle for too long",
        State::Head => {
            let refused = Refused::new(408, "the request head did not arrive in time (--head-timeout)");
            let refused = refused.for_head(http::is_head(connection.input.as_slice()));
            return drive_on(shared, context, connection, &refused);
        }
        State::Body(receiving) => {
            let Some(slow) = receiving.pace.verdict(context.now) else {
                return drive(shared, context, connection);
            };
            let refused = too_slow(slow, &shared.policy.pace);
            let refused = refused.for_head(receiving.exchange.head_only);
            return drive_on(shared, context, connection, &refused);
        }
        State::Flushing { .. } => {
            if let Some(outbound) = &connection.outbound
                && let Some(slow) = outbound.verdict(context.now, &shared.policy.pace)
            {
                outbound.cut(slow);
            }
            return drive(shared, context, connection);
        }
        State::Lingering => "closed",
        State::Discarding(_) => "the rest of a request body that nobody reads did not come",
        State::Waiting(_) | State::Spooling(..) => return requeue(shared, context, connection),
    };
    close(shared, connection, why);
}

pub(crate) fn drive_on(
    shared: &Shared,
    context: &mut Context,
    connection: Box<Connection>,
    refused: &Refused,
) {
    if let Some(connection) = refuse_and_close(shared, context, connection, refused) {
        drive(shared, context, connection);
    }
}

/// Goes on with an answer that the socket did not take at once.
fn flush(connection: &mut Connection) -> Option<Step> {
    let State::Flushing { keep_alive, linger } = connection.state else { return None };
    connection.writable = false;
    let flushed = connection.outbound.as_ref().map_or(Flushed::Empty, |outbound| outbound.flush());
    match flushed {
        Flushed::Progress | Flushed::Stuck => Some(Step::Rest),
        Flushed::Gone => {
            Some(Step::Close(match connection.outbound.as_ref().and_then(|queue| queue.slow()) {
                Some(Slow::Silent) => "the client stopped reading the answer (--io-timeout)",
                Some(Slow::BelowRate) => "the client read the answer too slowly (--min-rate)",
                None => "the client went away before the answer was out",
            }))
        }
        Flushed::Empty => {
            connection.since = None;
            connection.outbound = None;
            connection.state = State::Head;
            if keep_alive {
                return None;
            }
            if linger || !connection.drained {
                connection.linger();
                return None;
            }
            Some(Step::Close("answered"))
        }
    }
}

/// Puts a connection to rest; gives it back if there is more to do at once.
pub(crate) fn rest(
    shared: &Shared,
    context: &Context,
    mut connection: Box<Connection>,
) -> Option<Box<Connection>> {
    if connection.watch(&shared.lane.registry).is_err() {
        shared.log.report(
            Incident::CONNECTION_LOST,
            format_args!("a connection was dropped: the poller refused it"),
        );
        close(shared, connection, "the poller refused it");
        return None;
    }
    let deadline = deadline(shared, context.now, &mut connection);
    let mut core = shared.lane.core();
    let back = core.rest(connection, deadline);
    let is_sooner = core.has_sooner_deadline();
    drop(core);
    if is_sooner {
        tell_leader(shared, context);
    }
    back
}

/// Until when a connection may rest; none if it is not its client that is waited for.
fn deadline(shared: &Shared, now: Instant, connection: &mut Connection) -> Option<Instant> {
    let policy = &shared.policy;
    let rest = match &mut connection.state {
        // The front gives up what it does not need.
        State::Head if connection.facts.introduction == Introduction::Each => return None,
        State::Head if connection.input.is_empty() && connection.served > 0 => Rest::Idle,
        State::Head => Rest::Head,
        State::Lingering | State::Discarding(_) => Rest::Linger,
        State::Body(receiving) => return receiving.deadline(now, &policy.pace),
        State::Flushing { .. } => return connection.outbound.as_ref()?.deadline(now, &policy.pace),
        State::Spooling(receiving, _) => {
            receiving.stop_clock(now, &policy.pace);
            return None;
        }
        State::Waiting(_) => return None,
    };
    let since = *connection.since.get_or_insert(now);
    policy.deadline(rest, since, now)
}

/// Puts a connection behind the others.
pub(crate) fn requeue(shared: &Shared, context: &mut Context, connection: Box<Connection>) {
    shared.lane.core().requeue(connection);
    context.must_poll = true;
    tell_leader(shared, context);
}

/// Brings the leader back from the poller to what was queued before this call, unless this thread leads. Asked now
/// and not before: a thread may have come back and taken the token from the monitor, and have looked too early.
pub(crate) fn tell_leader(shared: &Shared, context: &Context) {
    if !shared.lane.token.is_held_by(context.holder) {
        shared.lane.wake_poller();
    }
}

/// The monitor found a whole request: a parked thread gets it and the token, or it waits for the first free one.
fn queue_for_thread(shared: &Shared, context: &Context, connection: Box<Connection>) {
    let mut core = shared.lane.core();
    core.wait_for_thread(connection);
    let Some(thread) = core.parked.pop() else {
        drop(core);
        shared.call_for_help();
        return tell_leader(shared, context);
    };
    let seen = shared.lane.token.view();
    let granted = seen.holder() == context.holder
        && seen.phase() == Phase::Leading
        && shared.lane.token.take(seen, thread);
    drop(core);
    // Without the token it still takes what waits.
    let _leads_now = granted;
    shared.wake(thread);
}

/// Forgets a connection and closes its socket; shut down first if somebody else may hold it: a child of the
/// application, or a thread that writes to it.
pub(crate) fn close(shared: &Shared, connection: Box<Connection>, why: &str) {
    shared.log.debug(format_args!("{}: {why}", connection.facts.connection.peer()));
    shared.lane.core().remove(connection.key);
    shared.forget_one();
    if tapster_sys::fork::has_forked() || Arc::strong_count(&connection.stream) > 1 {
        connection.stream.shutdown(Shutdown::Both);
    }
    drop(connection);
}

/// What follows an answer.
pub(crate) fn after_answer(
    shared: &Shared,
    mut connection: Box<Connection>,
    keep_alive: bool,
) -> Option<Box<Connection>> {
    connection.served += 1;
    let unread = !keep_alive && connection.has_unread();
    if !connection.unsent.is_empty() {
        connection.state = State::Flushing { keep_alive, linger: unread };
        return Some(connection);
    }
    let unsent = connection.outbound.as_ref().is_some_and(|outbound| outbound.queued() != Some(0));
    if unsent {
        connection.state = State::Flushing { keep_alive, linger: unread };
        return Some(connection);
    }
    connection.outbound = None;
    if keep_alive {
        return Some(connection);
    }
    if unread || shared.lane.core().has_unread(connection.key) {
        // Closing a socket with unread bytes resets it, and the client may lose the answer.
        connection.linger();
        return Some(connection);
    }
    close(shared, connection, "answered");
    None
}
