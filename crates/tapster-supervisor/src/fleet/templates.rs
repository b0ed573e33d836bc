//! How a fleet with `--preload` comes by its workers: a template imports the application once and forks them.
//!
//! There is one template that forks, the current one. A reload makes a new one first, so that a broken application
//! never gets as far as the workers; the former one is kept until the reload has succeeded, and taken up again when a
//! worker of the new one does not live. A template that dies is made anew, and the workers do not notice.

use std::time::Duration;

use crate::member::{State, Time};
use crate::template::{Origin, Template, TemplateState};
use crate::{Action, TemplateDeed};

use super::{Fleet, KILL_GRACE, Turn};

/// How long an import may go on at least that a reload has made useless: a storm of them is not one of processes.
const LEAST_IMPORT: Duration = Duration::from_secs(1);

/// The templates of a fleet.
#[derive(Debug)]
pub(super) struct Templates {
    /// The number of the newest one.
    pub(super) newest: u64,
    /// All that have not ended.
    pub(super) processes: Vec<Template>,
    /// The one that forks.
    pub(super) current: Option<u64>,
    /// The one before it, until a reload has succeeded.
    pub(super) proven: Option<u64>,
    /// Where the worker in each slot comes from.
    pub(super) origins: Vec<Option<Origin>>,
    /// How many in a row did not live.
    pub(super) failures: u32,
    /// When another one is to be started.
    pub(super) retry: Option<Time>,
    /// The worker that was told to become the current one's successor.
    pub(super) promoting: Option<usize>,
    /// Since when workers are replaced because such a worker has become the current one.
    pub(super) refork: Option<Time>,
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
            promoting: None,
            refork: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.processes.iter().filter_map(Template::deadline).chain(self.retry).min()
    }

    /// The template that forks now.
    pub(super) fn current(&self) -> Option<Template> {
        self.current.and_then(|id| self.find(id).copied())
    }

    pub(super) fn find(&self, id: u64) -> Option<&Template> {
        self.processes.iter().find(|template| template.id == id)
    }

    pub(super) fn find_mut(&mut self, id: u64) -> Option<&mut Template> {
        self.processes.iter_mut().find(|template| template.id == id)
    }

    /// Starts another template; one that is still importing would come to know too little.
    pub(super) fn boot(&mut self, generation: u64, limit: Duration, turn: &mut Turn<'_>) {
        self.retry = None;
        self.give_up_boot(turn);
        self.newest += 1;
        let state = TemplateState::Booting { deadline: turn.now + limit };
        self.processes.push(Template {
            id: self.newest,
            import: self.newest,
            generation,
            is_followed: false,
            started: turn.now,
            state,
        });
        turn.act(Action::Template { template: self.newest, deed: TemplateDeed::Start { generation } });
    }

    fn give_up_boot(&mut self, turn: &mut Turn<'_>) {
        for template in self.processes.iter_mut().filter(|template| template.is_booting()) {
            template.state = TemplateState::Ending { deadline: Some(turn.now + KILL_GRACE) };
            turn.act(Action::Template { template: template.id, deed: TemplateDeed::Terminate });
        }
    }

    pub(super) fn demote(&mut self, id: u64) {
        for role in [&mut self.current, &mut self.proven] {
            *role = role.filter(|other| *other != id);
        }
    }

    /// Has a template fork no more.
    pub(super) fn retire(&mut self, id: u64, turn: &mut Turn<'_>) {
        if let Some(template) = self.find_mut(id).filter(|template| template.state == TemplateState::Ready) {
            template.state = TemplateState::Retired;
            turn.act(Action::Template { template: id, deed: TemplateDeed::Retire });
        }
    }

    /// Ends the retired ones whose workers have gone. What an import made is removed by the last template that has it: of
    /// several that end now by the oldest, since a worker that has just become one may be gone.
    pub(super) fn end_unused(&mut self, turn: &mut Turn<'_>) {
        self.processes.sort_unstable_by_key(|template| template.id);
        for place in (0..self.processes.len()).rev() {
            let Template { id, import, state, .. } = self.processes[place];
            let is_used = self.origins.iter().flatten().any(|origin| origin.template() == Some(id));
            if state != TemplateState::Retired || is_used {
                continue;
            }
            let others = self.processes.iter().filter(|one| one.id != id && one.import == import);
            let has_heir = others.into_iter().any(|one| !matches!(one.state, TemplateState::Ending { .. }));
            self.processes[place].state = TemplateState::Ending { deadline: Some(turn.now + KILL_GRACE) };
            let deed = if has_heir { TemplateDeed::Leave } else { TemplateDeed::Stop };
            turn.act(Action::Template { template: id, deed });
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

    /// The process of a slot has ended, or there will be none. True if it was to become the template.
    pub(super) fn forget(&mut self, slot: usize) -> bool {
        self.origins[slot] = None;
        self.promoting.take_if(|other| *other == slot).is_some()
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
    pub(super) fn ask(&mut self, turn: &mut Turn<'_>) {
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
                        *deadline = Some(turn.now + boot_timeout);
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
}
