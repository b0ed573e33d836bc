//! PID 1 of a container: buries what nobody else does, passes signals on to the server, ends with it. The server runs in
//! its only child, so that it may be replaced (`handover.rs`) without the end of the container.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use tapster_sys::fork::Forked;
use tapster_sys::poll::{self, Interest};
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{self, Signal, Signals};
use tapster_sys::wait::{self, Status};

use crate::Fork;

/// The variable with the descriptor on which PID 1 is told who the server is.
pub const INIT: &str = "TAPSTER_INIT";

/// The server that was in charge is gone and left nobody to ask how it ended.
const EXIT_LOST: i32 = 1;

/// What a process is after [`split`].
#[derive(Debug)]
pub enum Part {
    /// The server, and where it names its successor.
    Server(OwnedFd),
    /// PID 1, after all is over: the exit code.
    Init(i32),
}

/// Whether this process is one that the system expects to bury others.
pub fn is_needed() -> bool {
    Pid::current().as_raw() == 1
}

/// Forks; returns in the child at once, and in the parent when the server has ended.
///
/// # Errors
/// When the system refuses what both need.
pub fn split(fork: &mut dyn Fork) -> io::Result<Part> {
    let (reader, writer) = process::pipe()?;
    signal::block_all_in_this_thread()?;
    match fork.fork() {
        Ok(Forked::Child) => {
            // A terminal's Ctrl-C is for one of the two, not for both.
            let _without = process::lead_terminal();
            signal::unblock_all_in_this_thread()?;
            Ok(Part::Server(writer))
        }
        Ok(Forked::Parent(server)) => {
            drop(writer);
            Init::new(server, reader)?.run().map(Part::Init)
        }
        Err(error) => {
            signal::unblock_all_in_this_thread()?;
            Err(error)
        }
    }
}

struct Init {
    server: Pid,
    news: std::fs::File,
    /// Whether anybody can still name a successor.
    has_news: bool,
    signals: Signals,
}

impl Init {
    fn new(server: Pid, news: OwnedFd) -> io::Result<Init> {
        let signals = Signals::catch(&Signal::CATCHABLE)?;
        let _unnamed = process::set_name("tapster-init");
        signal::unblock_all_in_this_thread()?;
        Ok(Init { server, news: std::fs::File::from(news), has_news: true, signals })
    }

    fn run(&mut self) -> io::Result<i32> {
        // Its end may have come before SIGCHLD was caught.
        let mut ended = self.bury()?;
        while ended.is_none() {
            let news = self.has_news.then(|| (self.news.as_fd(), Interest::Readable));
            let sources: Vec<_> =
                [(self.signals.as_fd(), Interest::Readable)].into_iter().chain(news).collect();
            if poll::wait(&sources, None)?.get(1) == Some(&true) {
                self.hear();
            }
            while let Some(signal) = self.signals.take() {
                match signal {
                    Signal::Child => ended = ended.or(self.bury()?),
                    other => self.pass_on(other),
                }
            }
        }
        Ok(ended.unwrap_or_default())
    }

    /// Gives the exit code when the server has ended.
    fn bury(&mut self) -> io::Result<Option<i32>> {
        let mut code = None;
        while let Some((pid, status)) = wait::reap_any()? {
            // Its last word may be the name of its successor.
            self.hear();
            if pid == self.server {
                code = Some(code_of(status));
            } else if code.is_none() && !process::exists(self.server) {
                // It was the child of the server before it, which has ended only now.
                code = Some(EXIT_LOST);
            }
        }
        Ok(code)
    }

    /// Learns who the server is from now on.
    fn hear(&mut self) {
        let ready = poll::wait(&[(self.news.as_fd(), Interest::Readable)], Some(std::time::Duration::ZERO));
        if !self.has_news || ready.is_ok_and(|ready| ready != [true]) {
            return;
        }
        let mut bytes = [0; 256];
        let count = self.news.read(&mut bytes).unwrap_or(0);
        self.has_news = count > 0;
        let text = String::from_utf8_lossy(&bytes[..count]);
        if let Some(pid) = text.lines().filter_map(|line| line.parse().ok()).rfind(|pid| *pid > 1) {
            self.server = Pid::from_raw(pid);
        }
    }

    fn pass_on(&self, signal: Signal) {
        // A server that has gone needs no signal.
        let _gone = process::send_signal(self.server, signal);
    }
}

/// As a shell would say it.
fn code_of(status: Status) -> i32 {
    match status {
        Status::Exited(code) => code,
        Status::Signaled { signal, .. } => 128 + signal,
    }
}
