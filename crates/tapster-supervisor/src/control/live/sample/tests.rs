//! Readings that were made by hand, and exactly what they say.

use tapster_observe::BUCKETS;

use crate::control::live::Measured;
use crate::control::protocol::{CacheStatus, Status, Totals};

use super::*;

/// A histogram with so many times within a millisecond, and so many between 50 and 100.
fn times(fast: u64, slow: u64) -> Histogram {
    let mut buckets = [0; BUCKETS];
    (buckets[3], buckets[9]) = (fast, slow);
    Histogram { buckets, nanos: 0 }
}

fn worker(number: usize, pid: u32, requests: u64, cpu: f64) -> WorkerStatus {
    WorkerStatus {
        worker: number,
        pid: Some(pid),
        requests,
        cpu: Some(cpu),
        rss: Some(100),
        ..WorkerStatus::default()
    }
}

fn reading(uptime: f64, requests: u64, workers: Vec<WorkerStatus>) -> Reading {
    let mut status = Status { uptime, workers, ..Status::default() };
    status.identity.pid = 7;
    status.totals = Totals { requests, ..Totals::default() };
    Reading { status, ..Reading::default() }
}

#[test]
fn rates_are_what_was_counted_in_between() {
    let mut before = reading(10.0, 1000, vec![worker(1, 50, 1000, 3.0)]);
    let mut after = reading(12.0, 1500, vec![worker(1, 50, 1500, 4.0)]);
    after.time = 99.0;
    before.status.totals.statuses = BTreeMap::from([("2xx".to_owned(), 990), ("5xx".to_owned(), 10)]);
    after.status.totals.statuses = BTreeMap::from([("2xx".to_owned(), 1480), ("5xx".to_owned(), 24)]);
    after.status.totals.refused = 4;
    (after.status.totals.busy, after.status.totals.waiting, after.status.totals.threads) = (3, 5, 4);
    (before.supervisor.cpu, after.supervisor) = (Some(1.0), Usage { cpu: Some(1.01), rss: Some(11) });
    let socket =
        |queued, overflows| SocketStatus { backlog: 9, queued: Some(queued), overflows: Some(overflows) };
    before.status.sockets = vec![socket(1, 2), socket(0, 3)];
    after.status.sockets = vec![socket(6, 4), socket(2, 3)];
    let sample = Sample::between(&before, &after).unwrap();
    assert_eq!((sample.time, sample.seconds, sample.requests), (99.0, 2.0, 250.0));
    assert_eq!(sample.statuses, BTreeMap::from([("2xx".to_owned(), 245.0), ("5xx".to_owned(), 7.0)]));
    assert_eq!((sample.errors, sample.refused), (7.0, 2.0));
    assert_eq!((sample.in_flight, sample.waiting, sample.busy, sample.threads), (8, 5, 3, 4));
    assert_eq!((sample.listen_queue, sample.overflows, sample.memory), (8, 1.0, 111));
    assert!((sample.cpu - 50.5).abs() < 1e-6, "{}", sample.cpu);
    let worker = WorkerSample { worker: 1, pid: Some(50), requests: 250.0, cpu: Some(50.0), rss: Some(100) };
    assert_eq!(sample.workers, [worker]);
    assert_eq!((sample.received, sample.duration), (None, Quantiles::default()), "nothing is measured");
}

#[test]
fn percentiles_are_those_of_the_time_between() {
    let (mut before, mut after) = (reading(1.0, 0, Vec::new()), reading(2.0, 0, Vec::new()));
    let all = |duration, sent| Measured { sent, duration, ..Measured::default() };
    // Slow in the past, and not any more.
    before.measured = Some(all(times(0, 1000), 10));
    after.measured = Some(all(times(100, 1000), 40));
    let fast = Sample::between(&before, &after).unwrap();
    assert_eq!(fast.duration.p50, Some(0.000_75));
    assert_eq!(fast.duration.p999, Some(0.000_999_5));
    assert_eq!((fast.sent, fast.queued.p99), (Some(30.0), None));
    after.measured = Some(all(times(90, 1010), 40));
    let mixed = Sample::between(&before, &after).unwrap();
    assert_eq!((mixed.duration.p90, mixed.duration.p99), (Some(0.001), Some(0.095)));
    // Those of before the first were nobody's.
    before.measured = None;
    assert_eq!(Sample::between(&before, &after).unwrap().duration.p50, Some(0.05 + 0.05 * 460.0 / 1010.0));
}

#[test]
fn a_worker_that_was_replaced_leaves_no_negative_rate() {
    let before = reading(10.0, 1000, vec![worker(1, 50, 400, 9.0), worker(2, 51, 600, 9.0)]);
    // The first died and has a successor in its place, the second was replaced by the third.
    let after = reading(14.0, 1100, vec![worker(1, 60, 40, 1.0), worker(3, 61, 20, 2.0)]);
    let sample = Sample::between(&before, &after).unwrap();
    assert_eq!(sample.requests, 25.0);
    let rows: Vec<_> = sample.workers.iter().map(|one| (one.worker, one.requests, one.cpu)).collect();
    assert_eq!(rows, [(1, 10.0, Some(25.0)), (3, 5.0, Some(50.0))]);
    assert_eq!(sample.cpu, 75.0);
}

#[test]
fn readings_of_two_servers_are_not_compared() {
    let (before, mut after) = (reading(10.0, 1000, Vec::new()), reading(11.0, 10, Vec::new()));
    assert_eq!(Sample::between(&before, &after).unwrap().requests, 0.0, "never negative");
    assert_eq!(Sample::between(&after, &after), None, "no time between them");
    after.status.identity.pid = 8;
    assert_eq!(Sample::between(&before, &after), None);
    // In a container every server is process 1.
    assert_eq!(Sample::between(&before, &reading(0.5, 10, Vec::new())), None);
}

#[test]
fn a_front_has_rates_of_its_own() {
    let front = |requests, failures, hits, misses| FrontStatus {
        requests,
        statuses: BTreeMap::from([("5xx".to_owned(), failures)]),
        refused: BTreeMap::from([("404".to_owned(), failures), ("other".to_owned(), failures)]),
        connections: 12,
        cache: Some(CacheStatus { hits, misses, ..CacheStatus::default() }),
        ..FrontStatus::default()
    };
    let (mut before, mut after) = (reading(10.0, 0, Vec::new()), reading(12.0, 0, Vec::new()));
    before.status.front = Some(front(100, 1, 10, 5));
    after.status.front = Some(front(300, 3, 16, 7));
    let sample = Sample::between(&before, &after).unwrap().front.unwrap();
    assert_eq!((sample.requests, sample.errors, sample.refused), (100.0, 1.0, 2.0));
    assert_eq!((sample.connections, sample.cache_hits), (12, Some(0.75)));
    let quiet = Sample::between(
        &before,
        &Reading { status: Status { uptime: 11.0, ..before.status.clone() }, ..before.clone() },
    );
    assert_eq!(quiet.unwrap().front.unwrap().cache_hits, None);
}

#[test]
fn a_reading_survives_the_way_to_the_client() {
    let mut reading = reading(10.0, 5, vec![worker(1, 50, 400, 9.0)]);
    reading.measured = Some(Measured { duration: times(1, 2), ..Measured::default() });
    let line = crate::control::protocol::success(&reading);
    let answer: crate::control::protocol::Answer<Reading> = serde_json::from_slice(&line).unwrap();
    assert_eq!(answer.body, Some(reading));
}
