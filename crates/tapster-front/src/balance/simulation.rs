//! The balancer against simulated hosts, on a clock that is a number: what shares they get, and how fast trouble is noticed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::random::Random;
use super::{Algorithm, Ask, Choice, Ending, Group, HostId, Member, Standing, Time};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// How a simulated host is at a time.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    /// It answers after so long.
    Answers(Duration),
    /// It answers 503 after so long.
    Fails(Duration),
    Refuses,
}

/// A request that ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at: Time,
    host: usize,
    is_well: bool,
    /// When it came, and when it was sent to the host.
    came: Time,
    sent: Time,
}

/// Hosts, and requests that come at a steady rate with some chance in it.
struct World {
    group: Group,
    ids: Vec<HostId>,
    moods: Vec<Box<dyn Fn(Time) -> Mood>>,
    random: Random,
    now: Time,
    ends: BinaryHeap<Reverse<End>>,
    /// When each thread of each host is free; without threads a host answers everything at once.
    threads: Vec<Vec<Time>>,
    /// Requests for each host.
    counts: Vec<usize>,
    /// Of the last requests that went well, how long each took, and where.
    times: Vec<(Duration, usize)>,
    lost: usize,
    keys: bool,
}

pub(super) fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(index, weight): (usize, &u32)| {
        let name = format!("http://10.0.0.{index}:80");
        Member { token: super::hash(name.as_bytes()), name, weight: *weight, slots: None }
    };
    weights.iter().enumerate().map(member).collect()
}

impl World {
    fn new(algorithm: Algorithm, weights: &[u32], moods: Vec<Box<dyn Fn(Time) -> Mood>>) -> World {
        let mut group = Group::new(algorithm, false, 7);
        let (ids, _) = group.set_members(0, &members(weights), Time::ZERO);
        World {
            group,
            ids,
            moods,
            random: Random::new(1),
            now: Time::ZERO,
            ends: BinaryHeap::new(),
            threads: vec![Vec::new(); weights.len()],
            counts: vec![0; weights.len()],
            times: Vec::new(),
            lost: 0,
            keys: false,
        }
    }

    fn steady(algorithm: Algorithm, weights: &[u32], time: Duration) -> World {
        let mood = |_: &u32| -> Box<dyn Fn(Time) -> Mood> { Box::new(move |_| Mood::Answers(time)) };
        World::new(algorithm, weights, weights.iter().map(mood).collect())
    }

    /// So many requests, one each `gap` on average.
    fn run(&mut self, requests: usize, gap: Duration) {
        self.counts.fill(0);
        self.times.clear();
        for number in 0..requests {
            self.now += gap.mul_f64(2.0 * self.random.below(1000) as f64 / 1000.0);
            self.finish(self.now);
            self.send(number as u64);
        }
    }

    fn finish(&mut self, until: Time) {
        while let Some(&Reverse(End { at, host, is_well, came, sent })) = self.ends.peek() {
            if at > until {
                return;
            }
            self.ends.pop();
            if is_well {
                self.group.answered(self.ids[host], at - sent, at);
            }
            let ending = if is_well { Ending::Good } else { Ending::Bad };
            self.group.ended(self.ids[host], ending, at);
            if is_well {
                self.times.push((at - came, host));
            } else {
                self.again(host, came, at);
            }
        }
    }

    /// A request that failed is sent once more.
    fn again(&mut self, host: usize, came: Time, at: Time) {
        let ask = Ask { key: None, tried: vec![self.ids[host]], is_safe: true };
        let Choice::Host(id) = self.group.choose(&ask, at) else {
            self.lost += 1;
            return;
        };
        let other = self.place(id);
        self.counts[other] += 1;
        match (self.moods[other])(at) {
            Mood::Answers(time) => self.begin(other, time, true, came, at),
            Mood::Fails(_) => {
                self.group.ended(id, Ending::Bad, at);
                self.lost += 1;
            }
            Mood::Refuses => {
                self.group.ended(id, Ending::Refused, at);
                self.send(0);
            }
        }
    }

    fn send(&mut self, key: u64) {
        let key = self.keys.then(|| super::hash(&key.to_le_bytes()));
        let ask = Ask { key, tried: Vec::new(), is_safe: true };
        let mut at = self.now;
        loop {
            match self.group.choose(&ask, at) {
                Choice::Host(id) => {
                    let host = self.place(id);
                    self.counts[host] += 1;
                    match (self.moods[host])(at) {
                        Mood::Answers(time) => self.begin(host, time, true, self.now, at),
                        Mood::Fails(time) => self.begin(host, time, false, self.now, at),
                        Mood::Refuses => {
                            self.group.ended(id, Ending::Refused, at);
                            continue;
                        }
                    }
                    return;
                }
                Choice::Wait(until) => {
                    assert!(until > at, "a wait that is over");
                    at = until;
                    if at > self.now + 10 * SECOND {
                        self.lost += 1;
                        return;
                    }
                }
                Choice::Full => unreachable!("no host has a bound"),
            }
        }
    }

    /// A host works on a request as soon as it has a thread for it.
    fn begin(&mut self, host: usize, time: Duration, is_well: bool, came: Time, sent: Time) {
        let mut end = sent + time;
        if let Some(free) = self.threads[host].iter_mut().min() {
            end = (*free).max(sent) + time;
            *free = end;
        }
        self.ends.push(Reverse(End { at: end, host, is_well, came, sent }));
    }

    fn place(&self, id: HostId) -> usize {
        self.ids.iter().position(|known| *known == id).unwrap()
    }

    fn share(&self, host: usize) -> f64 {
        self.counts[host] as f64 / self.counts.iter().sum::<usize>() as f64
    }

    fn p99(&self, but: usize) -> Duration {
        let mut times: Vec<_> =
            self.times.iter().filter(|(_, host)| *host != but).map(|(time, _)| *time).collect();
        times.sort_unstable();
        times[times.len() * 99 / 100]
    }
}

fn answers(time: Duration) -> Box<dyn Fn(Time) -> Mood> {
    Box::new(move |_| Mood::Answers(time))
}

#[test]
fn weights_are_shares_with_little_to_do_and_with_much() {
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest, Algorithm::Latency] {
        for gap in [50 * MS, 2 * MS] {
            let mut world = World::steady(algorithm, &[1, 1, 2], 10 * MS);
            world.run(8000, gap);
            let shares: Vec<_> = (0..3).map(|host| world.share(host)).collect();
            for (share, fair) in shares.iter().zip([0.25, 0.25, 0.5]) {
                assert!((share - fair).abs() < 0.09, "{algorithm:?} {gap:?}: {shares:?}");
            }
        }
    }
}

/// Four hosts of four threads, each of which could bear 400 requests a second, at half of that.
fn four(algorithm: Algorithm, moods: Vec<Box<dyn Fn(Time) -> Mood>>) -> World {
    let mut world = World::new(algorithm, &[1; 4], moods);
    world.threads = vec![vec![Time::ZERO; 4]; 4];
    world.run(20_000, 5 * MS);
    world
}

#[test]
fn a_slow_host_a_failing_one_and_one_that_restarts() {
    let restarts = |now: Time| match now.as_secs() % 10 {
        3..6 => Mood::Refuses,
        _ => Mood::Answers(10 * MS),
    };
    for algorithm in [Algorithm::LeastRequest, Algorithm::Latency] {
        let healthy = four(algorithm, (0..4).map(|_| answers(10 * MS)).collect()).p99(usize::MAX);
        let fails: Box<dyn Fn(Time) -> Mood> = Box::new(|_| Mood::Fails(MS));
        let moods = vec![answers(10 * MS), answers(210 * MS), fails, Box::new(restarts)];
        let world = four(algorithm, moods);
        assert_eq!(world.lost, 0);
        assert!(world.share(1) <= 0.01, "{algorithm:?}: the slow one's share: {}", world.share(1));
        assert!(world.share(2) <= 0.01, "{algorithm:?}: the failing one's share: {}", world.share(2));
        assert!(world.p99(1) <= healthy.mul_f64(1.5), "{algorithm:?}: {:?} {healthy:?}", world.p99(1));
    }
}

#[test]
fn a_host_that_was_slow_for_a_while_gets_its_share_again() {
    let recovers = |now: Time| Mood::Answers(if now < 20 * SECOND { 210 * MS } else { 10 * MS });
    for algorithm in [Algorithm::LeastRequest, Algorithm::Latency] {
        let mut world = World::new(algorithm, &[1; 2], vec![answers(10 * MS), Box::new(recovers)]);
        world.run(4000, 5 * MS);
        assert!(world.share(1) <= 0.02, "{algorithm:?}: {}", world.share(1));
        while world.now < 60 * SECOND {
            world.run(100, 5 * MS);
        }
        world.run(4000, 5 * MS);
        assert!((0.4..0.6).contains(&world.share(1)), "{algorithm:?}: {}", world.share(1));
    }
}

#[test]
fn hosts_whose_answers_take_differently_long_share_fairly() {
    // One answer of a hundred takes a hundred times as long.
    let uneven = || -> Box<dyn Fn(Time) -> Mood> {
        Box::new(|now| Mood::Answers(if now.as_micros() % 100 == 0 { SECOND } else { 10 * MS }))
    };
    let mut world = World::new(Algorithm::LeastRequest, &[1; 4], (0..4).map(|_| uneven()).collect());
    world.run(20_000, 5 * MS);
    for host in 0..4 {
        assert!((0.2..0.3).contains(&world.share(host)), "{:?}", world.counts);
    }
}

#[test]
fn a_host_that_failed_comes_back_by_one_request_and_slowly() {
    let recovers = |now: Time| match now.as_secs() {
        0..2 => Mood::Fails(MS),
        _ => Mood::Answers(MS),
    };
    let mut world = World::new(Algorithm::LeastRequest, &[1; 2], vec![answers(MS), Box::new(recovers)]);
    world.run(150, 10 * MS);
    assert_eq!(world.counts[1], 5);
    // Out for 5 s, a fifth more or less: at 8 s it has a small part of its share, at 20 s all of it.
    while world.now < 8 * SECOND {
        world.run(10, 10 * MS);
    }
    world.run(100, 10 * MS);
    assert!((0.02..0.35).contains(&world.share(1)), "{}", world.share(1));
    while world.now < 20 * SECOND {
        world.run(10, 10 * MS);
    }
    world.run(1000, 10 * MS);
    assert!((0.45..0.55).contains(&world.share(1)), "{}", world.share(1));
}

#[test]
fn one_that_goes_on_failing_is_out_for_longer_each_time() {
    let mut world =
        World::new(Algorithm::LeastRequest, &[1; 2], vec![answers(4 * MS), Box::new(|_| Mood::Fails(MS))]);
    world.run(60_000, 10 * MS);
    // Five, and one try after 5, 10, 15 … seconds: about 15 in ten minutes.
    assert!((10..=22).contains(&world.counts[1]), "{}", world.counts[1]);
    assert_eq!(world.lost, 0);
}

#[test]
fn never_more_than_half_are_taken_out_and_never_the_last() {
    for count in 1..=6 {
        let moods = (0..count).map(|_| -> Box<dyn Fn(Time) -> Mood> { Box::new(|_| Mood::Fails(MS)) });
        let mut world = World::new(Algorithm::LeastRequest, &vec![1; count], moods.collect());
        for _ in 0..500 {
            world.run(1, 5 * MS);
            let ejected =
                world.ids.iter().filter(|id| world.group.standing(**id) == Some(Standing::Ejected)).count();
            assert!(2 * ejected <= count && ejected < count, "{ejected} of {count}");
        }
    }
}
