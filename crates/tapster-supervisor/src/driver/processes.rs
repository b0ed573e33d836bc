//! The driver's part in processes: forks them, signals them, reaps them. Run by the supervisor, and in each new child up
//! to its own code.

use std::io;
use std::time::{Duration, Instant};

use tapster_observe::{Incident, WorkerState};
use tapster_sys::fork::Forked;
use tapster_sys::inbox::Message;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::wait::{self, Change, Status};

use super::templates::Child;
use super::{Done, Driver};
use crate::front::{Given, Newborn};
use crate::role::Place;
use crate::template_start;
use crate::worker_start::{self, Inheritance};
use crate::{Command, Event};

/// How long the system's refusal of a process is not told again.
const TELL_AGAIN: Duration = Duration::from_secs(2);

impl Driver<'_> {
    pub(super) fn start(&mut self, place: Place) -> Done {
        let slot = place.slot;
        self.clear(slot);
        self.fork.before_worker();
        if let Err(error) = signal::block_all_in_this_thread() {
            return self.not_started(slot, &error);
        }
        let done = match self.fork.fork() {
            Ok(Forked::Child) => return Done::InChild(Child::Worker(place)),
            Ok(Forked::Parent(pid)) => {
                self.children.add(slot, pid);
                self.vitals.started(slot, self.began.elapsed());
                Done::Yes
            }
            Err(error) => self.not_started(slot, &error),
        };
        if let Err(error) = signal::unblock_all_in_this_thread() {
            self.log
                .report(Incident::SIGNALS_BLOCKED, format_args!("cannot let signals through again: {error}"));
        }
        done
    }

    fn not_started(&mut self, slot: usize, error: &io::Error) -> Done {
        // Each worker is tried again and again.
        if self.refusal.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
            self.refusal = Some(Instant::now());
            self.log.report(
                Incident::PROCESS_NOT_STARTED,
                format_args!("cannot start a worker process, and will try again: {error}"),
            );
        }
        self.events.push_back(Event::NotStarted { slot });
        Done::Yes
    }

    /// In the child: drops what a watcher does not need, the listeners above all, and never comes back.
    pub(super) fn become_watcher(self) -> ! {
        let Driver { own_pid, watcher, alive: (alive, writer), privileges, log, .. } = self;
        drop((self.signals, writer, self.outbox, self.touch, self.control, self.listeners, self.channels));
        drop((self.upgrade, self.exporter));
        watcher.run(own_pid, alive, &privileges, &log)
    }

    /// In the child: drops what an exporter does not need, the listeners above all, and never comes back.
    pub(super) fn become_exporter(self) -> ! {
        let Driver { own_pid, exporter, board, alive, privileges, log, .. } = self;
        drop((self.signals, alive, self.outbox, self.touch, self.control, self.listeners, self.channels));
        drop((self.upgrade, self.templates, self.watcher, self.front));
        exporter.run(own_pid, board, &privileges, &log)
    }

    /// In the child: drops what a front does not need and never comes back.
    pub(super) fn become_front(self, newborn: Newborn) -> ! {
        let Driver { front, listeners, board, channels, alive: (alive, writer), privileges, log, .. } = self;
        drop((self.signals, writer, self.outbox, self.templates, self.touch, self.control, self.upgrade));
        drop((self.watcher, self.exporter));
        let supervisor = self.own_pid;
        let (privileges, log) = (&privileges, &log);
        front.run(newborn, Given { supervisor, alive, listeners, board, channels, privileges, log })
    }

    /// In the child: drops what is the supervisor's alone and never comes back.
    pub(super) fn become_child(self, child: Child) -> ! {
        let Driver { roles, mut listeners, board, channels, alive: (alive, writer), privileges, log, .. } =
            self;
        drop((self.signals, writer, self.outbox, self.templates, self.touch, self.control, self.upgrade));
        drop(self.exporter);
        let supervisor = self.own_pid;
        let modules = self.watcher.for_worker();
        let may_be_promoted = self.warmth.is_some();
        // Behind a front no client comes by itself.
        if self.front.is_there() {
            listeners.clear();
        }
        drop(self.front);
        let inherit = |place| Inheritance {
            place,
            supervisor,
            channels,
            alive,
            listeners,
            board,
            modules,
            privileges,
            log,
            may_be_promoted,
        };
        match child {
            Child::Worker(place) => worker_start::run(inherit(place), &mut |start| roles.worker(start)),
            Child::Template { generation, orders } => {
                // It forks workers for any slot.
                let place = Place { slot: 0, generation, stands_in_for: None };
                template_start::run(orders, inherit(place), roles)
            }
        }
    }

    /// Empties what the last worker of a slot left behind.
    pub(super) fn clear(&mut self, slot: usize) {
        for (message, _) in self.channels.said(slot) {
            if let Message::Born { pid } = message {
                self.end_stray(Pid::from_raw(pid));
            }
        }
        self.outbox.adopt(self.channels.unread(slot));
        self.outbox.forget(slot);
    }

    pub(super) fn signal(&mut self, slot: usize, signal: Signal) {
        let Some(pid) = self.children.pid(slot) else { return self.signal_unborn(slot, signal) };
        if let Err(error) = process::send_signal(pid, signal) {
            self.log.report(
                Incident::SIGNAL_NOT_SENT,
                format_args!("cannot send {signal} to {}: {error}", self.children.name(slot)),
            );
        }
    }

    pub(super) fn reap(&mut self) -> io::Result<()> {
        while let Some((pid, change)) = wait::change_of_any()? {
            let Change::Ended(status) = change else {
                self.stopped_or_goes_on(pid, change);
                continue;
            };
            match self.slot_of(pid) {
                Some(slot) => self.ended(slot, status),
                None if self.successor_ended(pid, status) => {}
                // Files that it knew are named again by new workers.
                None if self.watcher.has_ended(pid, status, &self.log) => self.obey(Command::Reload),
                None if self.exporter.has_ended(pid, status, &self.log) => {}
                None if self.front_ended(pid, status) => {}
                None if self.template_ended(pid, status) => {}
                None => self.log.debug(format_args!("process {pid}, a stranger, {status}")),
            }
        }
        Ok(())
    }

    fn stopped_or_goes_on(&mut self, pid: Pid, change: Change) {
        let Some(slot) = self.slot_of(pid) else { return };
        let name = self.children.name(slot);
        if change == Change::Stopped {
            self.log.report(
                Incident::WORKER_STOPPED,
                format_args!("{name} was stopped by a signal; until it goes on it serves nobody"),
            );
            self.stopped.stopped(slot, self.began.elapsed());
        } else {
            self.log.info(format_args!("{name} goes on after it was stopped"));
            self.stopped.over(slot);
        }
    }

    fn front_ended(&mut self, pid: Pid, status: Status) -> bool {
        let Some(orders) = self.front.has_ended(pid, status, &self.log) else { return false };
        self.board.front(0).iter().for_each(|board| board.reset(0));
        orders.into_iter().for_each(|(slot, order)| self.tell(slot, order));
        true
    }

    fn ended(&mut self, slot: usize, status: Status) {
        // What it said last comes before its end.
        self.read(slot);
        self.children.remove(slot);
        self.stopped.over(slot);
        self.configured(slot, None);
        self.forget_promoted(slot);
        self.board.worker(slot).set_state(WorkerState::Gone);
        if !self.front.is_there() {
            self.board.front(slot).iter().for_each(|board| board.reset(0));
        }
        self.poke_heir();
        self.events.push_back(Event::Exited { slot, status });
    }
}
