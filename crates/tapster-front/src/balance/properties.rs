//! What holds of the balancer, case by case and whatever happens.

use std::time::Duration;

use proptest::prelude::*;

use super::simulation::{MS, SECOND, members};
use super::{Algorithm, Ask, Choice, Ending, Group, HostId, Member, Standing, Time};

#[test]
fn keys_stay_where_they_are_when_others_go() {
    let mut group = Group::new(Algorithm::Hash, false, 1);
    let all = members(&[1; 5]);
    let (ids, _) = group.set_members(0, &all, Time::ZERO);
    let place = |group: &mut Group, key: u64| {
        let ask = Ask { key: Some(super::hash(&key.to_le_bytes())), ..Ask::default() };
        let Choice::Host(id) = group.choose(&ask, Time::ZERO) else { panic!("nobody") };
        group.ended(id, Ending::Good, Time::ZERO);
        id
    };
    let before: Vec<_> = (0..2000).map(|key| place(&mut group, key)).collect();
    for id in &ids {
        let share = before.iter().filter(|host| *host == id).count();
        assert!((300..500).contains(&share), "{share} of 2000");
    }
    let (new, gone) = group.set_members(0, &all[..4], SECOND);
    assert_eq!((new, gone), (vec![], vec![ids[4]]));
    let after: Vec<_> = (0..2000).map(|key| place(&mut group, key)).collect();
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is || *was == ids[4]);
    }
}

#[test]
fn a_key_that_everybody_has_does_not_overwhelm_one_host() {
    let mut group = Group::new(Algorithm::Hash, false, 1);
    let (ids, _) = group.set_members(0, &members(&[1; 4]), Time::ZERO);
    let ask = Ask { key: Some(1), ..Ask::default() };
    let chosen: Vec<_> = (0..100).map(|_| group.choose(&ask, Time::ZERO)).collect();
    for id in ids {
        assert!(chosen.iter().filter(|choice| **choice == Choice::Host(id)).count() <= 32);
    }
}

#[test]
fn a_token_brings_a_client_back_as_long_as_its_host_serves() {
    let mut group = Group::new(Algorithm::Sticky, false, 1);
    let (ids, _) = group.set_members(0, &members(&[1; 3]), Time::ZERO);
    let ask = Ask { key: group.token(ids[1]), is_safe: true, ..Ask::default() };
    for _ in 0..50 {
        assert_eq!(group.choose(&ask, Time::ZERO), Choice::Host(ids[1]));
    }
    group.ended(ids[1], Ending::Refused, Time::ZERO);
    assert!(matches!(group.choose(&ask, Time::ZERO), Choice::Host(id) if id != ids[1]));
    // Tokens are made from names: another front gives the same.
    let mut other = Group::new(Algorithm::Sticky, false, 2);
    let (others, _) = other.set_members(0, &members(&[1; 3]), Time::ZERO);
    assert_eq!(other.token(others[1]), group.token(ids[1]));
}

#[test]
fn slots_are_a_bound() {
    let mut group = Group::new(Algorithm::LeastRequest, false, 1);
    let bounded: Vec<_> =
        members(&[1; 2]).into_iter().map(|member| Member { slots: Some(3), ..member }).collect();
    let (ids, _) = group.set_members(0, &bounded, Time::ZERO);
    let ask = Ask::default();
    for _ in 0..6 {
        assert!(matches!(group.choose(&ask, Time::ZERO), Choice::Host(_)));
    }
    assert_eq!(group.choose(&ask, Time::ZERO), Choice::Full);
    assert_eq!(group.queue_limit(), 12);
    group.ended(ids[0], Ending::Abandoned, Time::ZERO);
    assert_eq!(group.choose(&ask, Time::ZERO), Choice::Host(ids[0]));
}

#[test]
fn checks_decide_before_the_first_request_and_take_out_and_bring_back() {
    let mut group = Group::new(Algorithm::LeastRequest, true, 1);
    let (ids, _) = group.set_members(0, &members(&[1; 2]), Time::ZERO);
    let ask = Ask { is_safe: true, ..Ask::default() };
    assert!(matches!(group.choose(&ask, Time::ZERO), Choice::Wait(_)));
    group.checked(ids[0], true, Time::ZERO);
    group.checked(ids[1], false, Time::ZERO);
    for _ in 0..20 {
        assert_eq!(group.choose(&ask, Time::ZERO), Choice::Host(ids[0]));
    }
    group.checked(ids[1], true, SECOND);
    assert_eq!(group.standing(ids[1]), Some(Standing::Ill));
    group.checked(ids[1], true, SECOND);
    assert_eq!(group.standing(ids[1]), Some(Standing::In));
    for _ in 0..2 {
        group.checked(ids[0], false, SECOND);
        assert_eq!(group.standing(ids[0]), Some(Standing::In));
    }
    group.checked(ids[0], false, SECOND);
    assert_eq!(group.standing(ids[0]), Some(Standing::Ill));
    // With too few left health counts no more.
    group.checked(ids[1], false, SECOND);
    group.checked(ids[1], false, SECOND);
    group.checked(ids[1], false, SECOND);
    assert!(matches!(group.choose(&ask, SECOND), Choice::Host(_)));
}

#[test]
fn a_lonely_host_that_refuses_is_asked_again_soon_and_by_one_request() {
    let mut group = Group::new(Algorithm::LeastRequest, false, 1);
    let (ids, _) = group.set_members(0, &members(&[1]), Time::ZERO);
    let ask = Ask::default();
    let mut now = Time::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert_eq!(group.choose(&ask, now), Choice::Host(ids[0]));
        assert!(matches!(group.choose(&ask, now), Choice::Wait(_) | Choice::Host(_)));
        group.ended(ids[0], Ending::Refused, now);
        let Choice::Wait(until) = group.choose(&ask, now) else { panic!("asked at once") };
        pauses.push(until - now);
        now = until;
    }
    assert!(pauses[0] <= 60 * MS && pauses.iter().all(|pause| *pause <= 250 * MS), "{pauses:?}");
    // Who comes first tries it; the others wait for what comes of that.
    assert_eq!(group.choose(&ask, now), Choice::Host(ids[0]));
    assert!(matches!(group.choose(&ask, now), Choice::Wait(_)));
    group.connected(ids[0], now);
    assert_eq!(group.choose(&ask, now), Choice::Host(ids[0]));
}

#[test]
fn a_host_that_comes_later_gets_its_share_slowly() {
    let mut group = Group::new(Algorithm::LeastRequest, false, 1);
    let all = members(&[1; 3]);
    let (first, _) = group.set_members(0, &all[..2], Time::ZERO);
    assert_eq!(group.left(first[0], Time::ZERO), Time::ZERO);
    let (late, _) = group.set_members(0, &all, SECOND);
    assert_eq!(group.left(late[0], SECOND), 10 * SECOND);
    assert_eq!(group.left(first[0], SECOND), Time::ZERO);
    assert_eq!(group.left(late[0], 11 * SECOND), Time::ZERO);
}

#[test]
fn one_refusal_takes_a_host_out_for_a_second_where_there_is_another() {
    let mut group = Group::new(Algorithm::RoundRobin, false, 1);
    let (ids, _) = group.set_members(0, &members(&[1; 2]), Time::ZERO);
    group.ended(ids[0], Ending::Refused, Time::ZERO);
    assert_eq!(group.standing(ids[0]), Some(Standing::Refusing));
    let mut chosen = |now| (0..20).map(|_| group.choose(&Ask::default(), now)).collect::<Vec<_>>();
    assert!(chosen(999 * MS).iter().all(|choice| *choice == Choice::Host(ids[1])));
    // Then one request tries it.
    assert_eq!(chosen(SECOND).iter().filter(|choice| **choice == Choice::Host(ids[0])).count(), 1);
}

#[test]
fn five_failures_in_a_row_take_a_host_out_for_longer_each_time() {
    let mut group = Group::new(Algorithm::LeastRequest, false, 1);
    let (ids, _) = group.set_members(0, &members(&[1; 2]), Time::ZERO);
    let bad = |group: &mut Group, times, now| (0..times).for_each(|_| group.ended(ids[0], Ending::Bad, now));
    bad(&mut group, 4, Time::ZERO);
    // In a row: an answer between them begins anew.
    group.ended(ids[0], Ending::Good, Time::ZERO);
    bad(&mut group, 4, Time::ZERO);
    assert_eq!(group.standing(ids[0]), Some(Standing::In));
    bad(&mut group, 1, Time::ZERO);
    assert_eq!(group.standing(ids[0]), Some(Standing::Ejected));
    let first = group.left(ids[0], Time::ZERO);
    assert!((4 * SECOND..=6 * SECOND).contains(&first), "{first:?}");
    // It comes back, and fails once more.
    group.ended(ids[0], Ending::Good, first);
    assert_eq!((group.standing(ids[0]), group.left(ids[0], first)), (Some(Standing::In), 10 * SECOND));
    bad(&mut group, 5, first);
    let second = group.left(ids[0], first);
    assert!((8 * SECOND..=12 * SECOND).contains(&second), "{second:?}");
}

/// What may happen to a group.
#[derive(Clone, Debug)]
enum Event {
    Choose { key: Option<u64>, is_safe: bool },
    End { which: usize, ending: u8 },
    Answer { host: usize, milliseconds: u64 },
    Check { host: usize, is_well: bool },
    Members(usize),
    Pass(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (any::<Option<u64>>(), any::<bool>()).prop_map(|(key, is_safe)| Event::Choose { key, is_safe }),
        4 => (any::<usize>(), 0..4u8).prop_map(|(which, ending)| Event::End { which, ending }),
        2 => (0..6usize, any::<u64>()).prop_map(|(host, milliseconds)| Event::Answer { host, milliseconds }),
        1 => (0..6usize, any::<bool>()).prop_map(|(host, is_well)| Event::Check { host, is_well }),
        1 => (1..6usize).prop_map(Event::Members),
        2 => (0..20_000u64).prop_map(Event::Pass),
    ]
}

proptest! {
    /// Whatever happens: slots are never exceeded, nobody who is gone is chosen, a wait ends later than it begins, requests
    /// are counted right, and with a host that is there some request gets one in the end.
    #[test]
    fn what_must_hold_holds(
        algorithm in prop_oneof![
            Just(Algorithm::LeastRequest),
            Just(Algorithm::Latency),
            Just(Algorithm::RoundRobin),
            Just(Algorithm::Hash),
            Just(Algorithm::Sticky)
        ],
        is_checked in any::<bool>(),
        events in prop::collection::vec(event(), 1..300),
    ) {
        let bounded = |count| -> Vec<Member> {
            members(&[1, 2, 3, 1, 2, 3][..count]).into_iter().map(|one| Member { slots: Some(4), ..one }).collect()
        };
        let mut group = Group::new(algorithm, is_checked, 3);
        let mut now = Time::ZERO;
        let (mut present, _) = group.set_members(0, &bounded(3), now);
        let mut running: Vec<HostId> = Vec::new();
        for event in events {
            match event {
                Event::Choose { key, is_safe } => {
                    match group.choose(&Ask { key, tried: Vec::new(), is_safe }, now) {
                        Choice::Host(id) => {
                            prop_assert!(present.contains(&id));
                            running.push(id);
                            prop_assert!(running.iter().filter(|one| **one == id).count() <= 4);
                        }
                        Choice::Wait(until) => prop_assert!(until > now),
                        Choice::Full => {}
                    }
                }
                Event::End { which, ending } if !running.is_empty() => {
                    let id = running.swap_remove(which % running.len());
                    let endings = [Ending::Good, Ending::Bad, Ending::Refused, Ending::Abandoned];
                    group.ended(id, endings[usize::from(ending)], now);
                }
                Event::End { .. } => {}
                Event::Answer { host, milliseconds } => {
                    if let Some(id) = present.get(host) {
                        group.answered(*id, Duration::from_millis(milliseconds), now);
                    }
                }
                Event::Check { host, is_well } => {
                    if let Some(id) = present.get(host) {
                        group.checked(*id, is_well, now);
                    }
                }
                Event::Members(count) => {
                    let (new, gone) = group.set_members(0, &bounded(count), now);
                    present.retain(|id| !gone.contains(id));
                    present.extend(new);
                    prop_assert_eq!(present.len(), count);
                }
                Event::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
            }
        }
        for id in running.drain(..) {
            group.ended(id, Ending::Abandoned, now);
        }
        for id in &present {
            group.checked(*id, true, now);
            group.checked(*id, true, now);
        }
        let ask = Ask { is_safe: true, ..Ask::default() };
        let found = (0..100).any(|_| match group.choose(&ask, now) {
            Choice::Host(_) => true,
            Choice::Wait(until) => { now = until; false }
            Choice::Full => false,
        });
        prop_assert!(found);
    }
}
