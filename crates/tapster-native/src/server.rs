//! `tapster APP`: from settings to a running supervisor. Stop 3 of the tour in ARCHITECTURE.md.

use std::sync::Arc;

use pyo3::prelude::*;
use tapster_config::{AccessLog, Count, LogLevel, Settings};
use tapster_observe::{AccessMode, Level, Log, LogOptions, Scoreboard, words_needed};
use tapster_supervisor::pidfile::PidFile;
use tapster_supervisor::{Outcome, Supervision, WorkerStart, slots_for};
use tapster_sys::identity::Privileges;
use tapster_sys::memory::SharedWords;
use tapster_sys::process::Pid;

use crate::listeners::Opened;
use crate::{host, identity, listeners, start_lines, worker};

/// A listener cannot be opened, or the system refuses something else that no server can do without.
const EXIT_FAILURE: i32 = 1;

/// Serves until told to stop; gives the exit status.
pub(crate) fn run(py: Python<'_>, settings: Settings) -> i32 {
    let log = log(&settings);
    match serve(py, settings, &log) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            log.error(format_args!("{error}"));
            EXIT_FAILURE
        }
    }
}

/// Opens the sockets, says in the pidfile who serves them, and serves.
fn serve(py: Python<'_>, mut settings: Settings, log: &Log) -> Result<Outcome, Box<dyn std::error::Error>> {
    host::prepare(&mut settings, log)?;
    let identity::Workers { privileges, mut environment } = identity::of_workers(&settings)?;
    environment.append(&mut settings.env);
    let settings = &Settings { env: environment, ..settings };
    settings.pidfile.as_deref().map_or(Ok(()), PidFile::check)?;
    let sockets = listeners::open(settings, identity::of_sockets(settings, &privileges)?, log)?;
    let pidfile = settings.pidfile.as_deref().map(|path| PidFile::write(path, Pid::current()));
    let pidfile = pidfile.transpose().inspect_err(|_| sockets.remove_files())?;
    let outcome = supervise(py, settings, privileges, sockets, log)
        .map_err(|error| format!("the server failed: {error}"));
    pidfile.as_ref().inspect(|file| file.remove());
    Ok(outcome?)
}

fn supervise(
    py: Python<'_>,
    settings: &Settings,
    privileges: Privileges,
    sockets: Opened,
    log: &Log,
) -> Result<Outcome, Box<dyn std::error::Error>> {
    let workers = match settings.workers {
        Count::Fixed(count) => count,
        Count::Auto => tapster_sys::cpu::usable_cpus(),
    };
    start_lines::write(py, settings, workers, &sockets, log);
    let slots = slots_for(workers);
    let words = SharedWords::create("tapster-scoreboard", words_needed(slots, settings.threads))?;
    let board = Scoreboard::new(Arc::new(words), slots, settings.threads)?;
    let Opened { clients: listeners, admin } = sockets;
    let supervision =
        Supervision { settings, workers, listeners, admin, board, log: log.clone(), privileges };
    let mut fork = tapster_wsgi::fork::fork_with_python_hooks;
    let mut role = |start: WorkerStart| worker::run(py, settings, workers, log, start);
    Ok(supervision.run(&mut fork, &mut role)?)
}

fn log(settings: &Settings) -> Log {
    let level = match settings.log_level {
        LogLevel::Error => Level::Error,
        LogLevel::Warning => Level::Warning,
        LogLevel::Info => Level::Info,
        LogLevel::Debug => Level::Debug,
    };
    let access = match settings.access_log {
        AccessLog::Auto => AccessMode::Auto,
        AccessLog::On => AccessMode::On,
        AccessLog::Off => AccessMode::Off,
    };
    Log::new(LogOptions { level, access, ..LogOptions::default() })
}
