//! The front process as the supervisor sees it: started when an option asks for it, started again when it ends unasked, and
//! the first to end when the server does, because it needs the workers until then. What it does is not decided here: see
//! [`FrontStart`].

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use tapster_observe::{Incident, Log, Scoreboard};
use tapster_sys::fork::Forked;
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::socket::Listener;
use tapster_sys::wait::Status;

use crate::channels::Channels;
use crate::log_rotation;
use crate::worker_start::{self, BROKEN, Child};
use crate::{Fork, Order, backoff};

/// One that ran for less than this did not live.
const STABLE: Duration = Duration::from_secs(1);

/// How long after its time it is given to end before it is killed.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// What a front process has. It has no signal blocked; TERM ends it, and those that a terminal sends to everybody do
/// nothing. It must end when `alive` does.
pub struct FrontStart {
    /// The listeners of the clients: workers behind a front have none.
    pub listeners: Vec<Listener>,
    /// Where it gets orders, and says Ready.
    pub inbox: Inbox,
    /// Where to send connections for the worker of each slot. There is one for every slot, also for those without a worker.
    pub workers: Vec<(usize, Inbox)>,
    /// What [`FrontRole::secrets`] gave.
    pub secrets: Option<OwnedFd>,
    /// A pipe that ends when the supervisor does: readable then, and never before.
    pub alive: OwnedFd,
    /// The counters of all workers.
    pub board: Scoreboard,
}

/// What a front process runs.
pub struct FrontRole<'a> {
    /// Its result is the exit code.
    pub run: &'a mut dyn FnMut(FrontStart) -> i32,
    /// Reads what only the user of the supervisor may be able to read: certificates and keys. None where there are none, or
    /// they cannot be read, which it has said then.
    pub secrets: &'a dyn Fn() -> Option<OwnedFd>,
}

/// The front, or none.
pub struct Front<'a> {
    link: Option<Link<'a>>,
}

struct Link<'a> {
    role: FrontRole<'a>,
    process: Option<Process>,
    /// How many did not live, one after the other.
    failures: u32,
    /// When the next one may be started.
    due: Instant,
    ending: Option<Ending>,
}

/// A front that runs.
struct Process {
    pid: Pid,
    started: Instant,
    inbox: Inbox,
}

/// The server ends: the front does first.
struct Ending {
    /// When it has to be over.
    until: Instant,
    /// What workers are told as soon as it is, and since when that is due.
    orders: Vec<(usize, Duration, Instant)>,
}

/// A new front process, in which everything else is still the supervisor's.
pub struct Newborn {
    inbox: Inbox,
}

impl<'a> Front<'a> {
    /// A front that is not started yet, if there is to be one.
    pub fn new(role: Option<FrontRole<'a>>) -> Front<'a> {
        let link = |role| Link { role, process: None, failures: 0, due: Instant::now(), ending: None };
        Front { link: role.map(link) }
    }

    /// Whether clients come to a front, and not to the workers.
    pub fn is_there(&self) -> bool {
        self.link.is_some()
    }

    /// Starts the process if there is to be one, it does not run, and its time has come. Some in the new process, which is
    /// then to [`become`](Front::run) it.
    pub fn start(&mut self, fork: &mut dyn Fork, log: &Log) -> Option<Newborn> {
        let link = self.link.as_mut()?;
        if link.process.is_some() || link.ending.is_some() || link.due > Instant::now() {
            return None;
        }
        let (outer, inner) = match Inbox::pair() {
            Ok(pair) => pair,
            Err(error) => {
                link.try_later(log, &error);
                return None;
            }
        };
        // Blocked over the fork, as for a worker: the child must not take a signal for the supervisor.
        match signal::block_all_in_this_thread().and_then(|()| fork.fork()) {
            Ok(Forked::Child) => return Some(Newborn { inbox: inner }),
            Ok(Forked::Parent(pid)) => {
                link.process = Some(Process { pid, started: Instant::now(), inbox: outer });
            }
            Err(error) => link.try_later(log, &error),
        }
        if let Err(error) = signal::unblock_all_in_this_thread() {
            log.report(Incident::SIGNALS_BLOCKED, format_args!("cannot let signals through again: {error}"));
        }
        None
    }

    /// In the new process: never comes back.
    pub fn run(self, newborn: Newborn, given: Given<'_>) -> ! {
        let Some(Link { role, .. }) = self.link else { process::exit_now(BROKEN) };
        let Given { supervisor, alive, listeners, board, channels, privileges, log } = given;
        let child = Child { supervisor, name: "tapster-front", title: "tapster: front", privileges, log };
        let workers = channels.into_senders();
        // While this is still the supervisor's user.
        let secrets = (role.secrets)();
        let start = FrontStart { listeners, inbox: newborn.inbox, workers, secrets, alive, board };
        worker_start::become_child(child, move || (role.run)(start))
    }

    /// Readable when the front has said something.
    pub fn source(&self) -> Option<BorrowedFd<'_>> {
        self.process().map(|process| process.inbox.as_fd())
    }

    /// Hears what it says.
    pub fn listen(&self, log: &Log) {
        let Some(process) = self.process() else { return };
        while let Ok(Some((message, _))) = process.inbox.receive() {
            match message {
                // It has said in the log why not.
                Message::Configured | Message::NotConfigured => {}
                Message::Ready => log.debug(format_args!("front (pid {}) is ready", process.pid)),
                other => log.report(
                    Incident::MESSAGE_LOST,
                    format_args!("front (pid {}) said {other:?}", process.pid),
                ),
            }
        }
    }

    /// Takes note of the end of a process. None if it was not the front; else what workers are to be told now.
    pub fn has_ended(&mut self, pid: Pid, status: Status, log: &Log) -> Option<Vec<(usize, Order)>> {
        let link = self.link.as_mut()?;
        let process = link.process.take_if(|process| process.pid == pid)?;
        if let Some(ending) = &mut link.ending {
            log.debug(format_args!("front (pid {pid}) {status}"));
            let orders = std::mem::take(&mut ending.orders).into_iter();
            let left = |limit: Duration, since: Instant| Order::Drain(limit.saturating_sub(since.elapsed()));
            return Some(orders.map(|(slot, limit, since)| (slot, left(limit, since))).collect());
        }
        link.failures = if process.started.elapsed() < STABLE { link.failures.saturating_add(1) } else { 0 };
        let delay = if link.failures == 0 { Duration::ZERO } else { backoff::delay(link.failures) };
        link.due = Instant::now() + delay;
        log.report(
            Incident::FRONT_DIED,
            format_args!("front (pid {pid}) {status}; another is started after {delay:?}"),
        );
        Some(Vec::new())
    }

    /// Has it finish what it does within this time and then end: the server ends.
    pub fn stop(&mut self, limit: Duration, log: &Log) {
        let Some(link) = &mut self.link else { return };
        let until = Instant::now() + limit + KILL_GRACE;
        let ending = link.ending.get_or_insert(Ending { until, orders: Vec::new() });
        ending.until = ending.until.min(until);
        let timeout_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        self.tell(Message::Drain { timeout_ms }, None, log);
    }

    /// What a worker is told now: what lets it go waits until a front that ends has ended, for it brings the worker its
    /// last requests.
    pub fn delay(&mut self, slot: usize, order: Order, log: &Log) -> Option<Order> {
        if self.link.as_ref().is_none_or(|link| link.ending.is_none() || link.process.is_none()) {
            return Some(order);
        }
        match order {
            Order::Drain(limit) => {
                self.stop(limit, log);
                let orders = self.link.as_mut().and_then(|link| link.ending.as_mut());
                orders.into_iter().for_each(|ending| ending.orders.push((slot, limit, Instant::now())));
                None
            }
            Order::Stop => {
                self.tell(Message::Stop, None, log);
                Some(order)
            }
            Order::HandOver(_) | Order::Promote(_) | Order::Poke | Order::Reopen => Some(order),
        }
    }

    /// Has it use the certificates, keys and lists of clients as they are now.
    pub fn renew(&self, log: &Log) {
        let Some(link) = self.link.as_ref().filter(|link| link.process.is_some()) else { return };
        self.tell(Message::Lists, None, log);
        if let Some(secrets) = (link.role.secrets)() {
            self.tell(Message::Certificates, Some(secrets.as_fd()), log);
        }
    }

    /// Its process, if it runs.
    pub fn pid(&self) -> Option<Pid> {
        self.process().map(|process| process.pid)
    }

    /// Where it gets orders, if it runs.
    pub fn inbox(&self) -> Option<&Inbox> {
        self.process().map(|process| &process.inbox)
    }

    /// Has it serve by this configuration.
    pub fn configure(&self, configuration: BorrowedFd<'_>, log: &Log) {
        self.tell(Message::Configuration, Some(configuration), log);
    }

    /// Has it write to the log file that was opened anew.
    pub fn reopen(&self, log: &Log) {
        for message in log_rotation::messages(log) {
            self.tell(message, log_rotation::file_beside(message, log), log);
        }
    }

    /// How long until something is due: another one is to be started, or one does not end.
    pub fn sleep(&self) -> Option<Duration> {
        let link = self.link.as_ref()?;
        let at = match (&link.process, &link.ending) {
            (Some(_), Some(ending)) => ending.until,
            (None, None) => link.due,
            _ => return None,
        };
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// Kills one that does not end in its time.
    pub fn enforce(&mut self, log: &Log) {
        let Some(Link { process: Some(process), ending: Some(ending), .. }) = &mut self.link else { return };
        let now = Instant::now();
        if ending.until <= now {
            ending.until = now + KILL_GRACE;
            log.report(
                Incident::FRONT_KILLED,
                format_args!("front (pid {}) does not end and is killed", process.pid),
            );
            if let Err(error) = process::send_signal(process.pid, Signal::Kill) {
                log.report(
                    Incident::SIGNAL_NOT_SENT,
                    format_args!("cannot end the front (pid {}): {error}", process.pid),
                );
            }
        }
    }

    fn tell(&self, message: Message, beside: Option<BorrowedFd<'_>>, log: &Log) {
        let Some(process) = self.process() else { return };
        if let Err(error) = process.inbox.send(message, beside) {
            log.report(
                Incident::MESSAGE_LOST,
                format_args!("front (pid {}) cannot be told {message:?}: {error}", process.pid),
            );
        }
    }

    fn process(&self) -> Option<&Process> {
        self.link.as_ref()?.process.as_ref()
    }
}

impl Link<'_> {
    fn try_later(&mut self, log: &Log, error: &std::io::Error) {
        self.failures = self.failures.saturating_add(1);
        self.due = Instant::now() + backoff::delay(self.failures);
        log.report(
            Incident::PROCESS_NOT_STARTED,
            format_args!("cannot start the front, and will try again: {error}"),
        );
    }
}

/// What a new front process has of the supervisor.
pub struct Given<'g> {
    pub supervisor: Pid,
    pub alive: OwnedFd,
    pub listeners: Vec<Listener>,
    pub board: Scoreboard,
    pub channels: Channels,
    pub privileges: &'g Privileges,
    pub log: &'g Log,
}
