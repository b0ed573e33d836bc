//! `tapster APP`: from settings to a running supervisor. Stop 3 of the tour in ARCHITECTURE.md.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use pyo3::prelude::*;
use tapster_config::Settings;
use tapster_front::acme::Prepared;
use tapster_observe::{Incident, Log, Scoreboard, front_words, meter_words, span_words, words_needed};
use tapster_supervisor::handover::predecessor::Predecessor;
use tapster_supervisor::init;
use tapster_supervisor::pidfile::PidFile;
use tapster_supervisor::{
    ExporterRole, ExporterStart, Fork, FrontRole, FrontStart, Observer, Outcome, Roles, Succession,
    Supervision, TemplateStart, WatcherRole, WatcherStart, WorkerStart, slots_for,
};
use tapster_sys::fork::Forked;
use tapster_sys::memory::SharedWords;
use tapster_sys::privileges::Privileges;
use tapster_sys::process::Pid;
use tapster_sys::socket::Access;

use crate::command::complain;
use crate::hooks::Hooks;
use crate::inheritance::Inheritance;
use crate::listeners::Opened;
use crate::log::NoLog;
use crate::original::Granted;
use crate::renewal::{Renewal, Source};
use crate::{
    admin_token, before_start, development, django_static, front, host, identity, listeners, log, original,
    otlp, sandbox, start_lines, strength, template, worker,
};

/// A listener cannot be opened, or the system refuses something else that no server can do without.
const EXIT_FAILURE: i32 = 1;

/// Serves until told to stop; gives the exit status.
pub(crate) fn run(
    py: Python<'_>,
    settings: Settings,
    source: Source,
    mut inheritance: Option<Inheritance>,
) -> i32 {
    let line = inheritance.as_mut().and_then(|one| one.init.take());
    let split = || init::split(&mut tapster_wsgi::fork::fork_with_python_hooks);
    let init = match init::is_needed().then(split) {
        None => Ok(line),
        Some(Ok(init::Part::Server(line))) => Ok(Some(line)),
        Some(Ok(init::Part::Init(code))) => return code,
        Some(Err(error)) => Err(error),
    };
    let granted = Granted::now();
    host::set_umask(&settings);
    let log = match log::open(&settings) {
        Ok(log) => log,
        Err(NoLog { reason, is_usage: true, .. }) => return complain(&reason),
        Err(NoLog { log, reason, .. }) => {
            log.report(Incident::LOG_NOT_OPENED, format_args!("{reason}"));
            return EXIT_FAILURE;
        }
    };
    // A server that is PID 1 itself buries strangers too.
    let init = init.unwrap_or_else(|error| {
        log.report(
            Incident::CONTAINER_ENDS_WITH_UPGRADE,
            format_args!("an upgrade will end the container, because PID 1 cannot fork: {error}"),
        );
        None
    });
    match serve(py, settings, source, granted, &log, inheritance, init) {
        Ok(outcome) => outcome.exit_code(),
        Err(Failed { incident, reason }) => {
            log.report(incident, format_args!("{reason}"));
            EXIT_FAILURE
        }
    }
}

/// Why there is no server.
struct Failed {
    incident: Incident,
    reason: Box<dyn std::error::Error>,
}

impl<E: Into<Box<dyn std::error::Error>>> From<E> for Failed {
    fn from(reason: E) -> Failed {
        Failed { incident: Incident::CANNOT_START, reason: reason.into() }
    }
}

/// Opens the sockets, says in the pidfile who serves them, and serves.
fn serve(
    py: Python<'_>,
    mut settings: Settings,
    source: Source,
    granted: Granted,
    log: &Log,
    inheritance: Option<Inheritance>,
    init: Option<OwnedFd>,
) -> Result<Outcome, Failed> {
    // Before anything changes what the next server is to find as this one found it.
    let program = host::start_directory().and_then(|directory| original::program(py, directory, granted));
    host::prepare(&mut settings, log)?;
    source.say_notes(log);
    development::prepare(&mut settings, log);
    otlp::prepare(&mut settings, log)?;
    let identity::Workers { privileges, mut environment } = identity::of_workers(&settings)?;
    django_static::prepare(py, &mut settings, privileges.identity.as_ref(), &environment)?;
    before_start::run(&settings, privileges.identity.as_ref(), &environment, log)?;
    front::prepare(&settings, log)?;
    admin_token::read(&mut settings)?;
    let hooks = Hooks::start(py, &settings, log)?;
    environment.append(&mut settings.env);
    let settings = &Settings { env: environment, ..settings };
    let privileges = sandbox::add(privileges, settings)?;
    let acme = Cell::new(Prepared::new(settings, privileges.identity.as_ref())?);
    let own = Own { hooks: &hooks, acme: &acme };
    let before = inheritance.as_ref().map(Inheritance::pid);
    settings.pidfile.as_deref().map_or(Ok(()), |path| PidFile::check(path, before))?;
    let access = identity::of_sockets(settings, &privileges)?;
    let (sockets, predecessor) = open_sockets(settings, access, log, inheritance)
        .map_err(|reason| Failed { incident: Incident::LISTENER_NOT_OPENED, reason })?;
    hooks.listening(py);
    let write = match before {
        None => PidFile::write,
        Some(_) => |path: &Path, pid| Ok(PidFile::later(path, pid)),
    };
    let pidfile = settings.pidfile.as_deref().map(|path| write(path, Pid::current()));
    let pidfile = pidfile.transpose().inspect_err(|_| sockets.remove_files())?;
    let succession = Succession { program, predecessor, init, pidfile: pidfile.clone() };
    let renewal = Rc::new(Renewal::new(source, settings.clone()));
    let outcome = supervise(py, &renewal, privileges, sockets, log, succession, own)
        .map_err(|error| format!("the server failed: {error}"));
    hooks.ended(py);
    pidfile.as_ref().inspect(|file| file.remove());
    Ok(outcome?)
}

/// All sockets, and the server that leaves the others.
fn open_sockets(
    settings: &Settings,
    access: Access,
    log: &Log,
    inheritance: Option<Inheritance>,
) -> Result<(Opened, Option<Predecessor>), Box<dyn std::error::Error>> {
    let Some(Inheritance { mut handed, mut predecessor, .. }) = inheritance else {
        return Ok((listeners::open(settings, access, log, None)?, None));
    };
    let sockets = listeners::open(settings, access, log, Some(&mut handed))?;
    predecessor.leave_to_it(handed.into_rest());
    Ok((sockets, Some(predecessor)))
}

/// What the supervisor has for some of its children.
#[derive(Clone, Copy)]
struct Own<'a> {
    hooks: &'a Hooks,
    /// For the front: taken by each child, in its own memory.
    acme: &'a Cell<Option<Prepared>>,
}

fn supervise(
    py: Python<'_>,
    renewal: &Rc<Renewal>,
    privileges: Privileges,
    sockets: Opened,
    log: &Log,
    succession: Succession,
    own: Own<'_>,
) -> Result<Outcome, Box<dyn std::error::Error>> {
    let Own { hooks, acme } = own;
    let settings = &*renewal.settings();
    let workers = strength::of(py, settings);
    let setup = if settings.reload { Some(development::setup(settings)?) } else { None };
    start_lines::write(py, settings, workers, &sockets, log);
    if let Some(sandbox) = &privileges.sandbox {
        sandbox::say(sandbox, log);
    }
    let slots = slots_for(workers.most);
    let before_workers = settings.has_front() && !settings.front_alone;
    // Alone each process is one.
    let fronts = if settings.front_alone { slots } else { usize::from(before_workers) };
    let board = scoreboard(settings, slots, fronts)?;
    if workers.most > 1 {
        board.note_many_workers();
    }
    let Opened { clients: listeners, admin, stats } = sockets;
    let mut watch =
        setup.map(|setup| move |start: WatcherStart| development::watch(setup.clone(), start, log));
    let mut export = otlp::target(settings)?
        .map(|target| move |start: ExporterStart| otlp::export(target.clone(), start, log));
    let exporter = export.as_mut().map(|role| role as ExporterRole<'_>);
    let watcher = watch.as_mut().map(|role| role as WatcherRole<'_>);
    let renew = renewal.clone();
    let mut stand = |start: FrontStart| front::run(&renew, acme.take(), start, log);
    let secrets = || front::secrets(&renewal.settings(), log);
    let read = || renewal.read(log);
    let front = before_workers.then_some(FrontRole { run: &mut stand, secrets: &secrets });
    let configuration = || renewal.shown();
    let reports = log.clone();
    let observer: Observer<'_> = Box::new(|report, pid| hooks.note(py, report, pid));
    let supervision = Supervision {
        settings,
        workers,
        listeners,
        admin,
        stats,
        board,
        log: reports,
        privileges,
        succession,
        watcher,
        exporter,
        front,
        renewal: settings
            .has_front()
            .then_some(tapster_supervisor::Renewal { read: &read, secrets: &secrets }),
        configuration: &configuration,
        observer,
    };
    Ok(supervision
        .run(&mut Forks { py, hooks }, &mut Children { py, renewal, workers: workers.most, log, own })?)
}

/// The counters of all processes. What costs a little with each request is there only if something is to read it.
fn scoreboard(
    settings: &Settings,
    slots: usize,
    fronts: usize,
) -> Result<Scoreboard, Box<dyn std::error::Error>> {
    let meters = if settings.is_measured() { meter_words(slots, settings.threads) } else { 0 };
    let has_spans = settings.monitoring.otlp.has_spans();
    let spans = if has_spans { span_words(slots, settings.threads) } else { 0 };
    let words = words_needed(slots, settings.threads) + front_words(fronts) + meters + spans;
    let words = SharedWords::create("tapster-scoreboard", words)?;
    let board = Scoreboard::new(Arc::new(words), slots, settings.threads)?.with_fronts(fronts)?;
    let board = if meters > 0 { board.with_meters()? } else { board };
    Ok(if has_spans { board.with_spans()? } else { board })
}

/// How the supervisor forks.
struct Forks<'a> {
    py: Python<'a>,
    hooks: &'a Hooks,
}

impl Fork for Forks<'_> {
    fn fork(&mut self) -> std::io::Result<Forked> {
        tapster_wsgi::fork::fork_with_python_hooks()
    }

    fn before_worker(&mut self) {
        self.hooks.pre_fork(self.py);
    }
}

/// What the processes that the supervisor makes run.
struct Children<'a> {
    py: Python<'a>,
    renewal: &'a Rc<Renewal>,
    workers: usize,
    log: &'a Log,
    own: Own<'a>,
}

impl Roles for Children<'_> {
    fn worker(&mut self, start: WorkerStart) -> i32 {
        let settings = &*self.renewal.settings();
        // No application is to have it.
        let acme = self.own.acme.take();
        if settings.front_alone {
            return front::run_alone(self.renewal, acme, start, self.log);
        }
        drop(acme);
        self.own.hooks.post_fork(self.py, start.place.slot);
        worker::run(self.py, settings, self.workers, self.log, start)
    }

    fn template(&mut self, start: TemplateStart) -> i32 {
        drop(self.own.acme.take());
        let settings = &*self.renewal.settings();
        let hooks = self.own.hooks;
        template::run(self.py, settings, self.workers, self.log, hooks, start)
    }
}
