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

mod balance;
mod development;
mod life;
mod refork;
mod reload;
mod retire;
mod stop;
mod template_events;
mod templates;

use std::time::Duration;

use crate::member::{Member, State, Time};
use crate::{Action, Command, Event, Order, Reason, Report};

use templates::Templates;

/// The longest wait for the replacement of a worker that was ready, however many such ended before it.
const AFTER_READY: Duration = Duration::from_millis(500);

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
    /// It stops because another server has taken over, and nobody else has told it to yet.
    makes_way: bool,
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
            makes_way: false,
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
            Event::Warm { slot, requests } => self.warm(slot, requests, turn),
            Event::Promoted { slot } => self.promoted(slot, turn),
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
        // Last: a reload that has just come to its end needs the former template no more.
        self.end_unused_templates(turn);
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

    fn born(&mut self, slot: usize) {
        if let Some(templates) = &mut self.templates {
            templates.born(slot);
        }
    }

    /// True if the worker was to become the template.
    fn forget_origin(&mut self, slot: usize) -> bool {
        self.templates.as_mut().is_some_and(|templates| templates.forget(slot))
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
}
