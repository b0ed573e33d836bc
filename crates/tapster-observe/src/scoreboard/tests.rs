//! The scoreboard over ordinary memory: what is written is read, slots do not touch each other, damage is refused.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::{Answered, Lost, Method, WorkerState};

struct Memory(Vec<AtomicU64>);

impl Deref for Memory {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        &self.0
    }
}

fn memory(words: usize) -> Arc<Memory> {
    Arc::new(Memory((0..words).map(|_| AtomicU64::new(0)).collect()))
}

fn board(workers: usize, threads: usize) -> Scoreboard {
    Scoreboard::new(memory(words_needed(workers, threads)), workers, threads).unwrap()
}

#[test]
fn a_request_is_seen_while_it_runs_and_counted_when_it_ended() {
    let worker = board(2, 3).worker(1);
    worker.reset(4711);
    worker.begin(2, 123);
    assert_eq!((worker.busy_threads(), worker.started_micros(2)), (1, Some(123)));
    worker.end(2, 204);
    worker.refused(400);
    assert_eq!((worker.busy_threads(), worker.requests(), worker.pid()), (0, 1, Some(4711)));
    assert_eq!(worker.statuses(), [0, 1, 0, 1, 0]);
}

#[test]
fn what_threads_serve_is_theirs_alone() {
    let board = board(2, 3);
    for (slot, thread, id) in [(0, 0, "a"), (0, 2, "b"), (1, 0, ""), (1, 2, "c")] {
        board.worker(slot).set_subject(thread, b"GET", &[b'/'; 200], id.as_bytes());
        board.worker(slot).begin(thread, 1);
    }
    let worker = board.worker(0);
    worker.set_subject(3, b"GET", b"/", b"a thread that is not there");
    worker.set_subject(1, b"POST", b"/here", b"id");
    let subject = worker.subject(1).unwrap();
    assert_eq!((&*subject.text, &*subject.id), (&b"POST /here"[..], &b"id"[..]));
    assert_eq!((worker.subject(2).unwrap().id, board.worker(1).subject(1)), (b"b".to_vec(), None));
    assert_eq!((worker.busy_threads(), board.worker(1).busy_threads()), (2, 2));
    assert_eq!(worker.statuses(), [0; 5]);
}

#[test]
fn lost_requests_are_counted_by_reason_and_for_the_slot() {
    let worker = board(1, 1).worker(0);
    worker.count_lost(Lost::TimedOut);
    worker.count_lost(Lost::Abandoned);
    worker.count_lost(Lost::Abandoned);
    worker.reset(2);
    assert_eq!([Lost::TimedOut, Lost::Queued, Lost::Abandoned].map(|why| worker.lost(why)), [1, 0, 2]);
    assert_eq!(worker.statuses(), [0; 5]);
}

#[test]
fn a_request_that_begins_at_time_zero_is_busy() {
    let worker = board(1, 1).worker(0);
    worker.begin(0, 0);
    assert_eq!(worker.busy_threads(), 1);
}

#[test]
fn a_new_process_starts_from_nothing_and_the_slot_goes_on_counting() {
    let worker = board(1, 1).worker(0);
    worker.reset(1);
    worker.set_state(WorkerState::Ready);
    worker.connections_changed(3);
    worker.set_full(true);
    worker.begin(0, 9);
    worker.end(0, 500);
    worker.begin(0, 10);
    worker.reset(2);
    assert_eq!((worker.requests(), worker.requests_total(), worker.restarts()), (0, 1, 1));
    assert_eq!((worker.connections(), worker.busy_threads(), worker.is_full()), (0, 0, false));
    assert_eq!(worker.state(), WorkerState::Booting);
}

#[test]
fn a_worker_that_is_gone_has_no_process_and_no_connections() {
    let worker = board(1, 2).worker(0);
    worker.reset(1);
    worker.connections_changed(2);
    worker.begin(1, 5);
    worker.set_state(WorkerState::Gone);
    assert_eq!((worker.pid(), worker.connections(), worker.busy_threads()), (None, 0, 0));
}

#[test]
fn connections_never_show_below_none() {
    let worker = board(1, 1).worker(0);
    worker.connections_changed(-1);
    assert_eq!(worker.connections(), 0);
    worker.connections_changed(3);
    assert_eq!(worker.connections(), 2);
}

#[test]
fn another_process_opens_it_by_its_head() {
    let words = memory(words_needed(3, 5));
    Scoreboard::new(words.clone(), 3, 5).unwrap().worker(2).reset(7);
    let opened = Scoreboard::open(words).unwrap();
    assert_eq!((opened.workers(), opened.threads(), opened.worker(2).pid()), (3, 5, Some(7)));
}

#[test]
fn what_is_no_scoreboard_is_refused() {
    assert_eq!(Scoreboard::open(memory(0)).unwrap_err(), ScoreboardError::NotAScoreboard);
    assert_eq!(Scoreboard::open(memory(64)).unwrap_err(), ScoreboardError::NotAScoreboard);
    let words = memory(words_needed(1, 1));
    Scoreboard::new(words.clone(), 1, 1).unwrap();
    words[4].store(1000, Relaxed);
    assert!(matches!(Scoreboard::open(words.clone()), Err(ScoreboardError::TooSmall { .. })));
    words[4].store(u64::MAX, Relaxed);
    assert!(matches!(Scoreboard::open(words.clone()), Err(ScoreboardError::TooSmall { .. })));
    words[1].store(9, Relaxed);
    assert_eq!(Scoreboard::open(words).unwrap_err(), ScoreboardError::OtherVersion(9));
    assert!(Scoreboard::new(memory(10), 1, 1).is_err());
}

#[test]
fn a_thread_outside_the_table_touches_nothing() {
    let board = board(2, 1);
    board.worker(0).begin(1, 5);
    board.worker(0).end(1, 200);
    assert_eq!((board.worker(1).requests_total(), board.worker(1).busy_threads()), (0, 0));
}

#[test]
fn meters_count_on_when_a_worker_is_another_process() {
    let words = memory(words_needed(2, 2) + front_words(1) + meter_words(2, 2));
    let board = Scoreboard::new(words.clone(), 2, 2).unwrap().with_fronts(1).unwrap();
    assert!(board.read_meters().is_none() && board.meters(0).is_none());
    let board = board.with_meters().unwrap();
    let answered = Answered {
        method: Method::Post,
        status: 201,
        queued: Duration::from_millis(1),
        app: Duration::from_millis(3),
        received: 5,
        sent: 7,
    };
    for slot in 0..2 {
        board.worker(slot).reset(1);
        let meters = board.meters(slot).unwrap();
        let meter = meters.thread(1).unwrap();
        meter.count(&answered);
        meter.waited_for_lock(Duration::from_micros(300));
        board.worker(slot).refused(408);
        board.worker(slot).refused(418);
        board.worker(slot).set_state(WorkerState::Gone);
        board.worker(slot).reset(2);
    }
    let opened = Scoreboard::open(words.clone()).unwrap();
    let all = opened.read_meters().unwrap();
    let unknown = |status, count| ((status, Method::Unknown), count);
    assert_eq!(all.answers, [unknown(5, 2), ((201, Method::Post), 2), unknown(408, 2)]);
    assert_eq!((all.received, all.sent, all.requests()), (10, 14, 6));
    assert_eq!((all.durations[1].count(), all.durations[1].seconds()), (2, 0.008));
    assert_eq!((all.queued.seconds(), all.app.seconds(), all.lock.count()), (0.002, 0.006, 2));
    assert!(opened.meters(2).is_none() && opened.meters(0).unwrap().thread(2).is_none());
    words[13].store(1 << 40, Relaxed);
    assert!(matches!(Scoreboard::open(words), Err(ScoreboardError::TooSmall { .. })));
    assert!(board_without_room().with_meters().is_err());
}

fn board_without_room() -> Scoreboard {
    board(1, 1)
}

#[test]
fn begin_and_end_are_cheap() {
    let worker = board(1, 4).worker(0);
    let began = Instant::now();
    for micros in 0..1_000_000 {
        worker.begin(3, micros);
        worker.end(3, 200);
    }
    let each = began.elapsed() / 1_000_000;
    println!("begin and end: {each:?}");
    // Generous: an unoptimised build on a busy machine; an optimised one needs about 3 ns.
    assert!(each.as_micros() < 5, "{each:?}");
}

proptest! {
    #[test]
    fn workers_and_threads_never_share_words(
        workers in 1usize..6,
        threads in 1usize..6,
        calls in prop::collection::vec((0usize..6, 0usize..6, 100u16..600), 0..60),
    ) {
        let board = board(workers, threads);
        let mut expected = vec![[0u64; 5]; workers];
        for (worker, thread, status) in calls {
            let (worker, thread) = (worker % workers, thread % threads);
            board.worker(worker).begin(thread, 1);
            board.worker(worker).end(thread, status);
            expected[worker][usize::from(status / 100) - 1] += 1;
        }
        for (worker, statuses) in board.iter().zip(expected) {
            prop_assert_eq!(worker.statuses(), statuses);
            prop_assert_eq!((worker.busy_threads(), worker.connections(), worker.restarts()), (0, 0, 0));
        }
    }
}
