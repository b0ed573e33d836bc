//! Facts about processes and small orders to them. Used by the supervisor, and by each child as it starts.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use crate::signal::Signal;

/// The number of a process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Pid(i32);

impl Pid {
    /// The calling process.
    pub fn current() -> Pid {
        Pid(rustix::process::getpid().as_raw_nonzero().get())
    }

    /// The parent of the calling process now; 0 when it is outside of this PID namespace.
    pub fn parent() -> Pid {
        Pid(rustix::process::Pid::as_raw(rustix::process::getppid()))
    }

    /// A number that is known to name a process.
    pub const fn from_raw(number: i32) -> Pid {
        Pid(number)
    }

    /// The number.
    pub const fn as_raw(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of this process as [`id`] learnt it; 0 in a process that has not asked yet.
static OWN: AtomicU32 = AtomicU32::new(0);

/// The number of the calling process, right in children too, without asking the system each time: on the path of a
/// request that counts. Only a child that was made past the C library's `fork` takes itself for its parent.
#[inline]
pub fn id() -> u32 {
    match OWN.load(Relaxed) {
        0 => learn_id(),
        known => known,
    }
}

#[cold]
fn learn_id() -> u32 {
    extern "C" fn forget() {
        OWN.store(0, Relaxed);
    }
    static WATCHED: OnceLock<bool> = OnceLock::new();
    // SAFETY: the handler only stores to a static, which is safe in whatever state a fork finds the process.
    let is_watched = *WATCHED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(forget)) } == 0);
    let own = std::process::id();
    if is_watched {
        OWN.store(own, Relaxed);
    }
    own
}

/// A pipe, both ends close-on-exec: what is written to the second comes out of the first.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    Ok((reader.into(), writer.into()))
}

/// Has reads and writes of a descriptor, through every handle of it, say `WouldBlock` instead of waiting.
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(descriptor, true)?)
}

/// Writes a few bytes, which a pipe takes in one piece.
pub fn write(descriptor: &OwnedFd, bytes: &[u8]) -> io::Result<()> {
    rustix::io::retry_on_intr(|| rustix::io::write(descriptor, bytes)).map(|_| ()).map_err(Into::into)
}

/// Keeps a descriptor from programs that this process executes.
pub fn set_close_on_exec(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    Ok(rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?)
}

/// Sends a signal. A process that has gone already counts as done: name only own children that were not reaped,
/// so that the number cannot belong to a stranger.
pub fn send_signal(pid: Pid, signal: Signal) -> io::Result<()> {
    // Zero and negative numbers mean groups of processes.
    if pid.0 <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: `kill` touches no memory of this process.
    match unsafe { libc::kill(pid.0, signal.number()) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            error => Err(error),
        },
    }
}

/// Whether there is a process with this number, be it one that has ended and was not buried yet.
pub fn exists(pid: Pid) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.0);
    // What may not be sent a signal exists.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// Makes the calling process the leader of a process group of its own, and that the one which the terminal on standard
/// input, if there is one, sends Ctrl-C to. To be called with signals blocked: a process in the background that takes
/// the terminal is sent SIGTTOU.
pub fn lead_terminal() -> io::Result<()> {
    rustix::process::setpgid(None, None)?;
    let input = rustix::stdio::stdin();
    if rustix::termios::isatty(input) {
        rustix::termios::tcsetpgrp(input, rustix::process::getpgrp())?;
    }
    Ok(())
}

/// Has the system send this process a signal when its parent ends. The parent may have ended before: look at
/// [`Pid::parent`] afterwards. Does nothing where there is no such thing (macOS).
pub fn set_parent_death_signal(signal: Signal) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let signal = rustix::process::Signal::from_named_raw(signal.number());
        rustix::process::set_parent_process_death_signal(signal)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
    Ok(())
}

/// Has the system end this process before others when memory ends: adds to what it inherited, from -1000 (never) to
/// 1000. Does nothing where there is no such thing (macOS).
///
/// # Errors
/// When `/proc` is not there or may not be written to.
pub fn offer_to_out_of_memory_killer(more: i32) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        const SCORE: &str = "/proc/self/oom_score_adj";
        let inherited: i32 = std::fs::read_to_string(SCORE)?.trim().parse().map_err(io::Error::other)?;
        std::fs::write(SCORE, inherited.saturating_add(more).clamp(-1000, 1000).to_string())?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = more;
    Ok(())
}

/// Makes this process the parent of all descendants whose own parents end. It has to reap them.
///
/// # Errors
/// `Unsupported` where there is no such thing (macOS).
pub fn become_subreaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?);
    #[cfg(not(target_os = "linux"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// Names the calling thread, and with it the process when it is the first, as `ps -o comm` and `top` show it.
/// At most 15 bytes are kept. Does nothing on macOS.
pub fn set_name(name: &str) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::thread::set_name(&std::ffi::CString::new(name)?)?;
    #[cfg(not(target_os = "linux"))]
    let _ = name;
    Ok(())
}

/// The access rights that new files of this process do not have.
pub fn umask() -> u32 {
    // The system tells it only to who sets it.
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    #[cfg_attr(target_os = "linux", expect(clippy::useless_conversion, reason = "16 bits on macOS"))]
    mask.as_raw_mode().into()
}

/// Sets the access rights that new files of this process and its children do not have.
pub fn set_umask(mask: u32) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask as rustix::fs::RawMode));
}

/// Whether a process with this number runs under this name (see [`set_name`]), which has at most 15 bytes. Where the
/// system does not tell names, whether there is a process with this number.
pub fn is_named(pid: Pid, name: &str) -> bool {
    #[cfg(target_os = "linux")]
    {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let begin = format!("{pid} ({name}) ");
        // One that has ended and was not buried yet is no process any more.
        stat.strip_prefix(&begin).is_some_and(|state| !state.starts_with(['Z', 'X']))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = name;
        let pid = rustix::process::Pid::from_raw(pid.0);
        pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
    }
}

/// Whether the process belongs to a terminal, which then decides about its life: closing the window sends SIGHUP.
pub fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether the process is in the foreground of its terminal: whoever sits there waits for it, and Ctrl-C means it.
pub fn is_in_foreground() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Ends the calling process now: no destructors, no `atexit`, no flush of foreign buffers.
pub fn exit_now(code: i32) -> ! {
    // An instrumented build writes its counters at a regular exit only.
    #[cfg(profile_generate)]
    std::process::exit(code);
    // SAFETY: never returns, touches nothing.
    #[cfg(not(profile_generate))]
    unsafe {
        libc::_exit(code)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_signal_ends_a_child_and_a_gone_child_is_no_error() {
        use std::os::unix::process::ExitStatusExt;
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        send_signal(pid, Signal::Kill).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        send_signal(pid, Signal::Kill).unwrap();
        assert!(send_signal(Pid::from_raw(0), Signal::Kill).is_err());
        assert!(send_signal(Pid::from_raw(-1), Signal::Kill).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_has_the_name_it_was_given() {
        std::thread::spawn(|| {
            set_name("tapster: a long name").unwrap();
            let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            assert_eq!(name, "tapster: a long\n");
        })
        .join()
        .unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_known_by_its_name_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        assert!(is_named(pid, "sleep") && !is_named(pid, "slee") && !is_named(pid, "tapster"));
        send_signal(pid, Signal::Kill).unwrap();
        child.wait().unwrap();
        assert!(!is_named(pid, "sleep"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn more_is_added_to_the_score_of_the_out_of_memory_killer() {
        let score =
            || std::fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse::<i32>().unwrap();
        let before = score();
        offer_to_out_of_memory_killer(100).unwrap();
        assert_eq!(score(), (before + 100).min(1000));
        offer_to_out_of_memory_killer(5000).unwrap();
        assert_eq!(score(), 1000);
    }

    #[test]
    fn a_pipe_that_does_not_block_says_so() {
        let (reader, _writer) = pipe().unwrap();
        set_nonblocking(reader.as_fd()).unwrap();
        let error = io::Read::read(&mut std::fs::File::from(reader), &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_process_knows_itself_and_its_parent() {
        assert_eq!(Pid::current().as_raw().cast_unsigned(), std::process::id());
        assert_eq!(Pid::parent().as_raw().cast_unsigned(), std::os::unix::process::parent_id());
    }
}
