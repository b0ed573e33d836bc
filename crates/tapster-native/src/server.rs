//! `tapster APP`: from settings to a running supervisor. Stop 3 of the tour in ARCHITECTURE.md.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use tapster_config::{AccessLog, ControlSocket, Count, LogLevel, Settings};
use tapster_observe::{AccessMode, Level, Log, LogOptions, Scoreboard, words_needed};
use tapster_supervisor::pidfile::PidFile;
use tapster_supervisor::{Outcome, Supervision, WorkerStart, slots_for};
use tapster_sys::memory::SharedWords;
use tapster_sys::open_files;
use tapster_sys::process::Pid;

use crate::listeners::Opened;
use crate::{listeners, start_lines, worker};

/// A listener cannot be opened, or the system refuses something else that no server can do without.
const EXIT_FAILURE: i32 = 1;

/// Serves until told to stop; gives the exit status.
pub(crate) fn run(py: Python<'_>, mut settings: Settings) -> i32 {
    let log = log(&settings);
    raise_open_files(&settings, &log);
    make_paths_absolute(&mut settings);
    match serve(py, &settings, &log) {
        Ok(outcome) => outcome.exit_code(),
        Err(error) => {
            log.error(format_args!("{error}"));
            EXIT_FAILURE
        }
    }
}

/// Opens the sockets, says in the pidfile who serves them, and serves.
fn serve(py: Python<'_>, settings: &Settings, log: &Log) -> Result<Outcome, Box<dyn std::error::Error>> {
    settings.pidfile.as_deref().map_or(Ok(()), PidFile::check)?;
    let sockets = listeners::open(settings, log)?;
    let pidfile = settings.pidfile.as_deref().map(|path| PidFile::write(path, Pid::current()));
    let pidfile = pidfile.transpose().inspect_err(|_| sockets.remove_files())?;
    let outcome =
        supervise(py, settings, sockets, log).map_err(|error| format!("the server failed: {error}"));
    pidfile.as_ref().inspect(|file| file.remove());
    Ok(outcome?)
}

/// Connections are descriptors: as many as the system grants. Workers inherit that.
fn raise_open_files(settings: &Settings, log: &Log) {
    match open_files::raise_limit() {
        Ok(Some(raised)) => {
            log.debug(format_args!(
                "the limit on open files is raised from {} to {}",
                raised.from, raised.to
            ));
        }
        Ok(None) => {}
        Err(error) => log.debug(format_args!("the limit on open files cannot be raised: {error}")),
    }
    if let (Some(wanted), Some(limit)) = (settings.worker_connections, open_files::limit())
        && wanted as u64 >= limit
    {
        log.warning(format_args!(
            "--worker-connections {wanted} is more than the limit on open files, {limit}, allows; raise that (ulimit -Hn)"
        ));
    }
}

/// Workers change their directory; paths were meant from the one where the command was given. That one is kept by
/// its name, so that a reload follows a symlink that was switched to a new release.
fn make_paths_absolute(settings: &mut Settings) {
    let Some(start) = start_directory() else { return };
    settings.chdir = Some(settings.chdir.as_ref().map_or_else(|| start.clone(), |path| start.join(path)));
    let socket = match &mut settings.control_socket {
        ControlSocket::At(path) => Some(path),
        ControlSocket::Default | ControlSocket::Off => None,
    };
    let paths = [&mut settings.temp_dir, &mut settings.pidfile].into_iter().flatten().chain(socket);
    for path in settings.pythonpath.iter_mut().chain(&mut settings.touch_reload).chain(paths) {
        *path = start.join(&*path);
    }
}

/// The current directory as the shell names it, or as the system does.
fn start_directory() -> Option<PathBuf> {
    let current = std::env::current_dir().ok()?;
    let named = std::env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    named.filter(|path| path.canonicalize().is_ok_and(|path| path == current)).or(Some(current))
}

fn supervise(
    py: Python<'_>,
    settings: &Settings,
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
    let supervision = Supervision { settings, workers, listeners, admin, board, log: log.clone() };
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
