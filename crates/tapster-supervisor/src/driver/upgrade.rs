//! The driver's part in an upgrade (`handover.rs`), on both sides: the old server starts the new one and goes when that
//! has taken over, or goes on when it fails; the new one takes over when it is ready.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use tapster_observe::{Incident, Kind};
use tapster_sys::inbox::Message;
use tapster_sys::process::{self, Pid};
use tapster_sys::socket::Listener;
use tapster_sys::wait::Status;

use super::Driver;
use crate::handover::predecessor::{Departure, Predecessor};
use crate::handover::successor::{Overdue, State, Successor};
use crate::handover::{Succession, Word};
use crate::pidfile::PidFile;
use crate::report::Seconds;
use crate::service_manager::ServiceManager;
use crate::{Command, Order, Outcome, Report};

/// How long a new server may take to end beyond the grace of its requests.
const END: Duration = Duration::from_secs(5);

/// How long idle connections stay open in a server whose place another one has taken.
const IDLE_GRACE: Duration = Duration::from_secs(2);

/// What a driver knows of the servers before and after its own.
pub(super) struct Upgrade {
    given: Succession,
    successor: Option<Successor>,
    /// Another upgrade was asked for while one was running.
    again: bool,
    /// The old server has told this one to stop.
    was_told: bool,
    /// Who has taken over.
    heir: Option<Pid>,
    /// Whether the new server was named as the server that is in charge, and its end would leave nobody.
    is_handed_over: bool,
    /// The report of readiness, for the service manager.
    ready: Option<Report>,
    /// This server has ended but for the new one, which was told to.
    finished: Option<Outcome>,
}

impl Upgrade {
    pub(super) fn new(given: Succession) -> Upgrade {
        Upgrade {
            given,
            successor: None,
            again: false,
            was_told: false,
            heir: None,
            is_handed_over: false,
            ready: None,
            finished: None,
        }
    }

    /// What to wait for.
    pub(super) fn sources(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let predecessor = self.given.predecessor.as_ref().and_then(Predecessor::source);
        let successor = self.successor.as_ref().and_then(Successor::source);
        predecessor.into_iter().chain(successor)
    }

    /// Whether this is the process of the new server.
    pub(super) fn is_successor(&self, pid: Pid) -> bool {
        self.successor.as_ref().is_some_and(|successor| successor.pid() == pid)
    }

    /// How long to sleep at most.
    pub(super) fn sleep(&self) -> Option<Duration> {
        let deadline = self.successor.as_ref().and_then(Successor::deadline)?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// The service manager hears nothing of this server before it has taken over.
    pub(super) fn service_manager(&self) -> ServiceManager {
        match self.given.predecessor {
            None => ServiceManager::from_environment(),
            Some(_) => ServiceManager::default(),
        }
    }

    /// Whether this Ctrl-C is the one that the old server has passed on already.
    pub(super) fn is_known(&mut self, command: Command) -> bool {
        command == Command::Interrupt && std::mem::take(&mut self.was_told)
    }

    /// Whether another server of this upgrade goes on listening where this one does.
    pub(super) fn shares_listeners(&self) -> bool {
        self.heir.is_some() || self.given.predecessor.is_some()
    }

    /// The outcome, unless the end of the new server has to be awaited.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Option<Outcome> {
        match self.successor {
            Some(_) if self.heir.is_none() => {
                self.finished = Some(outcome);
                None
            }
            _ => {
                // The line ends with the process and not before, since its end says that this server is gone.
                std::mem::forget(self.successor.take());
                Some(outcome)
            }
        }
    }

    /// The outcome of a server whose last child is gone.
    pub(super) fn finished(&self) -> Option<Outcome> {
        self.finished.filter(|_| self.successor.is_none())
    }
}

/// The old server.
impl Driver<'_> {
    /// USR2.
    pub(super) fn begin_upgrade(&mut self) {
        if let Some(heir) = self.upgrade.heir {
            self.log.report(
                Incident::UPGRADE_REFUSED,
                format_args!("no upgrade: pid {heir} has taken over; send USR2 to that"),
            );
        } else if self.fleet.is_stopping() {
            self.log.report(Incident::UPGRADE_REFUSED, format_args!("no upgrade: this server stops"));
        } else if self.upgrade.given.predecessor.as_ref().is_some_and(Predecessor::is_in_charge) {
            self.upgrade.again = true;
            self.log.info(format_args!("upgrading once more as soon as this server has taken over"));
        } else if let Some(successor) = &self.upgrade.successor {
            let pid = successor.pid();
            self.upgrade.again = true;
            self.log.info(format_args!("upgrading once more after pid {pid}, which starts"));
        } else if self.fleet.ready_slots().next().is_none() {
            self.log.report(
                Incident::UPGRADE_REFUSED,
                format_args!("no upgrade: this server is not ready itself; try again when it is"),
            );
        } else {
            self.start_successor();
        }
    }

    fn start_successor(&mut self) {
        let Some(program) = &self.upgrade.given.program else {
            return self.log.report(
                Incident::UPGRADE_FAILED,
                format_args!("no upgrade: the command of this server is unknown"),
            );
        };
        // In the order in which the new one takes them: the system's choice of a port may be the only difference.
        let admin = self.control.bound();
        let mut control: Vec<_> = self.control.listeners().map(|listener| &*listener).collect();
        let socket = control.split_off(admin);
        let listeners: Vec<_> = control.into_iter().chain(&self.listeners).chain(socket).collect();
        match Successor::start(program, &listeners, self.upgrade.given.init.as_ref(), self.boot_timeout) {
            Ok(successor) => {
                // Its arguments may hold what is not for the log.
                let (pid, file, place) =
                    (successor.pid(), program.file.display(), program.directory.display());
                self.log.info(format_args!("upgrading: pid {pid} starts, {file} in {place}"));
                self.upgrade.successor = Some(successor);
            }
            Err(error) => self.log.report(
                Incident::UPGRADE_FAILED,
                format_args!("the upgrade failed: {error}; this server goes on"),
            ),
        }
    }

    /// Whatever the new server has said, and what is due.
    pub(super) fn attend_successor(&mut self) {
        let Some(successor) = &mut self.upgrade.successor else { return };
        let words = successor.hear();
        let (pid, overdue) = (successor.pid(), successor.expire(self.graceful_timeout + END));
        match overdue {
            Some(Overdue::Boot(limit)) => self.log.report(Incident::UPGRADE_FAILED, format_args!(
                "the upgrade failed: pid {pid} took longer than {limit} (--boot-timeout) and is stopped; \
                 this server goes on",
                limit = Seconds(limit)
            )),
            Some(Overdue::Taking(limit)) => self.log.report(Incident::UPGRADE_FAILED, format_args!(
                "the upgrade failed: pid {pid} did not take over within {limit} and is killed; this server goes on",
                limit = Seconds(limit)
            )),
            Some(Overdue::End) => self.log.report(Incident::UPGRADE_FAILED, format_args!("pid {pid} does not end: killed")),
            None => {}
        }
        for word in words {
            match word {
                Word::Ready => self.hand_over(),
                Word::Took => self.make_way(),
                Word::Stop => self.stop_for_both(),
                _ => {}
            }
        }
    }

    /// The new server is ready: it is to be the server.
    fn hand_over(&mut self) {
        let Some(successor) = &self.upgrade.successor else { return };
        if !matches!(successor.state(), State::Started | State::Booting) || self.fleet.is_stopping() {
            return;
        }
        let pid = successor.pid();
        self.upgrade.is_handed_over = true;
        self.announce(pid);
        self.control.answer_new_clients(false, self.began.elapsed());
        self.all_listeners().for_each(Listener::disown_file);
        if !self.upgrade.successor.as_mut().is_some_and(Successor::go) {
            self.take_back();
        }
    }

    /// Says to those who watch over this server who it is from now on.
    fn announce(&self, pid: Pid) {
        self.manager.announce_main(pid);
        self.tell_init(pid);
    }

    fn tell_init(&self, pid: Pid) {
        if let Some(init) = &self.upgrade.given.init {
            // PID 1 is there as long as this process is.
            let _never = process::write(init, format!("{pid}\n").as_bytes());
        }
    }

    /// The operator has told the new server to stop. From when that is named as the server in charge, this means both.
    fn stop_for_both(&mut self) {
        if self.upgrade.is_handed_over && self.upgrade.heir.is_none() && !self.fleet.is_stopping() {
            self.obey(Command::Stop);
        }
    }

    /// The new server did not get to take over, or not for long.
    fn take_back(&mut self) {
        self.upgrade.is_handed_over = false;
        self.announce(self.own_pid);
        if self.fleet.is_stopping() {
            return;
        }
        self.all_listeners().for_each(Listener::own_file);
        self.control.answer_new_clients(true, self.began.elapsed());
        if let Some(Err(error)) = self.upgrade.given.pidfile.as_ref().map(PidFile::rewrite) {
            self.log.report(Incident::PIDFILE_NOT_WRITTEN, format_args!("{error}"));
        }
    }

    /// The new server has taken over: this one finishes its requests and goes.
    fn make_way(&mut self) {
        let Some(successor) = &mut self.upgrade.successor else { return };
        if successor.state() != State::Taking {
            return;
        }
        let (pid, own, age) = (successor.pid(), self.own_pid, Seconds(successor.age()));
        self.log.info(format_args!(
            "upgraded: pid {pid} has taken over, {age} after its start; pid {own} finishes its requests and goes"
        ));
        if self.upgrade.again {
            successor.say(Word::Upgrade);
        }
        self.upgrade.heir = Some(pid);
        self.control.give_away(pid);
        // What this server has to say is no news of the service any more.
        self.manager = ServiceManager::default();
        // Clients between requests cannot go to a worker of this server. Those who send one more in this time are told with
        // its answer that the connection ends, and do not find it closed.
        let grace_ms = u32::try_from(IDLE_GRACE.as_millis()).unwrap_or(u32::MAX);
        for slot in self.fleet.ready_slots() {
            self.outbox.order(slot, Message::KeepIdle { grace_ms });
        }
        self.obey(Command::MakeWay);
    }

    /// A child has ended. True if it was the new server.
    pub(super) fn successor_ended(&mut self, pid: Pid, status: Status) -> bool {
        let Some(mut successor) = self.upgrade.successor.take_if(|successor| successor.pid() == pid) else {
            return false;
        };
        if self.upgrade.heir.is_some() {
            self.heir_ended(pid, status);
            return true;
        }
        // What it said last comes before its end.
        if successor.hear().contains(&Word::Stop) {
            self.stop_for_both();
        }
        if self.upgrade.is_handed_over {
            self.take_back();
        }
        match (successor.state(), successor.complaint()) {
            (State::Ending | State::Killed, _) => self.log.info(format_args!("pid {pid} {status}")),
            (_, Some(complaint)) => {
                self.log.report(Incident::UPGRADE_FAILED, format_args!("the upgrade failed: {complaint}; this server goes on"));
            }
            _ => self.log.report(Incident::UPGRADE_FAILED, format_args!(
                "the upgrade failed: pid {pid} {status} before it took over; this server, pid {}, goes on",
                self.own_pid
            )),
        }
        if std::mem::take(&mut self.upgrade.again) {
            self.begin_upgrade();
        }
        true
    }

    /// The server that has taken over is gone while this one still finishes its requests.
    fn heir_ended(&self, pid: Pid, status: Status) {
        let kind = match status {
            Status::Exited(0) => {
                // Told to: there is no other server, and how this one ends is how the service does.
                self.tell_init(self.own_pid);
                Kind::Info
            }
            _ => Incident::SUCCESSOR_DIED.into(),
        };
        self.log.message(kind, format_args!("pid {pid}, which has taken over, {status}"));
    }

    /// What an operator orders while both run is for both. Once the new server is in charge, this one may still be sent what
    /// is meant for that, by somebody who read the pidfile a moment ago; the order to stop is for the one that gets it.
    pub(super) fn pass_on(&mut self, command: Command) {
        let grace = self.graceful_timeout + END;
        let has_heir = self.upgrade.heir.is_some();
        let Some(successor) = self.upgrade.successor.as_mut() else { return };
        match command {
            Command::Stop | Command::Interrupt if !has_heir => {
                let word = if command == Command::Stop { Word::Stop } else { Word::Interrupt };
                self.upgrade.again = false;
                successor.end(word, grace);
                // Either of the two removes them at its end.
                self.all_listeners().for_each(Listener::own_file);
            }
            Command::Reload => successor.say(Word::Reload),
            Command::Reopen => successor.say(Word::Reopen),
            _ => {}
        }
    }

    /// A worker has gone, and may have swallowed the news of a connection.
    pub(super) fn poke_heir(&mut self) {
        if let (Some(_), Some(successor)) = (self.upgrade.heir, &mut self.upgrade.successor) {
            successor.say(Word::Poke);
        }
    }
}

/// The new server.
impl Driver<'_> {
    /// The first step.
    pub(super) fn greet_predecessor(&mut self) {
        let limit = self.boot_timeout;
        match &mut self.upgrade.given.predecessor {
            // Until it has gone, operators and health checks mean that one.
            Some(predecessor) => predecessor.say(Word::Booting(limit)),
            None => self.control.answer_new_clients(true, self.began.elapsed()),
        }
    }

    /// Tells the old server how this one gets on.
    pub(super) fn tell_predecessor(&mut self, report: &Report) {
        let Some(predecessor) = self.upgrade.given.predecessor.as_mut().filter(|one| one.is_in_charge())
        else {
            return;
        };
        match report {
            Report::WorkerReady { .. } => predecessor.say(Word::Progress),
            Report::AllReady { .. } => {
                self.upgrade.ready = Some(*report);
                if predecessor.ready() {
                    self.take_over();
                }
            }
            _ => {}
        }
    }

    /// Whatever the old server has said.
    pub(super) fn attend_predecessor(&mut self) {
        let Some(predecessor) = &mut self.upgrade.given.predecessor else { return };
        let (pid, (words, departure)) = (predecessor.pid(), predecessor.hear());
        for word in words {
            match word {
                Word::Go => self.take_over(),
                // A terminal's Ctrl-C has reached this server already.
                Word::Stop | Word::Interrupt if self.upgrade.was_told || !self.fleet.is_stopping() => {
                    self.upgrade.was_told = false;
                    self.obey(if word == Word::Stop { Command::Stop } else { Command::Interrupt });
                    self.upgrade.was_told = true;
                }
                Word::Reopen => self.reopen_logs(),
                Word::Reload => self.obey(Command::Reload),
                Word::Upgrade => self.begin_upgrade(),
                Word::Poke => self.poke_all(),
                _ => {}
            }
        }
        match departure {
            Some(Departure::Agreed) => {
                self.log.info(format_args!("pid {pid}, the server before this one, is gone"));
                self.upgrade.given.predecessor = None;
                self.poke_all();
            }
            Some(Departure::TakeOverNow | Departure::TakeOverLater) if self.fleet.is_stopping() => {}
            Some(Departure::TakeOverNow) => {
                self.log.report(
                    Incident::PREDECESSOR_GONE,
                    format_args!("pid {pid} is gone before it said so; this server takes over"),
                );
                self.take_over();
            }
            Some(Departure::TakeOverLater) => {
                self.log.report(
                    Incident::PREDECESSOR_GONE,
                    format_args!("pid {pid} is gone; this server takes over when it is ready"),
                );
            }
            None => {}
        }
    }

    /// Becomes the server: for readers of the pidfile, for the service manager, for the files of sockets.
    fn take_over(&mut self) {
        let was_told = self.upgrade.was_told;
        let Some(predecessor) =
            self.upgrade.given.predecessor.as_mut().filter(|predecessor| predecessor.is_in_charge())
        else {
            return;
        };
        if self.fleet.is_stopping() {
            // The operator's order came here, because this server was named already: the old one has not heard it.
            if !was_told {
                predecessor.say(Word::Stop);
            }
            return;
        }
        if let Some(Err(error)) = self.upgrade.given.pidfile.as_ref().map(PidFile::rewrite) {
            self.log
                .report(Incident::PIDFILE_NOT_WRITTEN, format_args!("this server cannot take over: {error}"));
            return self.obey(Command::Stop);
        }
        if let Some(listener) = predecessor.take_from_it(|listener| self.control.is_wanted(listener)) {
            self.control.inherit(listener);
        }
        self.all_listeners().for_each(Listener::own_file);
        self.control.answer_new_clients(true, self.began.elapsed());
        self.manager = ServiceManager::from_environment();
        if let Some(ready) = self.upgrade.ready.take() {
            self.manager.note(&ready);
        }
        let Some(predecessor) = &mut self.upgrade.given.predecessor else { return };
        self.log.info(format_args!("pid {} has taken over from pid {}", self.own_pid, predecessor.pid()));
        predecessor.took_over();
        if predecessor.source().is_none() {
            self.upgrade.given.predecessor = None;
        }
        if std::mem::take(&mut self.upgrade.again) {
            self.begin_upgrade();
        }
    }

    fn all_listeners(&mut self) -> impl Iterator<Item = &mut Listener> {
        self.listeners.iter_mut().chain(self.control.listeners())
    }

    fn poke_all(&mut self) {
        let ready: Vec<usize> = self.fleet.ready_slots().collect();
        ready.into_iter().for_each(|slot| self.tell(slot, Order::Poke));
    }
}
