//! How many workers the load needs (`--workers MIN..MAX`). Pure: what was seen goes in, a wish comes out.
//!
//! One more is wanted when for a while no thread was free and requests waited, or each worker used all the CPU it can use
//! and there is a CPU more. One fewer is wanted when for a long while half of what the others have would have been enough.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::member::Time;

/// How often to look.
pub const PERIOD: Duration = Duration::from_millis(500);
/// How long it must be too much.
const PRESSED: Duration = Duration::from_secs(1);
/// How long it must be too little.
const CALM: Duration = Duration::from_secs(60);
/// The part of a CPU beyond which a worker is held to use all of it.
const ALL: f64 = 0.9;
/// The part of what fewer workers have that must be enough.
const ENOUGH: f64 = 0.5;

/// How many workers there may be, and what they run on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strength {
    /// At least so many, and at least 1.
    pub least: usize,
    /// At most so many.
    pub most: usize,
    /// CPUs for all.
    pub cpus: usize,
    /// CPUs that one worker can use at once.
    pub cpus_each: usize,
}

impl Strength {
    /// So many, whatever the load.
    pub fn fixed(workers: usize) -> Strength {
        Strength { least: workers, most: workers, cpus: 1, cpus_each: 1 }
    }
}

/// What all workers do at one moment.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Look {
    /// Workers that serve.
    pub workers: usize,
    /// Workers that have no free thread, or use all the CPU that they can use.
    pub exhausted: usize,
    /// Threads of all workers.
    pub threads: usize,
    /// Threads that are in a request.
    pub busy: usize,
    /// Requests that wait for a thread.
    pub waiting: u64,
    /// CPUs used since the last look.
    pub cpus: f64,
}

/// Why there are to be more workers, or fewer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reason {
    /// Requests wait.
    NoFreeThread {
        /// How many, last of all.
        waiting: u64,
    },
    /// Every worker computes.
    NoFreeCpu,
    /// There was less to do.
    Idle {
        /// The most threads that were in requests at once.
        busy: usize,
        /// Of so many.
        threads: usize,
    },
}

/// Whether more or fewer workers are wanted.
#[derive(Debug)]
pub struct Demand {
    strength: Strength,
    pressed: Option<Time>,
    calm: Option<Time>,
    most_busy: usize,
}

impl Demand {
    /// Nothing seen yet.
    pub fn new(strength: Strength) -> Demand {
        Demand { strength, pressed: None, calm: None, most_busy: 0 }
    }

    /// Takes note of a look. Gives the number of workers that it asks for, and why, if another one than `wanted`.
    pub fn look(&mut self, now: Time, wanted: usize, look: Look) -> Option<(usize, Reason)> {
        if look.workers != wanted {
            // On its way to a number that was wanted before.
            (self.pressed, self.calm) = (None, None);
            return None;
        }
        let reason = self.pressure(look);
        let pressed = since(&mut self.pressed, now, reason.is_some());
        let is_calm = self.is_calm(look);
        let calm = since(&mut self.calm, now, is_calm);
        self.most_busy = if calm.is_some_and(|calm| calm > Duration::ZERO) {
            self.most_busy.max(look.busy)
        } else {
            look.busy
        };
        let Strength { least, most, .. } = self.strength;
        let wish = if pressed.is_some_and(|time| time >= PRESSED) && wanted < most {
            (wanted + 1, reason?)
        } else if calm.is_some_and(|time| time >= CALM) && wanted > least {
            (wanted - 1, Reason::Idle { busy: self.most_busy, threads: look.threads })
        } else {
            return None;
        };
        (self.pressed, self.calm) = (None, None);
        Some(wish)
    }

    fn pressure(&self, look: Look) -> Option<Reason> {
        if look.exhausted < look.workers {
            return None;
        }
        let has_cpu = look.cpus < self.strength.cpus as f64 * ALL;
        if look.waiting > 0 && has_cpu {
            return Some(Reason::NoFreeThread { waiting: look.waiting });
        }
        let could_use = (look.workers * self.strength.cpus_each) as f64;
        (look.cpus >= could_use * ALL && has_cpu).then_some(Reason::NoFreeCpu)
    }

    /// Whether one worker fewer would have been enough.
    fn is_calm(&self, look: Look) -> bool {
        let share = (look.workers.saturating_sub(1)) as f64 / look.workers.max(1) as f64 * ENOUGH;
        let could_use = (look.workers * self.strength.cpus_each) as f64;
        look.waiting == 0 && look.busy as f64 <= look.threads as f64 * share && look.cpus <= could_use * share
    }
}

/// For how long something has held, if it does now.
fn since(began: &mut Option<Time>, now: Time, holds: bool) -> Option<Duration> {
    if !holds {
        *began = None;
        return None;
    }
    Some(now.saturating_sub(*began.get_or_insert(now)))
}

impl Display for Reason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoFreeThread { waiting } => {
                write!(f, "no thread was free for 1 s, {waiting} request(s) wait")
            }
            Reason::NoFreeCpu => f.write_str("every worker used all of its CPU for 1 s"),
            Reason::Idle { busy, threads } => {
                write!(f, "for 60 s at most {busy} of {threads} threads were in requests")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRENGTH: Strength = Strength { least: 1, most: 4, cpus: 8, cpus_each: 1 };

    fn look(workers: usize) -> Look {
        Look { workers, threads: workers * 4, ..Look::default() }
    }

    fn full(workers: usize) -> Look {
        Look { exhausted: workers, busy: workers * 4, waiting: 3, cpus: 0.1, ..look(workers) }
    }

    /// Looks each half second; the wishes with their times in milliseconds.
    fn wishes(demand: &mut Demand, wanted: usize, looks: &[Look]) -> Vec<(usize, usize, Reason)> {
        let seen = looks.iter().enumerate();
        seen.filter_map(|(number, look)| {
            let wish = demand.look(PERIOD * u32::try_from(number).unwrap(), wanted, *look);
            wish.map(|(workers, reason)| (number, workers, reason))
        })
        .collect()
    }

    #[test]
    fn one_more_when_for_a_second_requests_waited() {
        let mut demand = Demand::new(STRENGTH);
        let found = wishes(&mut demand, 2, &[full(2); 4]);
        assert_eq!(found, [(2, 3, Reason::NoFreeThread { waiting: 3 })]);
        let with_pause = [full(2), full(2), look(2), full(2), full(2)];
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 2, &with_pause), []);
    }

    #[test]
    fn nothing_while_a_thread_is_free_or_a_worker_boots() {
        let one_free = Look { exhausted: 1, ..full(2) };
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 2, &[one_free; 10]), []);
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 3, &[full(2); 10]), []);
        let nobody_waits = Look { waiting: 0, ..full(2) };
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 2, &[nobody_waits; 10]), []);
    }

    #[test]
    fn never_beyond_the_range() {
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 4, &[full(4); 10]), []);
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 1, &[look(1); 300]), []);
    }

    #[test]
    fn one_more_for_workers_that_compute_if_there_is_a_cpu() {
        let computing = Look { exhausted: 2, busy: 2, cpus: 1.95, ..look(2) };
        let found = wishes(&mut Demand::new(STRENGTH), 2, &[computing; 3]);
        assert_eq!(found, [(2, 3, Reason::NoFreeCpu)]);
        let two_cpus = Strength { cpus: 2, ..STRENGTH };
        assert_eq!(wishes(&mut Demand::new(two_cpus), 2, &[computing; 10]), []);
    }

    #[test]
    fn one_fewer_when_for_a_minute_half_of_the_others_was_enough() {
        let quiet = Look { busy: 2, cpus: 0.4, ..look(2) };
        let found = wishes(&mut Demand::new(STRENGTH), 2, &[quiet; 122]);
        assert_eq!(found, [(120, 1, Reason::Idle { busy: 2, threads: 8 })]);
        let mut with_peak = [quiet; 122];
        with_peak[60].busy = 3;
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 2, &with_peak), []);
        let mut with_work = [quiet; 122];
        with_work[60].cpus = 0.6;
        assert_eq!(wishes(&mut Demand::new(STRENGTH), 2, &with_work), []);
    }
}
