//! What the screen shows: the last reading and what came before it, what is selected, and what was asked and said.

use std::collections::VecDeque;

use tapster_config::TopOrder;
use tapster_supervisor::control::live::{Reading, Sample};

use crate::fetch::{News, Order};
use crate::rows::{self, ThreadRow, WorkerRow};

/// Rates that are kept for the curve: more than a screen is wide.
const MOST_RATES: usize = 512;

/// Which table the keys are about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Focus {
    Workers,
    Threads,
}

/// What lies over the tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Pane {
    /// Nothing.
    None,
    /// What the keys do.
    Help,
    /// A text to be scrolled.
    Text { title: String, lines: Vec<String>, first: usize },
}

/// What the last line says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Notice {
    /// What the keys do, in short.
    None,
    /// What was said to an order.
    Said(String),
    /// What went wrong.
    Wrong(String),
}

/// A row that is selected, wherever it goes when the rows change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection<K> {
    pub(crate) place: usize,
    key: Option<K>,
}

impl<K: Copy + PartialEq> Selection<K> {
    fn first() -> Selection<K> {
        Selection { place: 0, key: None }
    }

    /// The rows are these now. One that has gone leaves its place to the next.
    fn settle(&mut self, keys: &[K]) {
        let found = self.key.and_then(|key| keys.iter().position(|other| *other == key));
        self.place = found.unwrap_or(self.place).min(keys.len().saturating_sub(1));
        self.key = keys.get(self.place).copied();
    }

    fn go(&mut self, by: isize, keys: &[K]) {
        self.place = self.place.saturating_add_signed(by).min(keys.len().saturating_sub(1));
        self.key = keys.get(self.place).copied();
    }
}

/// All of it.
pub(crate) struct Model {
    pub(crate) reading: Reading,
    pub(crate) sample: Sample,
    /// Requests per second, the last one at the end.
    pub(crate) rates: VecDeque<u64>,
    /// Why nothing newer is known.
    pub(crate) trouble: Option<String>,
    pub(crate) notice: Notice,
    /// What is done as soon as it is confirmed.
    pub(crate) question: Option<Order>,
    pub(crate) pane: Pane,
    pub(crate) focus: Focus,
    pub(crate) order: TopOrder,
    pub(crate) workers: Vec<WorkerRow>,
    pub(crate) threads: Vec<ThreadRow>,
    worker: Selection<usize>,
    thread: Selection<(usize, usize)>,
    /// Lines of a pane that fit on the screen.
    pub(crate) page: usize,
}

impl Model {
    /// Begins with the first reading, which tells no rate.
    pub(crate) fn new(first: Reading, order: TopOrder) -> Model {
        let sample = Sample::between(&Reading::default(), &first).unwrap_or_default();
        let mut model = Model {
            reading: Reading::default(),
            sample,
            rates: VecDeque::new(),
            trouble: None,
            notice: Notice::None,
            question: None,
            pane: Pane::None,
            focus: Focus::Workers,
            order,
            workers: Vec::new(),
            threads: Vec::new(),
            worker: Selection::first(),
            thread: Selection::first(),
            page: 1,
        };
        model.look(first);
        model
    }

    /// Takes in what has become known.
    pub(crate) fn learn(&mut self, news: News) {
        match news {
            News::Reading(Ok(reading)) => self.look(*reading),
            News::Reading(Err(error)) => self.trouble = Some(error),
            News::Said(Ok(text)) => self.notice = Notice::Said(text.trim_end().to_owned()),
            News::Said(Err(error)) => self.complain(&error),
            News::Stacks(title, text) => self.show(title, &text),
        }
    }

    /// Why not, below; all of it in a pane where it is more than a line.
    fn complain(&mut self, error: &str) {
        let first = error.lines().next().unwrap_or_default();
        self.notice = Notice::Wrong(first.to_owned());
        if error.lines().count() > 1 {
            self.show("the server says".to_owned(), error);
        }
    }

    fn show(&mut self, title: String, text: &str) {
        let lines = text.lines().map(|line| line.replace('\t', "    ")).collect();
        self.pane = Pane::Text { title, lines, first: 0 };
    }

    fn look(&mut self, reading: Reading) {
        if self.trouble.take().is_some() {
            self.notice = Notice::Said(format!("the server is back: pid {}", reading.status.identity.pid));
        }
        match Sample::between(&self.reading, &reading) {
            Some(sample) => {
                let rate = sample.front.map_or(sample.requests + sample.refused, |front| front.requests);
                self.rates.push_back(rate.round() as u64);
                self.rates.drain(..self.rates.len().saturating_sub(MOST_RATES));
                self.sample = sample;
            }
            // Another server, whose gauges are known already.
            None => self.sample = still(&reading),
        }
        self.reading = reading;
        self.arrange();
    }

    /// Makes the rows anew.
    pub(crate) fn arrange(&mut self) {
        self.workers = rows::workers(&self.reading, &self.sample, self.order);
        self.threads = rows::threads(&self.reading);
        self.worker.settle(&self.worker_keys());
        self.thread.settle(&self.thread_keys());
    }

    fn worker_keys(&self) -> Vec<usize> {
        self.workers.iter().map(|row| row.status.worker).collect()
    }

    fn thread_keys(&self) -> Vec<(usize, usize)> {
        self.threads.iter().map(|row| (row.worker, row.thread)).collect()
    }

    /// Moves the selection, or the text that lies over it.
    pub(crate) fn go(&mut self, by: isize) {
        if let Pane::Text { lines, first, .. } = &mut self.pane {
            let last = lines.len().saturating_sub(self.page);
            *first = first.saturating_add_signed(by).min(last);
            return;
        }
        match self.focus {
            Focus::Workers => self.worker.go(by, &self.worker_keys()),
            Focus::Threads => self.thread.go(by, &self.thread_keys()),
        }
    }

    /// The selected row of a table.
    pub(crate) fn place(&self, table: Focus) -> usize {
        match table {
            Focus::Workers => self.worker.place,
            Focus::Threads => self.thread.place,
        }
    }

    /// The worker that keys are about, and the thread where it is one.
    pub(crate) fn selected(&self) -> Option<(usize, Option<usize>)> {
        match self.focus {
            Focus::Workers => self.workers.get(self.worker.place).map(|row| (row.status.worker, None)),
            Focus::Threads => self.threads.get(self.thread.place).map(|row| (row.worker, Some(row.thread))),
        }
    }

    /// The process of a worker.
    pub(crate) fn pid(&self, worker: usize) -> Option<u32> {
        self.workers.iter().find(|row| row.status.worker == worker)?.status.pid
    }
}

/// What one reading says alone: everything but rates.
fn still(reading: &Reading) -> Sample {
    let mut begin = reading.clone();
    begin.status.uptime -= 1.0;
    Sample::between(&begin, reading).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests;
