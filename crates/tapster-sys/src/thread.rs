//! Whether a thread waits or computes, which its use of time alone does not tell on a machine with other work to do. Asked
//! by a thread of itself around a call, and by a worker's monitor of others.

use std::time::Duration;

/// What the calling thread has used since it began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    /// Time on a CPU, in user and system mode.
    pub cpu: Duration,
    /// How often it gave its CPU up in order to wait: for a lock, a socket, a file, a point in time. `None` where the
    /// system does not count that.
    pub waits: Option<u64>,
}

impl Usage {
    /// The calling thread's; `None` if the system does not say.
    #[cfg(target_os = "linux")]
    pub fn current() -> Option<Usage> {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: `usage` is writable for the call.
        if unsafe { libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the call succeeded and so filled it.
        let usage = unsafe { usage.assume_init() };
        let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
        Some(Usage { cpu, waits: Some(usage.ru_nvcsw.unsigned_abs()) })
    }

    /// The calling thread's; `None` if the system does not say.
    #[cfg(not(target_os = "linux"))]
    pub fn current() -> Option<Usage> {
        let cpu = crate::clock::ThreadClock::current().ok()?.cpu_time().ok()?;
        Some(Usage { cpu, waits: None })
    }

    /// Whether a call that took `wall` and ended now, begun at this usage, spent most of it waiting.
    pub fn mostly_waited(self, wall: Duration) -> bool {
        let Some(now) = Usage::current() else { return false };
        now.waits.is_none_or(|waits| Some(waits) > self.waits)
            && wall.saturating_sub(now.cpu.saturating_sub(self.cpu)) > wall / 2
    }
}

#[cfg(target_os = "linux")]
fn duration(time: libc::timeval) -> Duration {
    let micros = u64::try_from(time.tv_usec).unwrap_or_default();
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default()) + Duration::from_micros(micros)
}

/// The name that the threads library has for the calling thread; languages show it as the thread's identity.
pub fn ident() -> u64 {
    // SAFETY: always succeeds, and touches nothing.
    unsafe { libc::pthread_self() as u64 }
}

/// A thread of this process, by its number in the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thread(
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there is nobody to ask"))] u64,
);

impl Thread {
    /// The calling thread.
    #[cfg(target_os = "linux")]
    pub fn current() -> Thread {
        Thread(rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs().into())
    }

    /// The calling thread.
    #[cfg(not(target_os = "linux"))]
    pub fn current() -> Thread {
        Thread(0)
    }

    /// Its number in the system.
    #[cfg(target_os = "linux")]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Whether it waits for something. A thread that only waits for its turn on a CPU does not. `None` if that cannot be
    /// known: the thread has ended, or the system does not say.
    pub fn is_waiting(self) -> Option<bool> {
        #[cfg(target_os = "linux")]
        {
            // `number (name) state …`; the name may hold anything.
            let stat = std::fs::read(format!("/proc/self/task/{}/stat", self.0)).ok()?;
            let end = stat.iter().rposition(|&byte| byte == b')')?;
            stat.get(end + 2).map(|&state| state != b'R')
        }
        #[cfg(not(target_os = "linux"))]
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_thread_that_sleeps_waits_and_one_that_computes_does_not() {
        let before = Usage::current().unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(20) {}
        let computed = Usage::current().unwrap();
        std::thread::sleep(Duration::from_millis(5));
        let slept = Usage::current().unwrap();
        assert!(computed.cpu > before.cpu);
        assert!(slept.waits > computed.waits);
    }

    #[test]
    fn another_thread_is_seen_to_wait() {
        let (say, hear) = mpsc::channel();
        let (stop, wait) = mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            say.send(Thread::current()).unwrap();
            wait.recv().unwrap_err();
        });
        let thread = hear.recv().unwrap();
        while thread.is_waiting() != Some(true) {
            std::thread::yield_now();
        }
        assert_eq!(Thread::current().is_waiting(), Some(false));
        drop(stop);
        sleeper.join().unwrap();
    }
}
