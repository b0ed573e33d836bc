//! The supervisor's loop: waits for what happens, asks the fleet, does what it says.

mod configuration;
mod parting;
mod processes;
mod reports;
mod templates;
mod upgrade;
mod waiting;

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use tapster_config::{Settings, Shown};
use tapster_observe::{Log, Scoreboard, WorkerState};
use tapster_sys::inbox::Message;
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal, Signals};
use tapster_sys::socket::Listener;

use crate::channels::Channels;
use crate::children::Children;
use crate::control::Control;
use crate::driver::upgrade::Upgrade;
use crate::exporter::{Exporter, ExporterRole};
use crate::front::{Front, FrontRole};
use crate::handover::Succession;
use crate::load::LoadWatch;
use crate::log_rotation::{self, LogFiles};
use crate::outbox::Outbox;
use crate::role::Place;
use crate::service_manager::ServiceManager;
use crate::stopped::Stopped;
use crate::touch::TouchFiles;
use crate::vitals::Vitals;
use crate::warmth::Warmth;
use crate::watcher::{Watcher, WatcherRole};
use crate::worker_start::CAUGHT;
use crate::{Action, Command, Event, Fleet, Fork, Observer, Order, Outcome, Plan, Roles, Strength};

use configuration::Configuring;
pub use configuration::Renewal;
use parting::Parting;
use templates::{Child, Templates};

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
    /// The listeners for uWSGI's statistics.
    pub stats: Vec<Listener>,
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
    /// What the process does that exports spans and metrics, if there is to be one.
    pub exporter: Option<ExporterRole<'a>>,
    /// What the process does that stands before the workers, if clients are to come to one.
    pub front: Option<FrontRole<'a>>,
    /// Reads the configuration of the front anew, where there is one.
    pub renewal: Option<Renewal<'a>>,
    /// Every value of the configuration with its origin, without secrets.
    pub configuration: &'a dyn Fn() -> Vec<Shown>,
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
    log_files: LogFiles,
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
    exporter: Exporter<'a>,
    front: Front<'a>,
    /// Why the next reload is ordered, as far as it is known.
    cause: Option<String>,
    /// When it was last told that the system gives no process.
    refusal: Option<Instant>,
    vitals: Vitals,
    stopped: Stopped,
    load: Option<LoadWatch>,
    warmth: Option<Warmth>,
    templates: Templates,
    fleet: Fleet,
    events: VecDeque<Event>,
    upgrade: Upgrade,
    boot_timeout: Duration,
    graceful_timeout: Duration,
    drain_delay: Duration,
    parting: Parting,
    renewal: Option<Renewal<'a>>,
    configuration: &'a dyn Fn() -> Vec<Shown>,
    configuring: Option<Configuring>,
}

fn plan(settings: &Settings, workers: Strength, slots: usize) -> Plan {
    Plan {
        workers: workers.least,
        most_workers: workers.most,
        slots,
        boot_timeout: settings.boot_timeout,
        graceful_timeout: settings.graceful_timeout,
        preload: settings.preload,
    }
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
            stats,
            board,
            log,
            privileges,
            succession,
            watcher,
            exporter,
            front,
            renewal,
            configuration,
            observer,
        } = given;
        let watcher = Watcher::new(watcher)?;
        let is_for_development = watcher.is_there();
        let slots = board.workers();
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
            control: Control::new(settings, &listeners, (admin, stats), &log),
            listeners,
            board,
            privileges,
            observer,
            refusal: None,
            vitals: Vitals::new(settings, slots, log.clone()),
            stopped: Stopped::new(settings.request_timeout, slots),
            log,
            log_files: LogFiles::of(settings),
            manager: upgrade.service_manager(),
            signals,
            ends_with_terminal,
            alive: process::pipe()?,
            channels: Channels::open(slots)?,
            children: Children::new(slots),
            outbox: Outbox::default(),
            load: LoadWatch::new(workers, slots),
            warmth: Warmth::new(settings),
            fleet: Fleet::new(plan(settings, workers, slots))
                .drain_after(settings.drain_delay)
                .for_development(is_for_development),
            watcher,
            exporter: Exporter::new(exporter)?,
            front: Front::new(front),
            cause: None,
            templates: Templates::default(),
            events: VecDeque::from([Event::Command(Command::Start)]),
            upgrade,
            boot_timeout: settings.boot_timeout,
            graceful_timeout: settings.graceful_timeout,
            drain_delay: settings.drain_delay,
            parting: Parting::default(),
            renewal,
            configuration,
            configuring: None,
        })
    }

    fn run(mut self) -> io::Result<Outcome> {
        let mut actions = Vec::new();
        self.greet_predecessor();
        loop {
            if self.watcher.start(self.fork, &self.log) {
                self.become_watcher();
            }
            if self.exporter.start(self.fork, &self.log) {
                self.become_exporter();
            }
            if let Some(newborn) = self.front.start(self.fork, &self.log) {
                self.become_front(newborn);
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
                self.front.stop(self.graceful_timeout, &self.log);
                self.part_from_clients();
            }
            Action::Report(report) => self.report(report),
            Action::Finish(outcome) => {
                self.close_listeners();
                self.exporter.finish(&self.log);
                self.control.part_from_probes(self.began);
                self.control.remove();
                return self.upgrade.finish(outcome).map_or(Done::Yes, Done::Finished);
            }
        }
        Done::Yes
    }

    fn tell(&mut self, slot: usize, order: Order) {
        let Some(order) = self.front.delay(slot, order, &self.log) else { return };
        let message = match order {
            Order::Drain(limit) => {
                self.board.worker(slot).set_state(WorkerState::Draining);
                Message::Drain { timeout_ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX) }
            }
            Order::Promote(limit) => {
                self.board.worker(slot).set_state(WorkerState::Draining);
                Message::Promote { timeout_ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX) }
            }
            Order::HandOver(limit) => {
                self.board.worker(slot).set_state(WorkerState::Draining);
                Message::HandOver { timeout_ms: u32::try_from(limit.as_millis()).unwrap_or(u32::MAX) }
            }
            Order::Stop => Message::Stop,
            Order::Poke => Message::Poke,
            Order::Reopen => {
                log_rotation::messages(&self.log).for_each(|message| self.outbox.order(slot, message));
                return self.outbox.flush_orders(&self.channels, &self.log);
            }
        };
        self.outbox.order(slot, message);
        self.outbox.flush_orders(&self.channels, &self.log);
    }

    fn close_listeners(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.remove_file();
        }
    }

    fn obey(&mut self, command: Command) {
        if self.upgrade.is_known(command) {
            return;
        }
        self.pass_on(command);
        // Each time, also where the fleet makes one reload of two. For every save of a developer it would be too much.
        if command == Command::Reload && !self.watcher.is_there() {
            if !self.configure() {
                return;
            }
            self.front.renew(&self.log);
        }
        self.events.push_back(Event::Command(command));
    }
}
