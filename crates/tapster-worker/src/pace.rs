//! How fast a peer must move what it sends or takes: never silent for too long, and not below the least rate. For the
//! rate a transfer has time on account: it starts with some, every byte adds what the least rate allows for it. Pure:
//! time and counts are arguments.
//!
//! So a peer that only ever sends a byte now and then is given up soon, one that was fast for a while may pause as
//! long as silence may last, and none can save up hours.

use std::time::{Duration, Instant};

use tapster_config::Settings;

/// The bounds on every transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceLimits {
    /// Bytes a second; 0 is no bound.
    pub(crate) rate: u64,
    /// How long a transfer may take before its rate counts.
    pub(crate) after: Duration,
    /// How long nothing may move.
    pub(crate) silence: Duration,
}

impl PaceLimits {
    pub(crate) fn new(settings: &Settings) -> PaceLimits {
        let Settings { min_rate, min_rate_after, io_timeout, .. } = *settings;
        PaceLimits { rate: min_rate, after: min_rate_after, silence: io_timeout }
    }
}

/// Why a transfer is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slow {
    /// Nothing moved for too long.
    Silent,
    /// Less moved than the least rate.
    BelowRate,
}

/// The rate account of a transfer that has no least rate.
const UNBOUNDED: i64 = i64::MAX;

/// In microseconds: deadlines are looked at more often than this.
const LATE: i64 = 1_000_000;

/// One transfer's accounts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long it may still be silent.
    silence: Duration,
    /// How many microseconds it may still take if nothing more moves, by its rate; negative when it took longer.
    rate: i64,
    /// Since when both run down; none while it is not the peer that is waited for.
    since: Option<Instant>,
}

impl Pace {
    /// A transfer that begins, its clock not running.
    pub(crate) fn new(limits: &PaceLimits) -> Pace {
        let rate = if limits.rate == 0 { UNBOUNDED } else { micros(limits.after) };
        Pace { silence: limits.silence, rate, since: None }
    }

    /// The peer is waited for from now on, if it was not before.
    pub(crate) fn run(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The peer is not waited for any more.
    pub(crate) fn stop(&mut self, now: Instant) {
        self.run_down(now);
        self.since = None;
    }

    /// Something moved; how much is counted later.
    pub(crate) fn heard(&mut self, now: Instant, limits: &PaceLimits) {
        self.run_down(now);
        self.silence = limits.silence;
    }

    /// Counts what moved since the last time.
    pub(crate) fn moved(&mut self, bytes: u64, now: Instant, limits: &PaceLimits) {
        if bytes == 0 {
            return;
        }
        // The time first, and not below zero: what came in while the server itself was late is not lost.
        self.heard(now, limits);
        if let Some(worth) = bytes.saturating_mul(1_000_000).checked_div(limits.rate) {
            let most = micros(limits.silence.max(limits.after));
            self.rate = self.rate.saturating_add(i64::try_from(worth).unwrap_or(i64::MAX)).min(most);
        }
    }

    /// When the peer is to be given up, should nothing more move; none while its clock stands.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.since?.checked_add(self.silence.min(self.rate_left()))
    }

    /// Whether and why the peer is to be given up now.
    pub(crate) fn verdict(&self, now: Instant) -> Option<Slow> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        Some(if self.silence <= self.rate_left() { Slow::Silent } else { Slow::BelowRate })
    }

    fn run_down(&mut self, now: Instant) {
        let Some(since) = &mut self.since else { return };
        let passed = now.saturating_duration_since(*since);
        *since = now;
        self.silence = self.silence.saturating_sub(passed);
        if self.rate != UNBOUNDED {
            self.rate -= micros(passed);
        }
        if self.rate < -LATE {
            // Nobody looked: it was the server that was late. What came in meanwhile is worth what it is worth.
            self.rate = 0;
        }
    }

    fn rate_left(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.rate).unwrap_or(0))
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(UNBOUNDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PaceLimits =
        PaceLimits { rate: 500, after: Duration::from_secs(10), silence: Duration::from_secs(60) };

    fn second(number: u64, start: Instant) -> Instant {
        start + Duration::from_secs(number)
    }

    /// When a peer that moves `bytes` each second is given up, within an hour.
    fn given_up(bytes: u64, limits: &PaceLimits) -> Option<(u64, Slow)> {
        let start = Instant::now();
        let mut pace = Pace::new(limits);
        pace.run(start);
        (1..3600).find_map(|number| {
            let now = second(number, start);
            pace.moved(bytes, now, limits);
            pace.verdict(now).map(|slow| (number, slow))
        })
    }

    #[test]
    fn below_the_rate_a_peer_has_little_more_than_the_first_seconds() {
        assert_eq!(given_up(1, &LIMITS), Some((11, Slow::BelowRate)));
        assert_eq!(given_up(10, &LIMITS), Some((11, Slow::BelowRate)));
        assert_eq!(given_up(250, &LIMITS), Some((20, Slow::BelowRate)));
        assert_eq!(given_up(0, &LIMITS), Some((10, Slow::BelowRate)));
    }

    #[test]
    fn at_the_rate_or_above_it_a_peer_may_go_on() {
        assert_eq!(given_up(500, &LIMITS), None);
        assert_eq!(given_up(1 << 30, &LIMITS), None);
        assert_eq!(given_up(u64::MAX, &LIMITS), None);
    }

    #[test]
    fn without_a_rate_only_silence_counts() {
        let limits = PaceLimits { rate: 0, ..LIMITS };
        assert_eq!(given_up(1, &limits), None);
        assert_eq!(given_up(0, &limits), Some((60, Slow::Silent)));
    }

    #[test]
    fn a_fast_peer_may_pause_and_has_saved_up_no_more_than_a_pause() {
        let start = Instant::now();
        let mut pace = Pace::new(&LIMITS);
        pace.run(start);
        pace.moved(1 << 30, second(1, start), &LIMITS);
        assert_eq!(pace.verdict(second(60, start)), None);
        assert_eq!(pace.verdict(second(61, start)), Some(Slow::Silent));
        pace.moved(1, second(31, start), &LIMITS);
        assert_eq!(pace.verdict(second(60, start)), None);
        assert_eq!(pace.verdict(second(62, start)), Some(Slow::BelowRate));
    }

    #[test]
    fn silence_may_be_shorter_than_the_time_before_the_rate_counts() {
        let limits = PaceLimits { silence: Duration::from_secs(3), ..LIMITS };
        assert_eq!(given_up(0, &limits), Some((3, Slow::Silent)));
        assert_eq!(given_up(1, &limits), Some((11, Slow::BelowRate)));
        assert_eq!(given_up(500, &limits), None);
    }

    #[test]
    fn time_in_which_nobody_waits_for_the_peer_does_not_count() {
        let start = Instant::now();
        let mut pace = Pace::new(&LIMITS);
        pace.run(start);
        pace.stop(second(4, start));
        assert_eq!(pace.deadline(), None);
        assert_eq!(pace.verdict(second(1000, start)), None);
        pace.run(second(1000, start));
        assert_eq!(pace.deadline(), Some(second(1006, start)));
    }

    #[test]
    fn what_came_while_the_server_was_late_counts() {
        let start = Instant::now();
        let mut pace = Pace::new(&LIMITS);
        pace.run(start);
        pace.moved(5000, second(300, start), &LIMITS);
        assert_eq!(pace.deadline(), Some(second(310, start)));
    }
}
