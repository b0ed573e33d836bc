//! Metrics of the server's processes and of the sockets that its clients come to.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tapster_observe::exposition::{Family, Kind, Value};
use tapster_sys::process::Pid;
use tapster_sys::resident;
use tapster_sys::socket::Listener;

use super::super::status;
use super::{Scene, Subject, counter, gauge, label, plain, word};

/// States of workers, as `tapster status` has them.
const STATES: [&str; 7] = ["waiting", "booting", "failing", "ready", "standing in", "draining", "ending"];

/// Of the server as a whole.
pub fn server(subject: &Subject<'_>) -> Vec<Family> {
    let Subject { history, health, started, .. } = subject;
    let own = Pid::current();
    let build = Family::new(Kind::Info, "tapster_build", "The server's version.");
    let reloads = counter("tapster_reloads", "Reloads that ended, by outcome.")
        .with(label("outcome", "ok"), Value::Count(history.reloads))
        .with(label("outcome", "failed"), Value::Count(history.failed_reloads));
    let restarts =
        history.restarts.iter().map(|(reason, count)| (label("reason", word(reason)), Value::Count(*count)));
    let last = history.last_reload();
    let successful = last.map(|end| (Vec::new(), Value::Count(u64::from(end.error.is_none()))));
    let ended = last.map(|end| (Vec::new(), seconds(*started, end.at)));
    vec![
        build.with(label("version", env!("CARGO_PKG_VERSION")), Value::Count(1)),
        gauge("tapster_start_time_seconds", "When the server started, in seconds since the epoch.")
            .with(Vec::new(), seconds(*started, Duration::ZERO)),
        plain(gauge("tapster_ready", "Whether requests are served: 1 or 0."), u64::from(health.ready)),
        gauge("tapster_supervisor_resident_memory_bytes", "Memory of the supervisor in RAM.")
            .with_all(resident::bytes(own).ok().map(|bytes| (Vec::new(), Value::Count(bytes)))),
        reloads,
        gauge("tapster_last_reload_successful", "Whether the last reload succeeded: 1 or 0.")
            .with_all(successful),
        gauge("tapster_last_reload_time_seconds", "When the last reload ended, in seconds since the epoch.")
            .with_all(ended),
        counter(
            "tapster_worker_restarts",
            "Workers that ended unasked or were replaced one by one, by reason.",
        )
        .with_all(restarts),
    ]
}

fn seconds(started: SystemTime, after: Duration) -> Value {
    let since = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + after;
    Value::Number(since.as_secs_f64())
}

/// Of the workers.
pub fn workers(subject: &Subject<'_>) -> Vec<Family> {
    let scene = subject.scene;
    let members = (0..scene.board.workers()).filter_map(|slot| Some((slot, scene.fleet.member(slot)?)));
    let mut states: BTreeMap<&str, u64> = STATES.into_iter().map(|state| (state, 0)).collect();
    let mut requests =
        counter("tapster_worker_requests", "Requests that the application answered, by worker.");
    let mut memory =
        gauge("tapster_worker_resident_memory_bytes", "Memory of a worker in RAM, what it shares included.");
    let mut time = counter("tapster_worker_cpu_seconds", "CPU time of a worker's process, user and system.");
    for (slot, member) in members {
        *states.entry(status::member_state(member)).or_default() += 1;
        let number = || label("worker", slot + 1);
        requests = requests.with(number(), Value::Count(scene.board.worker(slot).requests()));
        let Some(pid) = scene.children.pid(slot) else { continue };
        memory = memory.with_all(resident::bytes(pid).ok().map(|bytes| (number(), Value::Count(bytes))));
        time = time.with_all(status::cpu_seconds(pid).map(|seconds| (number(), Value::Number(seconds))));
    }
    let states = states.into_iter().map(|(state, count)| (label("state", word(state)), Value::Count(count)));
    vec![
        gauge("tapster_workers", "Workers, by state.").with_all(states),
        plain(gauge("tapster_workers_wanted", "Workers that there are to be."), scene.fleet.wanted() as u64),
        requests,
        memory,
        time,
    ]
}

/// Of the listening sockets of clients.
pub fn listeners(scene: &Scene<'_>) -> Vec<Family> {
    let each = |of: fn(&Listener) -> Option<u32>| {
        scene.listeners.iter().filter_map(move |listener| {
            Some((label("listener", listener.address()), Value::Count(of(listener)?.into())))
        })
    };
    vec![
        gauge("tapster_listen_queue", "Connections that wait to be accepted.")
            .with_all(each(Listener::queued)),
        gauge("tapster_listen_queue_limit", "Connections that may wait to be accepted.")
            .with_all(each(|listener| Some(listener.backlog().granted))),
        counter(
            "tapster_listen_overflows",
            "Connections that the system dropped because that queue was full.",
        )
        .with_all(each(Listener::overflows)),
    ]
}
