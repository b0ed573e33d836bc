//! What the workers do now, for [`Demand`](crate::demand): read from the scoreboard and from the system by the driver, while
//! the number of workers follows the load.

use std::time::Duration;

use tapster_observe::Scoreboard;
use tapster_sys::cpu_time;
use tapster_sys::process::Pid;

use crate::Event;
use crate::children::Children;
use crate::demand::{Demand, Look, PERIOD, Strength};
use crate::member::Time;

/// The part of its CPUs beyond which a worker is held to use all of them.
const ALL: f64 = 0.9;

/// Looks at all workers now and then.
#[derive(Debug)]
pub struct LoadWatch {
    demand: Demand,
    cpus_each: f64,
    looked: Time,
    /// The CPU time of each slot's process at the last look.
    used: Vec<Option<(Pid, Duration)>>,
}

impl LoadWatch {
    /// None when there is nothing to decide.
    pub fn new(strength: Strength, slots: usize) -> Option<LoadWatch> {
        let follows = strength.least < strength.most;
        follows.then(|| LoadWatch {
            demand: Demand::new(strength),
            cpus_each: strength.cpus_each as f64,
            looked: Time::ZERO,
            used: vec![None; slots],
        })
    }

    /// When to look next.
    pub fn next(&self) -> Time {
        self.looked + PERIOD
    }

    /// What follows from a look, if it is time for one.
    pub fn look(
        &mut self,
        now: Time,
        wanted: usize,
        serving: &[usize],
        children: &Children,
        board: &Scoreboard,
    ) -> Option<Event> {
        if now < self.next() {
            return None;
        }
        let wall = now.saturating_sub(self.looked).as_secs_f64();
        self.looked = now;
        let mut look = Look { workers: serving.len(), ..Look::default() };
        for &slot in serving {
            let worker = board.worker(slot);
            let cpus = children.pid(slot).map_or(0.0, |pid| self.cpus_of(slot, pid, wall));
            let busy = worker.busy_threads();
            let is_full = busy >= board.threads() || worker.is_full();
            look.exhausted += usize::from(is_full || cpus >= self.cpus_each * ALL);
            look.threads += board.threads();
            look.busy += busy;
            look.waiting += worker.waiting();
            look.cpus += cpus;
        }
        let (workers, reason) = self.demand.look(now, wanted, look)?;
        Some(Event::Demand { workers, reason })
    }

    /// CPUs that a process used since the last look; none for a new one.
    fn cpus_of(&mut self, slot: usize, pid: Pid, wall: f64) -> f64 {
        let now = cpu_time::of(pid).ok();
        let before = std::mem::replace(&mut self.used[slot], now.map(|used| (pid, used)));
        match (before, now) {
            (Some((known, before)), Some(now)) if known == pid => {
                now.saturating_sub(before).as_secs_f64() / wall
            }
            _ => 0.0,
        }
    }
}
