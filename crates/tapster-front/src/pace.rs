//! How slow a client may be while a body or an answer moves: never silent for long, and not below a rate for long. Only
//! the time in which it is waited for counts.

use std::future::Future;
use std::time::{Duration, Instant};

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PaceLimits {
    /// The longest wait for the next byte.
    pub(crate) silence: Duration,
    /// Bytes a second that must move at least; 0 is no bound.
    pub(crate) rate: u64,
    /// Time waited before the rate counts.
    pub(crate) rate_after: Duration,
}

/// How a client was too slow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slow {
    /// Nothing moved.
    Silent,
    /// Too little did.
    BelowRate,
}

/// The account of one body or answer.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waited: Duration,
    moved: u64,
}

impl Pace {
    /// Counts bytes that moved.
    pub(crate) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes as u64);
    }

    /// Waits for the client, as long as it may still take.
    pub(crate) async fn wait<T>(
        &mut self,
        limits: &PaceLimits,
        ready: impl Future<Output = T>,
    ) -> Result<T, Slow> {
        let start = Instant::now();
        let (limit, slow) = self.limit(limits);
        let done = tokio::time::timeout(limit, ready).await;
        self.waited(start.elapsed());
        done.map_err(|_| slow)
    }

    /// Counts time in which it was waited for.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.waited += time;
    }

    /// How long it may be waited for now, and what it is after that.
    pub(crate) fn limit(&self, limits: &PaceLimits) -> (Duration, Slow) {
        match self.left(limits) {
            Some(left) if left < limits.silence => (left, Slow::BelowRate),
            _ => (limits.silence, Slow::Silent),
        }
    }

    /// How much longer it may be waited for until it is below the rate; none without a bound.
    fn left(&self, limits: &PaceLimits) -> Option<Duration> {
        let earned = self.moved.saturating_mul(1000).checked_div(limits.rate).map(Duration::from_millis)?;
        Some(earned.max(limits.rate_after).saturating_sub(self.waited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_earn_time() {
        let limits =
            PaceLimits { silence: Duration::from_secs(30), rate: 500, rate_after: Duration::from_secs(10) };
        let mut pace = Pace::default();
        assert_eq!(pace.left(&limits), Some(Duration::from_secs(10)));
        pace.waited = Duration::from_secs(9);
        pace.moved(1000);
        assert_eq!(pace.left(&limits), Some(Duration::from_secs(1)));
        pace.moved(9000);
        assert_eq!(pace.left(&limits), Some(Duration::from_secs(11)));
        assert_eq!(pace.left(&PaceLimits { rate: 0, ..limits }), None);
    }
}
