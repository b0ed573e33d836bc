//! Does this application usually block? Decides whether the leader passes the token on before it calls.
//! Written by the thread that called, read by the next leader.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tapster_gateway::Vars;
use tapster_sys::thread::Usage;

use crate::routes::{Route, Routes};

/// A call shorter than this is never worth a second look.
const SLOW: Duration = Duration::from_micros(200);

const FULL: u32 = 1024;
/// Score above which the token is handed over before the call: more than half of the recent calls blocked.
const EAGER: u32 = 512;
/// Score after one slow call of unknown kind: the next calls are measured.
const SUSPECT: u32 = 64;

/// How many calls there are to one that is measured, where a slow one was seen or it is known that they block.
const SAMPLE: u32 = 4;

/// Score above which it is known that calls block, and only some are measured: a few that do not change nothing.
const KNOWN: u32 = 768;

/// A leader that may block goes into the application with the token if some other thread comes back within this
/// time, most likely, and takes it: that costs no wake-up.
const SOON: Duration = Duration::from_micros(200);

/// One connection may wait for a moment beside so many calls.
const QUEUED_OF_RUNNING: usize = 20;

/// Whether calls block: a moving share of those that did, and how long calls take.
///
/// Blocking, not duration, is the sign: wall time well above the thread's own CPU time, and the thread gave its CPU up
/// by itself (on a busy machine it may only have waited for its turn). A CPU-bound application
/// gains nothing from a second thread and would pay in fights for the interpreter's lock.
#[derive(Default)]
pub(crate) struct Blocking {
    score: Score,
    /// The same, route by route.
    pub(crate) routes: Routes,
    /// Microseconds, a moving mean over counted calls.
    mean: AtomicU32,
    /// Calls while only some are measured.
    calls: AtomicU32,
    /// Counted calls that run now.
    running: AtomicU32,
}

/// What is looked at in a call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Look {
    /// That it runs, and for how long.
    pub(crate) counts: bool,
    /// Its use of time, for two system calls.
    pub(crate) measures: bool,
}

impl Blocking {
    /// Whether to pass the token on before calling the application.
    pub(crate) fn is_usual(&self) -> bool {
        self.score.is_usual()
    }

    /// What to learn of the next call: nothing where no slow one was seen, little where one was or where it is known that
    /// they block, all where that is still to be found out, of them all or of its route.
    pub(crate) fn look(&self, route: Option<Route>) -> Look {
        let score = route.map_or(0, |route| self.routes.get(route)).max(self.score.get());
        match score {
            0 => Look::default(),
            1..=SUSPECT => {
                let is_sample = self.is_sample();
                Look { counts: is_sample, measures: is_sample }
            }
            KNOWN.. => Look { counts: true, measures: self.is_sample() },
            _ => Look { counts: true, measures: true },
        }
    }

    fn is_sample(&self) -> bool {
        let calls = self.calls.load(Ordering::Relaxed).wrapping_add(1);
        self.calls.store(calls, Ordering::Relaxed);
        calls.is_multiple_of(SAMPLE)
    }

    /// Whether a slow call was seen lately.
    pub(crate) fn is_suspect(&self) -> bool {
        self.score.is_suspect()
    }

    /// Whether so many calls run that one of them is likely to end in a moment.
    pub(crate) fn returns_soon(&self) -> bool {
        let running = u64::from(self.running.load(Ordering::Relaxed));
        running * SOON.as_micros() as u64 >= u64::from(self.mean.load(Ordering::Relaxed))
    }

    /// Whether a thread must be woken to go on with `queued` connections while the leader is in a call. Where one of
    /// many calls ends in a moment anyway, its thread goes on with them for less than a wake-up costs, as long as they
    /// are few beside those calls.
    pub(crate) fn needs_successor(&self, queued: usize) -> bool {
        let running = self.running.load(Ordering::Relaxed) as usize;
        !self.returns_soon() || queued * QUEUED_OF_RUNNING > running
    }

    /// A counted call begins.
    pub(crate) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    /// A counted call that took `wall` ended.
    pub(crate) fn end(&self, wall: Duration) {
        self.running.fetch_sub(1, Ordering::Relaxed);
        let mean = self.mean.load(Ordering::Relaxed);
        let wall = u32::try_from(wall.as_micros()).unwrap_or(u32::MAX);
        self.mean.store(mean - mean / 8 + wall / 8, Ordering::Relaxed);
    }

    /// Notes a call: its route if that was suspect, how long it took, and what its thread had used before it, if that
    /// was read.
    pub(crate) fn note(&self, vars: &Vars, route: Option<Route>, wall: Duration, before: Option<Usage>) {
        let is_slow = wall > SLOW;
        let waited = before.map(|before| is_slow && before.mostly_waited(wall));
        self.score.add(is_slow, waited);
        match route {
            Some(route) => self.routes.note(route, is_slow, waited),
            None if is_slow => self.routes.note_slow(vars),
            None => {}
        }
    }
}

/// How many of the recent calls blocked, the latest weigh most: 0 to 1024, none to all.
#[derive(Default)]
pub(crate) struct Score(AtomicU32);

impl Score {
    /// Whether most did.
    pub(crate) fn is_usual(&self) -> bool {
        self.get() > EAGER
    }

    /// Whether one may have.
    pub(crate) fn is_suspect(&self) -> bool {
        self.get() > 0
    }

    /// Notes a call: whether it was slow, and whether it waited, if that was read. Gives the score before and after.
    pub(crate) fn add(&self, is_slow: bool, waited: Option<bool>) -> (u32, u32) {
        let score = self.get();
        let next = match waited {
            Some(true) => score + (FULL - score) / 8,
            None if is_slow => score.max(SUSPECT),
            _ if score == 0 => return (0, 0),
            _ => score - (score / 8).max(1),
        };
        (self.0.swap(next, Ordering::Relaxed), next)
    }

    /// What it is.
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLEPT: (Duration, Option<bool>) = (Duration::from_millis(10), Some(true));
    const COMPUTED: (Duration, Option<bool>) = (Duration::from_millis(10), Some(false));

    fn after(calls: impl IntoIterator<Item = (Duration, Option<bool>)>) -> Blocking {
        let blocking = Blocking::default();
        for (wall, waited) in calls {
            blocking.score.add(wall > SLOW, waited);
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
    fn where_calls_are_known_to_block_all_count_and_some_are_measured() {
        let looks = |blocking: &Blocking| -> Vec<Look> { (0..SAMPLE).map(|_| blocking.look(None)).collect() };
        let finding_out = after([SLEPT; 4]);
        assert!(looks(&finding_out).iter().all(|look| look.counts && look.measures));
        let known = after([SLEPT; 20]);
        assert!(looks(&known).iter().all(|look| look.counts));
        assert_eq!(looks(&known).iter().filter(|look| look.measures).count(), 1);
    }

    #[test]
    fn calls_that_begin_to_compute_are_found_out_although_few_are_measured() {
        let blocking = after([SLEPT; 50]);
        let calls = (0..100).take_while(|_| {
            let measures = blocking.look(None).measures;
            blocking.score.add(true, measures.then_some(false));
            blocking.is_usual()
        });
        assert!(calls.count() < 20);
    }

    #[test]
    fn many_running_calls_return_soon_and_few_do_not() {
        let blocking = Blocking::default();
        for _ in 0..100 {
            blocking.begin();
            blocking.end(Duration::from_millis(10));
        }
        (0..40).for_each(|_| blocking.begin());
        assert!(!blocking.returns_soon() && blocking.needs_successor(0));
        (0..20).for_each(|_| blocking.begin());
        assert!(blocking.returns_soon());
        assert!(!blocking.needs_successor(3) && blocking.needs_successor(4));
    }

    #[test]
    fn one_slow_call_asks_for_measurement_until_it_is_forgotten() {
        let blocking = after([(Duration::from_millis(1), None)]);
        assert_eq!((0..SAMPLE).filter(|_| blocking.look(None).measures).count(), 1);
        for _ in 0..80 {
            blocking.score.add(false, Some(false));
        }
        assert!(!blocking.is_suspect());
    }
}
