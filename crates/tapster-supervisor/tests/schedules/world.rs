//! Workers and templates as they would be, which only do what the schedule says; the promises that hold at each moment are
//! checked here.

use std::collections::VecDeque;
use std::time::Duration;

use tapster_supervisor::{
    Action, Command, Event, Fleet, Order, Outcome, Plan, Reason, Report, TemplateDeed, TemplateEvent,
    slots_for,
};
use tapster_sys::wait::Status;

use crate::steps::Step;

const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
pub const GRACE: Duration = Duration::from_secs(25);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Process {
    /// A template was told to fork it and hangs.
    Unborn {
        template: u64,
    },
    Booting,
    Ready,
    Draining,
    /// Draining, and then a template.
    Promoting,
    Killed,
}

/// Workers as they would be, which only do what the schedule says.
pub struct World {
    pub fleet: Fleet,
    /// What comes of the actions of another event.
    pub events: VecDeque<Event>,
    pub now: Duration,
    pub processes: Vec<Option<(Process, u64)>>,
    pub fork_fails: bool,
    pub stopping: bool,
    pub outcome: Option<Outcome>,
    pub reports: Vec<Report>,
    pub crashes: usize,
    pub preload: bool,
    pub templates: Vec<Mould>,
    pub template_hangs: bool,
    /// Which import each process has.
    pub imports: Vec<Option<u64>>,
}

/// A template as it would be.
#[derive(Clone, Copy, Debug)]
pub struct Mould {
    pub id: u64,
    pub generation: u64,
    pub state: MouldState,
    /// The template that imported what it has.
    pub import: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MouldState {
    Booting,
    Ready,
    Retired,
    Told,
    Killed,
}

impl World {
    pub fn new(workers: usize, preload: bool) -> World {
        let slots = slots_for(workers + 2);
        let most_workers = workers + 2;
        let plan = Plan {
            workers,
            most_workers,
            slots,
            boot_timeout: BOOT_TIMEOUT,
            graceful_timeout: GRACE,
            preload,
        };
        World {
            fleet: Fleet::new(plan),
            events: VecDeque::new(),
            now: Duration::ZERO,
            processes: vec![None; slots],
            fork_fails: false,
            stopping: false,
            outcome: None,
            reports: Vec::new(),
            crashes: 0,
            preload,
            templates: Vec::new(),
            template_hangs: false,
            imports: vec![None; slots],
        }
    }

    pub fn event(&mut self, event: Event) {
        assert!(self.outcome.is_none(), "{event:?} after the end");
        self.events.push_back(event);
        if self.events.len() > 1 {
            return; // Its turn comes when what is being done is done.
        }
        while let Some(event) = self.events.front().copied() {
            self.handle(event);
            self.events.pop_front();
        }
    }

    pub fn handle(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.fleet.handle(self.now, event, &mut actions);
        assert!(actions.len() < 1_000, "{actions:?}");
        for action in actions {
            self.perform(action);
        }
        let (booting, ready) = (self.count(Process::Booting), self.count(Process::Ready));
        let most = self.fleet.wanted() + 1;
        assert!(booting + ready <= most, "more than one worker beyond what is wanted: {booting} + {ready}");
    }

    pub fn perform(&mut self, action: Action) {
        match action {
            Action::Start { slot, generation } => {
                assert_eq!(self.processes[slot], None, "slot {slot} is used twice");
                assert!(!self.stopping && !self.preload);
                if std::mem::take(&mut self.fork_fails) {
                    self.event(Event::NotStarted { slot });
                } else {
                    self.processes[slot] = Some((Process::Booting, generation));
                }
            }
            Action::StandIn { slot, .. } | Action::Tell { slot, order: Order::HandOver(_) } => {
                panic!("slot {slot}: only in development")
            }
            Action::Tell { slot, order: Order::Drain(_) } => {
                self.set(slot, Process::Draining);
                let enough = self.count(Process::Ready) >= self.fleet.wanted();
                assert!(enough || self.stopping, "a worker went before its replacement was ready");
            }
            Action::Tell { slot, order: Order::Promote(_) } => {
                assert_eq!(self.count(Process::Promoting), 0, "two workers become the template");
                assert!(self.preload && !self.stopping);
                self.set(slot, Process::Promoting);
                assert!(
                    self.count(Process::Ready) >= self.fleet.wanted(),
                    "a worker went before its replacement was ready"
                );
            }
            Action::Template { template, deed } => self.do_with_template(template, deed),
            Action::Terminate { slot } | Action::Kill { slot }
                if self.preload
                    && matches!(self.processes[slot], None | Some((Process::Unborn { .. }, _))) =>
            {
                self.processes[slot] = None;
                self.event(Event::NotStarted { slot });
            }
            Action::Terminate { slot }
            | Action::Kill { slot }
            | Action::Tell { slot, order: Order::Stop } => {
                self.set(slot, Process::Killed);
            }
            Action::Tell { slot, .. } => assert!(self.preload || self.processes[slot].is_some()),
            Action::CloseListeners => self.stopping = true,
            Action::Report(report) => self.reports.push(report),
            Action::Finish(outcome) => {
                assert!(self.processes.iter().all(Option::is_none), "ended with processes left");
                assert!(self.templates.is_empty(), "ended with templates left");
                self.outcome = Some(outcome);
            }
        }
    }

    pub fn do_with_template(&mut self, id: u64, deed: TemplateDeed) {
        assert!(self.preload);
        let place = self.templates.iter().position(|one| one.id == id);
        let state = place.map(|place| self.templates[place].state);
        if place.is_none() && !matches!(deed, TemplateDeed::Start { .. } | TemplateDeed::Adopt { .. }) {
            // It ended, and the fleet is about to hear of it.
            assert!(!self.events.is_empty());
            return;
        }
        match deed {
            TemplateDeed::Adopt { slot } => self.adopt(id, slot),
            TemplateDeed::Start { generation } => {
                assert!(place.is_none() && !self.stopping);
                assert!(self.in_state(MouldState::Booting).is_none(), "two templates import at once");
                if std::mem::take(&mut self.fork_fails) {
                    self.template_event(id, TemplateEvent::NotStarted);
                } else {
                    self.templates.push(Mould { id, import: id, generation, state: MouldState::Booting });
                }
            }
            TemplateDeed::Fork { slot, generation } => {
                assert_eq!(self.processes[slot], None, "slot {slot} is used twice");
                assert_eq!(state, Some(MouldState::Ready));
                assert_eq!(place.map(|place| self.templates[place].generation), Some(generation));
                assert!(!self.stopping);
                if std::mem::take(&mut self.fork_fails) {
                    self.event(Event::NotStarted { slot });
                } else if std::mem::take(&mut self.template_hangs) {
                    self.processes[slot] = Some((Process::Unborn { template: id }, generation));
                    self.imports[slot] = place.map(|place| self.templates[place].import);
                } else {
                    self.processes[slot] = Some((Process::Booting, generation));
                    self.imports[slot] = place.map(|place| self.templates[place].import);
                    self.event(Event::Born { slot });
                }
            }
            TemplateDeed::Retire => self.set_template(id, MouldState::Retired, &[MouldState::Ready]),
            TemplateDeed::Stop | TemplateDeed::Leave => {
                assert_eq!(
                    self.has_heir(id),
                    deed == TemplateDeed::Leave,
                    "what the import made is lost or left"
                );
                self.set_template(id, MouldState::Told, &[MouldState::Retired]);
            }
            TemplateDeed::Terminate => self.set_template(id, MouldState::Killed, &[MouldState::Booting]),
            TemplateDeed::Kill => {
                use MouldState::{Booting, Killed, Ready, Retired, Told};
                let all = [Booting, Ready, Retired, Told, Killed];
                self.set_template(id, Killed, &all);
            }
        }
    }

    fn adopt(&mut self, id: u64, slot: usize) {
        let Some((Process::Promoting | Process::Killed, generation)) = self.processes[slot].take() else {
            panic!("slot {slot} has no worker that could be a template")
        };
        if std::mem::take(&mut self.fork_fails) {
            return self.template_event(id, TemplateEvent::NotStarted); // It has ended meanwhile.
        }
        let Some(import) = self.imports[slot] else { panic!("slot {slot} was forked by nobody") };
        self.templates.push(Mould { id, import, generation, state: MouldState::Ready });
    }

    /// Whether another template has the same import and is to go on.
    fn has_heir(&self, id: u64) -> bool {
        let import = |one: &Mould| one.import;
        let own = self.templates.iter().find(|one| one.id == id).map(import);
        let mut others = self.templates.iter().filter(|one| one.id != id && Some(one.import) == own);
        others.any(|one| !matches!(one.state, MouldState::Told | MouldState::Killed))
    }

    pub fn set_template(&mut self, id: u64, state: MouldState, from: &[MouldState]) {
        let Some(template) = self.templates.iter_mut().find(|one| one.id == id) else {
            panic!("template {id} is told and gone")
        };
        assert!(from.contains(&template.state), "{template:?} becomes {state:?}");
        template.state = state;
    }

    pub fn in_state(&self, state: MouldState) -> Option<u64> {
        self.templates.iter().find(|one| one.state == state).map(|one| one.id)
    }

    pub fn template_event(&mut self, template: u64, event: TemplateEvent) {
        self.event(Event::Template { template, event });
    }

    /// What a template was to fork will not come any more.
    pub fn template_exits(&mut self, id: u64, status: Status) {
        self.templates.retain(|one| one.id != id);
        for process in &mut self.processes {
            *process = process.filter(|(state, _)| *state != Process::Unborn { template: id });
        }
        self.template_event(id, TemplateEvent::Exited(status));
    }

    pub fn boot_template(&mut self) {
        if let Some(id) = self.in_state(MouldState::Booting) {
            self.set_template(id, MouldState::Ready, &[MouldState::Booting]);
            self.template_event(id, TemplateEvent::Ready);
        }
    }

    pub fn set(&mut self, slot: usize, state: Process) {
        match self.processes[slot].as_mut() {
            Some(process) => process.0 = state,
            // It could not be started, of which the fleet has not heard yet.
            None => {
                assert!(
                    self.preload || self.events.contains(&Event::NotStarted { slot }),
                    "slot {slot} is told and empty"
                )
            }
        }
    }

    pub fn count(&self, state: Process) -> usize {
        self.processes.iter().flatten().filter(|(other, _)| *other == state).count()
    }

    pub fn choose(&self, state: Process, number: usize) -> Option<usize> {
        let slots = 0..self.processes.len();
        let found: Vec<_> =
            slots.filter(|slot| self.processes[*slot].is_some_and(|(other, _)| other == state)).collect();
        (!found.is_empty()).then(|| found[number % found.len()])
    }

    pub fn exit(&mut self, slot: usize, status: Status) {
        self.processes[slot] = None;
        self.event(Event::Exited { slot, status });
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Pass(milliseconds) => self.pass_until(self.now + Duration::from_millis(milliseconds)),
            Step::Boot(number) => self.boot(number),
            Step::FailToBoot(number) => {
                if let Some(slot) = self.choose(Process::Booting, number) {
                    self.event(Event::BootFailed { slot });
                    self.exit(slot, Status::Exited(1));
                }
            }
            Step::Crash(number) => {
                if let Some(slot) = self.choose(Process::Ready, number) {
                    self.crashes += 1;
                    self.exit(slot, Status::Signaled { signal: 11, core: true });
                }
            }
            Step::FinishDraining(number) => {
                if let Some(slot) = self.choose(Process::Draining, number) {
                    self.exit(slot, Status::Exited(0));
                }
            }
            Step::ForkFails => self.fork_fails = true,
            Step::Retire(number, reason) => {
                if let Some(slot) = self.choose(Process::Ready, number) {
                    self.event(Event::Retire { slot, reason });
                }
            }
            Step::Recycle(number) => {
                let slot = number % (self.processes.len() + 2);
                self.event(Event::Command(Command::Recycle { slot }));
            }
            Step::Demand(workers) => {
                self.event(Event::Demand { workers, reason: Reason::NoFreeThread { waiting: 1 } });
            }
            Step::BootTemplate => self.boot_template(),
            Step::FailTemplate => {
                if let Some(id) = self.in_state(MouldState::Booting) {
                    self.template_event(id, TemplateEvent::BootFailed);
                    self.template_exits(id, Status::Exited(3));
                }
            }
            Step::CrashTemplate(number) => {
                if let Some(template) = self.templates.get(number % self.templates.len().max(1)).copied() {
                    self.template_exits(template.id, Status::Signaled { signal: 11, core: true });
                }
            }
            Step::Warm(number) => {
                if let Some(slot) = self.choose(Process::Ready, number) {
                    self.event(Event::Warm { slot, requests: 1_000 });
                }
            }
            Step::Promote => {
                if let Some(slot) = self.choose(Process::Promoting, 0) {
                    self.event(Event::Promoted { slot });
                }
            }
            Step::RefusePromotion => {
                if let Some(slot) = self.choose(Process::Promoting, 0) {
                    self.exit(slot, Status::Exited(0));
                }
            }
            Step::HangTemplate => self.template_hangs = self.preload,
            Step::Order(command) => self.event(Event::Command(command)),
        }
        self.reap_killed();
    }

    pub fn boot(&mut self, number: usize) {
        if let Some(slot) = self.choose(Process::Booting, number) {
            self.set(slot, Process::Ready);
            self.event(Event::Ready { slot });
        }
    }

    pub fn reap_killed(&mut self) {
        while let Some(slot) = self.choose(Process::Killed, 0) {
            self.exit(slot, Status::Signaled { signal: 9, core: false });
        }
        while let Some(id) = self.in_state(MouldState::Killed) {
            self.template_exits(id, Status::Signaled { signal: 9, core: false });
        }
    }

    pub fn pass_until(&mut self, until: Duration) {
        while let Some(deadline) = self.fleet.next_deadline().filter(|deadline| *deadline <= until) {
            assert!(deadline >= self.now || self.fleet.next_deadline() == Some(deadline));
            self.now = self.now.max(deadline);
            self.event(Event::Tick);
            self.reap_killed();
            if self.outcome.is_some() {
                return;
            }
            let next = self.fleet.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "a deadline that is due was left");
        }
        self.now = until;
    }

    /// All that boots does, all that drains finishes, and nothing crashes.
    pub fn settle(&mut self) {
        self.fork_fails = false;
        self.template_hangs = false;
        for _ in 0..100 {
            self.boot_template();
            let unborn =
                |process: &Option<(Process, u64)>| matches!(process, Some((Process::Unborn { .. }, _)));
            if let Some(slot) = self.processes.iter().position(unborn) {
                self.set(slot, Process::Booting);
                self.event(Event::Born { slot });
            }
            if let Some(id) = self.in_state(MouldState::Told) {
                self.template_exits(id, Status::Exited(0));
            }
            self.boot(0);
            self.take(Step::FinishDraining(0));
            self.take(Step::Promote);
            self.take(Step::Pass(1_000));
        }
    }
}
