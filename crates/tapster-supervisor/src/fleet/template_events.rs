//! What happens to templates and what follows: one is ready, does not boot, dies, or takes too long.

use std::time::Duration;

use tapster_sys::wait::Status;

use crate::backoff;
use crate::member::{Member, State};
use crate::report::Task;
use crate::template::EXIT_NOT_SHARED;
use crate::template::{Origin, Template, TemplateState};
use crate::{Action, BootFailure, Outcome, Report, TemplateDeed, TemplateEvent, TemplateNews};

use super::{AFTER_READY, FAILURE_GRACE, Fleet, KILL_GRACE, Phase, STABLE, Turn};

impl Fleet {
    pub(super) fn template_event(&mut self, id: u64, event: TemplateEvent, turn: &mut Turn<'_>) {
        match event {
            TemplateEvent::Ready => self.template_ready(id, turn),
            TemplateEvent::BootFailed => self.template_failing(id, turn),
            TemplateEvent::NotStarted => {
                if let Some(template) = self.remove_template(id) {
                    self.template_did_not_boot(template, BootFailure::NotStarted, turn);
                }
            }
            TemplateEvent::Exited(status) => self.template_exited(id, status, turn),
        }
    }

    fn template_ready(&mut self, id: u64, turn: &mut Turn<'_>) {
        let Some(templates) = &mut self.templates else { return };
        let Some(template) = templates.find_mut(id).filter(|template| template.is_booting()) else { return };
        template.state = TemplateState::Ready;
        let took = turn.now.saturating_sub(template.started);
        turn.report(Report::Template { template: id, news: TemplateNews::Ready(took) });
        if template.generation < self.generation && templates.current.is_some() {
            // A newer one is on the way.
            return templates.retire(id, turn);
        }
        let former = templates.current.replace(id).filter(|former| templates.find(*former).is_some());
        match former {
            Some(former) if templates.proven.is_none() && self.reload.is_some() => {
                templates.proven = Some(former)
            }
            Some(former) => templates.retire(former, turn),
            None => {}
        }
        if self.phase == Phase::Starting && self.slots.iter().all(Option::is_none) {
            self.start(0, 0, turn);
        }
        self.ask(turn);
    }

    fn template_failing(&mut self, id: u64, turn: &mut Turn<'_>) {
        let template = self.templates.as_mut().and_then(|templates| templates.find_mut(id));
        if let Some(template) = template.filter(|template| template.is_booting()) {
            let deadline = Some(turn.now + FAILURE_GRACE);
            template.state = TemplateState::Failing { failure: BootFailure::Refused, deadline };
        }
    }

    fn template_exited(&mut self, id: u64, status: Status, turn: &mut Turn<'_>) {
        let Some(template) = self.remove_template(id) else { return };
        let lived = turn.now.saturating_sub(template.started);
        let tell = |turn: &mut Turn<'_>, news| turn.report(Report::Template { template: id, news });
        match template.state {
            TemplateState::Booting { .. }
                if status == Status::Exited(EXIT_NOT_SHARED) && self.phase == Phase::Starting =>
            {
                // From now on as without --preload.
                self.templates = None;
                self.start(0, 0, turn);
            }
            TemplateState::Booting { .. } => {
                self.template_did_not_boot(template, BootFailure::Died(status), turn);
            }
            TemplateState::Failing { failure, .. } => self.template_did_not_boot(template, failure, turn),
            TemplateState::Ready => {
                tell(turn, TemplateNews::Died { status, lived });
                self.template_died(lived >= STABLE, turn);
            }
            TemplateState::Retired => tell(turn, TemplateNews::Died { status, lived }),
            TemplateState::Ending { .. } => tell(turn, TemplateNews::Gone { status, lived }),
        }
        self.ask(turn);
    }

    /// Takes a template out; what it was to fork waits for the next one.
    fn remove_template(&mut self, id: u64) -> Option<Template> {
        let templates = self.templates.as_mut()?;
        let place = templates.processes.iter().position(|template| template.id == id)?;
        for (origin, slot) in templates.origins.iter_mut().zip(&mut self.slots) {
            if *origin == Some(Origin::Asked(id)) {
                *origin = Some(Origin::Queued);
                if let Some(Member { state: State::Booting { deadline }, .. }) = slot {
                    *deadline = None;
                }
            }
        }
        templates.demote(id);
        Some(templates.processes.swap_remove(place))
    }

    /// The worker of a slot did not come to be within its time: a template that is still to fork it hangs, in a callback
    /// of `os.register_at_fork` for example.
    pub(super) fn end_hung_template(&mut self, slot: usize, turn: &mut Turn<'_>) {
        let Some(templates) = &mut self.templates else { return };
        let Some(Origin::Asked(id)) = templates.origins[slot] else { return };
        templates.demote(id);
        if let Some(template) = templates.find_mut(id) {
            template.state = TemplateState::Ending { deadline: None };
            turn.report(Report::Template { template: id, news: TemplateNews::Stuck });
            turn.act(Action::Template { template: id, deed: TemplateDeed::Kill });
        }
        self.template_died(false, turn);
    }

    fn template_died(&mut self, stable: bool, turn: &mut Turn<'_>) {
        if let Some(templates) = &mut self.templates {
            templates.failures = if stable { 0 } else { templates.failures.saturating_add(1) };
            // It can boot: the first that did not live is replaced at once.
            let delay = backoff::delay(templates.failures.saturating_sub(1)).min(AFTER_READY);
            self.renew_template(delay, turn);
        }
    }

    fn template_did_not_boot(&mut self, template: Template, failure: BootFailure, turn: &mut Turn<'_>) {
        turn.report(Report::Template { template: template.id, news: TemplateNews::NotBooted(failure) });
        match self.phase {
            Phase::Starting if self.has_nobody() => {
                turn.report(Report::GivingUp);
                self.begin_stop(Outcome::BootFailed, turn);
            }
            Phase::Starting | Phase::Serving => {
                if template.generation == self.generation {
                    self.give_up_reload(turn);
                }
                if let Some(templates) =
                    self.templates.as_mut().filter(|templates| templates.current.is_none())
                {
                    templates.failures = templates.failures.saturating_add(1);
                    let delay = backoff::delay(templates.failures);
                    self.renew_template(delay, turn);
                }
            }
            Phase::Stopping { .. } | Phase::Finished => {}
        }
    }

    /// Whether there is no worker, nor a template that could fork one or is about to be able to.
    fn has_nobody(&self) -> bool {
        self.templates.as_ref().is_none_or(|templates| {
            let is_queued = |origin: &Option<Origin>| origin.is_none_or(|origin| origin == Origin::Queued);
            let has_fork = templates.current.is_some() || templates.proven.is_some();
            !has_fork
                && templates.origins.iter().all(is_queued)
                && !templates.processes.iter().any(Template::is_booting)
        })
    }

    /// Sees to it that there will be a template that forks, now or after this time.
    fn renew_template(&mut self, delay: Duration, turn: &mut Turn<'_>) {
        let Some(templates) = &mut self.templates else { return };
        let is_over = matches!(self.phase, Phase::Stopping { .. } | Phase::Finished);
        if is_over || templates.current.is_some() || templates.processes.iter().any(Template::is_booting) {
            return;
        }
        if let Some(former) = templates.proven.take() {
            templates.current = Some(former);
            if self.reload.is_none() {
                return self.ask(turn);
            }
        }
        if !delay.is_zero() {
            turn.report(Report::Retrying(delay));
        }
        templates.retry = Some(turn.now + delay);
        self.ask(turn);
    }

    /// Does what is due for the templates.
    pub(super) fn expire_templates(&mut self, turn: &mut Turn<'_>) {
        let limit = self.plan.boot_timeout;
        let Some(templates) = &mut self.templates else { return };
        if templates.retry.is_some_and(|due| due <= turn.now) {
            templates.boot(self.generation, limit, turn);
        }
        for template in &mut templates.processes {
            if template.deadline().is_none_or(|deadline| deadline > turn.now) {
                continue;
            }
            let (task, limit) = match template.state {
                TemplateState::Booting { .. } => (Task::Boot, limit),
                TemplateState::Failing { .. } => (Task::ExitAfterFailure, FAILURE_GRACE),
                _ => (Task::Exit, KILL_GRACE),
            };
            template.state = match template.state {
                TemplateState::Booting { .. } => {
                    TemplateState::Failing { failure: BootFailure::TooSlow, deadline: None }
                }
                TemplateState::Failing { failure, .. } => TemplateState::Failing { failure, deadline: None },
                _ => TemplateState::Ending { deadline: None },
            };
            turn.report(Report::Template {
                template: template.id,
                news: TemplateNews::Overdue { task, limit },
            });
            turn.act(Action::Template { template: template.id, deed: TemplateDeed::Kill });
        }
    }

    /// Ends the templates that nobody needs any more.
    pub(super) fn end_unused_templates(&mut self, turn: &mut Turn<'_>) {
        if let Some(templates) = &mut self.templates {
            templates.end_unused(turn);
        }
    }
}
