//! A server of two workers and a third that boots, and what is selected while it changes.

use tapster_supervisor::control::live::{Running, WorkerSample};
use tapster_supervisor::control::protocol::{
    LastReload, Reloads, SocketStatus, Status, Totals, WorkerStatus,
};

use super::*;

fn worker(number: usize, state: &str, rss: u64) -> WorkerStatus {
    let pid = (state == "ready").then_some(4710 + number as u32);
    let state = state.to_owned();
    let (age, requests) = (90.0, 100 * number as u64);
    WorkerStatus {
        worker: number,
        pid,
        state,
        rss: Some(rss << 20),
        age,
        requests,
        ..WorkerStatus::default()
    }
}

fn running(thread: usize, target: &str, seconds: f64) -> Running {
    let (method, target) = ("GET".to_owned(), target.to_owned());
    Running { worker: 1, thread, method, target, seconds, request_id: None }
}

/// How it is.
pub(crate) fn reading() -> Reading {
    let mut status = Status {
        state: "serving".to_owned(),
        uptime: 3700.0,
        ready: true,
        wanted: 2,
        threads: 2,
        workers: vec![worker(1, "ready", 60), worker(2, "ready", 50), worker(3, "booting", 70)],
        sockets: vec![SocketStatus { backlog: 2048, queued: Some(3), overflows: Some(0) }],
        reloads: Reloads { ok: 2, failed: 0 },
        last_reload: Some(LastReload { ok: true, error: None, seconds: 1.5, ago: 65.0 }),
        ..Status::default()
    };
    status.workers[0].busy = 2;
    status.identity.version = "0.1.0".to_owned();
    status.identity.pid = 4710;
    status.identity.app = "shop.wsgi:app".to_owned();
    status.totals = Totals { threads: 4, busy: 2, requests: 300, connections: 9, ..Totals::default() };
    let running = vec![running(2, "/slow/report", 12.25), running(1, "/a", 0.5)];
    Reading { status, running, ..Reading::default() }
}

/// What its workers did.
pub(crate) fn sample() -> Sample {
    let one = |worker, requests, cpu| WorkerSample {
        worker,
        pid: (worker < 3).then_some(4710 + worker as u32),
        requests,
        cpu: Some(cpu),
        rss: None,
    };
    Sample { workers: vec![one(1, 10.0, 5.0), one(2, 20.0, 50.0)], ..Sample::default() }
}

/// A second later.
fn later(mut reading: Reading, requests: u64) -> News {
    reading.status.uptime += 1.0;
    reading.status.totals.requests += requests;
    News::Reading(Ok(Box::new(reading)))
}

#[test]
fn rates_come_from_two_readings() {
    let mut model = Model::new(reading(), TopOrder::Worker);
    assert_eq!((model.rates.len(), model.sample.requests, model.sample.busy), (0, 0.0, 2));
    model.learn(later(reading(), 40));
    assert_eq!((model.rates.back(), model.sample.requests), (Some(&40), 40.0));
}

#[test]
fn a_selection_stays_with_its_worker() {
    let mut model = Model::new(reading(), TopOrder::Worker);
    model.go(1);
    assert_eq!(model.selected(), Some((2, None)));
    model.order = TopOrder::Memory;
    model.arrange();
    assert_eq!((model.selected(), model.place(Focus::Workers)), (Some((2, None)), 2));
    let mut without = reading();
    without.status.workers.remove(1);
    model.learn(later(without, 0));
    assert_eq!(model.selected(), Some((1, None)), "the last one, since it has gone");
    model.go(-9);
    assert_eq!(model.selected(), Some((3, None)));
    model.learn(News::Reading(Ok(Box::default())));
    assert_eq!(model.selected(), None);
}

#[test]
fn threads_are_selected_by_worker_and_number() {
    let mut model = Model::new(reading(), TopOrder::Worker);
    model.focus = Focus::Threads;
    assert_eq!(model.selected(), Some((1, Some(2))));
    let mut other = reading();
    other.running.reverse();
    model.learn(later(other, 0));
    assert_eq!((model.selected(), model.place(Focus::Threads)), (Some((1, Some(2))), 1));
}

#[test]
fn a_server_that_was_gone_is_said_to_be_back() {
    let mut model = Model::new(reading(), TopOrder::Worker);
    model.learn(News::Reading(Err("no server".to_owned())));
    assert_eq!(model.trouble.as_deref(), Some("no server"));
    let mut other = reading();
    other.status.identity.pid = 99;
    other.status.uptime = 1.0;
    model.learn(News::Reading(Ok(Box::new(other))));
    assert_eq!((model.trouble.clone(), model.sample.busy), (None, 2));
    assert_eq!(model.notice, Notice::Said("the server is back: pid 99".to_owned()));
}

#[test]
fn a_text_is_scrolled_to_its_end_and_no_further() {
    let mut model = Model::new(reading(), TopOrder::Worker);
    model.learn(News::Said(Err("not reloaded:\nTraceback\n1\n2\n3".to_owned())));
    assert_eq!(model.notice, Notice::Wrong("not reloaded:".to_owned()));
    model.page = 3;
    model.go(10);
    assert!(matches!(&model.pane, Pane::Text { first: 2, lines, .. } if lines.len() == 5));
    model.go(-1);
    assert!(matches!(&model.pane, Pane::Text { first: 1, .. }));
}
