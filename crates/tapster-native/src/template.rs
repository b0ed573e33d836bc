//! The role of a template process (`--preload`): import the application once, then fork the workers that serve it.

use std::collections::HashSet;

use pyo3::prelude::*;
use tapster_config::Settings;
use tapster_observe::{Incident, Kind, Log};
use tapster_supervisor::{TemplateEnd, TemplateStart, WorkerStart};
use tapster_wsgi::fork::fork_orphan_with_python_hooks;

use crate::hooks::Hooks;
use crate::worker::{self, EXIT_BOOT_FAILED, End};

/// Runs the template; gives the exit status of its process, or in a process that it forks the worker's.
pub(crate) fn run(
    py: Python<'_>,
    settings: &Settings,
    workers: usize,
    log: &Log,
    hooks: &Hooks,
    start: TemplateStart,
) -> i32 {
    let level = if start.generation() == 0 { Kind::Info } else { Kind::Debug };
    let application = match load(py, settings, log, level) {
        Ok(application) => application,
        Err(reason) => {
            start.say_boot_failed(&reason);
            return EXIT_BOOT_FAILED;
        }
    };
    Forks { py, settings, application, workers, log, hooks }.serve(start)
}

/// What a template forks.
struct Forks<'a> {
    py: Python<'a>,
    settings: &'a Settings,
    application: Py<PyAny>,
    workers: usize,
    log: &'a Log,
    hooks: &'a Hooks,
}

impl Forks<'_> {
    /// Forks workers until there is nothing more to do. Returns in each of them too, at its end, with its exit status.
    fn serve(&self, start: TemplateStart) -> i32 {
        let mut worker = |start: WorkerStart| self.run(start);
        if start.serve(&mut fork_orphan_with_python_hooks, &mut worker) == TemplateEnd::Told {
            call(self.py, "end", self.log);
        }
        0
    }

    /// Runs a new worker; one that becomes a template forks workers of its own.
    fn run(&self, start: WorkerStart) -> i32 {
        let Forks { py, settings, ref application, workers, log, hooks } = *self;
        hooks.post_fork(py, start.place.slot);
        call(py, "in_worker", log);
        match worker::run_forked(py, settings, application.clone_ref(py), workers, log, start) {
            End::Exit(status) => status,
            End::Template(start) => self.serve(*start),
        }
    }
}

/// Imports the application and makes the process fit to be forked.
fn load(py: Python<'_>, settings: &Settings, log: &Log, level: Kind) -> Result<Py<PyAny>, String> {
    let module = py.import("tapster._preload");
    let before = module.and_then(|module| module.call_method0("descriptors")?.extract::<HashSet<i32>>());
    let application = worker::boot(py, settings, None, log, level, None, false)?;
    let prepared = before.and_then(|before| {
        let found = py.import("tapster._preload")?.call_method1("prepare", (before,))?;
        found.extract::<Vec<String>>()
    });
    match prepared {
        Ok(warnings) => {
            for warning in warnings {
                log.report(Incident::PRELOAD_DOUBTFUL, format_args!("{warning}"));
            }
            Ok(application)
        }
        Err(error) => Err(worker::say_boot_failure(py, &error, None, log)),
    }
}

fn call(py: Python<'_>, function: &str, log: &Log) {
    let called = py.import("tapster._preload").and_then(|module| module.call_method0(function));
    if let Err(error) = called {
        log.report(
            Incident::PRELOAD_STEP_FAILED,
            format_args!("tapster._preload.{function} failed: {error}"),
        );
    }
}
