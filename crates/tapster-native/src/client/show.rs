//! What a server answers, in words and columns for people.

use std::fmt::Write;

use tapster_supervisor::control::protocol::{
    CacheStatus, Collected, FrontStatus, HostStatus, LastReload, Status, WorkerStatus, WorkerText,
};
use tapster_top::words::duration;

pub(super) use tapster_top::words::count;

/// Everything about a server.
pub(super) fn status(status: &Status) -> String {
    let Status { identity, totals, .. } = status;
    let ready = status.workers.iter().filter(|worker| worker.state == "ready").count();
    let mut text = format!(
        "tapster {}, pid {}: {}, {} for {}\n",
        identity.version,
        identity.pid,
        if identity.app.is_empty() { "the application of its directory" } else { &identity.app },
        status.state,
        duration(status.uptime)
    );
    line(&mut text, "listening on", &identity.listeners.join(", "));
    line(
        &mut text,
        "workers",
        &format!("{ready} of {} ready, {} each", status.wanted, count(status.threads, "thread")),
    );
    let failures = totals.statuses.get("5xx").copied().unwrap_or_default();
    line(
        &mut text,
        "requests",
        &format!(
            "{} answered by the application, {} refused; of all answers {failures} were 5xx; {} open",
            totals.requests,
            totals.refused,
            count(usize::try_from(totals.connections).unwrap_or(usize::MAX), "connection")
        ),
    );
    let lost = [
        ("timed out", totals.timed_out),
        ("waited too long", totals.queued_too_long),
        ("given up by their clients", totals.abandoned),
    ];
    let lost = there_are(&lost);
    if !lost.is_empty() {
        line(&mut text, "", &lost.join(", "));
    }
    if let Some(front) = &status.front {
        front_lines(&mut text, front);
    }
    trouble(&mut text, status);
    let restarts: Vec<String> =
        status.restarts.iter().map(|(reason, times)| format!("{reason} {times}")).collect();
    if !restarts.is_empty() {
        line(&mut text, "restarts", &restarts.join(", "));
    }
    reloads(&mut text, status);
    workers(&mut text, status);
    if let Some(front) = status.front.as_ref().filter(|front| !front.upstreams.is_empty()) {
        upstreams(&mut text, front);
    }
    text
}

/// What stands before the workers, or alone.
fn front_lines(text: &mut String, front: &FrontStatus) {
    let refused: u64 = front.refused.values().sum();
    let reasons: Vec<String> =
        front.refused.iter().map(|(status, times)| format!("{times} with {status}")).collect();
    let reasons = if refused == 0 { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let ready = if front.ready { "" } else { "not ready; " };
    let clients = count(usize::try_from(front.connections).unwrap_or(usize::MAX), "client");
    let answers = front.requests;
    line(text, "front", &format!("{ready}{clients}, {answers} answers, {refused} of them refusals{reasons}"));
    let more = [
        ("waiting", front.waiting),
        ("holding", front.holding),
        ("held", front.held),
        ("sent once more", front.retries),
        ("names not found", front.names_not_found),
        ("TLS handshakes", front.tls_handshakes),
        ("failed ones", front.tls_failures),
        ("HTTP/2 connections", front.http2_connections[0]),
        ("HTTP/2 streams", front.http2_streams[0]),
    ];
    let more = there_are(&more);
    if !more.is_empty() {
        line(text, "", &more.join(", "));
    }
    if let Some(cache) = &front.cache {
        cache_lines(text, cache);
    }
}

fn cache_lines(text: &mut String, cache: &CacheStatus) {
    let requests = [
        ("hits", cache.hits),
        ("misses", cache.misses),
        ("stale answers", cache.stale),
        ("coalesced", cache.coalesced),
        ("passed by", cache.bypassed),
    ];
    let answers = [
        ("stored", cache.stored),
        ("revalidated", cache.revalidated),
        ("evicted", cache.evicted),
        ("purged", cache.purged),
    ];
    let held = format!("{} kept", count(usize::try_from(cache.entries).unwrap_or(usize::MAX), "target"));
    let memory = format!("{} of {} MiB", cache.bytes.div_ceil(1 << 20), cache.size.div_ceil(1 << 20));
    line(
        text,
        "cache",
        &[held, memory].into_iter().chain(there_are(&requests)).collect::<Vec<_>>().join(", "),
    );
    let answers = there_are(&answers);
    if !answers.is_empty() {
        line(text, "", &answers.join(", "));
    }
}

/// Of things that are counted those that there are.
fn there_are(counted: &[(&str, u64)]) -> Vec<String> {
    counted.iter().filter(|(_, times)| *times > 0).map(|(what, times)| format!("{times} {what}")).collect()
}

fn upstreams(text: &mut String, front: &FrontStatus) {
    let heads = ["upstream", "group", "state", "active", "requests", "failures"];
    let row = |host: &HostStatus| {
        let HostStatus { group, name, state, active, requests, failures } = host.clone();
        let group = if group.is_empty() { "-".to_owned() } else { group };
        [name, group, state, active.to_string(), requests.to_string(), failures.to_string()]
    };
    table(text, heads, front.upstreams.iter().map(row));
}

/// What the server lost, caught or put aside, where there is any.
fn trouble(text: &mut String, status: &Status) {
    let totals = &status.totals;
    let overflows: u64 = status.sockets.iter().filter_map(|socket| socket.overflows).map(u64::from).sum();
    let found = [
        ("connections dropped by the system (listen queue full)", overflows),
        ("errors in the log", totals.log_errors),
        ("repeated ones left out of it (--log-repeats)", totals.log_repeats_suppressed),
        ("log lines dropped", totals.log_lines_dropped),
        ("panics caught", totals.panics),
    ];
    let found = there_are(&found);
    if !found.is_empty() {
        line(text, "trouble", &found.join(", "));
    }
    if totals.spooled > 0 {
        line(text, "on disk", &format!("{} MiB of bodies and answers", totals.spooled.div_ceil(1 << 20)));
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "  {name:13} {value}");
}

fn reloads(text: &mut String, status: &Status) {
    let mut said = format!("{} ok, {} failed", status.reloads.ok, status.reloads.failed);
    if let Some(LastReload { ok, error, seconds: took, ago }) = &status.last_reload {
        let how = if *ok { "took" } else { "failed after" };
        let _ = write!(said, "; the last, {} ago, {how} {}", duration(*ago), seconds(*took));
        if let Some(error) = error {
            let _ = write!(said, ":\n{}", indented(error.trim_end()));
        }
    }
    line(text, "reloads", &said);
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

fn workers(text: &mut String, status: &Status) {
    let heads = ["worker", "pid", "state", "generation", "age", "requests", "busy", "connections", "rss"];
    table(text, heads, status.workers.iter().map(|worker| row(worker, status.threads)));
}

/// Columns as wide as they have to be, below an empty line.
fn table<const N: usize>(text: &mut String, heads: [&str; N], rest: impl Iterator<Item = [String; N]>) {
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(rest);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    text.push('\n');
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(text, "  {}", cells.join("  "));
    }
}

fn row(worker: &WorkerStatus, threads: usize) -> [String; 9] {
    [
        worker.worker.to_string(),
        worker.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
        worker.state.clone(),
        worker.generation.to_string(),
        duration(worker.age),
        worker.requests.to_string(),
        format!("{}/{threads}", worker.busy),
        worker.connections.to_string(),
        worker.rss.map_or_else(|| "-".to_owned(), |bytes| format!("{} MiB", bytes >> 20)),
    ]
}

/// The stacks of all workers.
pub(super) fn stacks(stacks: &Collected) -> String {
    let mut text = String::new();
    for WorkerText { worker, pid, text: stacks, complete } in &stacks.workers {
        let rest = if *complete { "" } else { " (it did not write everything in its time)" };
        let _ = writeln!(text, "worker {worker} (pid {pid}){rest}:\n{}\n", indented(stacks.trim_end()));
    }
    text
}

/// A short time.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.2} s") } else { format!("{seconds:.0} s") }
}
