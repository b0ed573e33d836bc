//! Workers in which nothing moves: one call keeps the interpreter's lock (`--gil-timeout`), or requests wait and nothing comes
//! of those that run (`--stall-timeout`). Seen by the monitor, only while it leads since no thread can; then the
//! supervisor is asked for another worker.
//!
//! Whether the lock can be had only shows when somebody wants it. A native thread does, and lets it go at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::stopwatch::Stopwatch;
use crate::token::{MONITOR, Phase};
use crate::worker::Shared;

/// How often is looked at most; less often costs precision.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks in the time of a limit that is shorter than some seconds.
const LOOKS: u32 = 8;

/// When to look first after no thread could lead: most calls that block end before this.
const FIRST: Duration = Duration::from_millis(250);

/// How soon to look again at the earliest.
const SOONEST: Duration = Duration::from_millis(1);

/// What the monitor knows of the worker as a whole.
pub(crate) struct Wedge {
    interval: Duration,
    /// The lock is being asked for.
    asks: bool,
    is_asking: Arc<AtomicBool>,
    /// Since when it was asked for in vain.
    kept: Stopwatch,
    /// Since when requests wait and none gets on.
    stalled: Option<Stopwatch>,
    /// What its threads had done.
    progress: Vec<(u64, u64)>,
}

impl Wedge {
    pub(crate) fn new(shared: &Shared) -> Wedge {
        let times = &shared.policy.times;
        let limit = times.lock.into_iter().chain(times.stall).min();
        Wedge {
            interval: limit.map_or(INTERVAL, |limit| INTERVAL.min(limit / LOOKS)),
            asks: false,
            is_asking: Arc::default(),
            kept: Stopwatch::start(Instant::now()),
            stalled: None,
            progress: Vec::new(),
        }
    }

    /// When to look after the monitor began to lead.
    pub(crate) fn first(&self) -> Duration {
        self.interval.min(FIRST)
    }

    /// Looks; says when to do so again, if that must be soon.
    pub(crate) fn look(&mut self, shared: &Shared, now: Instant) -> Option<Instant> {
        let progress: Vec<_> = shared.running.iter().map(|running| running.progress()).collect();
        let moves = progress != self.progress;
        self.progress = progress;
        let seen = shared.lane.token.view();
        let is_led = seen.holder() != MONITOR && seen.phase() != Phase::Granted;
        let lock = self.look_at_lock(shared, now, is_led, moves);
        let queue = self.look_at_queue(shared, now, is_led || moves);
        lock.into_iter().chain(queue).min().map(|left| now + left.clamp(SOONEST, self.interval.max(SOONEST)))
    }

    /// How long until there is reason to look again.
    fn look_at_lock(&mut self, shared: &Shared, now: Instant, is_led: bool, moves: bool) -> Option<Duration> {
        let limit = shared.policy.times.lock?;
        if self.asks && !self.is_asking.load(Ordering::SeqCst) {
            self.asks = false;
            shared.is_wedged.store(false, Ordering::SeqCst);
        }
        if !self.asks {
            if !is_led {
                self.ask(shared, now);
            }
            return (!is_led).then_some(self.interval);
        }
        if moves || is_led {
            self.kept = Stopwatch::start(now);
        }
        // It was kept before it was asked for.
        let kept = self.kept.look(now, self.interval) + self.first();
        if kept >= limit {
            shared.is_wedged.store(true, Ordering::SeqCst);
            shared.ask_for_successor(kept, || {
                format!(
                    "one call has kept the interpreter's lock for {:.1} s (--gil-timeout): this worker is to be replaced; its \
                     threads:",
                    kept.as_secs_f64()
                )
            });
        }
        Some(if kept < limit { limit - kept } else { self.interval })
    }

    /// Has a native thread ask for the lock.
    fn ask(&mut self, shared: &Shared, now: Instant) {
        self.is_asking.store(true, Ordering::SeqCst);
        let (app, is_asking) = (shared.app.clone(), self.is_asking.clone());
        let asked = shared.aside("tapster-lock", move || {
            app.touch_lock();
            is_asking.store(false, Ordering::SeqCst);
        });
        // Without a thread nothing is known.
        self.asks = asked.is_ok();
        self.kept = Stopwatch::start(now);
    }

    /// How long until there is reason to look again.
    fn look_at_queue(&mut self, shared: &Shared, now: Instant, moves: bool) -> Option<Duration> {
        let limit = shared.policy.times.stall?;
        let waiting = shared.lane.load.waiting();
        if waiting == 0 || moves {
            self.stalled = (waiting > 0).then(|| Stopwatch::start(now));
            return self.stalled.map(|_| self.interval);
        }
        let stalled = self.stalled.get_or_insert(Stopwatch::start(now)).look(now, self.interval);
        if stalled >= limit {
            shared.ask_for_successor(stalled, || {
                format!(
                    "{waiting} requests wait and none has got on for {:.1} s (--stall-timeout): this worker is to be replaced; \
                     its threads:",
                    stalled.as_secs_f64()
                )
            });
        }
        Some(if stalled < limit { limit - stalled } else { self.interval })
    }
}
