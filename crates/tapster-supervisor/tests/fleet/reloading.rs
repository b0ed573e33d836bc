//! Reloads: one worker after the other, and given up when a new one does not live.

use std::time::Duration;

use tapster_supervisor::{Action, Command, Event, Report};
use tapster_sys::wait::Status;

use crate::world::{CLEAN, CRASHED, World, drain, poke, start};

#[test]
fn a_reload_replaces_one_worker_after_the_other() {
    let mut world = World::serving(2);
    assert_eq!(world.order(Command::Reload), [start(2, 1)]);
    assert_eq!(world.ready(2), [drain(0), start(3, 1)]);
    assert_eq!(world.exit(0, CLEAN), [poke(1), poke(2)]);
    world.now += Duration::from_secs(1);
    let last = world.event(Event::Ready { slot: 3 });
    assert_eq!(last[1], drain(1));
    assert_eq!(last[2], Action::Report(Report::Reloaded(Duration::from_secs(1))));
    assert_eq!(world.exit(1, CLEAN), [poke(2), poke(3)]);
    assert_eq!(world.order(Command::Reload), [start(0, 2)]);
}

#[test]
fn a_reload_that_does_not_boot_leaves_the_old_workers_serving() {
    let mut world = World::serving(2);
    world.order(Command::Reload);
    world.event(Event::BootFailed { slot: 2 });
    let end = world.event(Event::Exited { slot: 2, status: Status::Exited(1) });
    assert!(end.contains(&Action::Report(Report::ReloadAborted { serving: 2 })), "{end:?}");
    assert_eq!(world.pass(60_000), []);
    assert_eq!(world.order(Command::Reload), [start(2, 2)]);
}

#[test]
fn a_second_order_to_reload_is_folded_into_the_first() {
    let mut world = World::serving(2);
    assert_eq!(world.order(Command::Reload), [start(2, 1)]);
    assert_eq!(world.order(Command::Reload), []);
    // The worker of generation 1 may have the code of before the second order.
    assert_eq!(world.ready(2), [drain(0), start(3, 2)]);
    assert_eq!(world.ready(3), [drain(1), start(4, 2)]);
    let end = world.event(Event::Ready { slot: 4 });
    assert_eq!(end[1], drain(2));
    assert!(matches!(end[2], Action::Report(Report::Reloaded(_))), "{end:?}");
}

#[test]
fn a_thousand_orders_to_reload_are_two_reloads() {
    let mut world = World::serving(2);
    assert_eq!(world.order(Command::Reload), [start(2, 1)]);
    let told: usize = (0..1000).map(|_| world.event(Event::Command(Command::Reload)).len()).sum();
    assert_eq!(told, 1, "it is said once that the worker on its way is to be replaced too");
    assert_eq!(world.ready(2), [drain(0), start(3, 2)]);
}

#[test]
fn a_failure_that_a_later_order_to_reload_overtook_does_not_end_the_reload() {
    let mut world = World::serving(1);
    assert_eq!(world.order(Command::Reload), [start(1, 1)]);
    world.order(Command::Reload);
    assert_eq!(world.exit(1, Status::Exited(1)), [poke(0), start(1, 2)]);
    assert_eq!(world.ready(1), [drain(0)]);
}

#[test]
fn a_reload_tries_at_once_what_was_waiting() {
    let mut world = World::serving(1);
    world.exit(0, CRASHED);
    for _ in 0..5 {
        world.exit(0, Status::Exited(1));
        world.pass(10_000);
    }
    world.exit(0, Status::Exited(1));
    assert_eq!(world.order(Command::Reload), [start(0, 1)]);
    let end = world.event(Event::Ready { slot: 0 });
    assert!(matches!(end[1], Action::Report(Report::Reloaded(_))), "{end:?}");
}

#[test]
fn a_crash_during_a_reload_is_filled_by_the_worker_on_its_way() {
    let mut world = World::serving(2);
    assert_eq!(world.order(Command::Reload), [start(2, 1)]);
    assert_eq!(world.exit(0, CRASHED), [poke(1)]);
    assert_eq!(world.ready(2), [start(0, 1)]);
    assert_eq!(world.ready(0), [drain(1)]);
}

#[test]
fn a_reload_whose_workers_die_young_is_given_up() {
    let mut world = World::serving(2);
    world.order(Command::Reload);
    assert_eq!(world.ready(2), [drain(0), start(3, 1)]);
    world.pass(10);
    let end = world.event(Event::Exited { slot: 2, status: CRASHED });
    assert!(end.contains(&Action::Report(Report::ReloadAborted { serving: 1 })), "{end:?}");
    assert_eq!(world.ready(3), []);
    assert_eq!(world.pass(20_000), []);
}
