//! The time of day, in the Date field of answers and in the access log: the clock is asked once a second, by whichever
//! thread answers.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tapster_http1::encode::DateCache;

/// The date as a thread last saw it. A clock that is set shows within a second.
pub(crate) struct DateClock {
    cache: DateCache,
    seconds: u64,
    until: Instant,
}

impl DateClock {
    pub(crate) fn new() -> DateClock {
        DateClock { cache: DateCache::default(), seconds: 0, until: Instant::now() }
    }

    /// The value of a Date field (RFC 9110 §6.6.1).
    pub(crate) fn at(&mut self, now: Instant) -> &[u8] {
        self.look(now);
        self.cache.at(self.seconds)
    }

    /// The time of day.
    pub(crate) fn time(&mut self, now: Instant) -> SystemTime {
        self.look(now);
        UNIX_EPOCH + Duration::from_secs(self.seconds + 1) - self.until.saturating_duration_since(now)
    }

    fn look(&mut self, now: Instant) {
        if now >= self.until {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.seconds = since.as_secs();
            self.until = now + Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_that_of_the_clock() {
        let mut clock = DateClock::new();
        let (before, now) = (SystemTime::now(), Instant::now());
        let later = Duration::from_millis(700);
        let (first, second) = (clock.time(now), clock.time(now + later));
        let passed = before.elapsed().unwrap_or_default();
        assert!(first >= before && first <= before + passed);
        // It may have been looked at anew, with the real clock, which has not moved on by so much.
        assert!(second == first + later || second >= before && second <= before + passed);
    }
}
