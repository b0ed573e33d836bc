//! The Date field of answers: the clock is asked once a second, by whichever thread answers.

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
        if now >= self.until {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.seconds = since.as_secs();
            self.until = now + Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
        }
        self.cache.at(self.seconds)
    }
}
