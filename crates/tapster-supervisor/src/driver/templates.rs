//! The driver's part in `--preload`: the template processes, and the workers that they fork.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tapster_observe::{Incident, WorkerState};
use tapster_sys::fork::Forked;
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::letter;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::wait::{self, Status};

use super::{Done, Driver};
use crate::log_rotation;
use crate::role::Place;
use crate::{Event, TemplateDeed, TemplateEvent};

/// What a child of the supervisor becomes.
pub(super) enum Child {
    Worker(Place),
    Template { generation: u64, orders: Inbox },
}

/// The templates that were started and not yet reaped.
#[derive(Default)]
pub(super) struct Templates {
    processes: Vec<Process>,
    /// A worker that has become one, of which the fleet is about to hear.
    promoted: Option<(usize, Inbox)>,
    /// The last that was reaped, for its name in the log.
    last: Option<(u64, Pid)>,
}

struct Process {
    id: u64,
    pid: Pid,
    inbox: Inbox,
}

impl Templates {
    /// What is readable when a template has said something.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.processes.iter().map(|process| process.inbox.as_fd())
    }

    /// What to call a template.
    pub(super) fn name(&self, id: u64) -> String {
        let known = self.processes.iter().map(|process| (process.id, process.pid)).chain(self.last);
        match known.into_iter().find(|(other, _)| *other == id) {
            Some((_, pid)) => format!("the template (pid {pid})"),
            None => "the template".to_owned(),
        }
    }

    /// Whether there is a template, or was one.
    pub(super) fn were_used(&self) -> bool {
        !self.processes.is_empty() || self.last.is_some()
    }

    fn find(&self, id: u64) -> Option<&Process> {
        self.processes.iter().find(|process| process.id == id)
    }

    fn send(&self, id: u64, message: Message) -> io::Result<()> {
        self.find(id).map_or(Ok(()), |process| process.inbox.send(message, None))
    }
}

impl Driver<'_> {
    pub(super) fn do_with_template(&mut self, id: u64, deed: TemplateDeed) -> Done {
        match deed {
            TemplateDeed::Start { generation } => return self.start_template(id, generation),
            TemplateDeed::Fork { slot, .. } => self.fork_by_template(id, slot),
            TemplateDeed::Adopt { slot } => self.adopt_template(id, slot),
            TemplateDeed::Leave => self.tell_template(id, Message::HandOver { timeout_ms: 0 }),
            TemplateDeed::Retire => self.tell_template(id, Message::Drain { timeout_ms: 0 }),
            TemplateDeed::Stop => self.tell_template(id, Message::Stop),
            TemplateDeed::Terminate => self.signal_template(id, Signal::Terminate),
            TemplateDeed::Kill => self.signal_template(id, Signal::Kill),
        }
        Done::Yes
    }

    fn start_template(&mut self, id: u64, generation: u64) -> Done {
        match self.fork_template() {
            Ok((Forked::Child, _, orders)) => return Done::InChild(Child::Template { generation, orders }),
            Ok((Forked::Parent(pid), inbox, _)) => self.templates.processes.push(Process { id, pid, inbox }),
            Err(error) => {
                self.log.report(
                    Incident::PROCESS_NOT_STARTED,
                    format_args!("cannot start a template process: {error}"),
                );
                self.say(id, TemplateEvent::NotStarted);
            }
        }
        if let Err(error) = signal::unblock_all_in_this_thread() {
            self.log
                .report(Incident::SIGNALS_BLOCKED, format_args!("cannot let signals through again: {error}"));
        }
        Done::Yes
    }

    /// A worker waits to fork, and takes orders by this inbox.
    pub(super) fn promoted(&mut self, slot: usize, orders: Option<OwnedFd>) {
        // Without one, there was no room for a descriptor: the process sees that nobody has the other end, and exits.
        self.templates.promoted = orders.map(|orders| (slot, orders.into()));
        if self.templates.promoted.is_some() {
            self.events.push_back(Event::Promoted { slot });
        }
    }

    /// The process of a slot is a template from now on.
    fn adopt_template(&mut self, id: u64, slot: usize) {
        let promoted = self.templates.promoted.take_if(|(place, _)| *place == slot);
        let (Some((_, inbox)), Some(pid)) = (promoted, self.children.pid(slot)) else {
            // It has ended meanwhile.
            return self.say(id, TemplateEvent::NotStarted);
        };
        self.children.remove(slot);
        self.stopped.over(slot);
        self.board.worker(slot).set_state(WorkerState::Gone);
        self.templates.processes.push(Process { id, pid, inbox });
    }

    /// The worker of a slot has ended, whatever it was about to become.
    pub(super) fn forget_promoted(&mut self, slot: usize) {
        self.templates.promoted.take_if(|(place, _)| *place == slot);
    }

    fn fork_template(&mut self) -> io::Result<(Forked, Inbox, Inbox)> {
        let (inbox, orders) = Inbox::pair()?;
        signal::block_all_in_this_thread()?;
        Ok((self.fork.fork()?, inbox, orders))
    }

    fn fork_by_template(&mut self, id: u64, slot: usize) {
        self.clear(slot);
        self.fork.before_worker();
        self.children.expect(slot);
        let place = u16::try_from(slot).map_err(io::Error::other);
        let told = place.and_then(|slot| self.templates.send(id, Message::Fork { slot }));
        if let Err(error) = told {
            self.log.report(
                Incident::MESSAGE_LOST,
                format_args!("cannot tell {} to fork: {error}", self.templates.name(id)),
            );
            self.not_born(slot);
        }
    }

    /// Workers that are forked later write where their template does.
    pub(super) fn change_log_of_templates(&self) {
        for process in &self.templates.processes {
            for message in log_rotation::messages(&self.log) {
                let file = log_rotation::file_beside(message, &self.log);
                if let Err(error) = process.inbox.send(message, file) {
                    let name = self.templates.name(process.id);
                    self.log.report(
                        Incident::LOG_NOT_REOPENED,
                        format_args!("cannot pass the new log file to {name}: {error}"),
                    );
                }
            }
        }
    }

    /// A template that cannot be told is killed when its time is over.
    fn tell_template(&self, id: u64, message: Message) {
        if let Err(error) = self.templates.send(id, message) {
            self.log.debug(format_args!("cannot tell {}: {error}", self.templates.name(id)));
        }
    }

    fn signal_template(&self, id: u64, signal: Signal) {
        let Some(process) = self.templates.find(id) else { return };
        if let Err(error) = process::send_signal(process.pid, signal) {
            self.log.report(
                Incident::SIGNAL_NOT_SENT,
                format_args!("cannot send {signal} to {}: {error}", self.templates.name(id)),
            );
        }
    }

    /// A signal for a slot without a process: kept for the one that a template is about to fork. One that is overdue, or
    /// that was never asked for, will not come any more.
    pub(super) fn signal_unborn(&mut self, slot: usize, signal: Signal) {
        if signal == Signal::Kill || !self.children.keep_signal(slot, signal) {
            self.not_born(slot);
        }
    }

    fn not_born(&mut self, slot: usize) {
        self.children.remove(slot);
        self.events.push_back(Event::NotStarted { slot });
    }

    /// The process between, or the worker itself, says which process is in a slot.
    pub(super) fn born(&mut self, slot: usize, pid: Pid) {
        let is_new = self.children.is_awaited(slot);
        match self.children.identify(slot, pid) {
            Ok(kept) => {
                if is_new {
                    self.vitals.started(slot, self.began.elapsed());
                    self.events.push_back(Event::Born { slot });
                }
                if let Some(signal) = kept {
                    self.signal(slot, signal);
                }
            }
            Err(stray) => self.end_stray(stray),
        }
    }

    /// Whether the process has a part of its own. A number that was said long ago may be that one's by now.
    fn has_another_part(&self, pid: Pid) -> bool {
        self.templates.processes.iter().any(|process| process.pid == pid)
            || self.watcher.is(pid)
            || self.exporter.is(pid)
            || self.upgrade.is_successor(pid)
    }

    /// A worker that came too late: its slot was given up.
    pub(super) fn end_stray(&self, pid: Pid) {
        if self.children.slot(pid).is_none() && !self.has_another_part(pid) && wait::is_child(pid) {
            self.log.report(
                Incident::LATE_FORK_KILLED,
                format_args!("process {pid} came to be too late to serve: killed"),
            );
            // It is a child that was not reaped.
            let _gone = process::send_signal(pid, Signal::Kill);
        }
    }

    pub(super) fn read_templates(&mut self) {
        let mut heard = Vec::new();
        for process in &self.templates.processes {
            while let Ok(Some((message, beside))) = process.inbox.receive() {
                heard.push((process.id, message, beside));
            }
        }
        for (id, message, beside) in heard {
            match message {
                Message::Ready => self.say(id, TemplateEvent::Ready),
                Message::BootFailed => {
                    if let Some(Ok(reason)) = beside.map(letter::read) {
                        self.control.note_template_reason(reason);
                    }
                    self.say(id, TemplateEvent::BootFailed);
                }
                Message::NotForked { slot } if self.children.is_awaited(slot.into()) => {
                    self.not_born(slot.into());
                }
                other => self.log.debug(format_args!("{} said {other:?}", self.templates.name(id))),
            }
        }
    }

    fn say(&mut self, template: u64, event: TemplateEvent) {
        self.events.push_back(Event::Template { template, event });
    }

    /// The slot of a process that was reaped. What says so may be unread still.
    pub(super) fn slot_of(&mut self, pid: Pid) -> Option<usize> {
        let known = self.children.slot(pid);
        if known.is_none() {
            let slots = 0..self.board.workers();
            let awaited: Vec<usize> = slots.filter(|slot| self.children.is_awaited(*slot)).collect();
            for slot in awaited {
                self.read(slot);
            }
        }
        known.or_else(|| self.children.slot(pid))
    }

    /// Whether the process that was reaped is a template.
    pub(super) fn template_ended(&mut self, pid: Pid, status: Status) -> bool {
        let Some(place) = self.templates.processes.iter().position(|process| process.pid == pid) else {
            return false;
        };
        // What it said last comes before its end.
        self.read_templates();
        let process = self.templates.processes.swap_remove(place);
        self.templates.last = Some((process.id, pid));
        self.say(process.id, TemplateEvent::Exited(status));
        true
    }
}
