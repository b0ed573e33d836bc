//! A warmed worker becomes the template (`--refork-after`), so that what requests brought into memory is shared as well.
//!
//! The worker is replaced like one that is due: its successor is ready before it drains. When it has drained and is one
//! thread again it says so, and forks from then on; the workers that the former template forked are replaced by forks of
//! it one at a time. Whatever fails on the way leaves the former template and all workers serving. A template that
//! imported the application is followed in this way once: what was imported anew is to be warmed anew, and what an
//! application leaks does not pass through one template after the other.

use crate::member::{Member, State};
use crate::template::{Origin, Template, TemplateState};
use crate::{Action, Order, Report, RetireReason, TemplateDeed};

use super::templates::Templates;
use super::{Fleet, KILL_GRACE, Phase, Turn};

impl Templates {
    /// Takes a worker that has become a template. The number is that of the template.
    fn promote(&mut self, slot: usize, generation: u64, turn: &mut Turn<'_>) -> u64 {
        self.promoting = None;
        self.newest += 1;
        let id = self.newest;
        let origin = self.origins[slot].take().and_then(Origin::template);
        let import = origin.and_then(|id| self.find(id)).map(|template| template.import).or(origin);
        self.processes.push(Template {
            id,
            import: import.unwrap_or(id),
            generation,
            is_followed: true,
            started: turn.now,
            state: TemplateState::Ready,
        });
        turn.act(Action::Template { template: id, deed: TemplateDeed::Adopt { slot } });
        id
    }

    /// Whether a worker was forked by the template that forks now.
    fn is_of_current(&self, slot: usize) -> bool {
        self.current.is_some() && self.origins[slot].and_then(Origin::template) == self.current
    }
}

impl Fleet {
    /// Whether a worker that has answered enough requests can become the template now.
    pub fn wants_refork(&self) -> bool {
        self.current_template()
            .is_some_and(|template| !template.is_followed && self.can_refork(template.generation))
            && !self.has_retiring()
            && self.active() == self.ready_slots().count()
    }

    /// A worker has answered as many requests as warm it.
    pub(super) fn warm(&mut self, slot: usize, requests: u64, turn: &mut Turn<'_>) {
        let generation = self.member(slot).map(|member| member.generation);
        let is_of_template = generation == self.current_template().map(|template| template.generation);
        if is_of_template && self.wants_refork() {
            self.retire(slot, RetireReason::Warm { requests }, turn);
        }
    }

    /// Whether a worker that is let go is to become the template. Decided once for each import.
    pub(super) fn begins_promotion(&mut self, slot: usize) -> bool {
        let Some(Member { generation, retire: Some(RetireReason::Warm { .. }), .. }) = self.slots[slot]
        else {
            return false;
        };
        let is_wanted = self.can_refork(generation);
        let Some(templates) = &mut self.templates else { return false };
        let current = templates.current.and_then(|id| templates.find_mut(id));
        let Some(current) = current.filter(|current| is_wanted && !current.is_followed) else { return false };
        current.is_followed = true;
        templates.promoting = Some(slot);
        true
    }

    /// A worker has drained, is one thread again, and forks when it is told to.
    pub(super) fn promoted(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let is_promoting = self.templates.as_ref().is_some_and(|templates| templates.promoting == Some(slot));
        let Some(member) = self.member(slot).copied().filter(|_| is_promoting) else { return };
        if !matches!(member.state, State::Draining { .. } | State::Ending { deadline: Some(_) }) {
            return; // It was killed, which is about to be heard of.
        }
        let is_wanted = self.can_refork(member.generation);
        self.slots[slot] = None;
        self.poke(turn);
        let Some(templates) = &mut self.templates else { return };
        let id = templates.promote(slot, member.generation, turn);
        turn.report(Report::Promoted { slot, lived: turn.now.saturating_sub(member.started) });
        if is_wanted {
            templates.proven = templates.current.replace(id);
            templates.refork = Some(turn.now);
        } else {
            templates.retire(id, turn);
        }
    }

    /// Whether the template of this generation may be followed by a worker of it.
    fn can_refork(&self, generation: u64) -> bool {
        let is_calm = self.phase == Phase::Serving && self.leaving.is_none() && self.reload.is_none();
        let is_importing =
            self.templates.iter().flat_map(|templates| &templates.processes).any(Template::is_booting);
        is_calm && !is_importing && self.current_template().is_some_and(|one| one.generation == generation)
    }

    fn current_template(&self) -> Option<Template> {
        self.templates.as_ref().and_then(Templates::current)
    }

    /// Has the workers of the former template replaced; ends it when none is left.
    pub(super) fn go_on_with_refork(&mut self, turn: &mut Turn<'_>) {
        let Some(since) = self.templates.as_ref().and_then(|templates| templates.refork) else { return };
        if !self.current_template().is_some_and(Template::is_promoted) {
            return self.end_refork();
        }
        let is_of_former =
            |slot: &usize| self.templates.as_ref().is_some_and(|templates| !templates.is_of_current(*slot));
        let left: Vec<usize> = self.ready_slots().filter(is_of_former).collect();
        let is_done = left.is_empty() && self.active() == self.ready_slots().count();
        for slot in left {
            self.retire(slot, RetireReason::Refork, turn);
        }
        if is_done && let Some(templates) = &mut self.templates {
            templates.refork = None;
            turn.report(Report::Reforked(turn.now.saturating_sub(since)));
            templates.settle(turn);
        }
    }

    /// A worker of the new template does not live: the former one forks again.
    pub(super) fn give_up_refork(&mut self, turn: &mut Turn<'_>) {
        if self.templates.as_ref().is_some_and(|templates| templates.refork.is_some()) {
            self.end_refork();
            turn.report(Report::ReforkAborted);
            if let Some(templates) = &mut self.templates {
                templates.revert(turn);
            }
        }
    }

    /// The server stops: a worker that was to become the template finishes its requests and exits.
    pub(super) fn end_promotion(&mut self, turn: &mut Turn<'_>) {
        let grace = self.plan.graceful_timeout;
        let promoting = self.templates.as_ref().and_then(|templates| templates.promoting);
        let Some(slot) = promoting else { return };
        if let Some(Member { state: State::Draining { deadline }, .. }) = self.member_mut(slot) {
            *deadline = (*deadline).min(turn.now + grace + KILL_GRACE);
            turn.act(Action::Tell { slot, order: Order::Drain(grace) });
        }
    }

    /// No further worker is replaced because the template is another one.
    pub(super) fn end_refork(&mut self) {
        let Some(templates) = &mut self.templates else { return };
        if templates.refork.take().is_some() {
            for member in self.slots.iter_mut().flatten().filter(|member| member.is_ready()) {
                member.retire = member.retire.filter(|reason| *reason != RetireReason::Refork);
            }
        }
    }
}
