//! Which upstream gets a request. Pure: what happened and the time go in, a choice comes out. Asked by
//! [`upstream`](crate::upstream) for each request.
//!
//! A host is one address that requests can be sent to; a group is all hosts of a front. Hosts that fail are left out for a
//! while and come back slowly; where too few are left, all get requests again rather than a few all of them.

mod budget;
mod health;
mod host;
mod latency;
mod pick;
#[cfg(test)]
mod properties;
mod random;
#[cfg(test)]
mod simulation;

use std::time::Duration;

use budget::Budget;
use health::Health;
use host::Host;
use random::Random;

pub(crate) use health::{CHECK_LIMIT, OUT_INTERVAL, Standing};
pub(crate) use host::{HostId, Member};
pub(crate) use random::hash;

/// Time since the front began.
pub(crate) type Time = Duration;

/// How one is chosen among those that may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Algorithm {
    /// Of two drawn at random, the one with fewer requests.
    LeastRequest,
    /// Of two drawn at random, the one that is expected to answer sooner (peak-EWMA).
    Latency,
    /// One after the other, by weight.
    RoundRobin,
    /// The highest of all by the key (rendezvous hashing), if it has not much more to do than the others.
    Hash,
    /// The one whose token the key is.
    Sticky,
}

/// A request that wants an upstream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// What decides with [`Algorithm::Hash`] and [`Algorithm::Sticky`]; without it the fewest requests do.
    pub(crate) key: Option<u64>,
    /// Hosts that have failed it.
    pub(crate) tried: Vec<HostId>,
    /// It may be sent again, so that it can try a host that failed others.
    pub(crate) is_safe: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// This host's, which counts it from now on.
    Host(HostId),
    /// Whoever could take it has no slot free.
    Full,
    /// Nobody can be asked before this time.
    Wait(Time),
}

/// How a request to a host ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// With an answer that shows that the host works.
    Good,
    /// With none, or with one of 502, 503, 504.
    Bad,
    /// The host accepted no connection.
    Refused,
    /// By the client, who tells nothing of the host.
    Abandoned,
}

/// How soon it is looked again for a host while there is none.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const SOONEST: Duration = Duration::from_millis(10);

/// All hosts.
pub(crate) struct Group {
    algorithm: Algorithm,
    hosts: Vec<Host>,
    next: u32,
    is_checked: bool,
    random: Random,
    budget: Budget,
    /// What another group knew of hosts that may come to this one.
    known: Vec<(Member, Health)>,
}

impl Group {
    /// A group without hosts yet. `is_checked`: hosts get no requests before a check found them well.
    pub(crate) fn new(algorithm: Algorithm, is_checked: bool, seed: u64) -> Group {
        Group {
            algorithm,
            hosts: Vec::new(),
            next: 0,
            is_checked,
            random: Random::new(seed),
            budget: Budget::default(),
            known: Vec::new(),
        }
    }

    /// Hosts that another group had too are held as that one held them, if both check their hosts or none does.
    pub(crate) fn remember(&mut self, other: &Group) {
        if self.is_checked == other.is_checked {
            self.known = other.hosts.iter().map(|host| (host.member.clone(), host.health.clone())).collect();
        }
    }

    /// The hosts of one upstream are these from now on. Gives those that are new, and those that are gone, which keep
    /// what they have and get nothing more.
    pub(crate) fn set_members(
        &mut self,
        upstream: usize,
        members: &[Member],
        now: Time,
    ) -> (Vec<HostId>, Vec<HostId>) {
        // Those that come later come slowly; at the start all are equally cold.
        let is_late = self.hosts.iter().any(|host| host.upstream == upstream);
        let is_wanted = |host: &Host| host.upstream != upstream || members.contains(&host.member);
        let gone: Vec<_> = self.hosts.iter().filter(|host| !is_wanted(host)).map(|host| host.id).collect();
        self.hosts.retain(is_wanted);
        let is_known = |member: &&Member| {
            self.hosts.iter().any(|host| host.upstream == upstream && host.member == **member)
        };
        let unknown: Vec<&Member> = members.iter().filter(|member| !is_known(member)).collect();
        let pass = self.hosts.iter().map(|host| host.pass).reduce(f64::min).unwrap_or_default();
        let mut new = Vec::new();
        for member in unknown {
            let id = HostId(self.next);
            self.next += 1;
            let mut host = Host::new(id, upstream, member.clone(), pass, self.is_checked);
            match self.known.iter().find(|(known, _)| known.name == host.member.name) {
                Some((_, health)) => host.health = health.clone(),
                None if is_late => host.health.warm_up(now),
                None => {}
            }
            self.hosts.push(host);
            new.push(id);
        }
        (new, gone)
    }

    /// Finds a host for a request.
    pub(crate) fn choose(&mut self, ask: &Ask, now: Time) -> Choice {
        match self.find(ask, now) {
            Ok(index) => {
                self.begin(index, now);
                Choice::Host(self.hosts[index].id)
            }
            Err(choice) => choice,
        }
    }

    /// A request to a host has ended.
    pub(crate) fn ended(&mut self, id: HostId, ending: Ending, now: Time) {
        let (others, may_eject) = self.others(id);
        let jitter = self.random.jitter();
        let Some(host) = self.host_mut(id) else { return };
        host.inflight = host.inflight.saturating_sub(1);
        if ending == Ending::Refused {
            host.latency.forget();
        }
        host.health.note(ending, now, others, may_eject, jitter);
    }

    /// An answer of a host began, this long after its request was sent.
    pub(crate) fn answered(&mut self, id: HostId, took: Duration, now: Time) {
        if let Some(host) = self.host_mut(id) {
            host.latency.note(took, now);
        }
    }

    /// A connection to a host was made, before anything came of it.
    pub(crate) fn connected(&mut self, id: HostId, now: Time) {
        if let Some(host) = self.host_mut(id) {
            host.health.accepts(now);
        }
    }

    /// A health check has found a host well, or not.
    pub(crate) fn checked(&mut self, id: HostId, is_well: bool, now: Time) {
        if let Some(host) = self.host_mut(id) {
            host.health.checked(is_well, now);
        }
    }

    /// Whether a host gets requests; none if there is no such host.
    pub(crate) fn standing(&self, id: HostId) -> Option<Standing> {
        self.host(id).map(|host| host.health.standing())
    }

    /// How long a host that is out, or warms up, stays so if nothing happens.
    pub(crate) fn left(&self, id: HostId, now: Time) -> Duration {
        self.host(id).map_or(Duration::ZERO, |host| host.health.left(now))
    }

    /// Leave to send a request again, if not too many are. Each leave is to be given back by [`Group::retried`].
    pub(crate) fn may_retry(&mut self) -> bool {
        let active = self.hosts.iter().map(|host| host.inflight).sum();
        self.budget.take(active)
    }

    /// A request that was sent again has ended.
    pub(crate) fn retried(&mut self) {
        self.budget.give_back();
    }

    /// How many requests may wait for a slot.
    pub(crate) fn queue_limit(&self) -> usize {
        self.hosts.iter().map(|host| host.member.slots.unwrap_or(0)).sum::<usize>().saturating_mul(2)
    }

    /// Whether every host was tried, or there is none.
    pub(crate) fn all_tried(&self, tried: &[HostId]) -> bool {
        self.hosts.iter().all(|host| tried.contains(&host.id))
    }

    /// What a client is given to come back to a host.
    pub(crate) fn token(&self, id: HostId) -> Option<u64> {
        self.host(id).map(|host| host.member.token)
    }

    /// What a host is called.
    pub(crate) fn name(&self, id: HostId) -> Option<&str> {
        self.host(id).map(|host| host.member.name.as_str())
    }

    fn begin(&mut self, index: usize, now: Time) {
        let highest = self.hosts.iter().map(|host| host.pass).fold(0.0, f64::max);
        let host = &mut self.hosts[index];
        host.inflight += 1;
        host.count(highest, now);
        host.health.begin(now);
    }

    /// How many other hosts get requests, and whether one more may be ejected: never more than half.
    fn others(&self, id: HostId) -> (usize, bool) {
        let others = || self.hosts.iter().filter(|host| host.id != id);
        let well = others().filter(|host| host.health.is_in()).count();
        let ejected = others().filter(|host| host.health.is_ejected()).count();
        (well, well > 0 && 2 * (ejected + 1) <= self.hosts.len())
    }

    fn host(&self, id: HostId) -> Option<&Host> {
        self.hosts.iter().find(|host| host.id == id)
    }

    fn host_mut(&mut self, id: HostId) -> Option<&mut Host> {
        self.hosts.iter_mut().find(|host| host.id == id)
    }
}
