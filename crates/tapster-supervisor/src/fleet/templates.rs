//! How a fleet with `--preload` comes by its workers: a template imports the application once and forks them.
//!
//! There is one template that forks, the current one. A reload makes a new one first, so that a broken application
//! never gets as far as the workers; the former one is kept until the reload has succeeded, and taken up again when a
//! worker of the new one does not live. A template that dies is made anew, and the workers do not notice.

use std::time::Duration;

use tapster_sys::wait::Status;

use crate::backoff;
use crate::member::{State, Time};
use crate::report::Task;
use crate::template::{Origin, Template, TemplateState};
use crate::{Action, BootFailure, Outcome, Report, TemplateDeed, TemplateEvent, TemplateNews};

use super::{AFTER_READY, FAILURE_GRACE, Fleet, KILL_GRACE, Phase, STABLE, Turn};

/// How long an import may go on at least that a reload has made useless: a storm of them is not one of processes.
const LEAST_IMPORT: Duration = Duration::from_secs(1);

/// The templates of a fleet.
#[derive(Debug)]
pub(super) struct Templates {
    /// The number of the newest one.
    newest: u64,
    /// All that have not ended.
    processes: Vec<Template>,
    /// The one that forks.
    current: Option<u64>,
    /// The one before it, until a reload has succeeded.
    proven: Option<u64>,
    /// Where the worker in each slot comes from.
    origins: Vec<Option<Origin>>,
    /// How many in a row did not live.
    failures: u32,
    /// When another one is to be started.
    retry: Option<Time>,
}

impl Templates {
    pub(super) fn new(slots: usize) -> Templates {
        Templates {
            newest: 0,
            processes: Vec::new(),
            current: None,
            proven: None,
            origins: vec![None; slots],
            failures: 0,
            retry: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.processes.iter().filter_map(Template::deadline).chain(self.retry).min()
    }

    /// The template that forks now.
    fn current(&self) -> Option<Template> {
        self.current.and_then(|id| self.find(id).copied())
    }

    fn find(&self, id: u64) -> Option<&Template> {
        self.processes.iter().find(|template| template.id == id)
    }

    fn find_mut(&mut self, id: u64) -> Option<&mut Template> {
        self.processes.iter_mut().find(|template| template.id == id)
    }

    /// Starts another template; one that is still importing would come to know too little.
    fn boot(&mut self, generation: u64, limit: Duration, turn: &mut Turn<'_>) {
        self.retry = None;
        self.give_up_boot(turn);
        self.newest += 1;
        let state = TemplateState::Booting { deadline: turn.now + limit };
        self.processes.push(Template { id: self.newest, generation, started: turn.now, state });
        turn.act(Action::Template { template: self.newest, deed: TemplateDeed::Start { generation } });
    }

    fn give_up_boot(&mut self, turn: &mut Turn<'_>) {
        for template in self.processes.iter_mut().filter(|template| template.is_booting()) {
            template.state = TemplateState::Ending { deadline: Some(turn.now + KILL_GRACE) };
            turn.act(Action::Template { template: template.id, deed: TemplateDeed::Terminate });
        }
    }

    fn demote(&mut self, id: u64) {
        for role in [&mut self.current, &mut self.proven] {
            *role = role.filter(|other| *other != id);
        }
    }

    /// Has a template fork no more.
    fn retire(&mut self, id: u64, turn: &mut Turn<'_>) {
        if let Some(template) = self.find_mut(id).filter(|template| template.state == TemplateState::Ready) {
            template.state = TemplateState::Retired;
            turn.act(Action::Template { template: id, deed: TemplateDeed::Retire });
        }
    }

    /// Ends the retired ones whose workers have gone.
    fn end_unused(&mut self, turn: &mut Turn<'_>) {
        let origins = &self.origins;
        let is_used = |id| origins.iter().flatten().any(|origin| origin.template() == Some(id));
        let retired = self.processes.iter_mut().filter(|one| one.state == TemplateState::Retired);
        for template in retired.filter(|template| !is_used(template.id)) {
            template.state = TemplateState::Ending { deadline: Some(turn.now + KILL_GRACE) };
            turn.act(Action::Template { template: template.id, deed: TemplateDeed::Stop });
        }
    }

    /// The new workers live: the former template is of no more use.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>) {
        if let Some(former) = self.proven.take() {
            self.retire(former, turn);
        }
    }

    /// The new workers do not live: the former template, if there is one, forks from now on.
    pub(super) fn revert(&mut self, turn: &mut Turn<'_>) {
        if let Some(former) = self.proven.take()
            && let Some(failed) = self.current.replace(former)
        {
            self.retire(failed, turn);
        }
    }

    /// The server stops: no further template, and no further worker.
    pub(super) fn stop(&mut self, turn: &mut Turn<'_>) {
        (self.retry, self.current, self.proven) = (None, None, None);
        self.give_up_boot(turn);
        let all: Vec<u64> = self.processes.iter().map(|template| template.id).collect();
        for id in all {
            self.retire(id, turn);
        }
    }

    /// The operator does not want to wait.
    pub(super) fn hasten(&mut self, turn: &mut Turn<'_>) {
        for template in &mut self.processes {
            if matches!(template.state, TemplateState::Ending { deadline: Some(_) }) {
                template.state = TemplateState::Ending { deadline: None };
                turn.act(Action::Template { template: template.id, deed: TemplateDeed::Kill });
            }
        }
    }

    /// The process of a slot has ended, or there will be none.
    pub(super) fn forget(&mut self, slot: usize) {
        self.origins[slot] = None;
    }

    pub(super) fn born(&mut self, slot: usize) {
        if let Some(Origin::Asked(id)) = self.origins[slot] {
            self.origins[slot] = Some(Origin::Born(id));
        }
    }
}

impl Fleet {
    /// The age of the code that a worker gets which is started now.
    pub(super) fn next_generation(&self) -> u64 {
        let current = self.templates.as_ref().and_then(Templates::current);
        current.map_or(self.generation, |template| template.generation)
    }

    /// Whether workers of the newest generation can be started.
    pub(super) fn can_go_on(&self) -> bool {
        let Some(templates) = &self.templates else { return true };
        templates.current().is_some_and(|template| template.generation == self.generation)
    }

    /// Starts the worker of a slot: by a fork of the supervisor, or by the template's as soon as there is one.
    pub(super) fn summon(&mut self, slot: usize, generation: u64, turn: &mut Turn<'_>) {
        match &mut self.templates {
            None => turn.act(Action::Start { slot, generation }),
            Some(templates) => {
                templates.origins[slot] = Some(Origin::Queued);
                self.ask(turn);
            }
        }
    }

    /// Tells the current template to fork those that wait for it.
    fn ask(&mut self, turn: &mut Turn<'_>) {
        let boot_timeout = self.plan.boot_timeout;
        let Some(templates) = &mut self.templates else { return };
        let Some(Template { id, generation, .. }) = templates.current() else { return };
        for (slot, origin) in templates.origins.iter_mut().enumerate() {
            if *origin == Some(Origin::Queued) {
                *origin = Some(Origin::Asked(id));
                if let Some(member) = &mut self.slots[slot] {
                    member.generation = generation;
                    // Its time begins now: to wait for a template is no fault of its own.
                    if let State::Booting { deadline } = &mut member.state {
                        *deadline = turn.now + boot_timeout;
                    }
                }
                turn.act(Action::Template { template: id, deed: TemplateDeed::Fork { slot, generation } });
            }
        }
    }

    /// Starts a template of the newest generation.
    pub(super) fn boot_template(&mut self, turn: &mut Turn<'_>) {
        if let Some(templates) = &mut self.templates {
            templates.boot(self.generation, self.plan.boot_timeout, turn);
        }
    }

    /// Has a template of the newest generation started, soon.
    pub(super) fn renew_code(&mut self, turn: &mut Turn<'_>) {
        let Some(templates) = &mut self.templates else { return };
        match templates.processes.iter().find(|template| template.is_booting()) {
            Some(younger) if turn.now < younger.started + LEAST_IMPORT => {
                templates.retry = Some(younger.started + LEAST_IMPORT);
            }
            _ => self.boot_template(turn),
        }
    }

    /// What failed before may work now.
    pub(super) fn retry_template(&mut self, turn: &mut Turn<'_>) {
        if let Some(templates) = &mut self.templates
            && !templates.processes.iter().any(Template::is_booting)
        {
            templates.retry = templates.retry.map(|_| turn.now);
        }
    }

    pub(super) fn has_template_of(&self, generation: u64) -> bool {
        let processes = self.templates.iter().flat_map(|templates| &templates.processes);
        processes.clone().any(|template| template.generation == generation)
    }

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
        for origin in templates.origins.iter_mut().flatten() {
            if *origin == Origin::Asked(id) {
                *origin = Origin::Queued;
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
            Phase::Starting if self.slots.iter().all(Option::is_none) => {
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
        templates.end_unused(turn);
    }
}
