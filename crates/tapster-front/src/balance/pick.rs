//! The choice among the hosts that may get a request.

use super::latency::Measure;
use super::random::{hash_number, unit};
use super::{Algorithm, Ask, Choice, Group, LOOK_AGAIN, SOONEST, Time};

/// With a key, a host may have so much more to do than all have on average.
const BOUND: f64 = 1.25;

impl Group {
    /// The host for a request, by its place.
    pub(super) fn find(&mut self, ask: &Ask, now: Time) -> Result<usize, Choice> {
        let untried = |index: &usize| !ask.tried.contains(&self.hosts[*index].id);
        let all = 0..self.hosts.len();
        let on_trial = |index: &usize| {
            let host = &self.hosts[*index];
            untried(index) && !host.is_full() && host.health.is_to_be_tried(now, ask.is_safe)
        };
        if let Some(index) = all.clone().find(on_trial) {
            return Ok(index);
        }
        let well: Vec<usize> = all.clone().filter(|&index| self.hosts[index].health.is_in()).collect();
        // With too few left, all of them would fall one after the other.
        let may_get: Vec<usize> = match 2 * well.len() < self.hosts.len() {
            true => all.filter(|&index| self.hosts[index].health.is_bearable(now)).collect(),
            false => well,
        };
        let fresh: Vec<usize> = may_get.iter().copied().filter(untried).collect();
        let candidates = if fresh.is_empty() { may_get } else { fresh };
        if candidates.is_empty() {
            return Err(Choice::Wait(self.next_trial(now)));
        }
        self.pick(&candidates, ask.key, now).ok_or(Choice::Full)
    }

    fn next_trial(&self, now: Time) -> Time {
        let first = self.hosts.iter().filter_map(|host| host.health.due()).min();
        first.unwrap_or(now + LOOK_AGAIN).max(now + SOONEST)
    }

    /// One of these that has a slot.
    fn pick(&mut self, candidates: &[usize], key: Option<u64>, now: Time) -> Option<usize> {
        let free: Vec<usize> =
            candidates.iter().copied().filter(|&index| !self.hosts[index].is_full()).collect();
        match (self.algorithm, key) {
            (Algorithm::RoundRobin, _) => self.lowest_pass(&free),
            (Algorithm::Hash, Some(key)) => self.highest(&free, key, now),
            (Algorithm::Sticky, Some(key)) => {
                match candidates.iter().find(|index| self.hosts[**index].member.token == key) {
                    // It waits for its own.
                    Some(&index) => (!self.hosts[index].is_full()).then_some(index),
                    None => self.less_busy(&free, now),
                }
            }
            (Algorithm::LeastRequest | Algorithm::Latency | Algorithm::Hash | Algorithm::Sticky, _) => {
                self.less_busy(&free, now)
            }
        }
    }

    /// Of two drawn at random, the one with less to do; of two that have nothing to do, the one that got less. One that takes
    /// many times as long as the other counts as having so many times as much to do.
    fn less_busy(&mut self, free: &[usize], now: Time) -> Option<usize> {
        let count = free.len();
        if count < 2 {
            return free.first().copied();
        }
        let first = self.random.below(count);
        let second = (first + 1 + self.random.below(count - 1)) % count;
        let (first, second) = (free[first], free[second]);
        let (one, other) = (&self.hosts[first], &self.hosts[second]);
        let idle = (one.is_idle(), other.is_idle());
        let measure = match self.algorithm {
            Algorithm::Latency => Measure::Peak,
            _ => Measure::Usual,
        };
        let times = one.latency.beside(&other.latency, measure, idle, now);
        let is_first = if idle == (true, true) && times == 1.0 {
            one.pass <= other.pass
        } else {
            let (load, other_load) = (one.load(now) * times, other.load(now));
            // With as much to do, who got more so far is the faster one.
            load < other_load || load == other_load && one.pass >= other.pass
        };
        Some(if is_first { first } else { second })
    }

    fn lowest_pass(&self, free: &[usize]) -> Option<usize> {
        let pass = |index: &usize| self.hosts[*index].pass;
        free.iter().copied().min_by(|one, other| pass(one).total_cmp(&pass(other)))
    }

    /// The highest by key (weighted rendezvous hashing) that is within the bound; the highest of all if none is.
    fn highest(&self, free: &[usize], key: u64, now: Time) -> Option<usize> {
        let total: f64 = free.iter().map(|&index| self.hosts[index].share(now)).sum();
        let load: usize = free.iter().map(|&index| self.hosts[index].inflight).sum();
        let is_within = |index: &usize| {
            let host = &self.hosts[*index];
            let fair = (load + 1) as f64 * host.share(now) / total;
            host.inflight as f64 + 1.0 <= (BOUND * fair).ceil()
        };
        // By weight alone: while a host warms up its keys stay where they belong.
        let score = |index: &usize| {
            let host = &self.hosts[*index];
            -f64::from(host.member.weight) / unit(hash_number(key ^ host.place)).ln()
        };
        let best = |one: Option<usize>, other: usize| {
            Some(one.filter(|one| score(one) >= score(&other)).unwrap_or(other))
        };
        let within = free.iter().copied().filter(is_within).fold(None, best);
        within.or_else(|| free.iter().copied().fold(None, best))
    }
}
