//! The first steps of a worker process, between the fork and the worker's own code.

use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tapster_observe::{Log, Scoreboard, WorkerState};
use tapster_sys::identity::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::socket::Listener;
use tapster_sys::title;

use crate::channels::Channels;
use crate::{BootFailure, WorkerStart};

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

/// When memory ends, a worker is to be killed rather than the supervisor, which can replace it.
const BEFORE_THE_SUPERVISOR: i32 = 300;

/// What a child inherits and a worker needs.
pub struct Inheritance {
    pub slot: usize,
    pub generation: u64,
    pub stands_in_for: Option<BootFailure>,
    pub supervisor: Pid,
    pub channels: Channels,
    pub alive: OwnedFd,
    pub listeners: Vec<Listener>,
    pub board: Scoreboard,
    pub privileges: Privileges,
    pub log: Log,
    pub modules: Option<OwnedFd>,
}

/// Runs a worker in this child process, which ends with it. Called with all signals blocked and everything that is
/// the supervisor's alone closed.
pub fn run(inheritance: Inheritance, worker: &mut dyn FnMut(WorkerStart) -> i32) -> ! {
    let number = inheritance.slot + 1;
    let (name, title) = (format!("tapster-w{number}"), format!("tapster: worker {number}"));
    let child = Child {
        supervisor: inheritance.supervisor,
        name: &name,
        title: &title,
        privileges: &inheritance.privileges.clone(),
        log: &inheritance.log.clone(),
    };
    become_child(child, || prepare(inheritance).map_or(BROKEN, worker))
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
    let code = match part_from(child) {
        // Whatever happens, the stack below is the supervisor's and must not be returned to.
        Some(()) => catch_unwind(AssertUnwindSafe(role)).unwrap_or(BROKEN),
        None => BROKEN,
    };
    process::exit_now(code)
}

fn part_from(child: Child<'_>) -> Option<()> {
    let Child { supervisor, name, title, privileges, log } = child;
    reset_signals().ok()?;
    // Where it cannot be had, the system chooses by size alone. It takes the process's own files in /proc.
    let _ = process::offer_to_out_of_memory_killer(BEFORE_THE_SUPERVISOR);
    give_up(privileges, log)?;
    // After that, which resets it.
    process::set_parent_death_signal(Signal::Terminate).ok()?;
    if Pid::parent() != supervisor {
        return None; // It died before its death could be noticed.
    }
    // A name is a convenience.
    let _ = process::set_name(name);
    title::set_title(title);
    Some(())
}

fn prepare(inheritance: Inheritance) -> Option<WorkerStart> {
    let Inheritance {
        slot,
        generation,
        stands_in_for,
        supervisor,
        channels,
        alive,
        listeners,
        board,
        modules,
        ..
    } = inheritance;
    let own = board.worker(slot);
    own.reset(Pid::current().as_raw().cast_unsigned());
    own.set_state(WorkerState::Booting);
    let (inbox, peers) = channels.into_worker(slot)?;
    Some(WorkerStart {
        slot,
        generation,
        stands_in_for,
        supervisor,
        inbox,
        peers,
        alive,
        listeners,
        board,
        modules,
    })
}

/// A worker that is more than it was to be must not run a line of the application's.
fn give_up(privileges: &Privileges, log: &Log) -> Option<()> {
    let given_up = privileges.give_up();
    let said = given_up.inspect_err(|error| {
        log.error(format_args!(
            "a worker cannot become what --user and --group say, and does not run: {error}"
        ));
    });
    said.ok()
}

/// The signals that came since the fork are delivered at the end, to the new dispositions.
fn reset_signals() -> std::io::Result<()> {
    signal::set_default(&CAUGHT)?;
    signal::disregard(&NOT_FOR_WORKERS)?;
    signal::unblock_all_in_this_thread()
}
