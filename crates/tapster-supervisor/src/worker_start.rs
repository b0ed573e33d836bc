//! The first steps of a child process, between the fork and its own code.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tapster_observe::{Incident, Log, Scoreboard, WorkerState};
use tapster_sys::inbox::Message;
use tapster_sys::poll::{self, Interest};
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::socket::Listener;
use tapster_sys::title;

use crate::channels::Channels;
use crate::role::Place;
use crate::{Promotion, WorkerStart};

/// What the supervisor catches.
pub const CAUGHT: [Signal; 9] = [
    Signal::Terminate,
    Signal::Interrupt,
    Signal::Quit,
    Signal::Hangup,
    Signal::Child,
    Signal::TtyIn,
    Signal::TtyOut,
    Signal::User1,
    Signal::User2,
];

/// What workers leave to the supervisor.
const NOT_FOR_WORKERS: [Signal; 5] =
    [Signal::Interrupt, Signal::Quit, Signal::Hangup, Signal::User1, Signal::User2];

/// Exit code of a worker that could not take its first steps, or panicked (`EX_SOFTWARE`).
pub const BROKEN: i32 = 70;

/// How long a worker waits for the supervisor to become its parent, which takes the end of one process.
const ADOPTION: Duration = Duration::from_secs(10);

/// When memory ends, a worker is to be killed rather than the supervisor, which can replace it.
const BEFORE_THE_SUPERVISOR: i32 = 300;

/// What a child inherits and a worker needs.
pub struct Inheritance {
    pub place: Place,
    pub supervisor: Pid,
    pub channels: Channels,
    pub alive: OwnedFd,
    pub listeners: Vec<Listener>,
    pub board: Scoreboard,
    pub privileges: Privileges,
    pub log: Log,
    pub modules: Option<OwnedFd>,
    /// Whether a worker that a template forks may become one.
    pub may_be_promoted: bool,
}

impl Inheritance {
    /// Handles of their own for everything.
    ///
    /// # Errors
    /// When there is no room for the descriptors.
    pub fn try_clone(&self) -> io::Result<Inheritance> {
        Ok(Inheritance {
            place: self.place,
            supervisor: self.supervisor,
            channels: self.channels.try_clone()?,
            alive: self.alive.try_clone()?,
            listeners: self.listeners.iter().map(Listener::try_clone).collect::<io::Result<_>>()?,
            board: self.board.clone(),
            privileges: self.privileges.clone(),
            log: self.log.clone(),
            modules: self.modules.as_ref().map(OwnedFd::try_clone).transpose()?,
            may_be_promoted: self.may_be_promoted,
        })
    }
}

/// Runs a worker in this child process, which ends with it. Called with all signals blocked and everything that is
/// the supervisor's alone closed.
pub fn run(inheritance: Inheritance, worker: &mut dyn FnMut(WorkerStart) -> i32) -> ! {
    let (name, title) = names(&inheritance);
    let child = Child {
        supervisor: inheritance.supervisor,
        name: &name,
        title: &title,
        privileges: &inheritance.privileges.clone(),
        log: &inheritance.log.clone(),
    };
    become_child(child, || prepare(inheritance).map_or(BROKEN, worker))
}

/// As [`run`], for a worker that a template forked: what the template set up stays.
pub fn run_adopted(inheritance: Inheritance, worker: &mut dyn FnMut(WorkerStart) -> i32) -> ! {
    end_with(|| {
        await_adoption(&inheritance)?;
        follow(inheritance.supervisor)?;
        let (name, title) = names(&inheritance);
        take_name(&name, &title);
        let promotion = Promotion::keep(&inheritance).unwrap_or_else(|error| {
            inheritance.log.report(
                Incident::NOT_PROMOTED,
                format_args!("this worker cannot become the template: {error}"),
            );
            None
        });
        let start = WorkerStart { promotion, ..prepare(inheritance)? };
        // The process that was to announce it may have been killed before it did.
        start.inbox.send(Message::Born { pid: Pid::current().as_raw() }, None).ok()?;
        Some(worker(start))
    })
}

fn names(inheritance: &Inheritance) -> (String, String) {
    let number = inheritance.place.slot + 1;
    (format!("tapster-w{number}"), format!("tapster: worker {number}"))
}

/// What makes a child of the supervisor a process of its own.
pub struct Child<'a> {
    pub supervisor: Pid,
    pub name: &'a str,
    pub title: &'a str,
    pub privileges: &'a Privileges,
    pub log: &'a Log,
}

/// Makes this child process one of its own, runs `role` in it and ends it. Called with all signals blocked.
pub fn become_child(child: Child<'_>, role: impl FnOnce() -> i32) -> ! {
    end_with(|| {
        part_from(child)?;
        Some(role())
    })
}

/// Runs the whole of a child's life. Whatever happens, the stack below is its parent's and must not be returned to.
fn end_with(life: impl FnOnce() -> Option<i32>) -> ! {
    let code = catch_unwind(AssertUnwindSafe(life)).ok().flatten().unwrap_or(BROKEN);
    process::exit_now(code)
}

fn part_from(child: Child<'_>) -> Option<()> {
    let Child { supervisor, name, title, privileges, log } = child;
    reset_signals().ok()?;
    // Where it cannot be had, the system chooses by size alone. It takes the process's own files in /proc.
    let _ = process::offer_to_out_of_memory_killer(BEFORE_THE_SUPERVISOR);
    give_up(privileges, log)?;
    // After that, which resets it.
    follow(supervisor)?;
    confine(privileges, log)?;
    take_name(name, title);
    Some(())
}

pub fn take_name(name: &str, title: &str) {
    // A name is a convenience.
    let _ = process::set_name(name);
    title::set_title(title);
}

/// Sees to it that this process ends when the supervisor does, which must be its parent.
fn follow(supervisor: Pid) -> Option<()> {
    process::set_parent_death_signal(Signal::Terminate).ok()?;
    // It may have died before its death could be noticed.
    (Pid::parent() == supervisor).then_some(())
}

/// Waits until the process between a template and its worker has ended.
fn await_adoption(inheritance: &Inheritance) -> Option<()> {
    let start = Instant::now();
    while Pid::parent() != inheritance.supervisor {
        let pause = Some(Duration::from_micros(200));
        let orphaned = poll::wait(&[(inheritance.alive.as_fd(), Interest::Readable)], pause).ok()?;
        if orphaned[0] || start.elapsed() > ADOPTION {
            return None;
        }
    }
    Some(())
}

fn prepare(inheritance: Inheritance) -> Option<WorkerStart> {
    let Inheritance { place, supervisor, channels, alive, listeners, board, modules, .. } = inheritance;
    let own = board.worker(place.slot);
    own.reset(Pid::current().as_raw().cast_unsigned());
    own.set_state(WorkerState::Booting);
    let (inbox, peers) = channels.into_worker(place.slot)?;
    Some(WorkerStart { place, supervisor, inbox, peers, alive, listeners, board, modules, promotion: None })
}

/// A worker that is more than it was to be must not run a line of the application's.
fn give_up(privileges: &Privileges, log: &Log) -> Option<()> {
    let given_up = privileges.give_up();
    let said = given_up.inspect_err(|error| {
        log.report(
            Incident::USER_NOT_TAKEN,
            format_args!("a worker cannot become what --user and --group say, and does not run: {error}"),
        );
    });
    said.ok()
}

/// As above, for what it could do rather than who it is.
fn confine(privileges: &Privileges, log: &Log) -> Option<()> {
    let closed = privileges.confine().inspect_err(|error| {
        log.report(
            Incident::SANDBOX_NOT_SET,
            format_args!("a worker cannot be confined as --sandbox says, and does not run: {error}"),
        );
    });
    for path in closed.ok()? {
        log.report(
            Incident::SANDBOX_PATH_UNREACHABLE,
            format_args!("{} cannot be reached, and is closed to this worker's sandbox", path.display()),
        );
    }
    Some(())
}

/// The signals that came since the fork are delivered at the end, to the new dispositions.
fn reset_signals() -> io::Result<()> {
    signal::set_default(&CAUGHT)?;
    signal::disregard(&NOT_FOR_WORKERS)?;
    signal::unblock_all_in_this_thread()
}
