//! How many workers there are: as many as are wanted, and one more while one is replaced.

use crate::Report;
use crate::member::{Member, State};

use super::{Fleet, Turn};

impl Fleet {
    /// Brings the workers nearer to what is wanted. Does nothing when they are.
    pub(super) fn balance(&mut self, turn: &mut Turn<'_>) {
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
        self.go_on_with_refork(turn);
        self.go_on_with_retirement(turn);
    }

    pub(super) fn fill(&mut self, turn: &mut Turn<'_>) {
        while self.active() < self.wanted {
            let Some(slot) = self.free_slot() else { return };
            self.start(slot, 0, turn);
        }
    }

    pub(super) fn trim(&mut self, turn: &mut Turn<'_>) {
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
