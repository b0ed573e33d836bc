//! The rows of both tables: workers in the order that was asked for, and threads with the longest request first.

use tapster_config::TopOrder;
use tapster_supervisor::control::live::{Reading, Running, Sample, WorkerSample};
use tapster_supervisor::control::protocol::WorkerStatus;

/// A worker, with what it did since the last look.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct WorkerRow {
    pub(crate) status: WorkerStatus,
    pub(crate) rates: WorkerSample,
    /// Threads that it has.
    pub(crate) threads: usize,
}

/// A thread, with the request that it runs.
#[derive(Clone, PartialEq, Default, Debug)]
pub(crate) struct ThreadRow {
    pub(crate) worker: usize,
    pub(crate) thread: usize,
    pub(crate) runs: Option<Running>,
}

/// All workers.
pub(crate) fn workers(reading: &Reading, sample: &Sample, order: TopOrder) -> Vec<WorkerRow> {
    let rates = |status: &WorkerStatus| {
        let found = sample.workers.iter().find(|one| one.worker == status.worker && one.pid == status.pid);
        found.copied().unwrap_or_default()
    };
    let row = |status: &WorkerStatus| WorkerRow {
        rates: rates(status),
        status: status.clone(),
        threads: reading.status.threads,
    };
    let mut rows: Vec<_> = reading.status.workers.iter().map(row).collect();
    // The sort is stable, so equal ones stay in the order of their numbers.
    rows.sort_by_key(|row| row.status.worker);
    match order {
        TopOrder::Worker => {}
        TopOrder::Requests => rows.sort_by(|one, other| other.rates.requests.total_cmp(&one.rates.requests)),
        TopOrder::Cpu => rows.sort_by(|one, other| cpu(other).total_cmp(&cpu(one))),
        TopOrder::Memory => rows.sort_by_key(|row| std::cmp::Reverse(row.status.rss)),
        TopOrder::Busy => {
            rows.sort_by_key(|row| std::cmp::Reverse((row.status.busy, row.status.waiting)));
        }
    }
    rows
}

fn cpu(row: &WorkerRow) -> f64 {
    row.rates.cpu.unwrap_or_default()
}

/// All threads: those with a request, and then those of workers that serve which have none.
pub(crate) fn threads(reading: &Reading) -> Vec<ThreadRow> {
    let running = &reading.running;
    let busy = running.iter().map(|one| ThreadRow {
        worker: one.worker,
        thread: one.thread,
        runs: Some(one.clone()),
    });
    let serving = reading.status.workers.iter().filter(|worker| worker.state == "ready");
    let all = serving.flat_map(|worker| (1..=reading.status.threads).map(|thread| (worker.worker, thread)));
    let is_idle = |(worker, thread): &(usize, usize)| {
        running.iter().all(|one| (one.worker, one.thread) != (*worker, *thread))
    };
    let idle = all.filter(is_idle).map(|(worker, thread)| ThreadRow { worker, thread, runs: None });
    busy.chain(idle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{reading, sample};

    #[test]
    fn workers_come_in_the_order_that_is_asked_for() {
        let numbers = |order| -> Vec<usize> {
            workers(&reading(), &sample(), order).iter().map(|row| row.status.worker).collect()
        };
        assert_eq!(numbers(TopOrder::Worker), [1, 2, 3]);
        assert_eq!(numbers(TopOrder::Requests), [2, 1, 3]);
        assert_eq!(numbers(TopOrder::Cpu), [2, 1, 3]);
        assert_eq!(numbers(TopOrder::Memory), [3, 1, 2]);
        assert_eq!(numbers(TopOrder::Busy), [1, 2, 3]);
    }

    #[test]
    fn idle_threads_come_last() {
        let rows: Vec<_> =
            threads(&reading()).iter().map(|row| (row.worker, row.thread, row.runs.is_some())).collect();
        assert_eq!(rows, [(1, 2, true), (1, 1, true), (2, 1, false), (2, 2, false)]);
    }
}
