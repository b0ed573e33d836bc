//! How a fleet is brought to a new generation: one worker after the other, and never at the expense of those that serve.

use crate::Report;
use crate::member::{Member, State};

use super::{Fleet, Turn};

impl Fleet {
    pub(super) fn begin_reload(&mut self, turn: &mut Turn<'_>) {
        // Workers that are still to be started for an order before will have this change too.
        let folded = self.reload.is_some() && !self.has_begun(self.generation);
        if !folded {
            turn.report(if self.reload.is_some() { Report::ReloadingFurther } else { Report::Reloading });
            self.end_refork();
            self.generation += 1;
            self.reload.get_or_insert(turn.now);
            self.renew_code(turn);
        }
        if std::mem::take(&mut self.by_hand) && self.follows_load() {
            self.wanted = self.wanted.clamp(self.plan.workers.max(1), self.plan.most_workers);
        }
        // What failed before may work now.
        self.retry_template(turn);
        for member in self.slots.iter_mut().flatten() {
            if let State::Waiting { until } = &mut member.state {
                *until = turn.now;
            }
        }
    }

    /// Whether a process was started that knows this generation's code.
    fn has_begun(&self, generation: u64) -> bool {
        self.members().any(|one| one.generation == generation) || self.has_template_of(generation)
    }

    /// A reload must not go on when one of the workers it brought does not live.
    pub(super) fn abort_reload(&mut self, member: Member, turn: &mut Turn<'_>) {
        self.give_up_refork(turn);
        if member.generation == self.generation {
            self.give_up_reload(turn);
        }
    }

    /// Keeps what there is.
    pub(super) fn give_up_reload(&mut self, turn: &mut Turn<'_>) {
        if self.reload.take().is_some() {
            turn.report(Report::ReloadAborted { serving: self.ready_slots().count() });
            if let Some(templates) = &mut self.templates {
                templates.revert(turn);
            }
        }
    }

    pub(super) fn go_on_with_reload(&mut self, turn: &mut Turn<'_>) {
        let Some(since) = self.reload else { return };
        if self.active() != self.ready_slots().count() || !self.can_go_on() {
            return; // One at a time.
        }
        if self.has_only_current() {
            self.reload = None;
            turn.report(Report::Reloaded(turn.now.saturating_sub(since)));
            if let Some(templates) = &mut self.templates {
                templates.settle(turn);
            }
        } else if let Some(slot) = self.free_slot() {
            self.start(slot, 0, turn);
        }
    }

    /// Whether all that serve are of the newest generation.
    fn has_only_current(&self) -> bool {
        self.members().filter(|member| member.is_ready()).all(|member| member.generation == self.generation)
    }
}
