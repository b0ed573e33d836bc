//! Does this application usually block? Decides whether the leader passes the token on before it calls.
//! Written by the thread that called, read by the next leader.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A call shorter than this is never worth a second look.
const SLOW: Duration = Duration::from_micros(200);

const FULL: u32 = 1024;
/// Score above which the token is handed over before the call: more than half of the recent calls blocked.
const EAGER: u32 = 512;
/// Score after one slow call of unknown kind: the next calls are measured.
const SUSPECT: u32 = 64;

/// A leader that may block goes into the application with the token if some other thread comes back within this
/// time, most likely, and takes it: that costs no wake-up.
const SOON: Duration = Duration::from_micros(200);

/// Whether calls block: a moving share of those that did, and how long calls take.
///
/// Blocking, not duration, is the sign: wall time well above the thread's own CPU time. A CPU-bound application
/// gains nothing from a second thread and would pay in fights for the interpreter's lock.
#[derive(Default)]
pub(crate) struct Blocking {
    /// 0 to 1024: none to all.
    score: AtomicU32,
    /// Microseconds, a moving mean over measured calls.
    mean: AtomicU32,
    /// Measured calls that run now.
    running: AtomicU32,
}

impl Blocking {
    /// Whether to pass the token on before calling the application.
    pub(crate) fn is_usual(&self) -> bool {
        self.score.load(Ordering::Relaxed) > EAGER
    }

    /// Whether the next call's CPU time should be read too (two system calls).
    pub(crate) fn wants_cpu_time(&self) -> bool {
        self.score.load(Ordering::Relaxed) > 0
    }

    /// Whether so many calls run that one of them is likely to end in a moment.
    pub(crate) fn returns_soon(&self) -> bool {
        let running = u64::from(self.running.load(Ordering::Relaxed));
        running * SOON.as_micros() as u64 >= u64::from(self.mean.load(Ordering::Relaxed))
    }

    /// A measured call begins.
    pub(crate) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// A measured call that took `wall` ended.
    pub(crate) fn end(&self, wall: Duration) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        let mean = self.mean.load(Ordering::Relaxed);
        let wall = u32::try_from(wall.as_micros()).unwrap_or(u32::MAX);
        self.mean.store(mean - mean / 8 + wall / 8, Ordering::Relaxed);
    }

    /// Notes a call: how long it took, and how much CPU time of its thread if that was read.
    pub(crate) fn note(&self, wall: Duration, cpu: Option<Duration>) {
        let score = self.score.load(Ordering::Relaxed);
        let next = match cpu {
            Some(cpu) if wall > SLOW && wall.saturating_sub(cpu) > wall / 2 => score + (FULL - score) / 8,
            None if wall > SLOW => score.max(SUSPECT),
            _ if score == 0 => return,
            _ => score - (score / 8).max(1),
        };
        self.score.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLEPT: (Duration, Option<Duration>) = (Duration::from_millis(10), Some(Duration::from_micros(50)));
    const COMPUTED: (Duration, Option<Duration>) =
        (Duration::from_millis(10), Some(Duration::from_millis(9)));

    fn after(calls: impl IntoIterator<Item = (Duration, Option<Duration>)>) -> Blocking {
        let blocking = Blocking::default();
        for (wall, cpu) in calls {
            blocking.note(wall, cpu);
        }
        blocking
    }

    #[test]
    fn sleeping_calls_make_it_eager_and_computing_calls_do_not() {
        assert!(after([SLEPT; 10]).is_usual());
        assert!(!after([COMPUTED; 100]).is_usual());
    }

    #[test]
    fn a_few_slow_calls_among_many_fast_ones_do_not() {
        let fast = (Duration::from_micros(5), None);
        let blocking = after((0..1000).map(|n| if n % 100 == 0 { SLEPT } else { fast }));
        assert!(!blocking.is_usual());
    }

    #[test]
    fn many_running_calls_return_soon_and_few_do_not() {
        let blocking = Blocking::default();
        for _ in 0..100 {
            blocking.begin();
            blocking.end(Duration::from_millis(10));
        }
        (0..40).for_each(|_| blocking.begin());
        assert!(!blocking.returns_soon());
        (0..20).for_each(|_| blocking.begin());
        assert!(blocking.returns_soon());
    }

    #[test]
    fn one_slow_call_asks_for_measurement_until_it_is_forgotten() {
        let blocking = after([(Duration::from_millis(1), None)]);
        assert!(blocking.wants_cpu_time());
        for _ in 0..80 {
            blocking.note(Duration::from_micros(5), Some(Duration::from_micros(5)));
        }
        assert!(!blocking.wants_cpu_time());
    }
}
