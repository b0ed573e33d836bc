//! The role of a template process (`--preload`): import the application once, then fork the workers that serve it.

use std::collections::HashSet;

use pyo3::prelude::*;
use tapster_config::Settings;
use tapster_observe::{Level, Log};
use tapster_supervisor::{TemplateEnd, TemplateStart, WorkerStart};
use tapster_wsgi::fork::fork_orphan_with_python_hooks;

use crate::hooks::Hooks;
use crate::worker::{self, EXIT_BOOT_FAILED};

/// Runs the template; gives the exit status of its process, or in a process that it forks the worker's.
pub(crate) fn run(
    py: Python<'_>,
    settings: &Settings,
    workers: usize,
    log: &Log,
    hooks: &Hooks,
    start: TemplateStart,
) -> i32 {
    let level = if start.generation() == 0 { Level::Info } else { Level::Debug };
    let application = match load(py, settings, log, level) {
        Ok(application) => application,
        Err(reason) => {
            start.say_boot_failed(&reason);
            return EXIT_BOOT_FAILED;
        }
    };
    let mut worker = |start: WorkerStart| {
        hooks.post_fork(py, start.place.slot);
        call(py, "in_worker", log);
        worker::run_forked(py, settings, application.clone_ref(py), workers, log, start)
    };
    if start.serve(&mut fork_orphan_with_python_hooks, &mut worker) == TemplateEnd::Told {
        call(py, "end", log);
    }
    0
}

/// Imports the application and makes the process fit to be forked.
fn load(py: Python<'_>, settings: &Settings, log: &Log, level: Level) -> Result<Py<PyAny>, String> {
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
                log.warning(format_args!("{warning}"));
            }
            Ok(application)
        }
        Err(error) => Err(worker::say_boot_failure(py, &error, None, log)),
    }
}

fn call(py: Python<'_>, function: &str, log: &Log) {
    let called = py.import("tapster._preload").and_then(|module| module.call_method0(function));
    if let Err(error) = called {
        log.error(format_args!("tapster._preload.{function} failed: {error}"));
    }
}
