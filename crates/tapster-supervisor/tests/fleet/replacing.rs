//! Single workers are replaced, and their number is changed.

use tapster_supervisor::{Action, Command, Event, Order, Reason, Report, RetireReason, slots_for};
use tapster_sys::wait::Status;

use crate::world::{CLEAN, CRASHED, KILLED, World, drain, poke, start};

#[test]
fn workers_can_be_added_and_taken_away_within_bounds() {
    let mut world = World::serving(1);
    assert_eq!(world.order(Command::Grow), [start(1, 0)]);
    assert_eq!(world.ready(1), []);
    assert_eq!(world.order(Command::Shrink), [drain(0)]);
    assert_eq!(world.order(Command::Shrink), []);
    assert_eq!(world.fleet.wanted(), 1);
    for _ in 0..100 {
        world.order(Command::Grow);
    }
    assert_eq!(world.fleet.wanted(), slots_for(1) - 1);
}

#[test]
fn a_worker_taken_away_before_it_serves_is_ended() {
    let mut world = World::serving(1);
    world.order(Command::Grow);
    assert_eq!(world.order(Command::Shrink), [Action::Terminate { slot: 1 }]);
    assert_eq!(world.exit(1, CLEAN), [poke(0)]);
}

#[test]
fn logs_are_reopened_by_every_worker() {
    let mut world = World::serving(2);
    let reopen = |slot| Action::Tell { slot, order: Order::Reopen };
    assert_eq!(world.order(Command::Reopen), [reopen(0), reopen(1)]);
}

const DUE: RetireReason = RetireReason::MaxRequests { requests: 500 };
const STUCK: RetireReason = RetireReason::Stuck { seconds: 31 };

#[test]
fn a_retiring_worker_serves_until_its_successor_does() {
    let mut world = World::serving(2);
    let actions = world.event(Event::Retire { slot: 0, reason: DUE });
    assert_eq!(actions, [Action::Report(Report::Retiring { slot: 0, reason: DUE }), start(2, 0)]);
    assert_eq!(world.event(Event::Retire { slot: 0, reason: DUE }), []);
    assert_eq!(world.ready(2), [drain(0)]);
    assert_eq!(world.exit(0, CLEAN), [poke(1), poke(2)]);
    assert_eq!(world.fleet.next_deadline(), None);
}

#[test]
fn workers_retire_one_after_the_other() {
    let mut world = World::serving(3);
    assert_eq!(world.retire(1, DUE), [start(3, 0)]);
    assert_eq!(world.retire(0, DUE), []);
    let first = world.ready(3);
    assert_eq!(first, [drain(0)]);
    assert_eq!(world.pass(20_000), []);
    assert_eq!(world.exit(0, CLEAN), [poke(1), poke(2), poke(3), start(0, 0)]);
    assert_eq!(world.ready(0), [drain(1)]);
    assert_eq!(world.exit(1, CLEAN), [poke(0), poke(2), poke(3)]);
}

#[test]
fn a_stuck_worker_jumps_the_queue_and_is_killed_if_it_does_not_end() {
    let mut world = World::serving(3);
    assert_eq!(world.retire(0, DUE), [start(3, 0)]);
    assert_eq!(world.retire(1, DUE), []);
    assert_eq!(world.retire(2, STUCK), []);
    // The successor was meant for another one, which waits for the next.
    assert_eq!(world.ready(3), [drain(2)]);
    assert_eq!(world.retire(1, STUCK), [start(4, 0)]);
    assert_eq!(world.ready(4), [drain(1)]);
    assert_eq!(world.pass(27_000), [Action::Kill { slot: 1 }, Action::Kill { slot: 2 }]);
    world.exit(2, KILLED);
    assert_eq!(world.exit(1, KILLED), [poke(0), poke(3), poke(4), start(1, 0)]);
    assert_eq!(world.ready(1), [drain(0)]);
}

#[test]
fn a_retiring_worker_stays_while_its_successor_does_not_boot() {
    let mut world = World::serving(1);
    assert_eq!(world.retire(0, DUE), [start(1, 0)]);
    assert_eq!(world.exit(1, Status::Exited(3)), [poke(0)]);
    assert_eq!(world.pass(99), []);
    assert_eq!(world.pass(1), [start(1, 0)]);
    assert_eq!(world.exit(1, Status::Exited(3)), [poke(0)]);
    // What was meant to be its successor takes its place when it dies.
    assert_eq!(world.exit(0, CRASHED), []);
    assert_eq!(world.pass(200), [start(1, 0)]);
    assert_eq!(world.ready(1), []);
    assert_eq!(world.fleet.next_deadline(), None);
}

#[test]
fn a_reload_replaces_a_retiring_worker_like_all_others() {
    let mut world = World::serving(2);
    assert_eq!(world.retire(1, DUE), [start(2, 0)]);
    assert_eq!(world.order(Command::Reload), []);
    assert_eq!(world.ready(2), [drain(1), start(3, 1)]);
    assert_eq!(world.ready(3), [drain(0), start(4, 1)]);
    // A worker of the new generation that is due waits for the end of the reload.
    assert_eq!(world.retire(3, DUE), []);
    world.exit(0, CLEAN);
    world.exit(1, CLEAN);
    assert_eq!(world.ready(4), [drain(2), start(0, 1)]);
    assert_eq!(world.ready(0), [drain(3)]);
}

#[test]
fn a_retirement_does_not_outlive_the_wish_for_fewer_workers() {
    let mut world = World::serving(2);
    assert_eq!(world.retire(1, DUE), [start(2, 0)]);
    assert_eq!(world.order(Command::Shrink), [drain(1), Action::Terminate { slot: 2 }]);
    assert_eq!(world.exit(2, CLEAN), [poke(0)]);
}

#[test]
fn the_operator_recycles_and_scales() {
    let mut world = World::serving(2);
    assert_eq!(world.order(Command::Recycle { slot: 1 }), [start(2, 0)]);
    assert_eq!(world.ready(2), [drain(1)]);
    for slot in [1, 5, 500] {
        let refused = world.event(Event::Command(Command::Recycle { slot }));
        assert_eq!(refused, [Action::Report(Report::NotRetiring { slot })]);
    }
    assert_eq!(world.order(Command::Scale(4)), [start(3, 0), start(4, 0)]);
    assert_eq!(world.order(Command::Scale(0)), []);
    assert_eq!(world.fleet.wanted(), 4);
}

#[test]
fn the_number_of_workers_follows_the_load_until_somebody_sets_it() {
    let mut world = World::up_to(1, 3);
    let reason = Reason::NoFreeThread { waiting: 4 };
    let wish = |workers| Event::Demand { workers, reason };
    assert_eq!(world.order(Command::Start), [start(0, 0)]);
    assert_eq!(world.event(wish(2)), []);
    world.ready(0);
    let grown = world.event(wish(2));
    assert_eq!(grown, [Action::Report(Report::Adapted { workers: 2, reason }), start(1, 0)]);
    world.ready(1);
    assert_eq!((world.event(wish(4)), world.event(wish(0))), (vec![], vec![]));
    assert_eq!(world.deeds(wish(1)), [drain(0)]);
    world.exit(0, CLEAN);
    assert_eq!(world.order(Command::Scale(5)).len(), 4);
    assert!(!world.fleet.follows_load());
    assert_eq!(world.event(wish(2)), []);
    for slot in [0, 2, 3, 4] {
        world.ready(slot);
    }
    let reloading = world.order(Command::Reload);
    assert!(world.fleet.follows_load());
    assert_eq!(
        (world.fleet.wanted(), reloading.len()),
        (3, 3),
        "two go, and the first of the new ones starts"
    );
    assert_eq!(world.event(wish(2)), [], "one thing after the other");
}
