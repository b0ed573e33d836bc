//! The role of a template process (`--preload`): import the application once, then fork the workers that serve it.

use std::collections::HashSet;

use pyo3::prelude::*;
use tapster_config::Settings;
use tapster_observe::{Incident, Kind, Log};
use tapster_supervisor::{EXIT_NOT_SHARED, TemplateEnd, TemplateStart, WorkerStart};
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
    let is_first = start.generation() == 0;
    let level = if is_first { Kind::Info } else { Kind::Debug };
    let application = match load(py, settings, log, level, is_first && settings.preload_fallback) {
        Ok(application) => application,
        Err(NoImport::Refused(reason)) => {
            start.say_boot_failed(&reason);
            return EXIT_BOOT_FAILED;
        }
        Err(NoImport::NotShared) => return EXIT_NOT_SHARED,
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

/// Why there is no import that workers can have.
enum NoImport {
    /// It cannot be had at all; the log says why.
    Refused(String),
    /// Each worker may import the application by itself; the log has said so.
    NotShared,
}

/// Imports the application and makes the process fit to be forked.
fn load(
    py: Python<'_>,
    settings: &Settings,
    log: &Log,
    level: Kind,
    may_fall_back: bool,
) -> Result<Py<PyAny>, NoImport> {
    let module = py.import("tapster._preload");
    let before = module.and_then(|module| module.call_method0("descriptors")?.extract::<HashSet<i32>>());
    let application = worker::boot(py, settings, None, log, level, None, false).map_err(NoImport::Refused)?;
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
        Err(error) if may_fall_back => {
            let reason = worker::boot_failure(py, &error);
            let (first, rest) = reason.split_once('\n').unwrap_or((&reason, ""));
            let what = "each worker imports the application by itself, as lazy-apps would say";
            let entry = log.entry(Incident::PRELOAD_NOT_SHARED).traceback(rest.as_bytes());
            entry.write(format_args!("{what}: {first}"));
            Err(NoImport::NotShared)
        }
        Err(error) => Err(NoImport::Refused(worker::say_boot_failure(py, &error, None, log))),
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
