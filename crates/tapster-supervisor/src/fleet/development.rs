//! How a fleet serves what somebody is working on (`--reload`). Here the newest code matters more than the requests that
//! run: once a change was seen, nothing more is answered by the code of before. Its workers are told to hand over and
//! new ones start at the same time; clients wait for them. Code that does not load is answered for by a stand-in,
//! which shows why.

use std::time::Duration;

use crate::member::{Member, State};
use crate::{Action, BootFailure, Order, Report};

use super::{Fleet, KILL_GRACE, Phase, Turn};

/// How long requests of before may go on.
const GRACE: Duration = Duration::from_secs(1);

impl Fleet {
    /// The same fleet, for development.
    #[must_use]
    pub fn for_development(mut self, is_wanted: bool) -> Fleet {
        self.is_for_development = is_wanted;
        if is_wanted {
            // The newest code is wanted, and it is imported once for each change anyway.
            self.templates = None;
        }
        self
    }

    /// How long a worker that is told to go may finish its requests.
    pub(super) fn grace(&self) -> Duration {
        match (self.is_for_development, self.phase) {
            (true, Phase::Starting | Phase::Serving) => GRACE.min(self.plan.graceful_timeout),
            _ => self.plan.graceful_timeout,
        }
    }

    /// The order to reload.
    pub(super) fn renew(&mut self, turn: &mut Turn<'_>) {
        self.generation += 1;
        self.reload = Some(turn.now);
        for slot in 0..self.slots.len() {
            self.hand_over(slot, turn);
        }
        // Said after the workers were told: who reads it gets no answer of theirs any more.
        turn.report(Report::Renewing);
        self.phase = Phase::Serving;
    }

    fn hand_over(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let grace = self.grace();
        let Some(member) = self.member_mut(slot) else { return };
        if member.is_ready() {
            member.state = State::Draining { deadline: turn.now + grace + KILL_GRACE };
            return turn.act(Action::Tell { slot, order: Order::HandOver(grace) });
        }
        self.release(slot, turn);
    }

    /// Whether somebody is to answer for a worker that did not boot.
    pub(super) fn may_stand_in(&self, member: Member, failure: BootFailure) -> bool {
        let is_up = matches!(self.phase, Phase::Starting | Phase::Serving);
        self.is_for_development && is_up && !member.stands_in && failure != BootFailure::NotStarted
    }

    /// Starts the one that answers for a worker that did not boot.
    pub(super) fn stand_in(&mut self, slot: usize, failure: BootFailure, turn: &mut Turn<'_>) {
        let state = State::Booting { deadline: Some(turn.now + self.plan.boot_timeout) };
        self.place(slot, 0, state, turn.now);
        if let Some(member) = self.member_mut(slot) {
            member.stands_in = true;
        }
        turn.act(Action::StandIn { slot, generation: self.generation, failure });
    }

    pub(super) fn stands_in(&mut self, slot: usize, turn: &mut Turn<'_>) {
        if let Some(member) = self.member_mut(slot) {
            member.stands_in = true;
        }
        self.ready(slot, turn);
    }

    /// As [`Fleet::balance`], without regard for those of before.
    pub(super) fn balance_for_development(&mut self, turn: &mut Turn<'_>) {
        self.fill(turn);
        self.trim(turn);
        let is_settled = self.ready_slots().count() == self.wanted && self.active() == self.wanted;
        if is_settled && (self.reload.is_some() || !self.complete) {
            let took = turn.now.saturating_sub(self.reload.take().unwrap_or_default());
            turn.report(
                match (self.members().any(|member| member.is_ready() && member.stands_in), self.complete) {
                    (true, _) => Report::StandingIn,
                    (false, true) => Report::Reloaded(took),
                    (false, false) => Report::AllReady { workers: self.wanted, took },
                },
            );
            self.complete = true;
        }
        self.go_on_with_retirement(turn);
    }
}
