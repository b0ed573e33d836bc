//! How child processes ended. The supervisor asks after each SIGCHLD.

use std::fmt;
use std::io;

use crate::process::Pid;
use crate::signal;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal.
    Signaled {
        /// The system's number; [`signal::name`] has its name.
        signal: i32,
        /// Whether it left a core file.
        core: bool,
    },
}

impl Status {
    /// From what waitpid(2) reports of an ended process.
    fn from_raw(status: i32) -> Status {
        match libc::WIFSIGNALED(status) {
            true => Status::Signaled { signal: libc::WTERMSIG(status), core: libc::WCOREDUMP(status) },
            false => Status::Exited(libc::WEXITSTATUS(status)),
        }
    }
}

/// What became of a child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It ended, and was reaped.
    Ended(Status),
    /// A signal (SIGSTOP, SIGTSTP …) stopped it; it is there, and does nothing.
    Stopped,
    /// It goes on after it was stopped.
    Continued,
}

impl Change {
    /// From what waitpid(2) reports.
    fn from_raw(status: i32) -> Change {
        match status {
            _ if libc::WIFSTOPPED(status) => Change::Stopped,
            _ if libc::WIFCONTINUED(status) => Change::Continued,
            _ => Change::Ended(Status::from_raw(status)),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Exited(code) => write!(f, "exited with code {code}"),
            Status::Signaled { signal, core } => {
                write!(f, "was killed by {}", signal::name(*signal))?;
                f.write_str(if *core { " (core dumped)" } else { "" })
            }
        }
    }
}

/// Takes the status of a child that has ended; none while it runs.
///
/// # Errors
/// When it is no child of this process, or was reaped already.
pub fn reap(child: Pid) -> io::Result<Option<Status>> {
    Ok(wait_without_blocking(child.as_raw())?.map(|(_, status)| status))
}

/// Whether this is a child that was not reaped, so that its number cannot belong to a stranger. Takes no status.
pub fn is_child(pid: Pid) -> bool {
    // SAFETY: all zero is a valid value of this plain structure.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is writable for the call.
    unsafe { libc::waitid(libc::P_PID, pid.as_raw().cast_unsigned(), &raw mut info, options) == 0 }
}

/// Waits for the end of a child; none when its status went to nobody (SIGCHLD is ignored).
pub fn await_end(child: Pid) -> io::Result<Option<Status>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is writable for the call.
        match unsafe { libc::waitpid(child.as_raw(), &raw mut status, 0) } {
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
                error => return Err(error),
            },
            _ => return Ok(Some(Status::from_raw(status))),
        }
    }
}

/// Takes the status of any one child that has ended, known or not (orphans become children of PID 1). None when no
/// child has ended or there is none.
pub fn reap_any() -> io::Result<Option<(Pid, Status)>> {
    match wait_without_blocking(-1) {
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        result => result,
    }
}

/// As [`reap_any`], and tells of children that were stopped or go on as well.
///
/// # Errors
/// When the system refuses, which it does not.
pub fn change_of_any() -> io::Result<Option<(Pid, Change)>> {
    let options = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    match wait_with(-1, options) {
        Ok(found) => Ok(found.map(|(pid, status)| (pid, Change::from_raw(status)))),
        Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
        Err(error) => Err(error),
    }
}

fn wait_without_blocking(pid: i32) -> io::Result<Option<(Pid, Status)>> {
    Ok(wait_with(pid, libc::WNOHANG)?.map(|(pid, status)| (pid, Status::from_raw(status))))
}

fn wait_with(pid: i32, options: libc::c_int) -> io::Result<Option<(Pid, libc::c_int)>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is writable for the call.
        match unsafe { libc::waitpid(pid, &raw mut status, options) } {
            0 => return Ok(None),
            -1 => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
            child => return Ok(Some((Pid::from_raw(child), status))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::send_signal;
    use crate::signal::Signal;
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    /// Starts a shell, and reaps it once its standard output has closed, which is when it ends.
    #[expect(clippy::zombie_processes, reason = "reaped by the function under test")]
    fn status_of(script: &str) -> Status {
        let mut command = Command::new("sh");
        let mut child =
            command.args(["-c", script]).stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let output = OwnedFd::from(child.stdout.take().unwrap());
        io::copy(&mut std::fs::File::from(output), &mut io::sink()).unwrap();
        loop {
            if let Some(status) = reap(pid).unwrap() {
                assert!(reap(pid).is_err());
                return status;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn ends_are_told_apart() {
        assert_eq!(status_of("exit 0"), Status::Exited(0));
        assert_eq!(status_of("exit 42"), Status::Exited(42));
        let killed = Status::Signaled { signal: libc::SIGKILL, core: false };
        assert_eq!(status_of("kill -KILL $$"), killed);
        assert_eq!(killed.to_string(), "was killed by SIGKILL");
        assert_eq!(Status::Exited(3).to_string(), "exited with code 3");
        assert_eq!(
            Status::Signaled { signal: libc::SIGSEGV, core: true }.to_string(),
            "was killed by SIGSEGV (core dumped)"
        );
    }

    #[test]
    fn a_child_that_runs_has_no_status() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert_eq!(reap(pid).unwrap(), None);
        assert!(is_child(pid) && !is_child(Pid::parent()));
        send_signal(pid, Signal::Kill).unwrap();
        child.wait().unwrap();
        assert!(reap(pid).is_err() && !is_child(pid));
    }

    #[test]
    fn stops_are_told_apart_from_ends() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = child.id().cast_signed();
        let kill = |signal| {
            // SAFETY: the child is ours and not reaped, so the number is its.
            assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        };
        let change = || loop {
            // Other tests of this process have children too, so this one is asked about alone.
            if let Some((_, status)) =
                wait_with(pid, libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED).unwrap()
            {
                return Change::from_raw(status);
            }
            std::thread::yield_now();
        };
        kill(libc::SIGSTOP);
        assert_eq!(change(), Change::Stopped);
        kill(libc::SIGCONT);
        assert_eq!(change(), Change::Continued);
        kill(libc::SIGKILL);
        assert_eq!(change(), Change::Ended(Status::Signaled { signal: libc::SIGKILL, core: false }));
        assert!(child.wait().is_err());
    }

    #[test]
    #[expect(clippy::zombie_processes, reason = "reaped by the function under test")]
    fn an_end_can_be_awaited_and_is_told_once() {
        let child = Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert_eq!(await_end(pid).unwrap(), Some(Status::Exited(7)));
        assert_eq!(await_end(pid).unwrap(), None);
    }
}
