//! fork(2), made safe by a proof that the process has one thread. Called by the supervisor and by a template (through
//! CPython's hooks).

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use crate::process::{self, Pid};
use crate::wait::{self, Status};

/// This process has forked since it was asked to watch.
static FORKED: AtomicBool = AtomicBool::new(false);

/// Watches for forks from now on, whoever makes them: [`has_forked`] tells. vfork and posix_spawn do not count, since
/// their children only execute something else.
///
/// # Errors
/// When memory is exhausted.
pub fn watch_forks() -> io::Result<()> {
    extern "C" fn note() {
        FORKED.store(true, Relaxed);
    }
    static WATCHED: Mutex<bool> = Mutex::new(false);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*watched {
        // SAFETY: the handler only stores to a static, which is safe in whatever state a fork finds the process.
        let refused = unsafe { libc::pthread_atfork(Some(note), None, None) };
        if refused != 0 {
            return Err(io::Error::from_raw_os_error(refused));
        }
        *watched = true;
    }
    FORKED.store(false, Relaxed);
    Ok(())
}

/// Whether a child may hold copies of this process's descriptors.
pub fn has_forked() -> bool {
    FORKED.load(Relaxed)
}

/// Which side of a fork this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forked {
    /// The parent, with the number of its new child.
    Parent(Pid),
    /// The child.
    Child,
}

/// The proof that the process has one thread. A child of many threads would inherit locks that nobody in it will
/// ever release.
///
/// It cannot be sent to another thread. Nothing keeps its holder from starting a thread before it is used: take it
/// where you fork.
#[derive(Debug)]
pub struct SingleThreaded {
    not_send: PhantomData<*const ()>,
}

impl SingleThreaded {
    /// Counts the threads of this process.
    ///
    /// # Errors
    /// When there are more than this one; the message names them.
    pub fn prove() -> io::Result<SingleThreaded> {
        let others = other_threads()?;
        if others.is_empty() {
            return Ok(SingleThreaded { not_send: PhantomData });
        }
        let message = format!("cannot fork a process that has other threads: {}", others.join(", "));
        Err(io::Error::new(io::ErrorKind::ResourceBusy, message))
    }
}

/// Forks the process. The child begins with a copy of everything but pending signals.
pub fn fork(_proof: SingleThreaded) -> io::Result<Forked> {
    // SAFETY: the process has one thread, so no lock is held by a thread that the child lacks.
    unsafe { fork_any() }
}

/// Forks the process, however many threads it has.
///
/// # Safety
/// When there are other threads the child may call only what is async-signal-safe (signal-safety(7)) until it
/// executes a program or exits: no allocation, no lock, no Python.
pub unsafe fn fork_any() -> io::Result<Forked> {
    // SAFETY: the caller's promise.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Forked::Child),
        child => Ok(Forked::Parent(Pid::from_raw(child))),
    }
}

/// Which side of [`fork_orphan`] this is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The process that asked for another one, and is not its parent.
    Origin,
    /// The new process.
    Orphan,
}

/// Forks a process that has another parent: a child forks it and ends, which makes it a child of the nearest ancestor
/// that is a [subreaper](crate::process::become_subreaper), soon after it begins to run.
///
/// `announce` runs in the child between, with the number of the new process, and always before that has its new
/// parent: who reaps it can know it by then. It may do only what is async-signal-safe (signal-safety(7)).
///
/// # Errors
/// When the system refuses one of the two forks. When something killed the child between, there may be an orphan
/// nevertheless.
///
/// # Safety
/// When there are other threads the orphan may do only what is async-signal-safe, and what it knows that none of them
/// can have been doing when it was forked.
pub unsafe fn fork_orphan(announce: &dyn Fn(Pid)) -> io::Result<Side> {
    // SAFETY: the child does nothing but fork, announce and end.
    match unsafe { fork_any() }? {
        Forked::Parent(between) => verdict(wait::await_end(between)?),
        // SAFETY: the caller's promise holds for the orphan.
        Forked::Child => match unsafe { fork_any() } {
            Ok(Forked::Child) => Ok(Side::Orphan),
            Ok(Forked::Parent(orphan)) => {
                announce(orphan);
                process::exit_now(0)
            }
            Err(error) => process::exit_now(error.raw_os_error().unwrap_or(libc::EAGAIN)),
        },
    }
}

/// What the end of the process between says; its exit code is the number of an error.
fn verdict(end: Option<Status>) -> io::Result<Side> {
    match end {
        Some(Status::Exited(0)) | None => Ok(Side::Origin),
        Some(Status::Exited(number)) => Err(io::Error::from_raw_os_error(number)),
        Some(killed) => Err(io::Error::other(format!("the process that was to fork it {killed}"))),
    }
}

/// In a child that goes on without its parent's descriptors: makes each of these numbers stand for `/dev/null`. What
/// they stood for is closed here, and stays open in the parent. Numbers that are not open are passed over.
///
/// The owners of the numbers live on in the child's copy of the memory; they find an empty file instead of a socket,
/// and closing it later closes nothing else.
pub fn let_go_in_child(descriptors: &[RawFd]) {
    let Ok(nothing) = std::fs::File::options().read(true).write(true).open("/dev/null") else { return };
    for &descriptor in descriptors {
        // SAFETY: dup2 touches no memory. A number that is in use keeps being open, as another file.
        unsafe {
            if libc::fcntl(descriptor, libc::F_GETFD) != -1 {
                libc::dup2(nothing.as_raw_fd(), descriptor);
                libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
            }
        }
    }
}

/// The names of all threads but the calling one.
#[cfg(target_os = "linux")]
fn other_threads() -> io::Result<Vec<String>> {
    let own = rustix::thread::gettid().as_raw_nonzero().get();
    let mut names = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(|name| name.parse().ok()) != Some(own) {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            names.push(name.trim_end().to_owned());
        }
    }
    Ok(names)
}

/// The names of all threads but the calling one, which macOS does not tell: only how many there are.
#[cfg(target_vendor = "apple")]
fn other_threads() -> io::Result<Vec<String>> {
    // SAFETY: all zero is a valid value of this plain structure.
    let mut info: libc::proc_taskinfo = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::proc_taskinfo>() as i32;
    let pid = Pid::current().as_raw();
    // SAFETY: `info` has room for `size` bytes.
    let filled = unsafe { libc::proc_pidinfo(pid, libc::PROC_PIDTASKINFO, 0, (&raw mut info).cast(), size) };
    if filled != size {
        return Err(io::Error::last_os_error());
    }
    Ok((1..info.pti_threadnum).map(|_| "a thread".to_owned()).collect())
}

/// Systems that do not tell are refused rather than guessed at.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn other_threads() -> io::Result<Vec<String>> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_threads_is_refused_by_name() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let (say, hear) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("gossip".to_owned());
        let thread = thread.spawn(move || {
            say.send(()).unwrap();
            wait.recv().unwrap_err();
        });
        hear.recv().unwrap();
        let error = SingleThreaded::prove().unwrap_err();
        assert!(cfg!(not(target_os = "linux")) || error.to_string().contains("gossip"), "{error}");
        drop(stop);
        thread.unwrap().join().unwrap();
    }
}
