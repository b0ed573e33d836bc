//! The fleet under random schedules: whatever workers and operators do, its promises hold. TAPSTER_SCHEDULES says how
//! many there are for each promise; `make test-long` takes 100,000.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use tapster_supervisor::{
    Action, Command, Event, Fleet, Order, Outcome, Plan, Reason, Report, RetireReason, TemplateDeed,
    TemplateEvent, slots_for,
};
use tapster_sys::wait::Status;

const BOOT_TIMEOUT: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(25);

/// One thing that happens; numbers choose among the workers there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Boot(usize),
    FailToBoot(usize),
    Crash(usize),
    FinishDraining(usize),
    ForkFails,
    Retire(usize, RetireReason),
    Recycle(usize),
    Demand(usize),
    BootTemplate,
    FailTemplate,
    CrashTemplate(usize),
    HangTemplate,
    Order(Command),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_000_u64).prop_map(Step::Pass),
        1 => (0..40_000_u64).prop_map(Step::Pass),
        8 => any::<usize>().prop_map(Step::Boot),
        2 => any::<usize>().prop_map(Step::FailToBoot),
        2 => any::<usize>().prop_map(Step::Crash),
        4 => any::<usize>().prop_map(Step::FinishDraining),
        1 => Just(Step::ForkFails),
        2 => Just(Step::Order(Command::Reload)),
        1 => Just(Step::Order(Command::Grow)),
        1 => Just(Step::Order(Command::Shrink)),
        1 => (0..8_usize).prop_map(|workers| Step::Order(Command::Scale(workers))),
        3 => (any::<usize>(), reason()).prop_map(|(number, reason)| Step::Retire(number, reason)),
        1 => any::<usize>().prop_map(Step::Recycle),
        2 => (0..8_usize).prop_map(Step::Demand),
        4 => Just(Step::BootTemplate),
        1 => Just(Step::FailTemplate),
        1 => any::<usize>().prop_map(Step::CrashTemplate),
        1 => Just(Step::HangTemplate),
    ]
}

/// Nothing of the operator, and no worker that is stuck.
fn quiet_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_000_u64).prop_map(Step::Pass),
        6 => any::<usize>().prop_map(Step::Boot),
        2 => any::<usize>().prop_map(Step::FailToBoot),
        1 => any::<usize>().prop_map(Step::Crash),
        3 => any::<usize>().prop_map(Step::FinishDraining),
        1 => Just(Step::ForkFails),
        4 => any::<usize>().prop_map(|number| Step::Retire(number, RetireReason::MaxRequests { requests: 500 })),
    ]
}

fn reason() -> impl Strategy<Value = RetireReason> {
    prop_oneof![
        Just(RetireReason::MaxRequests { requests: 500 }),
        Just(RetireReason::Lifetime { age: Duration::from_secs(3_600) }),
        Just(RetireReason::Memory { rss: 2 << 30, limit: 1 << 30 }),
        Just(RetireReason::Stuck { seconds: 31 }),
    ]
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Process {
    /// A template was told to fork it and hangs.
    Unborn {
        template: u64,
    },
    Booting,
    Ready,
    Draining,
    Killed,
}

/// Workers as they would be, which only do what the schedule says.
struct World {
    fleet: Fleet,
    /// What comes of the actions of another event.
    events: VecDeque<Event>,
    now: Duration,
    processes: Vec<Option<(Process, u64)>>,
    fork_fails: bool,
    stopping: bool,
    outcome: Option<Outcome>,
    reports: Vec<Report>,
    crashes: usize,
    preload: bool,
    templates: Vec<Mould>,
    template_hangs: bool,
}

/// A template as it would be.
#[derive(Clone, Copy, Debug)]
struct Mould {
    id: u64,
    generation: u64,
    state: MouldState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum MouldState {
    Booting,
    Ready,
    Retired,
    Told,
    Killed,
}

impl World {
    fn new(workers: usize, preload: bool) -> World {
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
        }
    }

    fn event(&mut self, event: Event) {
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

    fn handle(&mut self, event: Event) {
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

    fn perform(&mut self, action: Action) {
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

    fn do_with_template(&mut self, id: u64, deed: TemplateDeed) {
        assert!(self.preload);
        let place = self.templates.iter().position(|one| one.id == id);
        let state = place.map(|place| self.templates[place].state);
        if place.is_none() && !matches!(deed, TemplateDeed::Start { .. }) {
            // It ended, and the fleet is about to hear of it.
            assert!(!self.events.is_empty());
            return;
        }
        match deed {
            TemplateDeed::Start { generation } => {
                assert!(place.is_none() && !self.stopping);
                assert!(self.in_state(MouldState::Booting).is_none(), "two templates import at once");
                if std::mem::take(&mut self.fork_fails) {
                    self.template_event(id, TemplateEvent::NotStarted);
                } else {
                    self.templates.push(Mould { id, generation, state: MouldState::Booting });
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
                } else {
                    self.processes[slot] = Some((Process::Booting, generation));
                    self.event(Event::Born { slot });
                }
            }
            TemplateDeed::Retire => self.set_template(id, MouldState::Retired, &[MouldState::Ready]),
            TemplateDeed::Stop => self.set_template(id, MouldState::Told, &[MouldState::Retired]),
            TemplateDeed::Terminate => self.set_template(id, MouldState::Killed, &[MouldState::Booting]),
            TemplateDeed::Kill => {
                use MouldState::{Booting, Killed, Ready, Retired, Told};
                let all = [Booting, Ready, Retired, Told, Killed];
                self.set_template(id, Killed, &all);
            }
        }
    }

    fn set_template(&mut self, id: u64, state: MouldState, from: &[MouldState]) {
        let Some(template) = self.templates.iter_mut().find(|one| one.id == id) else {
            panic!("template {id} is told and gone")
        };
        assert!(from.contains(&template.state), "{template:?} becomes {state:?}");
        template.state = state;
    }

    fn in_state(&self, state: MouldState) -> Option<u64> {
        self.templates.iter().find(|one| one.state == state).map(|one| one.id)
    }

    fn template_event(&mut self, template: u64, event: TemplateEvent) {
        self.event(Event::Template { template, event });
    }

    /// What a template was to fork will not come any more.
    fn template_exits(&mut self, id: u64, status: Status) {
        self.templates.retain(|one| one.id != id);
        for process in &mut self.processes {
            *process = process.filter(|(state, _)| *state != Process::Unborn { template: id });
        }
        self.template_event(id, TemplateEvent::Exited(status));
    }

    fn boot_template(&mut self) {
        if let Some(id) = self.in_state(MouldState::Booting) {
            self.set_template(id, MouldState::Ready, &[MouldState::Booting]);
            self.template_event(id, TemplateEvent::Ready);
        }
    }

    fn set(&mut self, slot: usize, state: Process) {
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

    fn count(&self, state: Process) -> usize {
        self.processes.iter().flatten().filter(|(other, _)| *other == state).count()
    }

    fn choose(&self, state: Process, number: usize) -> Option<usize> {
        let slots = 0..self.processes.len();
        let found: Vec<_> =
            slots.filter(|slot| self.processes[*slot].is_some_and(|(other, _)| other == state)).collect();
        (!found.is_empty()).then(|| found[number % found.len()])
    }

    fn exit(&mut self, slot: usize, status: Status) {
        self.processes[slot] = None;
        self.event(Event::Exited { slot, status });
    }

    fn take(&mut self, step: Step) {
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
            Step::HangTemplate => self.template_hangs = self.preload,
            Step::Order(command) => self.event(Event::Command(command)),
        }
        self.reap_killed();
    }

    fn boot(&mut self, number: usize) {
        if let Some(slot) = self.choose(Process::Booting, number) {
            self.set(slot, Process::Ready);
            self.event(Event::Ready { slot });
        }
    }

    fn reap_killed(&mut self) {
        while let Some(slot) = self.choose(Process::Killed, 0) {
            self.exit(slot, Status::Signaled { signal: 9, core: false });
        }
        while let Some(id) = self.in_state(MouldState::Killed) {
            self.template_exits(id, Status::Signaled { signal: 9, core: false });
        }
    }

    fn pass_until(&mut self, until: Duration) {
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
    fn settle(&mut self) {
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
            self.take(Step::Pass(1_000));
        }
    }
}

fn world_after(workers: usize, preload: bool, steps: &[Step]) -> Option<World> {
    let mut world = World::new(workers, preload);
    world.event(Event::Command(Command::Start));
    for step in steps {
        world.take(*step);
        if world.stopping && world.outcome.is_none() {
            // It gave up, and the template is about to end.
            world.pass_until(world.now + Duration::from_secs(5));
        }
        if let Some(outcome) = world.outcome {
            assert_eq!(outcome, Outcome::BootFailed);
            assert!(!world.reports.iter().any(|report| matches!(report, Report::WorkerReady { .. })));
            return None;
        }
    }
    Some(world)
}

/// Some hundred schedules for each promise, or as many as the environment says.
fn config() -> ProptestConfig {
    let given = std::env::var("TAPSTER_SCHEDULES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: given.unwrap_or(500), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_fleet_recovers_from_everything(
        workers in 1..5_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let Some(mut world) = world_after(workers, preload, &steps) else { return Ok(()) };
        world.settle();
        prop_assert_eq!(world.count(Process::Ready), world.fleet.wanted());
        prop_assert_eq!(world.processes.iter().flatten().count(), world.fleet.wanted());
        prop_assert_eq!(world.fleet.next_deadline(), None);
        let forking = world.templates.iter().filter(|one| one.state == MouldState::Ready).count();
        prop_assert_eq!(forking, usize::from(preload));
    }

    #[test]
    fn a_reload_ends_with_new_workers_only(
        workers in 1..5_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let Some(mut world) = world_after(workers, preload, &steps) else { return Ok(()) };
        world.reports.clear();
        world.fork_fails = false;
        world.event(Event::Command(Command::Reload));
        world.settle();
        let ended = world.reports.iter().filter(|report| matches!(report, Report::Reloaded(_))).count();
        prop_assert_eq!(ended, 1);
        let mut generations: Vec<_> = world.processes.iter().flatten().map(|(_, generation)| *generation).collect();
        generations.dedup();
        prop_assert_eq!(generations.len(), 1);
        let left: Vec<_> = world.templates.iter().map(|one| one.generation).collect();
        prop_assert_eq!(left, if preload { generations } else { Vec::new() });
    }

    #[test]
    fn workers_that_are_due_go_one_at_a_time(
        workers in 1..6_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(quiet_step(), 0..80),
    ) {
        let mut world = World::new(workers, preload);
        world.event(Event::Command(Command::Start));
        world.settle();
        for step in steps {
            world.take(step);
            prop_assert!(world.count(Process::Draining) <= 1);
        }
        world.settle();
        prop_assert_eq!(world.count(Process::Ready), workers);
        // Nobody who was due is still there: whoever is told to go gets a slot, and each has a successor.
        let due = world.reports.iter().filter(|report| matches!(report, Report::Retiring { .. })).count();
        let gone = world.reports.iter().filter(|report| matches!(report, Report::Gone { .. })).count();
        prop_assert!(gone <= due);
        prop_assert!(gone + world.crashes >= due);
    }

    #[test]
    fn a_stop_always_ends(
        workers in 1..5_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..20),
    ) {
        let Some(mut world) = world_after(workers, preload, &steps) else { return Ok(()) };
        let order = world.now;
        world.event(Event::Command(Command::Stop));
        for step in after {
            if world.outcome.is_none() {
                world.take(step);
            }
        }
        // Nobody obeys; only what is killed ends.
        if world.outcome.is_none() {
            world.reap_killed();
        }
        if world.outcome.is_none() {
            world.pass_until(world.now.max(order + GRACE + Duration::from_secs(5)));
        }
        prop_assert_eq!(world.outcome, Some(Outcome::Stopped));
    }
}
