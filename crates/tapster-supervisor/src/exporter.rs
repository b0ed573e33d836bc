//! The exporter process of `--otlp` as the supervisor sees it: started before the workers, started again when it ends
//! unasked, and told of the end of the server when all workers have gone. What it does is not decided here: see
//! [`ExporterStart`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use tapster_observe::{Incident, Log, Scoreboard};
use tapster_sys::fork::Forked;
use tapster_sys::poll::{self, Interest};
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal};
use tapster_sys::wait::Status;

use crate::Fork;
use crate::worker_start::{self, BROKEN, Child};

/// From one start of the process to the next, at least.
const START_AGAIN: Duration = Duration::from_secs(1);

/// How long the end of the server waits for the process, at most: a little more than that takes for what is still to be sent.
const LEAVE: Duration = Duration::from_millis(2500);

/// What an exporter process has. No signal is blocked; TERM ends it unless it says otherwise.
#[derive(Debug)]
pub struct ExporterStart {
    /// A pipe that ends when the server does: readable then, and never before. The process has to end soon after.
    pub stop: OwnedFd,
    /// Where workers count and record.
    pub board: Scoreboard,
}

/// What an exporter process runs; its result is the exit code.
pub type ExporterRole<'a> = &'a mut dyn FnMut(ExporterStart) -> i32;

/// The exporter, or none.
pub struct Exporter<'a> {
    link: Option<Link<'a>>,
}

struct Link<'a> {
    role: ExporterRole<'a>,
    pid: Option<Pid>,
    started: Option<Instant>,
    /// Never written to; no other process has the second end.
    stop: (OwnedFd, OwnedFd),
    /// Readable when the process has ended.
    ended: Option<OwnedFd>,
    /// In the new process: the other end of that.
    own: Option<OwnedFd>,
}

impl<'a> Exporter<'a> {
    /// An exporter that is not started yet, if there is to be one.
    ///
    /// # Errors
    /// When the system has no pipe to give.
    pub fn new(role: Option<ExporterRole<'a>>) -> io::Result<Exporter<'a>> {
        let Some(role) = role else { return Ok(Exporter { link: None }) };
        let stop = process::pipe()?;
        Ok(Exporter { link: Some(Link { role, pid: None, started: None, stop, ended: None, own: None }) })
    }

    /// Whether this is its process.
    pub fn is(&self, pid: Pid) -> bool {
        self.link.as_ref().is_some_and(|link| link.pid == Some(pid))
    }

    /// Until when nothing is to be done, where something is.
    pub fn sleep(&self) -> Option<Duration> {
        let link = self.link.as_ref().filter(|link| link.pid.is_none())?;
        Some(link.started.map_or(Duration::ZERO, |at| START_AGAIN.saturating_sub(at.elapsed())))
    }

    /// Starts the process if it is due. True in the new process, which is then to [`become`](Exporter::run) it.
    pub fn start(&mut self, fork: &mut dyn Fork, log: &Log) -> bool {
        if self.sleep() != Some(Duration::ZERO) {
            return false;
        }
        let Some(link) = self.link.as_mut() else { return false };
        link.started = Some(Instant::now());
        let forked = link.fork(fork);
        match forked {
            Ok(Forked::Child) => return true,
            Ok(Forked::Parent(pid)) => link.pid = Some(pid),
            Err(error) => log.report(
                Incident::PROCESS_NOT_STARTED,
                format_args!("cannot start the process of --otlp, and will try again: {error}"),
            ),
        }
        if let Err(error) = signal::unblock_all_in_this_thread() {
            log.report(Incident::SIGNALS_BLOCKED, format_args!("cannot let signals through again: {error}"));
        }
        false
    }

    /// In the new process, which has nothing else left of the supervisor: never comes back.
    pub fn run(self, supervisor: Pid, board: Scoreboard, privileges: &Privileges, log: &Log) -> ! {
        let Some(Link { role, stop: (stop, writer), ended, own, .. }) = self.link else {
            process::exit_now(BROKEN)
        };
        drop((writer, ended));
        let child = Child { supervisor, name: "tapster-otlp", title: "tapster: exporter", privileges, log };
        worker_start::become_child(child, move || {
            let status = role(ExporterStart { stop, board });
            drop(own);
            status
        })
    }

    /// Takes note of the end of a process. True if it was the exporter: it is started again.
    pub fn has_ended(&mut self, pid: Pid, status: Status, log: &Log) -> bool {
        let Some(link) = self.link.as_mut().filter(|link| link.pid == Some(pid)) else { return false };
        link.pid = None;
        log.report(
            Incident::EXPORTER_FAILED,
            format_args!("the process of --otlp {status} and is started again; spans that it held are lost"),
        );
        true
    }

    /// The last worker has gone: lets the process send what it still has, and waits for that a bounded time.
    pub fn finish(&mut self, log: &Log) {
        let Some(Link { pid: Some(pid), stop: (_, writer), ended: Some(ended), .. }) = self.link.take()
        else {
            return;
        };
        drop(writer);
        let found = poll::wait(&[(ended.as_fd(), Interest::Readable)], Some(LEAVE));
        if !found.is_ok_and(|found| found.first() == Some(&true)) {
            log.report(
                Incident::EXPORTER_KILLED,
                format_args!("the process of --otlp (pid {pid}) did not end in time: killed"),
            );
            // It is a child that was not reaped.
            let _gone = process::send_signal(pid, Signal::Kill);
        }
    }
}

impl Link<'_> {
    /// Signals stay blocked over the fork, as for a worker: the child must not take one for the supervisor.
    fn fork(&mut self, fork: &mut dyn Fork) -> io::Result<Forked> {
        let (ended, own) = process::pipe()?;
        signal::block_all_in_this_thread()?;
        let forked = fork.fork()?;
        self.ended = Some(ended);
        if matches!(forked, Forked::Child) {
            self.own = Some(own);
        }
        Ok(forked)
    }
}
