//! When a certificate is renewed, and when it is tried again after a failure. Pure: the time and what is drawn by lot are
//! arguments.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Seconds to wait after each failure that the authority counts. Let's Encrypt allows five in an hour for a name.
const REFUSED: [u64; 7] = [MINUTE / 2, 5 * MINUTE, 20 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR];

/// A start tries at once unless there were so many failures in the last hour: somebody may have mended something.
const PATIENCE: usize = 4;

/// Failures before this are forgotten.
const MEMORY: u64 = 24 * HOUR;

/// What went wrong with a name, for the next server. Times are in seconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Failures {
    /// When, in order.
    pub(super) times: Vec<u64>,
    /// Before this the authority wants to hear nothing of it.
    pub(super) not_before: u64,
}

impl Failures {
    /// One more.
    pub(super) fn add(&mut self, now: u64, not_before: Option<u64>) {
        self.times.retain(|time| *time <= now && time + MEMORY > now);
        self.times.push(now);
        self.not_before = not_before.unwrap_or(0);
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<u64> {
        self.times.last().copied()
    }

    /// When it is tried again by the server that failed; `lot` is between 0 and 1.
    pub(super) fn next(&self, lot: f64) -> u64 {
        let wait = REFUSED[(self.times.len().max(1) - 1).min(REFUSED.len() - 1)];
        (self.last().unwrap_or(0) + (wait as f64 * (1.0 + lot / 4.0)) as u64).max(self.not_before)
    }

    /// When it is tried by a server that starts.
    pub(super) fn at_start(&self, now: u64) -> u64 {
        let recent: Vec<_> = self.times.iter().filter(|&&time| time <= now && time + HOUR > now).collect();
        let patience = match recent.len().checked_sub(PATIENCE) {
            Some(surplus) => recent[surplus] + HOUR,
            None => 0,
        };
        patience.max(self.not_before)
    }
}

/// How long to wait after so many attempts, at least one, that did not reach the authority.
pub(super) fn after_silence(attempts: u32, lot: f64) -> Duration {
    Duration::from_secs(5 * MINUTE)
        .min(Duration::from_secs(1) * 2u32.saturating_pow(attempts.min(16)))
        .mul_f64(1.0 + lot / 4.0)
}

/// When a certificate is renewed: after two thirds of its life and up to a fiftieth more.
pub(super) fn renewal(from: SystemTime, until: SystemTime, lot: f64) -> SystemTime {
    let life = until.duration_since(from).unwrap_or_default();
    from + life.mul_f64(2.0 / 3.0 + lot / 50.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_after_two_thirds() {
        let (from, day) = (SystemTime::UNIX_EPOCH, Duration::from_secs(24 * HOUR));
        assert_eq!(renewal(from, from + 90 * day, 0.0), from + 60 * day);
        assert!(renewal(from, from + 90 * day, 1.0) < from + 62 * day);
        assert_eq!(renewal(from + day, from, 0.5), from + day);
    }

    #[test]
    fn each_failure_waits_longer_and_five_do_not_happen_in_an_hour() {
        let (mut failures, mut now, mut times) = (Failures::default(), 1_000_000, Vec::new());
        for _ in 0..12 {
            failures.add(now, None);
            times.push(now);
            assert!(failures.next(0.0) > now && failures.next(1.0) >= failures.next(0.0));
            now = failures.next(0.0);
        }
        assert!(times.windows(5).all(|five| five[4] - five[0] > HOUR));
        assert!(failures.next(1.0) - failures.times.last().unwrap() <= 15 * HOUR);
    }

    #[test]
    fn what_the_authority_says_holds_over_a_restart() {
        let mut failures = Failures::default();
        failures.add(100, Some(5000));
        assert_eq!((failures.next(0.0), failures.at_start(101)), (5000, 5000));
        failures.add(6000, None);
        assert_eq!((failures.next(0.0), failures.at_start(6001)), (6300, 0));
    }

    #[test]
    fn a_start_tries_at_once_unless_it_was_tried_often() {
        let failures = Failures { times: vec![10, 2000, 3000, 4000, 5000], not_before: 0 };
        assert_eq!(failures.at_start(5001), 2000 + HOUR);
        assert_eq!(failures.at_start(5601), 0);
        assert_eq!(Failures::default().at_start(5), 0);
    }

    #[test]
    fn silence_is_asked_again_soon() {
        assert_eq!(after_silence(1, 0.0), Duration::from_secs(2));
        assert!(after_silence(40, 1.0) <= Duration::from_secs(7 * MINUTE));
    }
}
