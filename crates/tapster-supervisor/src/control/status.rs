//! How the server is, in the words of the protocol: read from the fleet, the scoreboard and the history when it is asked
//! for.

use std::collections::BTreeMap;

use tapster_observe::Lost;
use tapster_sys::process::Pid;
use tapster_sys::socket::Listener;
use tapster_sys::{cpu_time, resident};

use crate::member::{Member, State};

use super::history::{History, ReloadEnd};
use super::protocol::{Health, Identity, LastReload, Reloads, SocketStatus, Status, Totals, WorkerStatus};
use super::{Scene, front};

/// Whether it serves; or the one that has taken over does, of which whoever asks knows nothing.
pub fn health(scene: &Scene<'_>, history: &History, has_heir: bool) -> Health {
    if has_heir {
        return Health { ready: true, started: true };
    }
    let is_application = |slot: usize| scene.fleet.member(slot).is_some_and(|member| !member.stands_in);
    let serves = scene.fleet.ready_slots().any(is_application);
    let ready = serves && front::serves(scene.board) && !history.stopping;
    Health { ready, started: history.started }
}

/// Slot and process of the worker that serves and has this number or this process id.
pub fn serving(scene: &Scene<'_>, worker: u32) -> Option<(usize, u32)> {
    let ready = scene.fleet.ready_slots();
    let known: Vec<_> =
        ready.filter_map(|slot| Some((slot, scene.children.pid(slot)?.as_raw().cast_unsigned()))).collect();
    let numbered =
        known.iter().find(|(slot, _)| u32::try_from(slot + 1).is_ok_and(|number| number == worker));
    numbered.or_else(|| known.iter().find(|(_, pid)| *pid == worker)).copied()
}

/// Everything.
pub fn status(scene: &Scene<'_>, history: &History, identity: &Identity) -> Status {
    let members = (0..scene.board.workers()).filter_map(|slot| Some((slot, scene.fleet.member(slot)?)));
    Status {
        identity: identity.clone(),
        state: state(history).to_owned(),
        uptime: scene.now.as_secs_f64(),
        ready: health(scene, history, false).ready,
        wanted: scene.fleet.wanted(),
        threads: scene.board.threads(),
        workers: members.map(|(slot, member)| worker(scene, slot, member)).collect(),
        sockets: scene.listeners.iter().map(socket).collect(),
        totals: totals(scene),
        front: front::status(scene.board),
        reloads: Reloads { ok: history.reloads, failed: history.failed_reloads },
        last_reload: history.last_reload().map(|end| last_reload(scene, end)),
        restarts: history.restarts.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
    }
}

fn state(history: &History) -> &'static str {
    match history {
        History { stopping: true, .. } => "stopping",
        History { started: false, .. } => "starting",
        _ if history.is_reloading() => "reloading",
        _ => "serving",
    }
}

fn worker(scene: &Scene<'_>, slot: usize, member: &Member) -> WorkerStatus {
    let board = scene.board.worker(slot);
    let pid = scene.children.pid(slot);
    WorkerStatus {
        worker: slot + 1,
        pid: pid.map(|pid| pid.as_raw().cast_unsigned()),
        state: member_state(member).to_owned(),
        generation: member.generation,
        age: scene.now.saturating_sub(member.started).as_secs_f64(),
        requests: board.requests(),
        busy: board.busy_threads(),
        waiting: board.waiting(),
        connections: board.connections(),
        rss: pid.and_then(|pid| resident::bytes(pid).ok()),
        cpu: pid.and_then(cpu_seconds),
        restarts: board.restarts(),
    }
}

/// Seconds that a process has run on a CPU; none when it has gone.
pub(super) fn cpu_seconds(pid: Pid) -> Option<f64> {
    cpu_time::of(pid).ok().map(|time| time.as_secs_f64())
}

/// What a worker does, in a word or two.
pub(super) fn member_state(member: &Member) -> &'static str {
    match member.state {
        State::Waiting { .. } => "waiting",
        State::Booting { .. } => "booting",
        State::Failing { .. } => "failing",
        State::Ready { .. } if member.stands_in => "standing in",
        State::Ready { .. } => "ready",
        State::Draining { .. } => "draining",
        State::Ending { .. } => "ending",
    }
}

fn socket(listener: &Listener) -> SocketStatus {
    SocketStatus {
        backlog: listener.backlog().granted,
        queued: listener.queued(),
        overflows: listener.overflows(),
    }
}

/// What all workers count together.
pub(super) fn totals(scene: &Scene<'_>) -> Totals {
    let threads = (scene.fleet.ready_slots().count() * scene.board.threads()) as u64;
    let counts = scene.log_counts();
    let mut totals = Totals {
        threads,
        log_lines_dropped: counts.dropped,
        log_errors: counts.errors,
        log_warnings: counts.warnings,
        log_repeats_suppressed: counts.suppressed,
        ..Totals::default()
    };
    let mut classes = [0; 5];
    for board in scene.board.iter() {
        totals.requests += board.requests_total();
        totals.refused += board.refusals();
        totals.timed_out += board.lost(Lost::TimedOut);
        totals.queued_too_long += board.lost(Lost::Queued);
        totals.abandoned += board.lost(Lost::Abandoned);
        totals.busy += board.busy_threads() as u64;
        totals.waiting += board.waiting();
        totals.connections += board.connections();
        totals.spooled += board.spooled();
        totals.panics += board.panics();
        classes.iter_mut().zip(board.statuses()).for_each(|(sum, count)| *sum += count);
    }
    totals.statuses = by_class(classes);
    totals
}

/// Answers by class, with its name.
pub(super) fn by_class(classes: [u64; 5]) -> BTreeMap<String, u64> {
    let names = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(str::to_owned);
    BTreeMap::from_iter(names.into_iter().zip(classes))
}

fn last_reload(scene: &Scene<'_>, end: &ReloadEnd) -> LastReload {
    LastReload {
        ok: end.error.is_none(),
        error: end.error.clone(),
        seconds: end.took.as_secs_f64(),
        ago: scene.now.saturating_sub(end.at).as_secs_f64(),
    }
}
