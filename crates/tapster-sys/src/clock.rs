//! The CPU time of one thread, read by another: how a worker's monitor tells a blocked leader from a busy one.

use std::io;
use std::time::Duration;

/// The CPU clock of a thread of this process.
///
/// The thread that it names should outlive it: afterwards `cpu_time` fails, or, should the system have given the
/// thread's number to a new thread, tells that one's time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ThreadClock {
    clock: imp::Clock,
}

impl ThreadClock {
    /// The clock of the calling thread.
    pub fn current() -> io::Result<ThreadClock> {
        Ok(ThreadClock { clock: imp::current()? })
    }

    /// How long the thread has run on a CPU, in user and system mode.
    ///
    /// # Errors
    /// When the thread has ended.
    pub fn cpu_time(self) -> io::Result<Duration> {
        imp::cpu_time(self.clock)
    }
}

#[cfg(not(target_vendor = "apple"))]
mod imp {
    use std::io;
    use std::time::Duration;

    pub type Clock = libc::clockid_t;

    pub fn current() -> io::Result<Clock> {
        let mut clock = 0;
        // SAFETY: `pthread_self` always names a live thread, and `clock` is writable for the call.
        match unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) } {
            0 => Ok(clock),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    pub fn cpu_time(clock: Clock) -> io::Result<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is writable for the call; a clock id that names no thread (any more) is an error, not a
        // memory access.
        if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
        Ok(Duration::new(seconds, nanoseconds))
    }
}

#[cfg(target_vendor = "apple")]
mod imp {
    use std::io;
    use std::mem::MaybeUninit;
    use std::time::Duration;

    pub type Clock = libc::mach_port_t;

    pub fn current() -> io::Result<Clock> {
        // SAFETY: `pthread_self` always names a live thread.
        Ok(unsafe { libc::pthread_mach_thread_np(libc::pthread_self()) })
    }

    pub fn cpu_time(thread: Clock) -> io::Result<Duration> {
        let mut info = MaybeUninit::<libc::thread_basic_info>::uninit();
        let mut count = libc::THREAD_BASIC_INFO_COUNT;
        // SAFETY: `info` has room for `count` words of this flavour; a port that names no thread is an error.
        let result = unsafe {
            libc::thread_info(
                thread,
                libc::THREAD_BASIC_INFO as libc::thread_flavor_t,
                info.as_mut_ptr().cast(),
                &raw mut count,
            )
        };
        if result != libc::KERN_SUCCESS {
            return Err(io::Error::other("the thread has ended"));
        }
        // SAFETY: the call succeeded and so filled it.
        let info = unsafe { info.assume_init() };
        Ok(duration(info.user_time) + duration(info.system_time))
    }

    fn duration(time: libc::time_value_t) -> Duration {
        let seconds = u64::try_from(time.seconds).unwrap_or_default();
        Duration::from_secs(seconds)
            + Duration::from_micros(u64::try_from(time.microseconds).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_busy_thread_is_told_from_a_blocked_one_by_a_third() {
        let (say, hear) = mpsc::channel();
        let (stop, wait) = mpsc::channel::<()>();
        let say_too = say.clone();
        let busy = std::thread::spawn(move || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(20) {}
            say.send(("busy", ThreadClock::current().unwrap())).unwrap();
            wait.recv().unwrap_err();
        });
        let (stop_blocked, wait_blocked) = mpsc::channel::<()>();
        let blocked = std::thread::spawn(move || {
            say_too.send(("blocked", ThreadClock::current().unwrap())).unwrap();
            wait_blocked.recv().unwrap_err();
        });
        for (name, clock) in hear.iter().take(2) {
            let time = clock.cpu_time().unwrap();
            match name {
                "busy" => assert!(time >= Duration::from_millis(2), "{time:?}"),
                _ => assert!(time < Duration::from_millis(10), "{time:?}"),
            }
        }
        drop((stop, stop_blocked));
        busy.join().unwrap();
        blocked.join().unwrap();
    }

    #[test]
    fn the_clock_of_an_ended_thread_is_an_error() {
        let clock = std::thread::spawn(|| ThreadClock::current().unwrap()).join().unwrap();
        // The kernel may free the thread a moment after join; it never gives another answer than these two.
        let _ = clock.cpu_time();
    }
}
