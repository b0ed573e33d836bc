//! Deadlines of connections: a timing wheel, O(1) to set and to move. Used with the lane's lock held.
//!
//! A connection has one deadline and one entry in the wheel. Moving a deadline later (which each request does)
//! touches only the connection: the entry notices when it fires, and goes back in for the rest.

use std::time::{Duration, Instant};

/// The wheel's resolution: how late a deadline may be noticed.
const TICK: Duration = Duration::from_millis(250);
const SLOTS: usize = 512;

/// A point in time, in ticks since the wheel was made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Tick(u64);

impl Tick {
    /// No deadline.
    pub(crate) const NEVER: Tick = Tick(u64::MAX);
}

/// A connection's deadline and when its entry will be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    deadline: Tick,
    entry: Tick,
}

impl Default for Timer {
    fn default() -> Self {
        Timer { deadline: Tick::NEVER, entry: Tick::NEVER }
    }
}

/// What to do with an entry that fired.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Fired {
    /// The deadline has passed.
    Expired,
    /// It moved, or the entry is of an earlier owner of the key.
    Stale,
}

/// Entries of all connections by the tick in which to look at them.
pub(crate) struct Wheel {
    start: Instant,
    done: u64,
    slots: Vec<Vec<(usize, Tick)>>,
    entries: usize,
    /// No entry is due before this.
    next: Tick,
    /// An entry came in that is due before what [`Wheel::wait`] last said.
    sooner: bool,
}

impl Wheel {
    pub(crate) fn new(now: Instant) -> Wheel {
        Wheel {
            start: now,
            done: 0,
            slots: vec![Vec::new(); SLOTS],
            entries: 0,
            next: Tick::NEVER,
            sooner: false,
        }
    }

    /// Sets the deadline of the connection `key`; none is never.
    pub(crate) fn set(&mut self, key: usize, timer: &mut Timer, deadline: Option<Instant>) {
        timer.deadline = deadline.map_or(Tick::NEVER, |at| Tick(self.ticks(at) + 1));
        if timer.deadline < timer.entry {
            self.insert(key, timer);
        }
    }

    /// Moves all entries that are due by `now` to `due`.
    pub(crate) fn advance(&mut self, now: Instant, due: &mut Vec<(usize, Tick)>) {
        let target = self.ticks(now);
        while self.done < target && self.entries > 0 {
            self.done += 1;
            let slot = &mut self.slots[self.done as usize % SLOTS];
            let before = slot.len();
            let done = Tick(self.done);
            slot.retain(|entry| {
                let keep = entry.1 > done;
                if !keep {
                    due.push(*entry);
                }
                keep
            });
            self.entries -= before - slot.len();
        }
        self.done = self.done.max(target);
    }

    /// Judges an entry that fired for the connection that has its key now.
    pub(crate) fn judge(&mut self, key: usize, fired: Tick, timer: &mut Timer) -> Fired {
        if timer.entry != fired {
            return Fired::Stale;
        }
        timer.entry = Tick::NEVER;
        if timer.deadline <= Tick(self.done) {
            return Fired::Expired;
        }
        if timer.deadline != Tick::NEVER {
            self.insert(key, timer);
        }
        Fired::Stale
    }

    /// How long until the next entry is due; none if there is no entry.
    pub(crate) fn wait(&mut self, now: Instant) -> Option<Duration> {
        self.sooner = false;
        if self.entries == 0 {
            self.next = Tick::NEVER;
            return None;
        }
        if self.next.0 <= self.done {
            let later = self.done + 1..=self.done + SLOTS as u64;
            let busy = later.clone().find(|&tick| !self.slots[tick as usize % SLOTS].is_empty());
            self.next = Tick(busy.unwrap_or(*later.end()));
        }
        let at = self.start + TICK * u32::try_from(self.next.0).unwrap_or(u32::MAX);
        Some(at.saturating_duration_since(now).max(Duration::from_millis(1)))
    }

    /// Whether whoever sleeps for as long as [`Wheel::wait`] said would sleep too long.
    pub(crate) fn is_sooner(&self) -> bool {
        self.sooner
    }

    fn insert(&mut self, key: usize, timer: &mut Timer) {
        timer.entry = Tick(timer.deadline.0.max(self.done + 1));
        self.slots[timer.entry.0 as usize % SLOTS].push((key, timer.entry));
        self.entries += 1;
        if timer.entry < self.next {
            self.next = timer.entry;
            self.sooner = true;
        }
    }

    fn ticks(&self, at: Instant) -> u64 {
        (at.saturating_duration_since(self.start).as_millis() / TICK.as_millis()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(wheel: &mut Wheel, now: Instant) -> Vec<(usize, Tick)> {
        let mut due = Vec::new();
        wheel.advance(now, &mut due);
        due
    }

    #[test]
    fn a_deadline_fires_after_its_time_and_not_before() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let mut timer = Timer::default();
        wheel.set(7, &mut timer, Some(start + Duration::from_secs(10)));
        assert!(due(&mut wheel, start + Duration::from_secs(10)).is_empty());
        let fired = due(&mut wheel, start + Duration::from_millis(10_600));
        assert_eq!(fired.len(), 1);
        assert_eq!(wheel.judge(7, fired[0].1, &mut timer), Fired::Expired);
    }

    #[test]
    fn a_deadline_moved_later_costs_one_entry_and_fires_later() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let mut timer = Timer::default();
        for second in 0..60 {
            wheel.set(1, &mut timer, Some(start + Duration::from_secs(second) + Duration::from_secs(75)));
        }
        assert_eq!(wheel.entries, 1);
        let fired = due(&mut wheel, start + Duration::from_secs(80));
        assert_eq!(wheel.judge(1, fired[0].1, &mut timer), Fired::Stale);
        let fired = due(&mut wheel, start + Duration::from_secs(136));
        assert_eq!(wheel.judge(1, fired[0].1, &mut timer), Fired::Expired);
        assert_eq!(wheel.entries, 0);
    }

    #[test]
    fn a_deadline_moved_earlier_fires_earlier_and_the_old_entry_is_stale() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let mut timer = Timer::default();
        wheel.set(1, &mut timer, Some(start + Duration::from_secs(75)));
        wheel.set(1, &mut timer, Some(start + Duration::from_secs(10)));
        let fired = due(&mut wheel, start + Duration::from_secs(11));
        assert_eq!(wheel.judge(1, fired[0].1, &mut timer), Fired::Expired);
        let fired = due(&mut wheel, start + Duration::from_secs(76));
        assert_eq!(wheel.judge(1, fired[0].1, &mut timer), Fired::Stale);
    }

    #[test]
    fn whoever_sleeps_learns_of_an_earlier_deadline_and_of_no_other() {
        let start = Instant::now();
        let seconds = |count| start + Duration::from_secs(count);
        let mut wheel = Wheel::new(start);
        assert_eq!(wheel.wait(start), None);
        let mut timers = [Timer::default(); 4];
        for (key, (second, sooner)) in
            [(75, true), (80, false), (10, true), (11, false)].into_iter().enumerate()
        {
            wheel.set(key, &mut timers[key], Some(seconds(second)));
            assert_eq!(wheel.is_sooner(), sooner, "{second} s");
            assert!(wheel.wait(start).is_some_and(|wait| wait <= Duration::from_secs(second) + 2 * TICK));
            assert!(!wheel.is_sooner());
        }
        let fired = due(&mut wheel, seconds(12));
        assert_eq!(fired.len(), 2);
        let wait = wheel.wait(seconds(12)).unwrap();
        assert!((Duration::from_secs(63)..Duration::from_secs(64)).contains(&wait), "{wait:?}");
    }

    #[test]
    fn deadlines_beyond_one_turn_of_the_wheel_hold() {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let mut timer = Timer::default();
        wheel.set(1, &mut timer, Some(start + Duration::from_secs(600)));
        for second in (0..600).step_by(5) {
            assert!(due(&mut wheel, start + Duration::from_secs(second)).is_empty());
        }
        assert_eq!(due(&mut wheel, start + Duration::from_secs(601)).len(), 1);
    }
}
