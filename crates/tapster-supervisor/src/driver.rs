//! The supervisor's loop: waits for what happens, asks the fleet, does what it says.

mod templates;
mod upgrade;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tapster_config::Settings;
use tapster_observe::{Level, Log, Scoreboard, WorkerState};
use tapster_sys::fork::Forked;
use tapster_sys::identity::Privileges;
use tapster_sys::inbox::Message;
use tapster_sys::letter;
use tapster_sys::poll::{self, Interest};
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal, Signals};
use tapster_sys::socket::Listener;
use tapster_sys::wait::{self, Status};

use crate::channels::Channels;
use crate::children::Children;
use crate::control::{Control, Scene};
use crate::driver::upgrade::Upgrade;
use crate::handover::Succession;
use crate::load::LoadWatch;
use crate::log_rotation;
use crate::outbox::Outbox;
use crate::report::Task;
use crate::service_manager::ServiceManager;
use crate::template_start;
use crate::touch::TouchFiles;
use crate::vitals::Vitals;
use crate::watcher::{Watcher, WatcherRole};
use crate::worker_start::{self, CAUGHT, Inheritance};
use crate::{
    Action, BootFailure, Command, Event, Fleet, Fork, Observer, Order, Outcome, Plan, Report, Roles, Strength,
};

use templates::{Child, Templates};

/// How long to wait for room in a full inbox before the next attempt.
const RETRY: Duration = Duration::from_millis(20);

/// How long the system's refusal of a process is not told again.
const TELL_AGAIN: Duration = Duration::from_secs(2);

/// What a supervisor is given to work with.
pub struct Supervision<'a> {
    /// The time-outs.
    pub settings: &'a Settings,
    /// Workers to keep.
    pub workers: Strength,
    /// The listeners of all workers.
    pub listeners: Vec<Listener>,
    /// The listeners for health checks.
    pub admin: Vec<Listener>,
    /// A scoreboard with [`slots_for`](crate::slots_for) the most workers.
    pub board: Scoreboard,
    /// Where it reports. The log of a process without threads.
    pub log: Log,
    /// What each worker gives up before it runs anything of the application.
    pub privileges: Privileges,
    /// The servers before and after this one.
    pub succession: Succession,
    /// What the process does that watches the application's files. With it the fleet is one for development.
    pub watcher: Option<WatcherRole<'a>>,
    /// Hears every report: the operator's hooks.
    pub observer: Observer<'a>,
}

impl<'a> Supervision<'a> {
    /// Supervises until told to stop, or until it is clear that the application cannot be served. `fork` makes
    /// processes; `roles` is what they run.
    ///
    /// The calling process must have one thread, and leave signals and children alone meanwhile.
    ///
    /// # Errors
    /// When the system refuses what no server can do without (pipes, sockets, polling). Workers that run then stop by
    /// themselves, because their supervisor is gone when the process ends.
    pub fn run(self, fork: &'a mut dyn Fork, roles: &'a mut dyn Roles) -> io::Result<Outcome> {
        Driver::new(self, fork, roles)?.run()
    }
}

struct Driver<'a> {
    began: Instant,
    own_pid: Pid,
    fork: &'a mut dyn Fork,
    roles: &'a mut dyn Roles,
    listeners: Vec<Listener>,
    board: Scoreboard,
    privileges: Privileges,
    observer: Observer<'a>,
    log: Log,
    log_file: Option<PathBuf>,
    manager: ServiceManager,
    control: Control,
    signals: Signals,
    /// What SIGHUP from a closed terminal means: the end, unless the start was under `nohup`.
    ends_with_terminal: bool,
    /// A pipe that is never written to: workers see its end when this process dies.
    alive: (OwnedFd, OwnedFd),
    channels: Channels,
    children: Children,
    outbox: Outbox,
    touch: TouchFiles,
    watcher: Watcher<'a>,
    /// Why the next reload is ordered, as far as it is known.
    cause: Option<String>,
    /// When it was last told that the system gives no process.
    refusal: Option<Instant>,
    vitals: Vitals,
    load: Option<LoadWatch>,
    templates: Templates,
    fleet: Fleet,
    events: VecDeque<Event>,
    upgrade: Upgrade,
    boot_timeout: Duration,
    graceful_timeout: Duration,
}

/// What a new worker is.
#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    generation: u64,
    /// It answers with the reason why there is no application.
    stands_in_for: Option<BootFailure>,
}

/// What came of doing an action.
enum Done {
    Yes,
    /// This is the new child.
    InChild(Child),
    Finished(Outcome),
}

impl<'a> Driver<'a> {
    fn new(
        given: Supervision<'a>,
        fork: &'a mut dyn Fork,
        roles: &'a mut dyn Roles,
    ) -> io::Result<Driver<'a>> {
        let Supervision {
            settings,
            workers,
            listeners,
            admin,
            board,
            log,
            privileges,
            succession,
            watcher,
            observer,
        } = given;
        let watcher = Watcher::new(watcher)?;
        let is_for_development = watcher.is_there();
        let slots = board.workers();
        let plan = Plan {
            workers: workers.least,
            most_workers: workers.most,
            slots,
            boot_timeout: settings.boot_timeout,
            graceful_timeout: settings.graceful_timeout,
            preload: settings.preload,
        };
        if settings.preload {
            process::become_subreaper()?;
        }
        let ends_with_terminal = process::has_terminal() && !signal::is_ignored(Signal::Hangup);
        let signals = Signals::catch(&CAUGHT)?;
        signal::ignore_broken_pipes()?;
        // For `ps`, `top`, and whoever finds the port in use. A convenience.
        let _ = process::set_name(crate::SUPERVISOR_NAME);
        signal::unblock_all_in_this_thread()?;
        let upgrade = Upgrade::new(succession);
        Ok(Driver {
            began: Instant::now(),
            touch: TouchFiles::new(&settings.touch_reload, &log),
            own_pid: Pid::current(),
            fork,
            roles,
            control: Control::new(settings, &listeners, admin, &log),
            listeners,
            board,
            privileges,
            observer,
            refusal: None,
            vitals: Vitals::new(settings, slots, log.clone()),
            log,
            log_file: settings.log_file.clone(),
            manager: upgrade.service_manager(),
            signals,
            ends_with_terminal,
            alive: process::pipe()?,
            channels: Channels::open(slots)?,
            children: Children::new(slots),
            outbox: Outbox::default(),
            load: LoadWatch::new(workers, slots),
            fleet: Fleet::new(plan).drain_after(settings.drain_delay).for_development(is_for_development),
            watcher,
            cause: None,
            templates: Templates::default(),
            events: VecDeque::from([Event::Command(Command::Start)]),
            upgrade,
            boot_timeout: settings.boot_timeout,
            graceful_timeout: settings.graceful_timeout,
        })
    }

    fn run(mut self) -> io::Result<Outcome> {
        let mut actions = Vec::new();
        self.greet_predecessor();
        loop {
            if self.watcher.start(self.fork, &self.log) {
                self.become_watcher();
            }
            while let Some(event) = self.events.pop_front() {
                self.fleet.handle(self.began.elapsed(), event, &mut actions);
                for action in actions.drain(..) {
                    match self.perform(action) {
                        Done::Yes => {}
                        Done::InChild(child) => self.become_child(child),
                        Done::Finished(outcome) => return Ok(outcome),
                    }
                }
            }
            if let Err(error) = self.wait() {
                self.close_listeners();
                self.control.remove();
                return Err(error);
            }
            if let Some(outcome) = self.upgrade.finished() {
                return Ok(outcome);
            }
            self.events.push_back(Event::Tick);
            self.look_at_workers();
        }
    }

    fn perform(&mut self, action: Action) -> Done {
        match action {
            Action::Start { slot, generation } => {
                return self.start(Place { slot, generation, stands_in_for: None });
            }
            Action::StandIn { slot, generation, failure } => {
                return self.start(Place { slot, generation, stands_in_for: Some(failure) });
            }
            Action::Tell { slot, order } => self.tell(slot, order),
            Action::Terminate { slot } => self.signal(slot, Signal::Terminate),
            Action::Kill { slot } => self.signal(slot, Signal::Kill),
            Action::Template { template, deed } => return self.do_with_template(template, deed),
            Action::CloseListeners => {
                self.watcher.stop(&self.log);
                self.close_listeners();
            }
            Action::Report(report) => self.report(report),
            Action::Finish(outcome) => {
                self.close_listeners();
                self.control.remove();
                return self.upgrade.finish(outcome).map_or(Done::Yes, Done::Finished);
            }
        }
        Done::Yes
    }

    fn start(&mut self, place: Place) -> Done {
        let slot = place.slot;
        self.clear(slot);
        if let Err(error) = signal::block_all_in_this_thread() {
            return self.not_started(slot, &error);
        }
        let done = match self.fork.fork() {
            Ok(Forked::Child) => return Done::InChild(Child::Worker(place)),
            Ok(Forked::Parent(pid)) => {
                self.children.add(slot, pid);
                self.vitals.started(slot, self.began.elapsed());
                Done::Yes
            }
            Err(error) => self.not_started(slot, &error),
        };
        if let Err(error) = signal::unblock_all_in_this_thread() {
            self.log.error(format_args!("cannot let signals through again: {error}"));
        }
        done
    }

    fn not_started(&mut self, slot: usize, error: &io::Error) -> Done {
        // Each worker is tried again and again.
        if self.refusal.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.refusal = Some(Instant::now());
            self.log.error(format_args!("cannot start a worker process, and will try again: {error}"));
        }
        self.events.push_back(Event::NotStarted { slot });
        Done::Yes
    }

    /// In the child: drops what a watcher does not need, the listeners above all, and never comes back.
    fn become_watcher(self) -> ! {
        let Driver { own_pid, watcher, alive: (alive, writer), privileges, log, .. } = self;
        drop((self.signals, writer, self.outbox, self.touch, self.control, self.listeners, self.channels));
        drop(self.upgrade);
        watcher.run(own_pid, alive, &privileges, &log)
    }

    /// In the child: drops what is the supervisor's alone and never comes back.
    fn become_child(self, child: Child) -> ! {
        let Driver { roles, listeners, board, channels, alive: (alive, writer), privileges, log, .. } = self;
        drop((self.signals, writer, self.outbox, self.templates, self.touch, self.control, self.upgrade));
        let (Child::Worker(Place { generation, .. }) | Child::Template { generation, .. }) = child;
        let supervisor = self.own_pid;
        let modules = self.watcher.for_worker();
        let (slot, stands_in_for) = match &child {
            Child::Worker(place) => (place.slot, place.stands_in_for),
            // It forks workers for any slot.
            Child::Template { .. } => (0, None),
        };
        let inheritance = Inheritance {
            slot,
            generation,
            stands_in_for,
            supervisor,
            channels,
            alive,
            listeners,
            board,
            modules,
            privileges,
            log,
        };
        match child {
            Child::Worker(_) => worker_start::run(inheritance, &mut |start| roles.worker(start)),
            Child::Template { orders, .. } => template_start::run(orders, inheritance, roles),
        }
    }

    /// Empties what the last worker of a slot left behind.
    fn clear(&mut self, slot: usize) {
        for (message, _) in self.channels.said(slot) {
            if let Message::Born { pid } = message {
                self.end_stray(Pid::from_raw(pid));
            }
        }
        self.outbox.adopt(self.channels.unread(slot));
        self.outbox.forget(slot);
    }

    fn tell(&mut self, slot: usize, order: Order) {
        let message = match order {
            Order::Drain(limit) => {
                self.board.worker(slot).set_state(WorkerState::Draining);
                Message::Drain { timeout_ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX) }
            }
            Order::HandOver(limit) => {
                self.board.worker(slot).set_state(WorkerState::Draining);
                Message::HandOver { timeout_ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX) }
            }
            Order::Stop => Message::Stop,
            Order::Poke => Message::Poke,
            Order::Reopen => Message::Reopen,
        };
        self.outbox.order(slot, message);
        self.outbox.flush_orders(&self.channels, &self.log);
    }

    fn signal(&mut self, slot: usize, signal: Signal) {
        let Some(pid) = self.children.pid(slot) else { return self.signal_unborn(slot, signal) };
        if let Err(error) = process::send_signal(pid, signal) {
            self.log.error(format_args!("cannot send {signal} to {}: {error}", self.children.name(slot)));
        }
    }

    fn close_listeners(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.remove_file();
        }
    }

    fn report(&mut self, report: Report) {
        self.manager.note(&report);
        self.control.note(&report, self.began.elapsed());
        match self.cause.take_if(|_| report == Report::Renewing) {
            Some(cause) => self.log.message(report.level(), format_args!("{cause}: {report}")),
            None => self.write(report),
        }
        self.tell_predecessor(&report);
        let pid = report.slot().and_then(|slot| self.children.last(slot));
        (self.observer)(&report, pid);
    }

    /// Puts a report into the log.
    fn write(&self, report: Report) {
        if let Report::Reloading | Report::ReloadingFurther | Report::Renewing | Report::WorkerReady { .. } =
            report
        {
            self.board.forget_boot_failure();
        }
        let level = match report {
            // With every save, and so of no interest.
            Report::Gone { status: Status::Exited(0), .. } if self.watcher.is_there() => Level::Debug,
            _ => report.level(),
        };
        if let Some(template) = report.template() {
            let name = self.templates.name(template);
            return self.log.message(level, format_args!("{name} {report}"));
        }
        let Some(slot) = report.slot() else {
            return match report {
                Report::Stopping(_) => {
                    self.log.message(level, format_args!("{report}; {} running now", self.busy()))
                }
                _ => self.log.message(level, format_args!("{report}")),
            };
        };
        let name = self.children.name(slot);
        match report {
            Report::Overdue { task: Task::Drain, .. } => {
                let busy = self.board.worker(slot).busy_threads();
                self.log.message(level, format_args!("{name} {report}; {busy} request(s) still running"));
            }
            _ => self.log.message(level, format_args!("{name} {report}")),
        }
    }

    /// Requests in the application, in all workers.
    fn busy(&self) -> usize {
        let slots = (0..self.board.workers()).filter(|slot| self.children.pid(*slot).is_some());
        slots.map(|slot| self.board.worker(slot).busy_threads()).sum()
    }

    /// Sends what is to be sent, sleeps until something happens, and turns it into events.
    fn wait(&mut self) -> io::Result<()> {
        let ready: Vec<usize> = self.fleet.ready_slots().collect();
        // Whoever sends a connection counts it for the worker that gets it.
        let board = &self.board;
        let mut count = |slot| board.worker(slot).connections_changed(1);
        let held_back = self.outbox.flush(&self.channels, &self.log, &ready, &mut count);
        let slots = self.slots_to_watch(!ready.is_empty() && self.outbox.has_room());
        let sources = slots.iter().map(|slot| match self.children.is_taken(*slot) {
            true => self.channels.incoming(*slot),
            false => self.channels.undelivered(*slot),
        });
        let sources = sources
            .chain(self.touch.events())
            .chain(self.upgrade.sources())
            .chain(self.watcher.changes())
            .chain([self.signals.as_fd()])
            .chain(self.templates.sources())
            .map(|source| (source, Interest::Readable));
        let sleep = self.manager.watch(Instant::now());
        let sleep = self.time_to_sleep(held_back, &ready).into_iter().chain(sleep).min();
        let mut sources: Vec<_> = sources.collect();
        let own = sources.len();
        sources.extend(self.control.sources());
        let found = poll::wait(&sources, sleep)?;
        self.serve_operators(&found[own..]);
        for (slot, _) in slots.into_iter().zip(found).filter(|(_, readable)| *readable) {
            self.read(slot);
        }
        self.reload_if_touched();
        self.attend_predecessor();
        self.attend_successor();
        self.reload_if_changed();
        self.read_templates();
        self.read_signals()
    }

    fn look_at_workers(&mut self) {
        let serving: Vec<usize> = self.fleet.ready_slots().collect();
        let now = self.began.elapsed();
        self.events.extend(self.vitals.look(now, &serving, &self.children));
        if let Some(load) = self.load.as_mut().filter(|_| self.fleet.follows_load()) {
            self.events.extend(load.look(now, self.fleet.wanted(), &serving, &self.children, &self.board));
        }
    }

    fn serve_operators(&mut self, found: &[bool]) {
        let Driver { fleet, children, board, channels, .. } = self;
        let scene = Scene { now: self.began.elapsed(), fleet, children, board, channels };
        let commands = self.control.serve(found, &scene);
        commands.into_iter().for_each(|command| self.obey(command));
    }

    /// Those with a worker, for what it says; those without, if anybody can take the connections sent there.
    fn slots_to_watch(&self, with_strays: bool) -> Vec<usize> {
        let slots = 0..self.board.workers();
        slots.filter(|slot| with_strays || self.children.is_taken(*slot)).collect()
    }

    fn time_to_sleep(&self, held_back: bool, ready: &[usize]) -> Option<Duration> {
        let load = self.load.as_ref().filter(|_| self.fleet.follows_load()).map(LoadWatch::next);
        let deadlines = [self.fleet.next_deadline(), self.vitals.next(ready), load, self.control.deadline()];
        let left = deadlines.into_iter().flatten().map(|at| at.saturating_sub(self.began.elapsed()));
        let others = [self.touch.look_after(), self.upgrade.sleep(), held_back.then_some(RETRY)];
        left.chain(others.into_iter().flatten()).min()
    }

    fn reload_if_changed(&mut self) {
        if let Some(cause) = self.watcher.changed() {
            self.cause = Some(cause);
            self.obey(Command::Reload);
        }
    }

    fn reload_if_touched(&mut self) {
        let touched = self.touch.changed(&self.log);
        for file in &touched {
            self.log.info(format_args!("{} was touched (--touch-reload)", file.display()));
        }
        if !touched.is_empty() {
            self.obey(Command::Reload);
        }
    }

    fn read(&mut self, slot: usize) {
        if !self.children.is_taken(slot) {
            return self.outbox.adopt(self.channels.unread(slot));
        }
        for (message, beside) in self.channels.said(slot) {
            match message {
                Message::Ready => self.is_ready(slot),
                Message::StandsIn | Message::BootFailed => {
                    if let Some(Ok(reason)) = beside.map(letter::read) {
                        self.control.note_reason(slot, reason);
                    }
                    self.events.push_back(match message {
                        Message::StandsIn => Event::StandsIn { slot },
                        _ => Event::BootFailed { slot },
                    });
                }
                Message::Retire(said) => self.events.push_back(Event::Retire { slot, reason: said.into() }),
                Message::Born { pid } => self.born(slot, Pid::from_raw(pid)),
                other => self.log.warning(format_args!("{} said {other:?}", self.children.name(slot))),
            }
        }
    }

    fn is_ready(&mut self, slot: usize) {
        if let Some(pid) = self.children.pid(slot) {
            self.vitals.ready(slot, pid);
        }
        self.events.push_back(Event::Ready { slot });
    }

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.take() {
            match signal {
                Signal::Child => self.reap()?,
                Signal::Hangup if self.ends_with_terminal && !process::has_terminal() => {
                    self.obey(Command::Stop);
                }
                Signal::Hangup => self.obey(Command::Reload),
                Signal::TtyIn => self.obey(Command::Grow),
                Signal::TtyOut => self.obey(Command::Shrink),
                Signal::User1 => self.reopen_logs(),
                Signal::User2 => self.begin_upgrade(),
                Signal::Interrupt if process::is_in_foreground() => self.obey(Command::Interrupt),
                Signal::Terminate | Signal::Interrupt | Signal::Quit => self.obey(Command::Stop),
                Signal::Kill | Signal::Abort => {} // Not caught.
            }
        }
        Ok(())
    }

    fn reopen_logs(&mut self) {
        log_rotation::reopen(self.log_file.as_deref(), &self.log);
        self.obey(Command::Reopen);
        self.change_log_of_templates();
    }

    fn obey(&mut self, command: Command) {
        if self.upgrade.is_known(command) {
            return;
        }
        self.pass_on(command);
        self.events.push_back(Event::Command(command));
    }

    fn reap(&mut self) -> io::Result<()> {
        while let Some((pid, status)) = wait::reap_any()? {
            match self.slot_of(pid) {
                Some(slot) => self.ended(slot, status),
                None if self.successor_ended(pid, status) => {}
                // Files that it knew are named again by new workers.
                None if self.watcher.has_ended(pid, status, &self.log) => self.obey(Command::Reload),
                None if self.template_ended(pid, status) => {}
                None => self.log.debug(format_args!("process {pid}, a stranger, {status}")),
            }
        }
        Ok(())
    }

    fn ended(&mut self, slot: usize, status: Status) {
        // What it said last comes before its end.
        self.read(slot);
        self.children.remove(slot);
        self.board.worker(slot).set_state(WorkerState::Gone);
        self.poke_heir();
        self.events.push_back(Event::Exited { slot, status });
    }
}
