//! One host of a group: what it is, what it has to do, and its share.

use super::Time;
use super::health::Health;
use super::latency::Latency;
use super::random::hash;

/// A host, for as long as there is one of this name and weight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct HostId(pub(super) u32);

/// What makes a host the one it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Member {
    /// Where it is: what keys are placed by.
    pub(crate) name: String,
    /// What a client is given to come back to it.
    pub(crate) token: u64,
    /// Its share, at least 1.
    pub(crate) weight: u32,
    /// Requests at once; none is no bound.
    pub(crate) slots: Option<usize>,
}

/// One host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) upstream: usize,
    pub(super) member: Member,
    /// Its place among keys.
    pub(super) place: u64,
    /// Requests that it has.
    pub(super) inflight: usize,
    /// What it has had, divided by its weight: the lowest is next (stride scheduling).
    pub(super) pass: f64,
    pub(super) health: Health,
    pub(super) latency: Latency,
}

/// How far one that was seldom chosen may lag behind: more would all come at once when it is the best again. At the least
/// share of a host that warms up, one request counts for ten.
const LAG: f64 = 20.0;

impl Host {
    pub(super) fn new(id: HostId, upstream: usize, member: Member, pass: f64, is_checked: bool) -> Host {
        let place = hash(member.name.as_bytes());
        let (health, latency) = (Health::new(is_checked), Latency::default());
        Host { id, upstream, member, place, inflight: 0, pass, health, latency }
    }

    pub(super) fn is_full(&self) -> bool {
        self.member.slots.is_some_and(|slots| self.inflight >= slots)
    }

    /// Its share now: less than its weight while it warms up.
    pub(super) fn share(&self, now: Time) -> f64 {
        f64::from(self.member.weight) * self.health.warmth(now)
    }

    /// How much it would have to do for its share with one request more. One that is idle may have that, however cold it is.
    pub(super) fn load(&self, now: Time) -> f64 {
        (self.inflight as f64 / self.health.warmth(now) + 1.0) / f64::from(self.member.weight)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.inflight == 0
    }

    /// Counts a request for its share; `highest` is the pass of the host that is ahead of all.
    pub(super) fn count(&mut self, highest: f64, now: Time) {
        self.pass = (self.pass + 1.0 / self.share(now)).max(highest - LAG);
    }
}
