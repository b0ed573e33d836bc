//! One second of the charts, as small as it can be: names of a letter or two, and no more digits than a picture shows.

use serde::Serialize;

use crate::control::live::{Sample, WorkerSample};

/// What is drawn of a second.
#[derive(Serialize, Debug)]
pub struct Point {
    /// When it ended, in seconds since the epoch.
    t: f64,
    /// Answers a second, whoever gave them.
    r: f64,
    /// Of these, 5xx.
    e: f64,
    /// Of these, 4xx.
    f: f64,
    /// Times of requests in milliseconds that 50 %, 90 % and 99 % were within; none where there was no request.
    q: Option<[f64; 3]>,
    /// Requests that wait for a thread or an upstream.
    w: u64,
    /// Connections that wait to be accepted.
    a: u64,
    /// Threads in a request.
    b: u64,
    /// Threads.
    n: u64,
    /// Percent of a CPU that all processes use.
    c: f64,
    /// Their memory in MiB.
    m: f64,
    /// For each worker its number, its memory in MiB, and its percent of a CPU.
    p: Vec<(usize, Option<f64>, Option<f64>)>,
}

impl Point {
    pub fn of(sample: &Sample) -> Point {
        let class = |name: &str| sample.statuses.get(name).copied().unwrap_or_default();
        let answers: f64 = sample.statuses.values().sum();
        let front = sample.front.as_ref();
        let quantiles = [sample.duration.p50, sample.duration.p90, sample.duration.p99];
        let millis = |seconds: Option<f64>| round(seconds.unwrap_or_default() * 1e3, 1000.0);
        Point {
            t: round(sample.time, 100.0),
            r: round(front.map_or(answers, |front| front.requests), 10.0),
            e: round(front.map_or(sample.errors, |front| front.errors), 10.0),
            f: round(class("4xx"), 10.0),
            q: quantiles[0].map(|_| quantiles.map(millis)),
            w: sample.waiting + front.map_or(0, |front| front.waiting),
            a: sample.listen_queue,
            b: sample.busy,
            n: sample.threads,
            c: round(sample.cpu, 10.0),
            m: round(mebibytes(sample.memory), 10.0),
            p: sample.workers.iter().filter(|worker| worker.pid.is_some()).map(worker).collect(),
        }
    }
}

fn worker(worker: &WorkerSample) -> (usize, Option<f64>, Option<f64>) {
    let rss = worker.rss.map(|bytes| round(mebibytes(bytes), 10.0));
    (worker.worker, rss, worker.cpu.map(|percent| round(percent, 10.0)))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

/// To so many steps between two whole numbers.
fn round(number: f64, steps: f64) -> f64 {
    (number * steps).round() / steps
}
