//! The machine that decides which workers there are. Pure: events and the time go in, actions come out.
//!
//! Its rules, in order of weight:
//! 1. Told to stop, it ends, whatever the workers do.
//! 2. No serving worker is told to go before there is one serving beyond the number wanted.
//! 3. A worker that dies is replaced at once; one that does not live is tried again with growing pauses.
//! 4. A reload replaces one worker after the other, and is given up when a new one does not boot.
//! 5. A worker that is to go for another reason goes when its successor is ready, and no two such go at once.
//!
//! The first worker starts alone: an application that cannot be loaded is reported once, and not by every worker.

mod development;
mod reload;
mod retire;
mod stop;
mod templates;

use std::time::Duration;

use tapster_sys::wait::Status;

use crate::backoff;
use crate::member::{Member, State, Time};
use crate::report::Task;
use crate::{Action, BootFailure, Command, Event, Order, Reason, Report};

use templates::Templates;

/// The longest wait for the replacement of a worker that was ready, however many such ended before it.
const AFTER_READY: Duration = Duration::from_millis(500);

/// The longest wait after the system refused a process: to ask again costs little.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// How long after its grace a worker is given to exit before it is killed.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// How long a worker that cannot load the application may take to exit.
const FAILURE_GRACE: Duration = Duration::from_secs(5);
/// A worker that served for less than this did not live.
const STABLE: Duration = Duration::from_secs(1);
/// Slots beyond two for each worker: room for TTIN.
const SPARE_SLOTS: usize = 8;

/// How many slots a scoreboard needs for this many workers: one for each and one for its replacement, and some more.
pub const fn slots_for(workers: usize) -> usize {
    2 * workers + SPARE_SLOTS
}

/// What a fleet is to be.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Workers that serve, at least 1; where the number follows the load, the least.
    pub workers: usize,
    /// The most workers that the load may ask for; as many as `workers` where it may not.
    pub most_workers: usize,
    /// Slots on the scoreboard, more than workers; see [`slots_for`].
    pub slots: usize,
    /// How long a worker may take to become ready.
    pub boot_timeout: Duration,
    /// How long a worker may finish requests when it is told to go.
    pub graceful_timeout: Duration,
    /// Whether workers are forked by a template that has imported the application (`--preload`).
    pub preload: bool,
}

/// How a server ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was told to.
    Stopped,
    /// No worker ever came to serve.
    BootFailed,
}

impl Outcome {
    /// The exit code of the command.
    pub fn exit_code(self) -> i32 {
        match self {
            Outcome::Stopped => 0,
            Outcome::BootFailed => 3,
        }
    }
}

/// The machine.
#[derive(Debug)]
pub struct Fleet {
    plan: Plan,
    /// Workers wanted now.
    wanted: usize,
    /// The operator said how many.
    by_hand: bool,
    /// Reloads ordered so far.
    generation: u64,
    /// When the reload that is running was ordered.
    reload: Option<Time>,
    /// Whether all workers were ready once.
    complete: bool,
    phase: Phase,
    /// How long workers go on accepting when the server is told to stop: see `stop.rs`.
    drain_delay: Duration,
    /// When the drain begins that the server was told of.
    leaving: Option<Time>,
    /// What somebody is working on is served: see `development.rs`.
    is_for_development: bool,
    slots: Vec<Option<Member>>,
    /// With `--preload`.
    templates: Option<Templates>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No worker has served yet.
    Starting,
    Serving,
    Stopping {
        outcome: Outcome,
        at_once: bool,
    },
    Finished,
}

/// One call of [`Fleet::handle`].
struct Turn<'a> {
    now: Time,
    actions: &'a mut Vec<Action>,
}

impl Turn<'_> {
    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn report(&mut self, report: Report) {
        self.act(Action::Report(report));
    }
}

impl Fleet {
    /// A fleet without workers yet. [`Command::Start`] brings it to life.
    pub fn new(plan: Plan) -> Fleet {
        let workers = plan.workers.max(1);
        let slots = plan.slots.max(workers + 1);
        Fleet {
            plan,
            wanted: workers,
            by_hand: false,
            generation: 0,
            reload: None,
            complete: false,
            phase: Phase::Starting,
            drain_delay: Duration::ZERO,
            leaving: None,
            is_for_development: false,
            slots: vec![None; slots],
            templates: plan.preload.then(|| Templates::new(slots)),
        }
    }

    /// Takes note of an event at `now` (since the start; never less than before) and appends what is to be done.
    pub fn handle(&mut self, now: Duration, event: Event, actions: &mut Vec<Action>) {
        let turn = &mut Turn { now, actions };
        match event {
            Event::Command(command) => self.obey(command, turn),
            Event::NotStarted { slot } => self.not_started(slot, turn),
            Event::Ready { slot } => self.ready(slot, turn),
            Event::StandsIn { slot } => self.stands_in(slot, turn),
            Event::BootFailed { slot } => self.boot_failed(slot, turn),
            Event::Exited { slot, status } => self.exited(slot, status, turn),
            Event::Retire { slot, reason } => self.retire(slot, reason, turn),
            Event::Demand { workers, reason } => self.adapt(workers, reason, turn),
            Event::Template { template, event } => self.template_event(template, event, turn),
            Event::Born { slot } => self.born(slot),
            Event::Tick => {}
        }
        for slot in 0..self.slots.len() {
            self.expire(slot, turn);
        }
        self.drain_when_due(turn);
        self.expire_templates(turn);
        match self.phase {
            Phase::Starting | Phase::Finished => {}
            Phase::Serving => self.balance(turn),
            Phase::Stopping { outcome, .. } => self.finish_if_empty(outcome, turn),
        }
    }

    /// When [`Event::Tick`] is due at the latest, if ever.
    pub fn next_deadline(&self) -> Option<Duration> {
        let templates = self.templates.as_ref().and_then(Templates::next_deadline);
        self.members().filter_map(Member::deadline).chain(self.leaving).chain(templates).min()
    }

    /// Workers wanted now.
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// The worker in a slot, or what is planned for it.
    pub(crate) fn member(&self, slot: usize) -> Option<&Member> {
        self.slots.get(slot).and_then(Option::as_ref)
    }

    /// Whether the end has begun.
    pub fn is_stopping(&self) -> bool {
        self.leaving.is_some() || matches!(self.phase, Phase::Stopping { .. } | Phase::Finished)
    }

    /// Whether the number of workers follows the load now.
    pub fn follows_load(&self) -> bool {
        self.plan.workers < self.plan.most_workers && !self.by_hand && self.phase == Phase::Serving
    }

    /// Slots of workers that serve and are to go on with it.
    pub fn ready_slots(&self) -> impl Iterator<Item = usize> {
        self.slots_where(Member::is_ready)
    }

    fn obey(&mut self, command: Command, turn: &mut Turn<'_>) {
        match (command, self.phase) {
            (_, Phase::Finished) => {}
            (Command::Start, Phase::Starting) => {
                self.begin(turn);
            }
            (Command::Start, _) => {}
            (Command::Stop, phase) => self.stop(phase, turn),
            (Command::MakeWay, phase) => self.make_way(phase, turn),
            (Command::Interrupt, phase) => self.interrupt(phase, turn),
            (Command::Reopen, _) => {
                let serving = self.slots_where(|member| !matches!(member.state, State::Waiting { .. }));
                turn.actions.extend(serving.map(|slot| Action::Tell { slot, order: Order::Reopen }));
            }
            (_, Phase::Stopping { .. }) => {}
            _ if self.leaving.is_some() => {}
            (Command::Reload, _) if self.is_for_development => self.renew(turn),
            (Command::Reload, _) => self.begin_reload(turn),
            (Command::Grow, _) => self.resize(self.wanted + 1, turn),
            (Command::Shrink, _) => self.resize(self.wanted - 1, turn),
            (Command::Scale(workers), _) => self.resize(workers, turn),
            (Command::Recycle { slot }, _) => self.recycle(slot, turn),
        }
    }

    /// At least one worker, and one slot more than workers, or a reload could not begin.
    fn resize(&mut self, wanted: usize, turn: &mut Turn<'_>) {
        if (1..self.slots.len()).contains(&wanted) {
            self.wanted = wanted;
            self.by_hand = true;
            turn.report(Report::Resized(wanted));
        } else {
            turn.report(Report::ResizeRefused(self.wanted));
        }
    }

    /// The load asks for more workers, or fewer. While a reload goes on the number stays.
    fn adapt(&mut self, workers: usize, reason: Reason, turn: &mut Turn<'_>) {
        let range = self.plan.workers.max(1)..=self.plan.most_workers;
        if self.follows_load() && self.reload.is_none() && range.contains(&workers) && workers != self.wanted
        {
            self.wanted = workers;
            turn.report(Report::Adapted { workers, reason });
        }
    }

    fn begin(&mut self, turn: &mut Turn<'_>) {
        if self.slots.iter().any(Option::is_some) {
            return;
        }
        match &self.templates {
            None => self.start(0, 0, turn),
            Some(templates) if templates.is_empty() => self.boot_template(turn),
            Some(_) => {}
        }
    }

    fn start(&mut self, slot: usize, failures: u32, turn: &mut Turn<'_>) {
        let state = State::Booting { deadline: turn.now + self.plan.boot_timeout };
        let generation = self.next_generation();
        self.place(slot, failures, state, turn.now);
        self.summon(slot, generation, turn);
    }

    fn ready(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Some(member) = self.member_mut(slot) else { return };
        if !matches!(member.state, State::Booting { .. }) {
            return;
        }
        member.state = State::Ready { since: turn.now };
        turn.report(Report::WorkerReady { slot, took: turn.now.saturating_sub(member.started) });
        if self.phase == Phase::Starting {
            self.phase = Phase::Serving;
        }
    }

    fn boot_failed(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Some(member) = self.member_mut(slot) else { return };
        if matches!(member.state, State::Booting { .. }) {
            let deadline = Some(turn.now + FAILURE_GRACE);
            member.state = State::Failing { failure: BootFailure::Refused, deadline };
        }
    }

    fn not_started(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Some(member) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        self.forget_origin(slot);
        match member.state {
            State::Booting { .. } => self.did_not_boot(slot, member, BootFailure::NotStarted, turn),
            State::Failing { failure, .. } => self.did_not_boot(slot, member, failure, turn),
            // It was let go before there was a process.
            State::Draining { .. } | State::Ending { .. } => {}
            State::Waiting { .. } | State::Ready { .. } => self.slots[slot] = Some(member),
        }
    }

    fn exited(&mut self, slot: usize, status: Status, turn: &mut Turn<'_>) {
        let Some(member) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        let lived = turn.now.saturating_sub(member.started);
        self.forget_origin(slot);
        self.poke(turn);
        match member.state {
            State::Booting { .. } => self.did_not_boot(slot, member, BootFailure::Died(status), turn),
            State::Failing { failure, .. } => self.did_not_boot(slot, member, failure, turn),
            State::Ready { since } => {
                turn.report(Report::Died { slot, status, lived });
                self.died(slot, member, turn.now.saturating_sub(since) >= STABLE, turn);
            }
            State::Draining { .. } | State::Ending { .. } => {
                turn.report(Report::Gone { slot, status, lived })
            }
            State::Waiting { .. } => self.slots[slot] = Some(member),
        }
    }

    fn died(&mut self, slot: usize, member: Member, stable: bool, turn: &mut Turn<'_>) {
        if stable {
            self.replace(slot, 0, Duration::ZERO, turn);
            return;
        }
        self.abort_reload(member, turn);
        let failures = member.failures.saturating_add(1);
        // It can boot, so a request ended it, and the next one may be a good one: the first that did not live is
        // replaced at once, and none waits for long.
        let delay = backoff::delay(failures - 1).min(AFTER_READY);
        if self.replace(slot, failures, delay, turn) {
            turn.report(Report::Retrying(delay));
        }
    }

    /// A wake-up that the kernel gave to the dead worker would otherwise be lost.
    fn poke(&self, turn: &mut Turn<'_>) {
        turn.actions.extend(self.ready_slots().map(|slot| Action::Tell { slot, order: Order::Poke }));
    }

    fn did_not_boot(&mut self, slot: usize, member: Member, failure: BootFailure, turn: &mut Turn<'_>) {
        turn.report(Report::NotBooted { slot, failure });
        if self.may_stand_in(member, failure) {
            return self.stand_in(slot, failure, turn);
        }
        match self.phase {
            Phase::Starting => {
                turn.report(Report::GivingUp);
                self.begin_stop(Outcome::BootFailed, turn);
            }
            Phase::Serving => {
                self.abort_reload(member, turn);
                let failures = member.failures.saturating_add(1);
                let delay = backoff::delay(failures);
                if failure == BootFailure::NotStarted {
                    self.replace(slot, failures, delay.min(AFTER_REFUSAL), turn);
                } else if self.replace(slot, failures, delay, turn) {
                    turn.report(Report::Retrying(delay));
                }
            }
            Phase::Stopping { .. } | Phase::Finished => {}
        }
    }

    /// Fills the place of a worker that ended, if its place is wanted. True if that has to wait.
    fn replace(&mut self, slot: usize, failures: u32, delay: Duration, turn: &mut Turn<'_>) -> bool {
        if self.phase != Phase::Serving || self.active() >= self.wanted + usize::from(self.has_retiring()) {
            return false;
        }
        if delay.is_zero() {
            self.start(slot, failures, turn);
            return false;
        }
        let state = State::Waiting { until: turn.now + delay };
        self.place(slot, failures, state, turn.now);
        true
    }

    /// Puts a new member of the newest generation into a slot.
    fn place(&mut self, slot: usize, failures: u32, state: State, started: Time) {
        let generation = self.next_generation();
        self.slots[slot] =
            Some(Member { generation, started, failures, retire: None, stands_in: false, state });
    }

    /// Does what is due for one member.
    fn expire(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Plan { boot_timeout, .. } = self.plan;
        let graceful_timeout = self.grace();
        let Some(member) = self.member_mut(slot) else { return };
        if member.deadline().is_none_or(|deadline| deadline > turn.now) {
            return;
        }
        let (task, limit) = match member.state {
            State::Waiting { .. } => {
                let failures = member.failures;
                return self.start(slot, failures, turn);
            }
            State::Booting { .. } => (Task::Boot, boot_timeout),
            State::Failing { .. } => (Task::ExitAfterFailure, FAILURE_GRACE),
            State::Draining { .. } => (Task::Drain, graceful_timeout),
            State::Ending { .. } => (Task::Exit, KILL_GRACE),
            State::Ready { .. } => return,
        };
        member.state = match member.state {
            State::Booting { .. } => State::Failing { failure: BootFailure::TooSlow, deadline: None },
            State::Failing { failure, .. } => State::Failing { failure, deadline: None },
            _ => State::Ending { deadline: None },
        };
        turn.report(Report::Overdue { slot, task, limit });
        turn.act(Action::Kill { slot });
        if task == Task::Boot {
            self.end_hung_template(slot, turn);
        }
    }

    /// Brings the workers nearer to what is wanted. Does nothing when they are.
    fn balance(&mut self, turn: &mut Turn<'_>) {
        if self.is_for_development {
            return self.balance_for_development(turn);
        }
        if !self.complete && self.ready_slots().count() >= self.wanted {
            self.complete = true;
            turn.report(Report::AllReady { workers: self.wanted, took: turn.now });
        }
        self.fill(turn);
        self.trim(turn);
        self.go_on_with_reload(turn);
        self.go_on_with_retirement(turn);
    }

    fn fill(&mut self, turn: &mut Turn<'_>) {
        while self.active() < self.wanted {
            let Some(slot) = self.free_slot() else { return };
            self.start(slot, 0, turn);
        }
    }

    fn trim(&mut self, turn: &mut Turn<'_>) {
        while self.ready_slots().count() > self.wanted {
            let Some(slot) = self.first_to_go() else { return };
            self.release(slot, turn);
        }
        // The one beyond is the successor of one that serves until then.
        let allowed = self.wanted + usize::from(self.reload.is_some() || self.has_retiring());
        while self.active() > allowed {
            let Some(slot) = self.least_wanted() else { return };
            self.release(slot, turn);
        }
    }

    /// Lets one member go, as gently as what it is doing allows.
    fn release(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let grace = self.plan.graceful_timeout;
        let Some(member) = self.member_mut(slot) else { return };
        match member.state {
            State::Waiting { .. } => self.slots[slot] = None,
            State::Booting { .. } | State::Failing { deadline: Some(_), .. } => {
                member.state = State::Ending { deadline: Some(turn.now + KILL_GRACE) };
                turn.act(Action::Terminate { slot });
            }
            State::Ready { .. } => {
                member.state = State::Draining { deadline: turn.now + grace + KILL_GRACE };
                turn.act(Action::Tell { slot, order: Order::Drain(grace) });
            }
            State::Failing { deadline: None, .. } | State::Draining { .. } | State::Ending { .. } => {}
        }
    }

    fn born(&mut self, slot: usize) {
        if let Some(templates) = &mut self.templates {
            templates.born(slot);
        }
    }

    fn forget_origin(&mut self, slot: usize) {
        if let Some(templates) = &mut self.templates {
            templates.forget(slot);
        }
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.slots.iter().flatten()
    }

    fn member_mut(&mut self, slot: usize) -> Option<&mut Member> {
        self.slots.get_mut(slot).and_then(Option::as_mut)
    }

    fn slots_where(&self, wanted: impl Fn(&Member) -> bool) -> impl Iterator<Item = usize> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter(move |(_, member)| member.as_ref().is_some_and(&wanted)).map(|(slot, _)| slot)
    }

    fn active(&self) -> usize {
        self.members().filter(|member| member.is_active()).count()
    }

    fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    /// The worker that goes next when there is one more than wanted.
    fn first_to_go(&self) -> Option<usize> {
        let of_reload = |member: &Member| if self.reload.is_some() { member.generation } else { 0 };
        self.ready_slots().min_by_key(|slot| {
            let key = |member: Member| {
                let is_kept = member.retire.is_none();
                (!member.is_urgent(), of_reload(&member), is_kept, member.generation, member.started)
            };
            self.slots[*slot].map(key)
        })
    }

    /// A member that is not serving, rather one that has not begun.
    fn least_wanted(&self) -> Option<usize> {
        let waiting = self.slots_where(|member| matches!(member.state, State::Waiting { .. })).next();
        waiting.or_else(|| self.slots_where(|member| matches!(member.state, State::Booting { .. })).last())
    }
}
