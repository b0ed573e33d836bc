//! Signals: names, masks, and the stream in which a process reads the ones it caught. The supervisor reads its
//! commands from such a stream, a worker the order to end.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// A signal that the server catches or sends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGINT
    Interrupt,
    /// SIGQUIT
    Quit,
    /// SIGHUP
    Hangup,
    /// SIGCHLD
    Child,
    /// SIGTTIN
    TtyIn,
    /// SIGTTOU
    TtyOut,
    /// SIGUSR1
    User1,
    /// SIGUSR2
    User2,
    /// SIGKILL; cannot be caught.
    Kill,
    /// SIGABRT
    Abort,
}

impl Signal {
    /// Every signal of this type that can be caught.
    pub const CATCHABLE: [Signal; 10] = [
        Signal::Terminate,
        Signal::Interrupt,
        Signal::Quit,
        Signal::Hangup,
        Signal::Child,
        Signal::TtyIn,
        Signal::TtyOut,
        Signal::User1,
        Signal::User2,
        Signal::Abort,
    ];

    /// The system's number.
    pub const fn number(self) -> i32 {
        match self {
            Signal::Terminate => libc::SIGTERM,
            Signal::Interrupt => libc::SIGINT,
            Signal::Quit => libc::SIGQUIT,
            Signal::Hangup => libc::SIGHUP,
            Signal::Child => libc::SIGCHLD,
            Signal::TtyIn => libc::SIGTTIN,
            Signal::TtyOut => libc::SIGTTOU,
            Signal::User1 => libc::SIGUSR1,
            Signal::User2 => libc::SIGUSR2,
            Signal::Kill => libc::SIGKILL,
            Signal::Abort => libc::SIGABRT,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name(self.number()))
    }
}

/// What people call a signal: `SIGSEGV`, or `signal 40`.
pub fn name(number: i32) -> String {
    const NAMES: [(i32, &str); 24] = [
        (libc::SIGHUP, "SIGHUP"),
        (libc::SIGINT, "SIGINT"),
        (libc::SIGQUIT, "SIGQUIT"),
        (libc::SIGILL, "SIGILL"),
        (libc::SIGTRAP, "SIGTRAP"),
        (libc::SIGABRT, "SIGABRT"),
        (libc::SIGBUS, "SIGBUS"),
        (libc::SIGFPE, "SIGFPE"),
        (libc::SIGKILL, "SIGKILL"),
        (libc::SIGUSR1, "SIGUSR1"),
        (libc::SIGSEGV, "SIGSEGV"),
        (libc::SIGUSR2, "SIGUSR2"),
        (libc::SIGPIPE, "SIGPIPE"),
        (libc::SIGALRM, "SIGALRM"),
        (libc::SIGTERM, "SIGTERM"),
        (libc::SIGCHLD, "SIGCHLD"),
        (libc::SIGSTOP, "SIGSTOP"),
        (libc::SIGTTIN, "SIGTTIN"),
        (libc::SIGTTOU, "SIGTTOU"),
        (libc::SIGXCPU, "SIGXCPU"),
        (libc::SIGXFSZ, "SIGXFSZ"),
        (libc::SIGVTALRM, "SIGVTALRM"),
        (libc::SIGPROF, "SIGPROF"),
        (libc::SIGSYS, "SIGSYS"),
    ];
    let known = NAMES.iter().find(|(other, _)| *other == number);
    known.map_or_else(|| format!("signal {number}"), |(_, name)| (*name).to_owned())
}

/// Blocks every signal in the calling thread, except those that a fault raises in it (SIGSEGV, SIGBUS, SIGFPE,
/// SIGILL, SIGTRAP, SIGSYS): blocked, they would kill without a trace. Threads that it starts inherit the mask.
pub fn block_all_in_this_thread() -> io::Result<()> {
    let faults = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];
    change_mask(libc::SIG_SETMASK, |set| {
        // SAFETY: `set` is a signal set that was initialised by the caller.
        unsafe { libc::sigfillset(set) };
        for fault in faults {
            // SAFETY: as above.
            unsafe { libc::sigdelset(set, fault) };
        }
    })
}

/// Lets every signal through to the calling thread: what a child process starts with.
pub fn unblock_all_in_this_thread() -> io::Result<()> {
    change_mask(libc::SIG_SETMASK, |_| {})
}

/// Raises a signal in the calling thread alone, which need not let it through otherwise. Its handler has run when this
/// returns, and it is blocked in this thread from then on; a handler there must be, or the system's default action follows.
pub fn raise_in_this_thread(number: i32) -> io::Result<()> {
    let only = |set: &mut libc::sigset_t| {
        // SAFETY: `set` is a signal set that was initialised by the caller.
        unsafe { libc::sigaddset(set, number) };
    };
    change_mask(libc::SIG_UNBLOCK, only)?;
    // SAFETY: `raise` touches no memory of this process.
    let raised = match unsafe { libc::raise(number) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    change_mask(libc::SIG_BLOCK, only)?;
    raised
}

/// Stops this process as Ctrl-Z does where nothing keeps it from that. Returns when something wakes it.
///
/// # Errors
/// The system's.
pub fn stop_this_process() -> io::Result<()> {
    // SAFETY: `raise` touches no memory of this process. It stops the calling thread before it returns, which a signal to the
    // process would not.
    match unsafe { libc::raise(libc::SIGTSTP) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn change_mask(how: i32, fill: impl FnOnce(&mut libc::sigset_t)) -> io::Result<()> {
    let mut set = empty_set();
    fill(&mut set);
    // SAFETY: `set` is initialised; no old mask is asked for.
    match unsafe { libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

fn empty_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises what it is given and cannot fail on a valid pointer.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Gives these signals the system's default action.
pub fn set_default(signals: &[Signal]) -> io::Result<()> {
    signals.iter().try_for_each(|signal| set_action(*signal, libc::SIG_DFL))
}

/// Makes these signals do nothing. Unlike an ignored signal this ends with exec, so that programs which the
/// application starts can be interrupted as usual.
pub fn disregard(signals: &[Signal]) -> io::Result<()> {
    signals.iter().try_for_each(|signal| set_action(*signal, handler_address(do_nothing)))
}

/// Makes these signals do nothing, in this process and in the programs it executes.
pub fn ignore(signals: &[Signal]) -> io::Result<()> {
    signals.iter().try_for_each(|signal| set_action(*signal, libc::SIG_IGN))
}

/// Whether this signal is ignored, as `nohup` leaves SIGHUP.
pub fn is_ignored(signal: Signal) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only asks for the present one, for which there is room.
    let asked = unsafe { libc::sigaction(signal.number(), std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: filled when the call succeeded.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Makes writes to closed sockets and pipes an error instead of death, in this process and what it forks or execs.
pub fn ignore_broken_pipes() -> io::Result<()> {
    set_action_of(libc::SIGPIPE, libc::SIG_IGN)
}

/// Undoes [`ignore_broken_pipes`], for a program that is to start as if from a shell.
pub fn set_default_broken_pipes() -> io::Result<()> {
    set_action_of(libc::SIGPIPE, libc::SIG_DFL)
}

fn handler_address(handler: extern "C" fn(i32)) -> libc::sighandler_t {
    handler as *const () as libc::sighandler_t
}

fn set_action(signal: Signal, handler: libc::sighandler_t) -> io::Result<()> {
    set_action_of(signal.number(), handler)
}

fn set_action_of(number: i32, handler: libc::sighandler_t) -> io::Result<()> {
    // SAFETY: all zero is a valid sigaction: default handler, no flags, nothing masked.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler;
    action.sa_mask = empty_set();
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: `action` is initialised, and its handler is SIG_DFL, SIG_IGN or one of the functions below, which do
    // only what is allowed in a handler.
    match unsafe { libc::sigaction(number, &raw const action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn do_nothing(_: i32) {}

/// How often each caught signal has come and was not yet taken.
static PENDING: [AtomicU32; Signal::CATCHABLE.len()] = [const { AtomicU32::new(0) }; Signal::CATCHABLE.len()];
/// The write end of the stream of this process; -1 when there is none.
static WAKER: AtomicI32 = AtomicI32::new(-1);

/// Counts the signal and wakes the reader. Runs in signal context: atomics and `write` only.
extern "C" fn note(number: i32) {
    let Some(place) = Signal::CATCHABLE.iter().position(|signal| signal.number() == number) else { return };
    PENDING[place].fetch_add(1, Ordering::SeqCst);
    let error = errno::load();
    // SAFETY: writing one byte from a static to a descriptor is allowed in a handler; a closed one is an error that
    // does not matter, a full pipe wakes its reader already.
    unsafe { libc::write(WAKER.load(Ordering::SeqCst), b"!".as_ptr().cast(), 1) };
    errno::store(error);
}

mod errno {
    //! The handler may not disturb the error number of the code that it interrupts.

    #[cfg(not(target_vendor = "apple"))]
    use libc::__errno_location as location;
    #[cfg(target_vendor = "apple")]
    use libc::__error as location;

    pub fn load() -> i32 {
        // SAFETY: the address of this thread's error number is always valid.
        unsafe { *location() }
    }

    pub fn store(error: i32) {
        // SAFETY: as above.
        unsafe { *location() = error }
    }
}

/// The caught signals of this process, as something to poll. There is one stream a process: making another moves
/// the signals to it. Dropping it leaves the handlers in place, without effect.
#[derive(Debug)]
pub struct Signals {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Signals {
    /// Catches these signals from now on. Counts left over from an earlier stream (of the parent process) are
    /// dropped.
    pub fn catch(signals: &[Signal]) -> io::Result<Signals> {
        let (reader, writer) = crate::process::pipe()?;
        for end in [&reader, &writer] {
            rustix::io::ioctl_fionbio(end, true)?;
        }
        for pending in &PENDING {
            pending.store(0, Ordering::SeqCst);
        }
        WAKER.store(writer.as_raw_fd(), Ordering::SeqCst);
        for signal in signals {
            set_action(*signal, handler_address(note))?;
        }
        Ok(Signals { reader, writer })
    }

    /// The next caught signal, if any; as often as it came. Call it until it says none: the descriptor is readable
    /// only for signals that come after that.
    pub fn take(&self) -> Option<Signal> {
        // Empty the pipe before looking, so that a signal that comes between the two is not slept through.
        let mut bytes = [0; 64];
        while matches!(rustix::io::read(&self.reader, &mut bytes), Ok(read) if read > 0) {}
        let place = PENDING.iter().position(|pending| {
            let take_one = |count: u32| count.checked_sub(1);
            pending.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok()
        })?;
        Some(Signal::CATCHABLE[place])
    }
}

impl AsFd for Signals {
    /// Readable when a signal has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // Before the descriptor's number can mean something else.
        let own = self.writer.as_raw_fd();
        let _ = WAKER.compare_exchange(own, -1, Ordering::SeqCst, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::{self, Interest};

    /// Only this test catches signals: streams and handlers belong to the whole process.
    #[test]
    fn caught_signals_come_out_as_often_as_they_came() {
        let signals = Signals::catch(&[Signal::User1, Signal::User2]).unwrap();
        assert_eq!(signals.take(), None);
        for number in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGUSR1] {
            // SAFETY: the signal is caught.
            assert_eq!(unsafe { libc::raise(number) }, 0);
        }
        assert_eq!(poll::wait(&[(signals.as_fd(), Interest::Readable)], None).unwrap(), [true]);
        let mut taken: Vec<_> = std::iter::from_fn(|| signals.take()).map(|signal| signal.number()).collect();
        taken.sort_unstable();
        let mut sent = [libc::SIGUSR1, libc::SIGUSR1, libc::SIGUSR2];
        sent.sort_unstable();
        assert_eq!(taken, sent);
        let soon = Some(std::time::Duration::ZERO);
        assert_eq!(poll::wait(&[(signals.as_fd(), Interest::Readable)], soon).unwrap(), [false]);

        std::thread::spawn(|| {
            block_all_in_this_thread().unwrap();
            raise_in_this_thread(libc::SIGUSR2).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!((signals.take(), signals.take()), (Some(Signal::User2), None));

        disregard(&[Signal::User2]).unwrap();
        // SAFETY: the signal has a handler that does nothing.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR2) }, 0);
        assert_eq!(signals.take(), None);

        drop(signals);
        // SAFETY: the signal is still caught, and goes nowhere.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
    }

    #[test]
    fn a_thread_can_shut_signals_out() {
        std::thread::spawn(|| {
            block_all_in_this_thread().unwrap();
            let mut set = empty_set();
            // SAFETY: reads this thread's mask into an initialised set.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut set) };
            // SAFETY: the set was just filled.
            assert_eq!(unsafe { libc::sigismember(&raw const set, libc::SIGTERM) }, 1);
            // SAFETY: the set was just filled.
            assert_eq!(unsafe { libc::sigismember(&raw const set, libc::SIGSEGV) }, 0);
            unblock_all_in_this_thread().unwrap();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn an_ignored_signal_is_known() {
        assert!(!is_ignored(Signal::TtyIn));
        ignore_broken_pipes().unwrap();
        set_action(Signal::TtyOut, libc::SIG_IGN).unwrap();
        assert!(is_ignored(Signal::TtyOut));
        set_default(&[Signal::TtyOut]).unwrap();
        assert!(!is_ignored(Signal::TtyOut));
    }

    #[test]
    fn signals_have_the_names_people_use() {
        assert_eq!(name(libc::SIGSEGV), "SIGSEGV");
        assert_eq!(Signal::Kill.to_string(), "SIGKILL");
        assert_eq!(name(63), "signal 63");
    }
}
