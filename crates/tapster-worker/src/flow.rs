//! How fast the requests that wait get on, and so how long one more would wait. Under more load than can be served the
//! queue only grows: whoever would wait too long is better told at once. Pure: time and counts are arguments.

use std::time::{Duration, Instant};

/// What of the limit a wait that is only expected may be: the rate is measured in the past.
const SAFE: f64 = 0.8;

/// So many requests that got on tell the rate, unless all came at once; fewer do after half of the limit.
const ENOUGH: u32 = 16;
const AT_ONCE: Duration = Duration::from_millis(50);

/// The pace of a queue.
#[derive(Default)]
pub(crate) struct Flow {
    /// When the measurement began; none while nothing waits.
    since: Option<Instant>,
    /// How many left the queue for a thread since.
    taken: u32,
}

impl Flow {
    /// A thread took a request.
    pub(crate) fn note(&mut self) {
        if self.since.is_some() {
            self.taken = self.taken.saturating_add(1);
        }
    }

    /// Nothing waits: what was measured says nothing about a queue.
    pub(crate) fn forget(&mut self) {
        *self = Flow::default();
    }

    /// How many requests may wait so that the last of them does for at most `limit`; none if that is not known.
    pub(crate) fn room(&mut self, limit: Duration, now: Instant) -> Option<usize> {
        let since = *self.since.get_or_insert(now);
        let measured = now.saturating_duration_since(since);
        let is_long = measured >= limit / 2;
        let is_known = self.taken >= ENOUGH && measured >= AT_ONCE || self.taken > 0 && is_long;
        let rate = f64::from(self.taken) / measured.as_secs_f64();
        if is_long {
            // What is long ago counts for less.
            self.since = Some(now - measured / 2);
            self.taken /= 2;
        }
        is_known.then(|| ((rate * limit.as_secs_f64() * SAFE) as usize).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn as_many_may_wait_as_are_served_in_time() {
        let (mut flow, start) = (Flow::default(), Instant::now());
        assert_eq!(flow.room(LIMIT, start), None);
        // A hundred a second, and later fifty.
        let mut after = |steps: std::ops::Range<u32>, each| {
            steps.fold(None, |_, step| {
                (0..each).for_each(|_| flow.note());
                flow.room(LIMIT, start + Duration::from_millis(100) * step)
            })
        };
        assert_eq!(after(1..2, 10), None);
        assert!((360..=440).contains(&after(2..60, 10).unwrap()));
        assert!((180..=220).contains(&after(60..250, 5).unwrap()));
        flow.forget();
        assert_eq!(flow.room(LIMIT, start), None);
    }

    #[test]
    fn of_slow_requests_little_is_known() {
        let (mut flow, start) = (Flow::default(), Instant::now());
        assert_eq!(flow.room(LIMIT, start), None);
        assert_eq!(flow.room(LIMIT, start + LIMIT), None);
        flow.note();
        assert_eq!(flow.room(LIMIT, start + LIMIT), Some(1));
    }
}
