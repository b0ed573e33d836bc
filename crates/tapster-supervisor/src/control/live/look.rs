//! Makes a reading, when somebody asks for one: from the scoreboard, the fleet and the system. No worker notices.

use std::time::{SystemTime, UNIX_EPOCH};

use tapster_observe::{Histogram, Scoreboard};
use tapster_sys::process::Pid;
use tapster_sys::resident;

use crate::control::history::History;
use crate::control::protocol::Identity;
use crate::control::{Scene, status};

use super::{Measured, Reading, Running, Usage};

/// How the server is now.
pub fn reading(scene: &Scene<'_>, history: &History, identity: &Identity) -> Reading {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Reading {
        status: status::status(scene, history, identity),
        time: since_epoch.as_secs_f64(),
        measured: measured(scene.board),
        supervisor: usage(Pid::current()),
        front_process: scene.front_process.map(usage),
        running: running(scene.board, since_epoch.as_micros() as u64),
    }
}

fn usage(pid: Pid) -> Usage {
    Usage { cpu: status::cpu_seconds(pid), rss: resident::bytes(pid).ok() }
}

fn measured(board: &Scoreboard) -> Option<Measured> {
    let all = board.read_meters()?;
    let mut duration = Histogram::default();
    all.durations.iter().for_each(|class| duration.add(class));
    let (queued, app, lock) = (all.queued, all.app, all.lock);
    Some(Measured { received: all.received, sent: all.sent, duration, queued, app, lock })
}

/// The requests that run at this time, in microseconds since the epoch.
fn running(board: &Scoreboard, now: u64) -> Vec<Running> {
    let mut all = Vec::new();
    for (slot, worker) in board.iter().enumerate() {
        for thread in 0..board.threads() {
            let Some(began) = worker.started_micros(thread) else { continue };
            let since = worker.began().unwrap_or(now).saturating_add(began);
            let subject = worker.subject(thread).unwrap_or_default();
            let (method, target) = parts(&subject.text);
            all.push(Running {
                worker: slot + 1,
                thread: thread + 1,
                method,
                target,
                seconds: now.saturating_sub(since) as f64 / 1e6,
                request_id: Some(printable(&subject.id)).filter(|id| !id.is_empty()),
            });
        }
    }
    all.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    all
}

/// Method and target of `GET /path`.
fn parts(subject: &[u8]) -> (String, String) {
    let space = subject.iter().position(|byte| *byte == b' ').unwrap_or(subject.len());
    let (method, target) = subject.split_at(space);
    (printable(method), printable(target.strip_prefix(b" ").unwrap_or(target)))
}

fn printable(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use std::ops::Deref;
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use tapster_observe::{Answered, Method, meter_words, words_needed};

    use super::*;

    struct Memory(Vec<AtomicU64>);

    impl Deref for Memory {
        type Target = [AtomicU64];

        fn deref(&self) -> &[AtomicU64] {
            &self.0
        }
    }

    fn board(workers: usize, threads: usize) -> Scoreboard {
        let words = words_needed(workers, threads) + meter_words(workers, threads);
        let memory = Memory((0..words).map(|_| AtomicU64::new(0)).collect());
        Scoreboard::new(Arc::new(memory), workers, threads).unwrap().with_meters().unwrap()
    }

    #[test]
    fn what_runs_is_listed_with_the_longest_first() {
        let board = board(2, 2);
        assert_eq!(running(&board, 9), []);
        for (slot, thread, began, path, id) in [(0, 1, 500_000, "/a", ""), (1, 0, 100_000, "/b c\x1b", "4f")]
        {
            let worker = board.worker(slot);
            worker.reset(10);
            worker.set_began(7_000_000);
            worker.set_subject(thread, b"GET", path.as_bytes(), id.as_bytes());
            worker.begin(thread, began);
        }
        let row = |worker, thread, target: &str, seconds, id: Option<&str>| Running {
            worker,
            thread,
            method: "GET".to_owned(),
            target: target.to_owned(),
            seconds,
            request_id: id.map(str::to_owned),
        };
        assert_eq!(
            running(&board, 8_000_000),
            [row(2, 1, "/b c\\x1b", 0.9, Some("4f")), row(1, 2, "/a", 0.5, None)]
        );
        board.worker(1).end(0, 200);
        assert_eq!(running(&board, 7_000_000), [row(1, 2, "/a", 0.0, None)], "a clock that was set back");
    }

    #[test]
    fn what_was_measured_is_added_up_over_workers_and_classes() {
        let board = board(2, 1);
        for (slot, status) in [(0, 200), (1, 500), (1, 503)] {
            board.worker(slot).meter(0).unwrap().count(&Answered {
                method: Method::Get,
                status,
                queued: Duration::from_millis(1),
                app: Duration::from_millis(2),
                received: 3,
                sent: 5,
            });
        }
        board.worker(1).reset(11);
        let all = measured(&board).unwrap();
        assert_eq!((all.received, all.sent), (9, 15));
        assert_eq!([all.duration, all.queued, all.app, all.lock].map(|times| times.count()), [3, 3, 3, 0]);
        assert_eq!([all.duration, all.queued, all.app].map(|times| times.nanos / 1_000_000), [9, 3, 6]);
    }
}
