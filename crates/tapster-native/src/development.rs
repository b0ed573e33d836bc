//! What `--reload` adds: the role of the process that watches the files, and in a worker what is told to it and what is
//! answered when there is no application. The Python side is `python/tapster/development/`.

use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use tapster_config::Settings;
use tapster_observe::{Incident, Log};
use tapster_supervisor::WatcherStart;
use tapster_watch::{Ends, PatternError, Patterns, Setup};

/// What to watch, as far as the settings say it.
pub(crate) fn setup(settings: &Settings) -> Result<Setup, PatternError> {
    let root = settings.chdir.as_deref().unwrap_or(Path::new("."));
    Ok(Setup {
        patterns: Patterns::new(root, &settings.reload_include, &settings.reload_exclude)?,
        directories: settings.pythonpath.iter().map(|path| root.join(path)).collect(),
        polls: settings.reload_poll,
    })
}

/// Says what was given for nothing, and leaves out what does not go with `--reload`.
pub(crate) fn prepare(settings: &mut Settings, log: &Log) {
    if settings.reload && std::mem::take(&mut settings.preload) {
        log.report(
            Incident::OPTION_WITHOUT_EFFECT,
            format_args!("--preload has no effect with --reload: every worker loads what was saved last"),
        );
    }
    let given = [
        ("--reload-include", !settings.reload_include.is_empty()),
        ("--reload-exclude", !settings.reload_exclude.is_empty()),
        ("--reload-poll", settings.reload_poll),
    ];
    for (option, _) in given.into_iter().filter(|(_, is_given)| *is_given && !settings.reload) {
        log.report(Incident::OPTION_WITHOUT_EFFECT, format_args!("{option} has no effect without --reload"));
    }
}

/// The watcher process; gives its exit status.
pub(crate) fn watch(setup: Setup, start: WatcherStart, log: &Log) -> i32 {
    let WatcherStart { modules, changes, alive } = start;
    match tapster_watch::run(setup, Ends { modules, changes, alive }, log) {
        Ok(()) => 0,
        Err(error) => {
            log.report(Incident::FILES_NOT_WATCHED, format_args!("files cannot be watched: {error}"));
            1
        }
    }
}

/// A worker that is watched.
pub(crate) struct Watched {
    modules: OwnedFd,
    generation: u64,
    since: u64,
}

impl Watched {
    /// Called before the application is loaded.
    pub(crate) fn begin(py: Python<'_>, modules: OwnedFd, generation: u64, log: &Log) -> Watched {
        let prepared = py
            .import("tapster.development")
            .and_then(|module| module.call_method0("write_no_fresh_bytecode"));
        if let Err(error) = prepared {
            log.report(
                Incident::FILES_NOT_WATCHED,
                format_args!("two fast saves of a file may be taken for one: {error}"),
            );
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Watched { modules, generation, since: now.as_nanos() as u64 }
    }

    /// Tells the watcher what was loaded, and from now on what is loaded later; `error` is why no application was.
    pub(crate) fn report(self, py: Python<'_>, error: Option<&PyErr>, log: &Log) {
        let arguments =
            (self.modules.into_raw_fd(), self.generation, self.since, error.map(|error| error.value(py)));
        let reported = py
            .import("tapster.development")
            .and_then(|module| module.call_method1("report_modules", arguments));
        if let Err(error) = reported {
            log.report(
                Incident::FILES_NOT_WATCHED,
                format_args!("the files of the application are not known, and not watched: {error}"),
            );
        }
    }
}

/// An application that answers with this text.
pub(crate) fn error_page(py: Python<'_>, text: &str) -> PyResult<Py<PyAny>> {
    Ok(py.import("tapster.development")?.getattr("ErrorPage")?.call1((text,))?.unbind())
}
