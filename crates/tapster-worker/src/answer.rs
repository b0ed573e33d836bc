//! One request answered: the token's part around the call, the call itself, the books. Runs on the thread that read
//! the request, or on the one that took it from the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use tapster_gateway::{Body, Variable, Vars};
use tapster_observe::{Incident, about_request};
use tapster_sys::thread::Usage;

use crate::access::{self, Times};
use crate::burst;
use crate::connection::{Connection, Exchange};
use crate::drive::after_answer;
use crate::incoming::Incoming;
use crate::measure;
use crate::respond::{Answer, Lines, Responder};
use crate::routes::Route;
use crate::running::path;
use crate::serve::Context;
use crate::token::View;
use crate::trace;
use crate::worker::Shared;

/// Calls the application for the request in the scratch, which waited so long for a thread. Gives the connection back if it
/// goes on here.
pub(crate) fn answer(
    shared: &Shared,
    context: &mut Context,
    mut connection: Box<Connection>,
    mut exchange: Exchange,
    queued: Duration,
) -> Option<Box<Connection>> {
    if shared.draining.load(Ordering::Relaxed) {
        exchange.keep_alive = false;
    }
    // A call that takes its time is to learn of a client that leaves.
    if connection.incoming.is_some() || shared.home.blocking.is_suspect() {
        // If that fails the connection ends after its answer, for the same reason.
        let _later = connection.watch(&shared.lane.registry);
    }
    let blocking = &shared.home.blocking;
    let route = blocking.routes.suspect(&context.scratch.request.vars);
    let inside = before_call(shared, context, route);
    let start = context.now;
    let look = blocking.look(route);
    let usage = if look.measures { Usage::current() } else { None };
    if look.counts {
        blocking.begin();
    }
    let thread = usize::from(context.holder);
    if let Some(running) = shared.running.get(thread) {
        running.begin();
    }
    say(shared, thread, &context.scratch.request.vars);
    shared.board.begin(thread, shared.micros(start));
    let span = trace::begin(shared, context, &connection, &exchange);
    let received = measure::begin(context);
    if inside.is_none() {
        wake_overseer(shared);
    }
    let id = context.scratch.request.vars.get(Variable::TapsterRequestId);
    let _about = id.map(about_request);
    let answer = call(shared, context, &mut connection, exchange);
    shared.board.end(thread, answer.status);
    context.now = Instant::now();
    let wall = context.now.saturating_duration_since(start);
    measure::end(context, &answer, queued, wall, received);
    trace::end(context, span, &answer, Times { queued, application: wall });
    if look.counts {
        blocking.end(wall);
    }
    blocking.note(&context.scratch.request.vars, route, wall, usage);
    context.burst.note(wall);
    if std::mem::take(&mut context.burst.has_entrusted) {
        shared.lane.burst.give_back(&mut connection);
    }
    if let Some(inside) = inside {
        context.leads = shared.home.token.leave_app(inside);
    }
    note(shared, context, &mut connection, &answer, Times { queued, application: wall });
    context.scratch.request.body = Body::Empty;
    let goes_on = connection.incoming.take().is_none_or(|incoming| {
        note_refusal(shared, &connection, &incoming);
        connection.end_incoming(&incoming)
    });
    let connection = after_answer(shared, connection, answer.keep_alive && goes_on)?;
    if connection.unsent.is_empty() || !context.leads {
        return Some(connection);
    }
    burst::keep(shared, context, connection);
    None
}

/// Says on the scoreboard what the thread serves: for the monitor's log, and for whoever looks.
fn say(shared: &Shared, thread: usize, vars: &Vars) {
    let method = vars.get(Variable::RequestMethod).unwrap_or(b"?");
    let id = vars.get(Variable::TapsterRequestId).unwrap_or_default();
    shared.board.set_subject(thread, method, path(vars), id);
}

/// The monitor may be asleep while the leader waits for events: then it did not see this call begin.
fn wake_overseer(shared: &Shared) {
    if shared.policy.times.any() {
        fence(Ordering::SeqCst);
        shared.home.wake_monitor();
    }
}

/// The leader passes the token on if calls usually block, and somebody has to be woken for it; else it goes in with it,
/// watched by the monitor.
fn before_call(shared: &Shared, context: &mut Context, route: Option<Route>) -> Option<View> {
    if !context.leads {
        return None;
    }
    let lane = shared.home;
    let is_usual = lane.blocking.is_usual();
    if is_usual || route.is_some_and(|route| lane.blocking.routes.is_usual(route)) {
        let mut core = lane.core();
        let is_needed = !is_usual || lane.blocking.needs_successor(core.queued());
        let next = if is_needed { core.parked.pop() } else { None };
        drop(core);
        if let Some(next) = next {
            lane.token.hand_over(next);
            context.leads = false;
            shared.wake(next);
            lane.wake_monitor();
            return None;
        }
    }
    let inside = lane.token.enter_app(context.holder);
    lane.wake_monitor();
    Some(inside)
}

fn call(shared: &Shared, context: &mut Context, connection: &mut Connection, exchange: Exchange) -> Answer {
    let keeps = burst::may_keep(shared, context);
    let Context { scratch, date, now, burst, .. } = context;
    scratch.id_field.clear();
    shared.policy.write_id(&mut scratch.id_field, &scratch.request.vars);
    let date = date.at(*now);
    let burst = keeps.then_some(burst);
    let running = shared.running.get(usize::from(context.holder));
    let lines = Lines { date, id: &scratch.id_field };
    let mut responder = Responder::new(connection, &mut scratch.out, lines, shared, exchange, burst, running);
    let request = &mut scratch.request;
    let called = catch_unwind(AssertUnwindSafe(|| shared.app.call(request, &mut responder)));
    if called.is_err() {
        shared.board.count_panic();
        shared.log.report(
            Incident::PANIC,
            format_args!("a request panicked inside the server; it is answered with 500"),
        );
    }
    responder.end()
}

/// A log line about a body that the application could not read to its end, as there is for any other that is refused.
fn note_refusal(shared: &Shared, connection: &Connection, incoming: &Incoming) {
    if let Some(refused) = incoming.refusal() {
        shared.log.info(format_args!("{}: {}", connection.facts.connection.peer(), refused.reason));
    }
}

/// Log lines about an answer: the access log, and what the application did wrong.
fn note(shared: &Shared, context: &mut Context, connection: &mut Connection, answer: &Answer, times: Times) {
    let request = &mut context.scratch.request;
    if let Some(missing) = answer.short_by {
        let text = |variable| String::from_utf8_lossy(request.vars.get(variable).unwrap_or_default());
        shared.log.report(Incident::BODY_TOO_SHORT, format_args!(
            "{} {}: the application sent {missing} bytes less than its Content-Length; the connection was closed",
            text(Variable::RequestMethod),
            text(Variable::RequestUri),
        ));
    }
    if shared.log.wants_access(answer.status, times.whole()) {
        // Idle connections own no memory.
        let head = std::mem::take(&mut connection.kept_head);
        let ended = context.date.time(context.now);
        access::note(shared, request, &head, answer, times, ended, usize::from(context.holder));
    }
    request.notes.said.clear();
}
