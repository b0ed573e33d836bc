//! What happened between two readings of one server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tapster_observe::Histogram;

use crate::control::protocol::{FrontStatus, SocketStatus, WorkerStatus};

use super::{Reading, Usage};

/// What happened between two readings, and how it was at the later one. Rates are per second.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// When it ends, in seconds since the epoch.
    pub time: f64,
    /// How many seconds it covers.
    pub seconds: f64,
    /// Requests that the application answered.
    pub requests: f64,
    /// All answers of the workers by class: 1xx to 5xx.
    pub statuses: BTreeMap<String, f64>,
    /// Of these, 5xx.
    pub errors: f64,
    /// Answers without the application.
    pub refused: f64,
    /// Requests that ran into `--request-timeout`.
    pub timed_out: f64,
    /// Requests that waited for a thread for longer than `--queue-timeout`.
    pub queued_too_long: f64,
    /// Requests that were not run because their client was gone.
    pub abandoned: f64,
    /// Bytes of the bodies of requests; none where nothing is measured.
    pub received: Option<f64>,
    /// Bytes of the bodies of answers; none where nothing is measured.
    pub sent: Option<f64>,
    /// From the complete request to the end of its answer.
    pub duration: Quantiles,
    /// From the complete request to the call of the application.
    pub queued: Quantiles,
    /// From the call to the end of the answer.
    pub app: Quantiles,
    /// Waits for the interpreter's lock.
    pub lock: Quantiles,
    /// Requests that run or wait in workers, now.
    pub in_flight: u64,
    /// Of these, requests that wait for a thread.
    pub waiting: u64,
    /// Threads in a request, now.
    pub busy: u64,
    /// Threads of the workers that serve, now.
    pub threads: u64,
    /// Open connections of the workers, now.
    pub connections: u64,
    /// Connections that wait to be accepted, at all listeners, now.
    pub listen_queue: u64,
    /// Connections that the system dropped because that queue was full.
    pub overflows: f64,
    /// Time on CPUs of the supervisor, the front and the workers, in percent: 100 is one CPU.
    pub cpu: f64,
    /// Bytes of physical memory of these processes, those that they share counted for each.
    pub memory: u64,
    /// The workers that there are now.
    pub workers: Vec<WorkerSample>,
    /// What stands before the workers, or alone; none where clients come to workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<FrontSample>,
}

/// Times that a share of the requests was within, in seconds; none where there was no request.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Quantiles {
    /// Half of them.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    pub p999: Option<f64>,
}

/// One worker.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerSample {
    /// Its number.
    pub worker: usize,
    /// Its process; none while there is none.
    pub pid: Option<u32>,
    /// Requests that the application answered in it.
    pub requests: f64,
    /// Its time on CPUs, in percent of one; none where the system does not tell.
    pub cpu: Option<f64>,
    /// Bytes of physical memory, shared ones too.
    pub rss: Option<u64>,
}

/// What the front did.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontSample {
    /// Answers, whoever gave them.
    pub requests: f64,
    /// Of these, 5xx.
    pub errors: f64,
    /// What it refused by itself.
    pub refused: f64,
    /// Bytes of the bodies of answers.
    pub sent: f64,
    /// Open connections of clients, now.
    pub connections: u64,
    /// Requests that wait for a worker or an upstream, now.
    pub waiting: u64,
    /// The share of the requests that the cache answered, 0 to 1; none without a cache, or without requests.
    pub cache_hits: Option<f64>,
}

/// The time between two readings.
struct Span<'a> {
    before: &'a Reading,
    after: &'a Reading,
    seconds: f64,
}

impl Sample {
    /// What happened between two readings; none where they are of two servers, or of the same moment.
    pub fn between(before: &Reading, after: &Reading) -> Option<Sample> {
        let seconds = after.status.uptime - before.status.uptime;
        let is_same = before.status.identity.pid == after.status.identity.pid;
        (is_same && seconds > 0.0).then(|| Span { before, after, seconds }.sample())
    }
}

impl Span<'_> {
    fn sample(&self) -> Sample {
        let Span { after, seconds, .. } = *self;
        let now = &after.status.totals;
        let queued = |socket: &SocketStatus| socket.queued.map(u64::from);
        Sample {
            time: after.time,
            seconds,
            requests: self.rate(|all| all.status.totals.requests),
            statuses: self.statuses(),
            errors: self.rate(|all| class(&all.status.totals.statuses, "5xx")),
            refused: self.rate(|all| all.status.totals.refused),
            timed_out: self.rate(|all| all.status.totals.timed_out),
            queued_too_long: self.rate(|all| all.status.totals.queued_too_long),
            abandoned: self.rate(|all| all.status.totals.abandoned),
            received: after.measured.as_ref().map(|_| self.rate(|all| measured(all, |all| all.received))),
            sent: after.measured.as_ref().map(|_| self.rate(|all| measured(all, |all| all.sent))),
            duration: self.quantiles(|all| measured(all, |all| all.duration)),
            queued: self.quantiles(|all| measured(all, |all| all.queued)),
            app: self.quantiles(|all| measured(all, |all| all.app)),
            lock: self.quantiles(|all| measured(all, |all| all.lock)),
            in_flight: now.busy + now.waiting,
            waiting: now.waiting,
            busy: now.busy,
            threads: now.threads,
            connections: now.connections,
            listen_queue: after.status.sockets.iter().filter_map(queued).sum(),
            overflows: self.rate(overflows),
            cpu: self.cpu(),
            memory: memory(after),
            workers: after.status.workers.iter().map(|worker| self.worker(worker)).collect(),
            front: after.status.front.as_ref().map(|front| self.front(front)),
        }
    }

    /// What was counted, per second.
    fn rate(&self, count: impl Fn(&Reading) -> u64) -> f64 {
        count(self.after).saturating_sub(count(self.before)) as f64 / self.seconds
    }

    fn statuses(&self) -> BTreeMap<String, f64> {
        let classes = self.after.status.totals.statuses.keys();
        classes
            .map(|name| (name.clone(), self.rate(|all| class(&all.status.totals.statuses, name))))
            .collect()
    }

    fn quantiles(&self, times: impl Fn(&Reading) -> Histogram) -> Quantiles {
        let times = times(self.after).since(&times(self.before));
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|share| times.quantile(share));
        Quantiles { p50, p90, p99, p999 }
    }

    /// In percent. Without what processes used that have ended meanwhile.
    fn cpu(&self) -> f64 {
        let Span { before, after, .. } = self;
        let front = |all: &Reading| all.front_process.unwrap_or_default();
        let others = [(before.supervisor, after.supervisor), (front(before), front(after))];
        let others = others.into_iter().filter_map(|(before, after)| self.percent(before.cpu, after.cpu));
        let workers = after.status.workers.iter().filter_map(|worker| self.worker(worker).cpu);
        // The sum of nothing would be below zero.
        others.chain(workers).fold(0.0, |all, one| all + one)
    }

    fn percent(&self, before: Option<f64>, after: Option<f64>) -> Option<f64> {
        let before = before.unwrap_or_default();
        // Less than before: another process.
        let used = after.map(|after| if after < before { after } else { after - before });
        used.map(|used| used * 100.0 / self.seconds)
    }

    /// A process that was not there before has done everything since.
    fn worker(&self, after: &WorkerStatus) -> WorkerSample {
        let is_it = |one: &&WorkerStatus| one.worker == after.worker && one.pid == after.pid;
        let before = self.before.status.workers.iter().find(is_it);
        let requests = after.requests.saturating_sub(before.map_or(0, |before| before.requests));
        WorkerSample {
            worker: after.worker,
            pid: after.pid,
            requests: requests as f64 / self.seconds,
            cpu: self.percent(before.and_then(|before| before.cpu), after.cpu),
            rss: after.rss,
        }
    }

    fn front(&self, after: &FrontStatus) -> FrontSample {
        let rate =
            |count: fn(&FrontStatus) -> u64| self.rate(|all| all.status.front.as_ref().map_or(0, count));
        let cache = after.cache.as_ref();
        let [hits, misses, stale, coalesced] = [
            rate(|all| all.cache.map_or(0, |cache| cache.hits)),
            rate(|all| all.cache.map_or(0, |cache| cache.misses)),
            rate(|all| all.cache.map_or(0, |cache| cache.stale)),
            rate(|all| all.cache.map_or(0, |cache| cache.coalesced)),
        ];
        let (answered, all) = (hits + stale + coalesced, hits + stale + coalesced + misses);
        FrontSample {
            requests: rate(|all| all.requests),
            errors: rate(|all| class(&all.statuses, "5xx")),
            refused: rate(|all| all.refused.values().sum()),
            sent: rate(|all| all.bytes),
            connections: after.connections,
            waiting: after.waiting,
            cache_hits: cache.filter(|_| all > 0.0).map(|_| answered / all),
        }
    }
}

fn class(statuses: &BTreeMap<String, u64>, name: &str) -> u64 {
    statuses.get(name).copied().unwrap_or_default()
}

fn measured<T: Default>(all: &Reading, of: impl Fn(&super::Measured) -> T) -> T {
    all.measured.as_ref().map(of).unwrap_or_default()
}

fn overflows(all: &Reading) -> u64 {
    all.status.sockets.iter().filter_map(|socket| socket.overflows).map(u64::from).sum()
}

fn memory(all: &Reading) -> u64 {
    let others = [Some(all.supervisor), all.front_process].into_iter().flatten();
    let others = others.filter_map(|Usage { rss, .. }| rss);
    others.chain(all.status.workers.iter().filter_map(|worker| worker.rss)).sum()
}

#[cfg(test)]
mod tests;
