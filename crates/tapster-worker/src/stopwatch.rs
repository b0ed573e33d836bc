//! Time as somebody saw it pass who looks every now and then: what a process was stopped for, or got no CPU for, is not
//! held against what it waits for. Used by the monitor.

use std::time::{Duration, Instant};

/// Runs from its making.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    looked: Instant,
    seen: Duration,
}

impl Stopwatch {
    pub(crate) fn start(now: Instant) -> Stopwatch {
        Stopwatch { looked: now, seen: Duration::ZERO }
    }

    /// What was seen to pass. Between two looks no more than twice `interval` does, which is how often there should be one.
    pub(crate) fn look(&mut self, now: Instant, interval: Duration) -> Duration {
        self.seen += now.saturating_duration_since(self.looked).min(interval * 2);
        self.looked = now;
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_counts_for_little() {
        let second = Duration::from_secs(1);
        let start = Instant::now();
        let mut watch = Stopwatch::start(start);
        assert_eq!(watch.look(start + second, second), second);
        assert_eq!(watch.look(start + second * 61, second), second * 3);
        assert_eq!(watch.look(start + second * 62, second), second * 4);
    }
}
