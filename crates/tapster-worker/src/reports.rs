//! Log lines with stacks below them. Stacks may take their time, so a native thread writes the lines: one for all that
//! come while it is at work, gone when there are none.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tapster_gateway::{App, Stacks};
use tapster_observe::{Incident, Log, about_request};

use crate::stacks::{Pool, describe};
use crate::worker::Engine;

/// What to say of a thread.
pub(crate) struct Report {
    pub(crate) incident: Incident,
    pub(crate) line: String,
    /// The thread that it is about, from 1, and method and path of its request.
    pub(crate) thread: Option<usize>,
    pub(crate) about: Option<String>,
    /// What names the request, if it is about one.
    pub(crate) request_id: Vec<u8>,
    pub(crate) subject: Subject,
    /// Asked when the stacks are there: a line that is not true any more is not written.
    pub(crate) holds: Box<dyn Fn() -> bool + Send>,
    /// What comes after it.
    pub(crate) then: Option<Box<dyn FnOnce() + Send>>,
}

/// Whose stack is shown.
pub(crate) enum Subject {
    /// The thread that stacks call so.
    Thread(u64),
    /// Every thread's.
    All(Pool),
}

/// Those that wait.
#[derive(Default)]
pub(crate) struct Reports {
    queue: Mutex<Queue>,
    written: Condvar,
}

#[derive(Default)]
struct Queue {
    reports: Vec<Report>,
    /// A thread is at work.
    runs: bool,
}

impl Engine {
    /// Has a line with a stack written soon.
    pub(crate) fn report(&self, report: Report) {
        let reports = self.reports.clone();
        let mut queue = reports.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.reports.push(report);
        if std::mem::replace(&mut queue.runs, true) {
            return;
        }
        drop(queue);
        let (app, log, at_work) = (self.app.clone(), self.log.clone(), reports.clone());
        if let Err(error) = self.aside("tapster-reports", move || at_work.write(&*app, &log)) {
            self.log.report(
                Incident::STACKS_NOT_READ,
                format_args!("stacks cannot be read: no thread for it: {error}"),
            );
            reports.write_without_stacks(&self.log);
        }
    }
}

impl Reports {
    fn write(self: Arc<Reports>, app: &dyn App, log: &Log) {
        loop {
            let reports = self.next();
            if reports.is_empty() {
                return;
            }
            let stacks = app.stacks();
            reports.into_iter().for_each(|report| report.write(log, &stacks));
        }
    }

    /// Waits until all are written, for no longer than `most`.
    pub(crate) fn wait(&self, most: Duration) {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let _late = self.written.wait_timeout_while(queue, most, |queue| queue.runs);
    }

    fn write_without_stacks(&self, log: &Log) {
        let reports = self.next();
        reports.into_iter().for_each(|report| report.write(log, &Stacks::default()));
        self.next();
    }

    /// Takes all that wait; the thread ends if there are none.
    fn next(&self) -> Vec<Report> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.runs = !queue.reports.is_empty();
        if !queue.runs {
            self.written.notify_all();
        }
        std::mem::take(&mut queue.reports)
    }
}

impl Report {
    fn write(self, log: &Log, stacks: &Stacks) {
        if (self.holds)() {
            let text = match &self.subject {
                Subject::All(pool) => describe(pool, stacks),
                Subject::Thread(ident) => {
                    let own = stacks.threads.iter().find(|thread| thread.ident == *ident);
                    let note = stacks.note.iter().map(|note| format!("({note})\n")).collect::<String>();
                    note + own.map_or("(its stack cannot be seen)", |thread| &thread.frames)
                }
            };
            let _about = about_request(&self.request_id);
            let mut entry = log.entry(self.incident).stacks(text.as_bytes());
            if let Some((method, path)) = self.about.as_deref().and_then(|about| about.split_once(' ')) {
                entry = entry.request(method.as_bytes(), path.as_bytes());
            }
            if let Some(thread) = self.thread {
                entry = entry.thread(thread);
            }
            entry.write(format_args!("{}", self.line));
        }
        if let Some(then) = self.then {
            then();
        }
    }
}
