//! The driver's part in what happens: sleeps until something does, hears who it was, and turns it into events. Run by the
//! supervisor.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use tapster_observe::Incident;

use tapster_sys::inbox::Message;
use tapster_sys::letter;
use tapster_sys::poll::{self, Interest};
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::Signal;

use super::Driver;
use crate::control::Scene;
use crate::load::LoadWatch;
use crate::warmth::Warmth;
use crate::{Command, Event};

/// How long to wait for room in a full inbox before the next attempt.
const RETRY: Duration = Duration::from_millis(20);

impl Driver<'_> {
    /// Sends what is to be sent, sleeps until something happens, and turns it into events.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let ready: Vec<usize> = self.fleet.ready_slots().collect();
        // Whoever sends a connection counts it for the worker that gets it.
        let board = &self.board;
        let mut count = |slot| board.worker(slot).connections_changed(1);
        let held_back = self.outbox.flush(&self.channels, &self.log, &ready, &mut count);
        let slots = self.slots_to_watch(!ready.is_empty() && self.outbox.has_room());
        let sources = slots.iter().map(|slot| match self.children.is_taken(*slot) {
            true => self.channels.incoming(*slot),
            false => self.channels.undelivered(*slot),
        });
        let given_up = self.slots_given_up();
        let sources = sources
            .chain(given_up.iter().map(|slot| self.channels.incoming(*slot)))
            .chain(self.touch.events())
            .chain(self.upgrade.sources())
            .chain(self.watcher.changes())
            .chain(self.front.source())
            .chain([self.signals.as_fd()])
            .chain(self.templates.sources())
            .map(|source| (source, Interest::Readable));
        let sleep = self.manager.watch(Instant::now());
        let sleep = self.time_to_sleep(held_back, &ready).into_iter().chain(sleep);
        let sleep = sleep.chain(self.log.repeats_left()).min();
        let mut sources: Vec<_> = sources.collect();
        let own = sources.len();
        sources.extend(self.control.sources());
        let found = poll::wait(&sources, sleep)?;
        self.parting.end_when_due(Instant::now());
        self.log.tell_repeats_if_due();
        self.serve_operators(&found[own..]);
        let (of_slots, others) = found.split_at(slots.len());
        for (slot, _) in slots.into_iter().zip(of_slots).filter(|(_, readable)| **readable) {
            self.read(slot);
        }
        for (slot, _) in given_up.into_iter().zip(others).filter(|(_, readable)| **readable) {
            self.clear(slot);
        }
        self.reload_if_touched();
        self.attend_predecessor();
        self.attend_successor();
        self.reload_if_changed();
        self.front.listen(&self.log);
        self.front.enforce(&self.log);
        self.read_templates();
        self.read_signals()
    }

    pub(super) fn look_at_workers(&mut self) {
        let serving: Vec<usize> = self.fleet.ready_slots().collect();
        let now = self.began.elapsed();
        self.events.extend(self.vitals.look(now, &serving, &self.children));
        self.events.extend(self.stopped.look(now));
        if let Some(load) = self.load.as_mut().filter(|_| self.fleet.follows_load()) {
            self.events.extend(load.look(now, self.fleet.wanted(), &serving, &self.children, &self.board));
        }
        if let Some(warmth) = self.warmth.as_mut().filter(|_| self.fleet.wants_refork()) {
            self.events.extend(warmth.look(now, &serving, &self.board));
        }
    }

    fn serve_operators(&mut self, found: &[bool]) {
        let Driver { fleet, children, board, channels, front, listeners, log, configuration, .. } = self;
        let (now, front_process, front) = (self.began.elapsed(), front.pid(), front.inbox());
        let configuration = *configuration;
        let scene = Scene {
            now,
            fleet,
            children,
            board,
            channels,
            front,
            front_process,
            listeners,
            log,
            configuration,
        };
        let commands = self.control.serve(found, &scene);
        commands.into_iter().for_each(|command| self.obey(command));
    }

    /// Those with a worker, for what it says; those without, if anybody can take the connections sent there.
    fn slots_to_watch(&self, with_strays: bool) -> Vec<usize> {
        let slots = 0..self.board.workers();
        slots.filter(|slot| with_strays || self.children.is_taken(*slot)).collect()
    }

    /// Those without a worker in which one may still appear: the process that a template was told to fork.
    fn slots_given_up(&self) -> Vec<usize> {
        if !self.templates.were_used() {
            return Vec::new();
        }
        (0..self.board.workers()).filter(|slot| !self.children.is_taken(*slot)).collect()
    }

    fn time_to_sleep(&self, held_back: bool, ready: &[usize]) -> Option<Duration> {
        let load = self.load.as_ref().filter(|_| self.fleet.follows_load()).map(LoadWatch::next);
        let warmth = self.warmth.as_ref().filter(|_| self.fleet.wants_refork()).map(Warmth::next);
        let looks = [self.vitals.next(ready), self.stopped.next(), load, warmth];
        let deadlines = [self.fleet.next_deadline(), self.control.deadline()].into_iter().chain(looks);
        let left = deadlines.flatten().map(|at| at.saturating_sub(self.began.elapsed()));
        let others = [
            self.touch.look_after(),
            self.upgrade.sleep(),
            self.front.sleep(),
            self.exporter.sleep(),
            self.parting.sleep(Instant::now()),
            held_back.then_some(RETRY),
        ];
        left.chain(others.into_iter().flatten()).min()
    }

    fn reload_if_changed(&mut self) {
        if let Some(cause) = self.watcher.changed() {
            self.cause = Some(cause);
            self.obey(Command::Reload);
        }
    }

    fn reload_if_touched(&mut self) {
        let touched = self.touch.changed(&self.log);
        for file in &touched {
            self.log.info(format_args!("{} was touched (--touch-reload)", file.display()));
        }
        if !touched.is_empty() {
            self.obey(Command::Reload);
        }
    }

    pub(super) fn read(&mut self, slot: usize) {
        if !self.children.is_taken(slot) {
            return self.outbox.adopt(self.channels.unread(slot));
        }
        for (message, beside) in self.channels.said(slot) {
            match message {
                Message::Ready => self.is_ready(slot),
                Message::StandsIn | Message::BootFailed => {
                    if let Some(Ok(reason)) = beside.map(letter::read) {
                        self.control.note_reason(slot, reason);
                    }
                    self.events.push_back(match message {
                        Message::StandsIn => Event::StandsIn { slot },
                        _ => Event::BootFailed { slot },
                    });
                }
                Message::Retire(said) => self.events.push_back(Event::Retire { slot, reason: said.into() }),
                Message::Promoted => self.promoted(slot, beside),
                Message::Configured => self.configured(slot, None),
                Message::NotConfigured => self.not_configured(slot, beside),
                Message::Born { pid } => self.born(slot, Pid::from_raw(pid)),
                other => self.log.report(
                    Incident::MESSAGE_LOST,
                    format_args!("{} said {other:?}", self.children.name(slot)),
                ),
            }
        }
    }

    fn is_ready(&mut self, slot: usize) {
        if let Some(pid) = self.children.pid(slot) {
            self.vitals.ready(slot, pid);
        }
        self.events.push_back(Event::Ready { slot });
    }

    fn read_signals(&mut self) -> io::Result<()> {
        while let Some(signal) = self.signals.take() {
            match signal {
                Signal::Child => self.reap()?,
                Signal::Hangup if self.ends_with_terminal && !process::has_terminal() => {
                    self.obey(Command::Stop);
                }
                Signal::Hangup => self.obey(Command::Reload),
                Signal::TtyIn => self.obey(Command::Grow),
                Signal::TtyOut => self.obey(Command::Shrink),
                Signal::User1 => self.reopen_logs(),
                Signal::User2 => self.begin_upgrade(),
                Signal::Interrupt if process::is_in_foreground() => self.obey(Command::Interrupt),
                Signal::Terminate | Signal::Interrupt | Signal::Quit => self.obey(Command::Stop),
                Signal::Kill | Signal::Abort => {} // Not caught.
            }
        }
        Ok(())
    }

    pub(super) fn reopen_logs(&mut self) {
        self.log_files.reopen(&self.log);
        self.obey(Command::Reopen);
        self.change_log_of_templates();
        self.front.reopen(&self.log);
    }
}
