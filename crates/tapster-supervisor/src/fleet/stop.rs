//! How a fleet ends: gently at first, at once when told again.

use crate::member::State;
use crate::{Action, Order, Outcome, Report};

use super::{Fleet, KILL_GRACE, Phase, Turn};

impl Fleet {
    /// The order to stop, for the first or a later time.
    pub(super) fn stop(&mut self, phase: Phase, turn: &mut Turn<'_>) {
        match phase {
            Phase::Starting | Phase::Serving => {
                turn.report(Report::Stopping(self.plan.graceful_timeout));
                self.begin_stop(Outcome::Stopped, turn);
            }
            Phase::Stopping { outcome, at_once } => {
                if !at_once {
                    turn.report(Report::StoppingNow);
                }
                self.phase = Phase::Stopping { outcome, at_once: true };
                for slot in 0..self.slots.len() {
                    self.hasten(slot, turn);
                }
            }
            Phase::Finished => {}
        }
    }

    pub(super) fn begin_stop(&mut self, outcome: Outcome, turn: &mut Turn<'_>) {
        self.phase = Phase::Stopping { outcome, at_once: false };
        self.reload = None;
        turn.act(Action::CloseListeners);
        for slot in 0..self.slots.len() {
            self.release(slot, turn);
        }
    }

    pub(super) fn finish_if_empty(&mut self, outcome: Outcome, turn: &mut Turn<'_>) {
        if self.slots.iter().all(Option::is_none) {
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
