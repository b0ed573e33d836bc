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

/// Hosts, and requests that come at a steady rate with some chance in it.
struct World {
    group: Group,
    ids: Vec<HostId>,
    moods: Vec<Box<dyn Fn(Time) -> Mood>>,
    random: Random,
    now: Time,
    /// Requests that end: when, at which host, how, when each began.
    ends: BinaryHeap<Reverse<(Time, usize, bool, Time)>>,
    /// Requests for each host.
    counts: Vec<usize>,
    /// Of the last requests that went well, how long each took, and where.
    times: Vec<(Duration, usize)>,
    lost: usize,
    keys: bool,
}

pub(super) fn members(weights: &[u32]) -> Vec<Member> {
    let member = |(index, weight): (usize, &u32)| Member {
        name: format!("http://10.0.0.{index}:80"),
        weight: *weight,
        slots: None,
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
        while let Some(&Reverse((at, host, is_well, began))) = self.ends.peek() {
            if at > until {
                return;
            }
            self.ends.pop();
            let ending = if is_well { Ending::Good } else { Ending::Bad };
            self.group.ended(self.ids[host], ending, at);
            if is_well {
                self.times.push((at - began, host));
            } else {
                self.again(host, at);
            }
        }
    }

    /// A request that failed is sent once more.
    fn again(&mut self, host: usize, at: Time) {
        let ask = Ask { key: None, tried: vec![self.ids[host]], is_safe: true };
        let Choice::Host(id) = self.group.choose(&ask, at) else {
            self.lost += 1;
            return;
        };
        let other = self.place(id);
        self.counts[other] += 1;
        match (self.moods[other])(at) {
            Mood::Answers(time) => self.ends.push(Reverse((at + time, other, true, at))),
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
                        Mood::Answers(time) => self.ends.push(Reverse((at + time, host, true, self.now))),
                        Mood::Fails(time) => self.ends.push(Reverse((at + time, host, false, self.now))),
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
    for algorithm in [Algorithm::RoundRobin, Algorithm::LeastRequest] {
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

#[test]
fn a_slow_host_a_failing_one_and_one_that_restarts() {
    let healthy = {
        let mut world = World::steady(Algorithm::LeastRequest, &[1; 4], 4 * MS);
        world.run(20_000, 2 * MS);
        world.p99(usize::MAX)
    };
    let restarts = |now: Time| match now.as_secs() % 10 {
        3..6 => Mood::Refuses,
        _ => Mood::Answers(4 * MS),
    };
    let moods: Vec<Box<dyn Fn(Time) -> Mood>> =
        vec![answers(4 * MS), answers(200 * MS), Box::new(|_| Mood::Fails(MS)), Box::new(restarts)];
    let mut world = World::new(Algorithm::LeastRequest, &[1; 4], moods);
    world.run(20_000, 2 * MS);
    assert_eq!(world.lost, 0);
    assert!(world.share(1) <= 0.05, "the slow one's share: {}", world.share(1));
    assert!(world.share(2) <= 0.01, "the failing one's share: {}", world.share(2));
    assert!(world.p99(1) <= healthy.mul_f64(1.5), "{:?} {healthy:?}", world.p99(1));
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
