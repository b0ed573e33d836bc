//! Workers that a signal stopped (`kill -STOP`, a debugger, a freezer). Such a worker holds its connections and serves
//! nobody; when it does not go on in time, it is replaced. Kept by the driver, which the system tells of stops: nothing is
//! sampled, and a supervisor that was stopped itself blames nobody for it.

use std::time::Duration;

use crate::member::Time;
use crate::{Event, RetireReason};

/// How long a worker may be stopped where requests may take for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who is stopped now.
#[derive(Debug)]
pub struct Stopped {
    limit: Duration,
    /// When this was heard, by slot; none when it runs, or when all was said.
    since: Vec<Option<Time>>,
}

impl Stopped {
    /// Nobody is. A worker may be stopped for as long as a request may take.
    pub fn new(request_timeout: Duration, slots: usize) -> Stopped {
        let limit = if request_timeout.is_zero() { PATIENCE } else { request_timeout };
        Stopped { limit, since: vec![None; slots] }
    }

    /// The worker of a slot was stopped.
    pub fn stopped(&mut self, slot: usize, now: Time) {
        self.since[slot] = Some(now);
    }

    /// The worker of a slot goes on, or is no more.
    pub fn over(&mut self, slot: usize) {
        self.since[slot] = None;
    }

    /// Who is to be replaced at `now`.
    pub fn look(&mut self, now: Time) -> Vec<Event> {
        let Stopped { limit, since } = self;
        let slots = since.iter_mut().enumerate();
        let due = slots.filter_map(|(slot, since)| Some((slot, since.take_if(|at| *at + *limit <= now)?)));
        due.map(|(slot, at)| {
            let reason = RetireReason::Stopped { since: now.saturating_sub(at) };
            Event::Retire { slot, reason }
        })
        .collect()
    }

    /// When to look next, if ever.
    pub fn next(&self) -> Option<Time> {
        self.since.iter().flatten().min().map(|at| *at + self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn second(number: u64) -> Time {
        Duration::from_secs(number)
    }

    #[test]
    fn who_does_not_go_on_in_time_is_replaced_once() {
        let mut stopped = Stopped::new(second(5), 3);
        assert_eq!(stopped.next(), None);
        stopped.stopped(2, second(10));
        stopped.stopped(0, second(11));
        assert_eq!(stopped.next(), Some(second(15)));
        assert!(stopped.look(second(14)).is_empty());
        stopped.over(0);
        let reason = RetireReason::Stopped { since: second(6) };
        assert_eq!(stopped.look(second(16)), [Event::Retire { slot: 2, reason }]);
        assert!(stopped.look(second(99)).is_empty() && stopped.next().is_none());
    }

    #[test]
    fn without_a_time_out_of_requests_there_is_patience() {
        let mut stopped = Stopped::new(Duration::ZERO, 1);
        stopped.stopped(0, second(1));
        assert_eq!(stopped.next(), Some(second(1) + PATIENCE));
    }
}
