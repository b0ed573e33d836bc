//! The watcher process of `--reload` as the supervisor sees it: started before the workers, started again when it ends
//! unasked, heard when it says that a file has changed. What it does is not decided here: see [`WatcherStart`].

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tapster_observe::{Incident, Log};
use tapster_sys::fork::Forked;
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::wait::Status;

use crate::Fork;
use crate::worker_start::{self, BROKEN, Child};

/// A watcher that ends unasked is started again so many times in all.
const MOST_STARTS: u32 = 5;

/// What a watcher process has. It has no signal blocked; TERM ends it, and those that a terminal sends to everybody do
/// nothing. It must end when `alive` does.
#[derive(Debug)]
pub struct WatcherStart {
    /// Where workers say which files they loaded: they have the other end as [`WorkerStart::modules`](crate::WorkerStart).
    pub modules: OwnedFd,
    /// Where it says what changed, as text for people with a NUL behind it. Each is an order to reload.
    pub changes: OwnedFd,
    /// A pipe that ends when the supervisor does: readable then, and never before.
    pub alive: OwnedFd,
}

/// What a watcher process runs; its result is the exit code.
pub type WatcherRole<'a> = &'a mut dyn FnMut(WatcherStart) -> i32;

/// The watcher, or none.
pub struct Watcher<'a> {
    link: Option<Link<'a>>,
}

struct Link<'a> {
    role: WatcherRole<'a>,
    pid: Option<Pid>,
    starts: u32,
    /// Both ends of both pipes are kept: a watcher that is started again finds what is still unread.
    modules: (OwnedFd, OwnedFd),
    changes: (File, OwnedFd),
    /// The beginning of a text whose end did not come yet.
    unread: Vec<u8>,
}

impl<'a> Watcher<'a> {
    /// A watcher that is not started yet, if there is to be one.
    ///
    /// # Errors
    /// When the system has no pipes to give.
    pub fn new(role: Option<WatcherRole<'a>>) -> io::Result<Watcher<'a>> {
        let Some(role) = role else { return Ok(Watcher { link: None }) };
        let (changes, say) = process::pipe()?;
        process::set_nonblocking(changes.as_fd())?;
        let modules = process::pipe()?;
        let changes = (File::from(changes), say);
        Ok(Watcher { link: Some(Link { role, pid: None, starts: 0, modules, changes, unread: Vec::new() }) })
    }

    /// Whether the fleet is one for development.
    pub fn is_there(&self) -> bool {
        self.link.is_some()
    }

    /// Whether this is its process.
    pub fn is(&self, pid: Pid) -> bool {
        self.link.as_ref().is_some_and(|link| link.pid == Some(pid))
    }

    /// Starts the process if there is to be one and it does not run. True in the new process, which is then to
    /// [`become`](Watcher::run) it.
    pub fn start(&mut self, fork: &mut dyn Fork, log: &Log) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| link.pid.is_none() && link.starts < MOST_STARTS)
        else {
            return false;
        };
        link.starts += 1;
        // Blocked over the fork, as for a worker: the child must not take a signal for the supervisor.
        let forked = signal::block_all_in_this_thread().and_then(|()| fork.fork());
        match forked {
            Ok(Forked::Child) => return true,
            Ok(Forked::Parent(pid)) => link.pid = Some(pid),
            Err(error) if link.starts < MOST_STARTS => {
                log.report(Incident::PROCESS_NOT_STARTED, format_args!("cannot start the process that watches the files: {error}"));
            }
            Err(error) => log.report(Incident::WATCHER_STOPPED, format_args!(
                "cannot start the process that watches the files: {error}; changes are seen no more; reload by hand"
            )),
        }
        if let Err(error) = signal::unblock_all_in_this_thread() {
            log.report(Incident::SIGNALS_BLOCKED, format_args!("cannot let signals through again: {error}"));
        }
        false
    }

    /// In the new process, which has nothing else left of the supervisor: never comes back.
    pub fn run(self, supervisor: Pid, alive: OwnedFd, privileges: &Privileges, log: &Log) -> ! {
        let Some(Link { role, modules: (modules, _), changes: (_, changes), .. }) = self.link else {
            process::exit_now(BROKEN)
        };
        let (name, title) = ("tapster-watch", "tapster: watcher");
        let child = Child { supervisor, name, title, privileges, log };
        worker_start::become_child(child, move || role(WatcherStart { modules, changes, alive }))
    }

    /// A worker's end of the pipe to the watcher.
    pub fn for_worker(self) -> Option<OwnedFd> {
        self.link.map(|link| link.modules.1)
    }

    /// Readable when something has changed.
    pub fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.link.as_ref().map(|link| link.changes.0.as_fd())
    }

    /// What has changed, in words.
    pub fn changed(&mut self) -> Option<String> {
        let link = self.link.as_mut()?;
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = link.changes.0.read(&mut bytes) {
            link.unread.extend_from_slice(&bytes[..count]);
        }
        let end = link.unread.iter().rposition(|byte| *byte == 0)?;
        let whole: Vec<u8> = link.unread.drain(..=end).collect();
        let last = whole.split(|byte| *byte == 0).rfind(|text| !text.is_empty())?;
        Some(String::from_utf8_lossy(last).into_owned())
    }

    /// Takes note of the end of a process. True if it was the watcher: it is to be started again then, and what it
    /// knew has to be learned anew.
    pub fn has_ended(&mut self, pid: Pid, status: Status, log: &Log) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| link.pid == Some(pid)) else { return false };
        link.pid = None;
        if link.starts < MOST_STARTS {
            log.report(
                Incident::WATCHER_STOPPED,
                format_args!("the process that watches the files {status} and is started again"),
            );
            return true;
        }
        log.report(Incident::WATCHER_STOPPED, format_args!(
            "the process that watches the files {status} again and again: changes are seen no more; reload by hand"
        ));
        false
    }

    /// Ends the process: there is nothing left to reload.
    pub fn stop(&mut self, log: &Log) {
        let Some(pid) = self.link.take().and_then(|link| link.pid) else { return };
        if let Err(error) = process::send_signal(pid, Signal::Terminate) {
            log.report(
                Incident::SIGNAL_NOT_SENT,
                format_args!("cannot end the process that watches the files: {error}"),
            );
        }
    }
}
