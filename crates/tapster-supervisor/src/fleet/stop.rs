//! How a fleet ends: gently at first, at once when told again.

use std::time::Duration;

use crate::member::{Member, State};
use crate::{Action, Order, Outcome, Report};

use super::templates::Templates;
use super::{Fleet, KILL_GRACE, Phase, Turn};

/// How long somebody at a terminal is made to wait.
const PATIENCE: Duration = Duration::from_secs(3);

impl Fleet {
    /// Has the workers go on accepting for this long after the order to stop (`--drain-delay`).
    pub fn drain_after(self, drain_delay: Duration) -> Fleet {
        Fleet { drain_delay, ..self }
    }

    /// The order to stop, for the first or a later time.
    pub(super) fn stop(&mut self, phase: Phase, turn: &mut Turn<'_>) {
        match phase {
            Phase::Serving if self.leaving.is_some() => {
                self.begin_stop(Outcome::Stopped, turn);
                self.stop(self.phase, turn);
            }
            Phase::Serving if !self.drain_delay.is_zero() => self.leave(turn),
            Phase::Starting | Phase::Serving => {
                turn.report(Report::Stopping(self.plan.graceful_timeout));
                self.begin_stop(Outcome::Stopped, turn);
            }
            // An upgrade by hand ends with this order, often: it is not impatience.
            Phase::Stopping { .. } if std::mem::take(&mut self.makes_way) => {
                turn.report(Report::StoppingAlready(self.plan.graceful_timeout));
            }
            Phase::Stopping { outcome, at_once } => {
                if !at_once {
                    turn.report(Report::StoppingNow);
                }
                self.phase = Phase::Stopping { outcome, at_once: true };
                for slot in 0..self.slots.len() {
                    self.hasten(slot, turn);
                }
                if let Some(templates) = &mut self.templates {
                    templates.hasten(turn);
                }
            }
            Phase::Finished => {}
        }
    }

    /// Somebody at a terminal wants the server to stop, and waits for it.
    pub(super) fn interrupt(&mut self, phase: Phase, turn: &mut Turn<'_>) {
        let is_running = matches!(phase, Phase::Starting | Phase::Serving) && self.leaving.is_none();
        let is_first = is_running || self.makes_way;
        if is_first {
            self.plan.graceful_timeout = self.plan.graceful_timeout.min(PATIENCE);
            self.drain_delay = Duration::ZERO;
        }
        self.stop(phase, turn);
        if is_first {
            self.shorten_drains(turn);
        }
    }

    /// Workers that were told to go before have no more time than the others.
    fn shorten_drains(&mut self, turn: &mut Turn<'_>) {
        let grace = self.plan.graceful_timeout;
        let latest = turn.now + grace + KILL_GRACE;
        for slot in 0..self.slots.len() {
            if let Some(Member { state: State::Draining { deadline }, .. }) = self.member_mut(slot)
                && *deadline > latest
            {
                *deadline = latest;
                turn.act(Action::Tell { slot, order: Order::Drain(grace) });
            }
        }
    }

    /// Another server has taken over: balancers need not notice anything.
    pub(super) fn make_way(&mut self, phase: Phase, turn: &mut Turn<'_>) {
        self.drain_delay = Duration::ZERO;
        if !self.is_stopping() {
            self.stop(phase, turn);
            self.makes_way = true;
        }
    }

    /// Says at once that the server goes, and lets the workers accept until balancers have noticed. What is left of the
    /// graceful time-out then is for the requests.
    fn leave(&mut self, turn: &mut Turn<'_>) {
        turn.report(Report::Stopping(self.plan.graceful_timeout));
        turn.report(Report::Leaving(self.drain_delay));
        self.plan.graceful_timeout = self.plan.graceful_timeout.saturating_sub(self.drain_delay);
        self.leaving = Some(turn.now + self.drain_delay);
        self.reload = None;
    }

    pub(super) fn drain_when_due(&mut self, turn: &mut Turn<'_>) {
        if self.leaving.is_some_and(|at| at <= turn.now) && self.phase == Phase::Serving {
            self.begin_stop(Outcome::Stopped, turn);
        }
    }

    pub(super) fn begin_stop(&mut self, outcome: Outcome, turn: &mut Turn<'_>) {
        self.leaving = None;
        self.phase = Phase::Stopping { outcome, at_once: false };
        self.reload = None;
        turn.act(Action::CloseListeners);
        self.end_promotion(turn);
        for slot in 0..self.slots.len() {
            self.release(slot, turn);
        }
        if let Some(templates) = &mut self.templates {
            templates.stop(turn);
        }
    }

    pub(super) fn finish_if_empty(&mut self, outcome: Outcome, turn: &mut Turn<'_>) {
        if self.slots.iter().all(Option::is_none) && self.templates.as_ref().is_none_or(Templates::is_empty) {
            self.phase = Phase::Finished;
            turn.report(Report::Stopped);
            turn.act(Action::Finish(outcome));
        }
    }

    /// Draining workers are told to exit now, and those that were told are killed.
    fn hasten(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Some(member) = self.member_mut(slot) else { return };
        match member.state {
            State::Draining { .. } => {
                member.state = State::Ending { deadline: Some(turn.now + KILL_GRACE) };
                turn.act(Action::Tell { slot, order: Order::Stop });
            }
            State::Ending { deadline: Some(_) } | State::Failing { deadline: Some(_), .. } => {
                member.state = State::Ending { deadline: None };
                turn.act(Action::Kill { slot });
            }
            _ => {}
        }
    }
}
