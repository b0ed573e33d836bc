//! The application that a worker serves: the callable, what its environ always holds, and where its failures go.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use tapster_gateway::{App, Counted, Request, Respond, Sampler, Stacks};
use tapster_observe::{Incident, Log, Scoreboard, WorkerBoard};

use crate::environ::Template;
use crate::interrupt::Interrupter;
use crate::sampler::PythonSampler;
use crate::stacks::StackReader;
use crate::{call, failure, ffi};

/// What an application is told of the server, and the log for what it does wrong.
pub struct Options {
    /// `wsgi.multithread`: other threads of this worker may call the application at the same time.
    pub multithread: bool,
    /// Tells whether other workers may call it at the same time (`wsgi.multiprocess`), from one request to the next.
    pub scoreboard: Scoreboard,
    /// Where tracebacks and warnings about the application go.
    pub log: Log,
    /// Where panics are counted.
    pub board: WorkerBoard,
}

/// A WSGI callable with all that is the same for each of its requests.
pub struct Application {
    pub(crate) callable: Py<PyAny>,
    /// While there is one worker, and from when there was another.
    alone: Template,
    among_others: Template,
    scoreboard: Scoreboard,
    pub(crate) log: Log,
    pub(crate) board: WorkerBoard,
    pub(crate) interrupter: Interrupter,
    stacks: StackReader,
}

impl Application {
    /// Prepares `callable` for serving. It is not called. Fails only when Python is out of memory or its standard
    /// library is broken.
    pub fn new(py: Python<'_>, callable: Py<PyAny>, options: Options) -> PyResult<Application> {
        failure::prepare(py)?;
        let Options { multithread, scoreboard, log, board } = options;
        let alone = Template::new(py, multithread, false)?;
        let among_others = Template::new(py, multithread, true)?;
        let (interrupter, stacks) = (Interrupter::new(py)?, StackReader::new(py)?);
        Ok(Application { callable, alone, among_others, scoreboard, log, board, interrupter, stacks })
    }

    /// What the environ of a request that begins now always holds.
    pub(crate) fn template(&self) -> &Template {
        if self.scoreboard.has_many_workers() { &self.among_others } else { &self.alone }
    }
}

impl App for Application {
    fn call(&self, request: &mut Request, respond: &mut dyn Respond) {
        Python::attach(|py| {
            call::answer(self, py, request, respond);
            if respond.end_call() {
                Interrupter::take_back(py);
            }
        });
    }

    fn unlocked(&self, wait: &mut dyn FnMut()) {
        ffi::unlocked(wait);
    }

    fn touch_lock(&self) {
        Python::attach(|_| {});
    }

    fn run_signal_handlers(&self) {
        Python::attach(|py| {
            // A signal handler is the application's code, and may hold one of our own callables that panics.
            if let Ok(Err(error)) = catch_unwind(AssertUnwindSafe(|| py.check_signals())) {
                let trace = failure::traceback(py, &error);
                let entry = self.log.entry(Incident::SIGNAL_HANDLER_FAILED).traceback(trace.as_bytes());
                entry.write(format_args!("a signal handler of the application failed"));
            }
        });
    }

    fn interrupt(&self, ident: u64, claim: &dyn Fn(&mut dyn FnMut())) {
        self.interrupter.interrupt(ident, claim);
    }

    fn stacks(&self) -> Stacks {
        self.stacks.read()
    }

    fn sampler(&self, counted: Counted) -> Option<Box<dyn Sampler>> {
        Some(Box::new(PythonSampler::new(counted)))
    }
}
