//! Which workers have answered enough requests to become the template (`--refork-after`): read from the scoreboard by the
//! driver, while the fleet has use for one.

use std::time::Duration;

use tapster_config::Settings;
use tapster_observe::Scoreboard;

use crate::Event;
use crate::member::Time;

/// How often the counts are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Looks at all workers now and then.
#[derive(Debug)]
pub struct Warmth {
    enough: u64,
    next: Time,
}

impl Warmth {
    /// None when the option is off.
    pub fn new(settings: &Settings) -> Option<Warmth> {
        let is_on = settings.preload && settings.refork_after > 0;
        is_on.then(|| Warmth { enough: settings.refork_after.into(), next: Time::ZERO })
    }

    /// When to look next.
    pub fn next(&self) -> Time {
        self.next
    }

    /// The workers that have answered enough, if it is time for a look: the one with the most requests comes first.
    pub fn look(&mut self, now: Time, serving: &[usize], board: &Scoreboard) -> Vec<Event> {
        if now < self.next {
            return Vec::new();
        }
        self.next = now + PERIOD;
        let counts = serving.iter().map(|slot| (board.worker(*slot).requests(), *slot));
        let mut warm: Vec<_> = counts.filter(|(requests, _)| *requests >= self.enough).collect();
        warm.sort_unstable_by(|one, other| other.cmp(one));
        warm.into_iter().map(|(requests, slot)| Event::Warm { slot, requests }).collect()
    }
}
