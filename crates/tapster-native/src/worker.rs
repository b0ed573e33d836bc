//! The role of a worker process, from the fork to its end: load the application, serve it, drain, leave.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyTuple};
use tapster_config::Settings;
use tapster_observe::{Incident, Kind, Log, Scoreboard, WorkerBoard, WorkerState};
use tapster_supervisor::{BootFailure, Promotion, TemplateStart, WorkerStart};
use tapster_sys::fork::let_go_in_child;
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::letter;
use tapster_sys::poll::{self, Interest};
use tapster_sys::signal;
use tapster_worker::{Peers, Worker, WorkerParts};
use tapster_wsgi::{Application, Options};

use crate::development::{self, Watched};
use crate::identity;
use crate::interpreter::parallelism;
use crate::opening::Opening;
use crate::promotion;

/// The application cannot be loaded; trying again without a change is of no use.
pub(crate) const EXIT_BOOT_FAILED: i32 = 3;

/// The worker itself failed: the system refused it something.
const EXIT_INTERNAL: i32 = 70;

/// What exit handlers and left threads of the application have: the rest of the graceful time-out, within these.
const LEAVE_AT_LEAST: Duration = Duration::from_millis(500);
const LEAVE_AT_MOST: Duration = Duration::from_secs(5);

/// How long threads may take to come back from the application once the worker has ended.
const JOIN: Duration = Duration::from_millis(500);

/// How long the thread of the access log waits without looking whether Python wants something of it.
const TAKE: Duration = Duration::from_secs(1);

/// How long the last log lines may take.
pub(crate) const FLUSH: Duration = Duration::from_secs(1);

/// Runs the worker; gives the exit status of its process.
pub(crate) fn run(
    py: Python<'_>,
    settings: &Settings,
    workers: usize,
    log: &Log,
    mut start: WorkerStart,
) -> i32 {
    let own = start.board.worker(start.place.slot);
    let log = log.threaded(block_signals, Some(own), Some(start.place.slot + 1));
    let level = if start.place.slot == 0 && start.place.generation == 0 { Kind::Info } else { Kind::Debug };
    // A package that cannot be imported is told of when the application is loaded, which needs it too.
    let _told =
        py.import("tapster._worker").and_then(|module| module.call_method1("begin", (start.place.slot + 1,)));
    let board = start.board.worker(start.place.slot);
    match load(py, settings, &log, level, &mut start) {
        Ok((application, hello)) => {
            let served = serve(py, settings, application, hello, workers, start, &log);
            match ended(served, &board, &log) {
                End::Exit(status) => status,
                // Only those that a template forked are told to.
                End::Template(_) => EXIT_INTERNAL,
            }
        }
        Err(reason) => fail(&start, &reason, &log),
    }
}

/// Says that the application cannot be served, and why; gives the exit status.
fn fail(start: &WorkerStart, reason: &str, log: &Log) -> i32 {
    // The supervisor hears of the exit anyway; the message says that it was the application, and why.
    let letter = letter::write(reason.as_bytes()).ok();
    let _gone = start.inbox.send(Message::BootFailed, letter.as_ref().map(AsFd::as_fd));
    start.board.worker(start.place.slot).set_state(WorkerState::Gone);
    log.flush(FLUSH);
    EXIT_BOOT_FAILED
}

/// How a worker ended.
pub(crate) enum End {
    /// Its process is to exit with this status.
    Exit(i32),
    /// Its process is a template from now on.
    Template(Box<TemplateStart>),
}

/// Runs a worker that a template forked, with the application it has.
pub(crate) fn run_forked(
    py: Python<'_>,
    settings: &Settings,
    application: Py<PyAny>,
    workers: usize,
    log: &Log,
    start: WorkerStart,
) -> End {
    let own = start.board.worker(start.place.slot);
    let log = log.threaded(block_signals, Some(own), Some(start.place.slot + 1));
    let begun = py.import("tapster._worker").and_then(|module| {
        module.call_method1("begin", (start.place.slot + 1,))?;
        module.call_method0("run_fork_functions")
    });
    if let Err(error) = begun {
        let reason = say_boot_failure(py, &error, Some(&start.board), &log);
        return End::Exit(fail(&start, &reason, &log));
    }
    let board = start.board.worker(start.place.slot);
    let served = serve(py, settings, application, Hello::Ready, workers, start, &log);
    ended(served, &board, &log)
}

fn ended(
    served: Result<Option<TemplateStart>, Box<dyn std::error::Error>>,
    board: &WorkerBoard,
    log: &Log,
) -> End {
    let status = match served {
        Ok(Some(start)) => return End::Template(Box::new(start)),
        Ok(None) => 0,
        Err(error) => {
            log.report(Incident::WORKER_FAILED, format_args!("the worker failed: {error}"));
            EXIT_INTERNAL
        }
    };
    board.set_state(WorkerState::Gone);
    log.flush(FLUSH);
    End::Exit(status)
}

/// What a worker that serves says of itself.
enum Hello {
    /// It serves the application.
    Ready,
    /// It serves this reason why there is none.
    StandsIn(String),
}

/// Says it to the supervisor.
fn say(hello: Hello, inbox: Inbox) -> io::Result<()> {
    match hello {
        Hello::Ready => inbox.send(Message::Ready, None),
        Hello::StandsIn(reason) => {
            inbox.send(Message::StandsIn, letter::write(reason.as_bytes()).ok().as_ref().map(AsFd::as_fd))
        }
    }
}

/// What this worker serves, and how it says that it does: the application, or with `--reload` the reason why there is none.
fn load(
    py: Python<'_>,
    settings: &Settings,
    log: &Log,
    level: Kind,
    start: &mut WorkerStart,
) -> Result<(Py<PyAny>, Hello), String> {
    let watched = start.modules.take().map(|pipe| Watched::begin(py, pipe, start.place.generation, log));
    let is_watched = watched.is_some();
    let booted = match start.place.stands_in_for {
        None => boot(py, settings, Some(&start.board), log, level, watched, true),
        Some(failure) => Err(stand_in_text(py, failure, watched, log)),
    };
    let text = match booted {
        Ok(application) => return Ok((application, Hello::Ready)),
        Err(text) => text,
    };
    if !is_watched {
        return Err(text);
    }
    let page = development::error_page(py, &text);
    let page = page.inspect_err(|error| {
        log.report(Incident::APPLICATION_NOT_LOADED, format_args!("the reason cannot be shown: {error}"))
    });
    match page {
        Ok(page) => Ok((page, Hello::StandsIn(text))),
        Err(_) => Err(text),
    }
}

/// Why there is no application, for a worker that is to answer with that.
fn stand_in_text(py: Python<'_>, failure: BootFailure, watched: Option<Watched>, log: &Log) -> String {
    let text = format!("the worker {failure}\nhint: what it wrote before is in the terminal");
    let error = PyRuntimeError::new_err(text.clone());
    if let Some(watched) = watched {
        watched.report(py, Some(&error), log);
    }
    text
}

/// Loads the application in this process; says at `level` which one that is. The error is the reason, in the words of
/// the log.
pub(crate) fn boot(
    py: Python<'_>,
    settings: &Settings,
    scoreboard: Option<&Scoreboard>,
    log: &Log,
    level: Kind,
    watched: Option<Watched>,
    in_worker: bool,
) -> Result<Py<PyAny>, String> {
    let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    let arguments = (
        settings.app.clone(),
        settings.chdir.as_ref().map(text),
        settings.pythonpath.iter().map(text).collect::<Vec<_>>(),
        settings.env.clone(),
        settings.mounts.clone(),
    );
    let load = || {
        let module = py.import("tapster._worker")?;
        let booted = module.call_method1("boot", arguments)?.extract::<(Py<PyAny>, String)>()?;
        if in_worker {
            module.call_method0("run_fork_functions")?;
        }
        PyResult::Ok(booted)
    };
    let booted = load();
    if let Some(watched) = watched {
        watched.report(py, booted.as_ref().err(), log);
    }
    match booted {
        Ok((callable, name)) => {
            log.message(level, format_args!("serving {name}"));
            Ok(callable)
        }
        Err(error) => {
            let reason = say_boot_failure(py, &error, scoreboard, log);
            identity::say_what_is_closed(py, settings, log);
            Err(reason)
        }
    }
}

/// Says in the log why the application cannot be served, and gives that. With a scoreboard the whole traceback is told once,
/// and one line of it each further time: an application that stays broken is tried again and again, by all workers.
pub(crate) fn say_boot_failure(
    py: Python<'_>,
    error: &PyErr,
    scoreboard: Option<&Scoreboard>,
    log: &Log,
) -> String {
    let reason = boot_failure(py, error);
    let (first, rest) = reason.split_once('\n').unwrap_or((&reason, ""));
    let mut digest = DefaultHasher::new();
    reason.hash(&mut digest);
    let is_new = scoreboard.is_none_or(|board| board.is_new_boot_failure(digest.finish()));
    if rest.is_empty() || is_new {
        let entry = log.entry(Incident::APPLICATION_NOT_LOADED).traceback(rest.as_bytes());
        entry.write(format_args!("{first}"));
    } else {
        log.report(Incident::APPLICATION_NOT_LOADED, format_args!("{first} (as before)"));
    }
    reason
}

/// An `AppError` is written for people; anything else is shown whole.
pub(crate) fn boot_failure(py: Python<'_>, error: &PyErr) -> String {
    let is_app_error = py
        .import("tapster.loading")
        .and_then(|module| module.getattr("AppError"))
        .is_ok_and(|kind| error.is_instance(py, &kind));
    if is_app_error {
        error.value(py).to_string()
    } else {
        match error.traceback(py).map(|trace| trace.format()) {
            Some(Ok(trace)) => format!("{error}\n{trace}"),
            _ => error.to_string(),
        }
    }
}

fn serve(
    py: Python<'_>,
    settings: &Settings,
    callable: Py<PyAny>,
    hello: Hello,
    workers: usize,
    start: WorkerStart,
    log: &Log,
) -> Result<Option<TemplateStart>, Box<dyn std::error::Error>> {
    let options = Options {
        multithread: settings.threads > 1,
        scoreboard: start.board.clone(),
        log: log.clone(),
        board: start.board.worker(start.place.slot),
    };
    let application = Application::new(py, callable, options)?;
    let lanes = parallelism(py, workers).min(settings.threads);
    if lanes > 1 {
        log.debug(format_args!("{lanes} threads run at once: this interpreter has no lock"));
    }
    let (woken, wake) = tapster_sys::process::pipe()?;
    let python = py.import("tapster._worker")?;
    python.call_method1("install_wakeup_fd", (woken.as_raw_fd(), wake.as_raw_fd()))?;
    let inline = settings.threads == 1;
    let inbox = start.inbox.try_clone()?;
    let board = start.board.worker(start.place.slot);
    let worker = Worker::new(
        settings,
        WorkerParts {
            app: Arc::new(application),
            listeners: start.listeners,
            inbox: start.inbox,
            peers: Peers::new(start.place.slot, start.peers, start.board),
            alive: Some(start.alive),
            signals: if inline { Some(woken.try_clone()?) } else { None },
            ended: Some(wake.try_clone()?),
            board: board.clone(),
            log: log.clone(),
            lanes,
        },
    )?;
    install_signal_handlers(&python, &worker, settings)?;
    let kept = start.promotion.as_ref().map(Promotion::descriptors).unwrap_or_default();
    install_fork_hooks(&python, &worker, kept)?;
    worker.end_orphan_with(end_orphan);
    let opening = Opening::default();
    start_access_log(py, log)?;
    if !inline {
        start_threads(&python, &worker, &opening, settings.threads)?;
    }
    worker.start_monitors(block_signals)?;
    // Before a thread can take a request: one that ends the process is no failure to boot. After all threads were
    // started: what the system refuses here is one, and no worker that serves makes room for this one.
    board.set_state(WorkerState::Ready);
    // A process that the application forks must not have the inbox.
    say(hello, inbox)?;
    if inline {
        worker.serve(0);
    } else {
        opening.open();
        wait_for_end(py, &worker, &woken, log);
    }
    match start.promotion {
        Some(promotion) if worker.is_to_be_template() => {
            Ok(promotion::become_template(&python, worker, promotion, log))
        }
        _ => {
            leave(&python, &worker, log);
            Ok(None)
        }
    }
}

/// TERM at this very process drains it; the terminal's INT and QUIT are the supervisor's to answer.
fn install_signal_handlers(
    python: &Bound<'_, PyModule>,
    worker: &Worker,
    settings: &Settings,
) -> PyResult<()> {
    let worker = worker.clone();
    let timeout = settings.graceful_timeout;
    let drain = PyCFunction::new_closure(
        python.py(),
        None,
        None,
        move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| worker.drain(timeout),
    )?;
    python.call_method1("install_signal_handlers", (drain,))?;
    Ok(())
}

/// A child that the application forks keeps none of the server's sockets, and nothing of what is `kept`.
fn install_fork_hooks(python: &Bound<'_, PyModule>, worker: &Worker, kept: Vec<RawFd>) -> PyResult<()> {
    let py = python.py();
    let (before, after) = (worker.clone(), worker.clone());
    let before = move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| before.before_fork();
    let in_child = move |_: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| {
        after.after_fork_in_child();
        let_go_in_child(&kept);
    };
    let before = PyCFunction::new_closure(py, None, None, before)?;
    let in_child = PyCFunction::new_closure(py, None, None, in_child)?;
    python.call_method1("install_fork_hooks", (before, in_child))?;
    Ok(())
}

/// Where Python's `logging` has the access log: starts the thread that gives it the lines, as they come.
fn start_access_log(py: Python<'_>, log: &Log) -> PyResult<()> {
    let Some(relay) = log.relay().cloned() else { return Ok(()) };
    let take = PyCFunction::new_closure(
        py,
        None,
        None,
        move |arguments: &Bound<'_, PyTuple>,
              _: Option<&Bound<'_, PyDict>>|
              -> PyResult<Option<Vec<String>>> {
            let lines = arguments.py().detach(|| relay.take(TAKE));
            let text = |lines: Vec<u8>| {
                String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect::<Vec<_>>()
            };
            Ok(lines.map(text))
        },
    )?;
    py.import("tapster._access_log")?.call_method1("start", (take,))?;
    Ok(())
}

/// Has the last lines logged, and ends that thread.
pub(crate) fn end_access_log(py: Python<'_>, log: &Log) {
    let Some(relay) = log.relay() else { return };
    py.detach(|| log.flush(FLUSH));
    relay.close();
    let ended = py
        .import("tapster._access_log")
        .and_then(|module| module.call_method1("join", (FLUSH.as_secs_f64(),)));
    if let Err(error) = ended {
        error.display(py);
    }
}

/// Starts the pool: the interpreter's own threads, each calling back to serve, from the opening on.
fn start_threads(
    python: &Bound<'_, PyModule>,
    worker: &Worker,
    opening: &Opening,
    count: usize,
) -> PyResult<()> {
    let (worker, opening) = (worker.clone(), opening.clone());
    let serve = PyCFunction::new_closure(
        python.py(),
        None,
        None,
        move |arguments: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>| -> PyResult<()> {
            let (index,): (usize,) = arguments.extract()?;
            arguments.py().detach(|| opening.wait());
            worker.serve(index);
            Ok(())
        },
    )?;
    python.call_method1("start_threads", (serve, count))?;
    Ok(())
}

/// The main thread of a pool: it runs the application's signal handlers until the worker has ended.
fn wait_for_end(py: Python<'_>, worker: &Worker, woken: &OwnedFd, log: &Log) {
    while !worker.is_stopping() {
        let waited = py.detach(|| poll::wait(&[(woken.as_fd(), Interest::Readable)], None));
        if let Err(error) = waited {
            log.report(
                Incident::SIGNALS_NOT_AWAITED,
                format_args!("the main thread cannot wait for signals: {error}"),
            );
            py.detach(|| worker.wait(Duration::from_millis(250)));
        }
        worker.clear_wakeups(woken);
        if let Err(error) = py.check_signals() {
            error.display(py);
        }
    }
}

/// What an application may do at its end, bounded; the process ends after it whatever still runs.
pub(crate) fn leave(python: &Bound<'_, PyModule>, worker: &Worker, log: &Log) {
    if !python.py().detach(|| worker.wait(JOIN)) {
        log.report(
            Incident::REQUESTS_CUT,
            format_args!("some requests still run at the end of this worker; they are cut"),
        );
    }
    end_access_log(python.py(), log);
    run_exit_handlers(python, worker.time_left());
}

/// The application's exit handlers, within what is left of the time to drain.
pub(crate) fn run_exit_handlers(python: &Bound<'_, PyModule>, left: Option<Duration>) {
    let time = left.unwrap_or_default().clamp(LEAVE_AT_LEAST, LEAVE_AT_MOST);
    if let Err(error) = python.call_method1("run_exit_handlers", (time.as_secs_f64(),)) {
        error.display(python.py());
    }
}

/// The supervisor is gone and requests do not end: a worker that stayed would keep the port from its successor.
fn end_orphan() {
    tapster_sys::process::exit_now(EXIT_INTERNAL);
}

fn block_signals() {
    // A thread that still takes signals is a nuisance, not a failure.
    let _unblocked = signal::block_all_in_this_thread();
}
