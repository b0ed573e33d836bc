//! What a front writes is what is read.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{Scoreboard, words_needed};

struct Memory(Vec<AtomicU64>);

impl Deref for Memory {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        &self.0
    }
}

fn board(fronts: usize) -> Scoreboard {
    let words = words_needed(2, 3) + crate::front_words(fronts);
    let memory = Memory((0..words).map(|_| AtomicU64::new(0)).collect());
    Scoreboard::new(Arc::new(memory), 2, 3).unwrap().with_fronts(fronts).unwrap()
}

#[test]
fn what_is_counted_is_read() {
    let board = board(2);
    assert!(board.front(2).is_none());
    let (front, other) = (board.front(1).unwrap(), board.front(0).unwrap());
    front.reset(7);
    front.set_ready(true);
    front.answered(200, 100);
    front.answered(204, 0);
    front.answered(999, 1);
    front.refused(503);
    front.refused(418);
    front.count(FrontCounter::Retries);
    front.count_many(FrontCounter::CacheEvicted, 3);
    front.set(FrontGauge::CacheEntries, 5);
    let waits = front.enter(FrontGauge::Waiting);
    assert_eq!((front.now(FrontGauge::Waiting), front.pid(), front.is_ready()), (1, Some(7), true));
    drop(waits);
    assert_eq!(front.now(FrontGauge::Waiting), 0);
    assert_eq!(front.statuses(), [0, 2, 0, 0, 1]);
    assert_eq!(front.counted(FrontCounter::Bytes), 101);
    assert_eq!(front.refusals(), [(503, 1), (0, 1)]);
    assert_eq!((front.counted(FrontCounter::CacheEvicted), front.now(FrontGauge::CacheEntries)), (3, 5));
    front.reset(0);
    assert_eq!((front.counted(FrontCounter::CacheEvicted), front.now(FrontGauge::CacheEntries)), (3, 0));
    assert_eq!((front.pid(), front.is_ready(), front.counted(FrontCounter::Retries)), (None, false, 1));
    assert_eq!((other.statuses(), other.hosts()), ([0; 5], Vec::new()));
}

#[test]
fn hosts_come_and_go() {
    let front = board(1).front(0).unwrap();
    let one = front.add_host("", "http://10.0.0.5:8000").unwrap();
    let other = front.add_host("a group with a name beyond all measure", &"x".repeat(300)).unwrap();
    one.begin();
    one.begin();
    one.end(true);
    one.set_state(HostState::SlowStart, Duration::from_secs(60));
    let seen = front.hosts();
    assert_eq!(
        seen[0],
        HostView {
            group: String::new(),
            name: "http://10.0.0.5:8000".to_owned(),
            state: HostState::SlowStart,
            serves: true,
            active: 1,
            requests: 2,
            failures: 1
        }
    );
    assert_eq!((seen[1].group.len(), seen[1].name.len()), (32, 176));
    for (left, serves) in [(Duration::from_secs(60), false), (Duration::ZERO, true)] {
        one.set_state(HostState::Ejected, left);
        assert_eq!((front.hosts()[0].state, front.hosts()[0].serves), (HostState::Ejected, serves));
    }
    one.set_state(HostState::SlowStart, Duration::ZERO);
    drop(other);
    assert_eq!(front.hosts().iter().map(|host| host.state).collect::<Vec<_>>(), [HostState::Healthy]);
    let all: Vec<_> = (0..).map_while(|number| front.add_host("", &number.to_string())).collect();
    assert_eq!(all.len(), HOSTS - 1);
}
