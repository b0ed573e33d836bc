//! The life of one worker: how it begins, what follows when it does not boot or dies, what is due for it, and how it is let
//! go.

use std::time::Duration;

use tapster_sys::wait::Status;

use crate::backoff;
use crate::member::{Member, State, Time};
use crate::report::Task;
use crate::{Action, BootFailure, Order, Outcome, Report};

use super::{AFTER_READY, FAILURE_GRACE, Fleet, KILL_GRACE, Phase, Plan, STABLE, Turn};

/// The longest wait after the system refused a process: to ask again costs little.
const AFTER_REFUSAL: Duration = Duration::from_secs(1);

/// How long a worker that becomes the template may take for it after its requests: its exit handlers have 5 s.
const PREPARATION: Duration = Duration::from_secs(10);

impl Fleet {
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>) {
        if self.slots.iter().any(Option::is_some) {
            return;
        }
        match &self.templates {
            None => self.start(0, 0, turn),
            Some(templates) if templates.is_empty() => self.boot_template(turn),
            Some(_) => {}
        }
    }

    pub(super) fn start(&mut self, slot: usize, failures: u32, turn: &mut Turn<'_>) {
        // With a template its time begins when that is told to fork it.
        let deadline = self.templates.is_none().then(|| turn.now + self.plan.boot_timeout);
        let state = State::Booting { deadline };
        let generation = self.next_generation();
        self.place(slot, failures, state, turn.now);
        self.summon(slot, generation, turn);
    }

    pub(super) fn ready(&mut self, slot: usize, turn: &mut Turn<'_>) {
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

    pub(super) fn boot_failed(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Some(member) = self.member_mut(slot) else { return };
        if matches!(member.state, State::Booting { .. }) {
            let deadline = Some(turn.now + FAILURE_GRACE);
            member.state = State::Failing { failure: BootFailure::Refused, deadline };
        }
    }

    pub(super) fn not_started(&mut self, slot: usize, turn: &mut Turn<'_>) {
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

    pub(super) fn exited(&mut self, slot: usize, status: Status, turn: &mut Turn<'_>) {
        let Some(member) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        let lived = turn.now.saturating_sub(member.started);
        let was_promoting = self.forget_origin(slot);
        self.poke(turn);
        match member.state {
            State::Booting { .. } => self.did_not_boot(slot, member, BootFailure::Died(status), turn),
            State::Failing { failure, .. } => self.did_not_boot(slot, member, failure, turn),
            State::Ready { since } => {
                turn.report(Report::Died { slot, status, lived });
                self.died(slot, member, turn.now.saturating_sub(since) >= STABLE, turn);
            }
            State::Draining { .. } | State::Ending { .. } => {
                turn.report(Report::Gone { slot, status, lived });
                if was_promoting {
                    turn.report(Report::NotPromoted { slot });
                }
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
    pub(super) fn poke(&self, turn: &mut Turn<'_>) {
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
    pub(super) fn place(&mut self, slot: usize, failures: u32, state: State, started: Time) {
        let generation = self.next_generation();
        self.slots[slot] =
            Some(Member { generation, started, failures, retire: None, stands_in: false, state });
    }

    /// Does what is due for one member.
    pub(super) fn expire(&mut self, slot: usize, turn: &mut Turn<'_>) {
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

    /// Lets one member go, as gently as what it is doing allows.
    pub(super) fn release(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let grace = self.plan.graceful_timeout;
        let promotes = self.begins_promotion(slot);
        let Some(member) = self.member_mut(slot) else { return };
        match member.state {
            State::Waiting { .. } => self.slots[slot] = None,
            State::Booting { .. } | State::Failing { deadline: Some(_), .. } => {
                member.state = State::Ending { deadline: Some(turn.now + KILL_GRACE) };
                turn.act(Action::Terminate { slot });
            }
            State::Ready { .. } if promotes => {
                member.state = State::Draining { deadline: turn.now + grace + PREPARATION + KILL_GRACE };
                turn.act(Action::Tell { slot, order: Order::Promote(grace) });
            }
            State::Ready { .. } => {
                member.state = State::Draining { deadline: turn.now + grace + KILL_GRACE };
                turn.act(Action::Tell { slot, order: Order::Drain(grace) });
            }
            State::Failing { deadline: None, .. } | State::Draining { .. } | State::Ending { .. } => {}
        }
    }
}
