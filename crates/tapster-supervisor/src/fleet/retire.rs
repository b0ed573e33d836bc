//! How single workers are replaced while they serve: because they are due, because they fail, or because the operator
//! wants it. The successor is ready before the old one drains.

use crate::member::{Member, State};
use crate::{Report, RetireReason};

use super::{Fleet, Turn};

impl Fleet {
    /// The order to replace one worker.
    pub(super) fn recycle(&mut self, slot: usize, turn: &mut Turn<'_>) {
        if self.slots.get(slot).copied().flatten().is_some_and(|member| member.is_ready()) {
            self.retire(slot, RetireReason::Asked, turn);
        } else {
            turn.report(Report::NotRetiring { slot });
        }
    }

    /// Notes that a worker is to be replaced. It serves on; [`Fleet::go_on_with_retirement`] does the rest.
    pub(super) fn retire(&mut self, slot: usize, reason: RetireReason, turn: &mut Turn<'_>) {
        let Some(member) = self.member_mut(slot).filter(|member| member.is_ready()) else { return };
        if member.retire.is_none() || reason.is_urgent() && !member.is_urgent() {
            member.retire = Some(reason);
            turn.report(Report::Retiring { slot, reason });
        }
    }

    /// Starts the successor of one worker that is to be replaced. A reload replaces everybody, so it goes first.
    pub(super) fn go_on_with_retirement(&mut self, turn: &mut Turn<'_>) {
        if self.reload.is_some() || !self.has_retiring() || self.active() != self.ready_slots().count() {
            return;
        }
        if self.is_retirement_running()
            && !self.members().any(|member| member.is_ready() && member.is_urgent())
        {
            return;
        }
        if let Some(slot) = self.free_slot() {
            self.start(slot, 0, turn);
        }
    }

    /// Whether a worker serves until its successor does.
    pub(super) fn has_retiring(&self) -> bool {
        self.members().any(Member::is_retiring)
    }

    /// Whether a worker that was replaced still finishes its requests.
    fn is_retirement_running(&self) -> bool {
        let is_leaving = |state| matches!(state, State::Draining { .. } | State::Ending { .. });
        self.members().any(|member| member.retire.is_some() && is_leaving(member.state))
    }
}
