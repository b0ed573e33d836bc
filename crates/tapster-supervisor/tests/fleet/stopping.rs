//! How a fleet ends.

use std::time::Duration;

use tapster_supervisor::{Action, Command, Order, Outcome};
use tapster_sys::wait::Status;

use crate::world::{CLEAN, CRASHED, KILLED, World, drain, poke, start};

#[test]
fn a_worker_that_does_not_finish_draining_is_killed() {
    let mut world = World::serving(1);
    world.order(Command::Reload);
    assert_eq!(world.ready(1), [drain(0)]);
    assert_eq!(world.pass(26_999), []);
    assert_eq!(world.pass(1), [Action::Kill { slot: 0 }]);
    assert_eq!(world.exit(0, KILLED), [poke(1)]);
    assert_eq!(world.fleet.next_deadline(), None);
}

#[test]
fn a_stop_drains_all_and_ends_when_the_last_has_gone() {
    let mut world = World::serving(2);
    assert_eq!(world.order(Command::Stop), [Action::CloseListeners, drain(0), drain(1)]);
    assert_eq!(world.order(Command::Reload), []);
    assert_eq!(world.order(Command::Grow), []);
    assert_eq!(world.exit(0, CLEAN), []);
    assert_eq!(world.exit(1, CLEAN), [Action::Finish(Outcome::Stopped)]);
    assert_eq!(world.order(Command::Stop), []);
    assert_eq!(world.pass(1), []);
}

#[test]
fn a_second_stop_does_not_wait_and_a_third_kills() {
    let mut world = World::serving(1);
    world.order(Command::Stop);
    assert_eq!(world.order(Command::Stop), [Action::Tell { slot: 0, order: Order::Stop }]);
    assert_eq!(world.order(Command::Stop), [Action::Kill { slot: 0 }]);
    assert_eq!(world.exit(0, KILLED), [Action::Finish(Outcome::Stopped)]);
}

#[test]
fn with_a_delay_workers_accept_on_and_the_rest_of_the_time_is_for_requests() {
    let mut world = World::serving(2);
    world.fleet = world.fleet.drain_after(Duration::from_secs(5));
    assert_eq!(world.order(Command::Stop), []);
    assert_eq!((world.order(Command::Reload), world.order(Command::Grow)), (vec![], vec![]));
    // One that dies meanwhile is replaced: clients still come.
    assert_eq!(world.exit(0, CRASHED), [poke(1), start(0, 0)]);
    world.ready(0);
    assert_eq!(world.pass(4_999), []);
    assert_eq!(world.fleet.next_deadline(), Some(world.now + Duration::from_millis(1)));
    let drain = |slot| Action::Tell { slot, order: Order::Drain(Duration::from_secs(20)) };
    assert_eq!(world.pass(1), [Action::CloseListeners, drain(0), drain(1)]);
    assert_eq!(world.pass(22_000), [Action::Kill { slot: 0 }, Action::Kill { slot: 1 }]);
}

#[test]
fn a_second_stop_does_not_wait_for_the_delay_either() {
    let mut world = World::serving(1);
    world.fleet = world.fleet.drain_after(Duration::from_secs(5));
    assert_eq!(world.order(Command::Stop), []);
    let drain = Action::Tell { slot: 0, order: Order::Drain(Duration::from_secs(20)) };
    let stop = Action::Tell { slot: 0, order: Order::Stop };
    assert_eq!(world.order(Command::Stop), [Action::CloseListeners, drain, stop]);
}

#[test]
fn who_sits_at_the_terminal_waits_for_three_seconds() {
    let mut world = World::serving(1);
    world.fleet = world.fleet.drain_after(Duration::from_secs(5));
    let drain = Action::Tell { slot: 0, order: Order::Drain(Duration::from_secs(3)) };
    assert_eq!(world.order(Command::Interrupt), [Action::CloseListeners, drain]);
    assert_eq!(world.order(Command::Interrupt), [Action::Tell { slot: 0, order: Order::Stop }]);
}

#[test]
fn a_stop_has_an_end_even_when_workers_do_not_obey() {
    let mut world = World::serving(2);
    world.order(Command::Stop);
    assert_eq!(world.pass(27_000), [Action::Kill { slot: 0 }, Action::Kill { slot: 1 }]);
    world.exit(1, KILLED);
    assert_eq!(world.exit(0, KILLED), [Action::Finish(Outcome::Stopped)]);
}

#[test]
fn a_stop_while_the_application_is_loaded_does_not_wait_for_it() {
    let mut world = World::new(2);
    world.order(Command::Start);
    assert_eq!(world.order(Command::Stop), [Action::CloseListeners, Action::Terminate { slot: 0 }]);
    assert_eq!(world.ready(0), []);
    assert_eq!(world.pass(2_000), [Action::Kill { slot: 0 }]);
    assert_eq!(world.exit(0, KILLED), [Action::Finish(Outcome::Stopped)]);
}

#[test]
fn a_stop_forgets_workers_that_wait_to_be_tried_again() {
    let mut world = World::serving(1);
    world.exit(0, CRASHED);
    world.exit(0, Status::Exited(1));
    assert_eq!(world.order(Command::Stop), [Action::CloseListeners, Action::Finish(Outcome::Stopped)]);
}

#[test]
fn an_order_to_stop_what_makes_way_already_is_no_impatience() {
    let mut world = World::serving(1);
    assert_eq!(world.order(Command::MakeWay), [Action::CloseListeners, drain(0)]);
    assert_eq!(world.order(Command::Stop), []);
    assert_eq!(world.order(Command::Stop), [Action::Tell { slot: 0, order: Order::Stop }]);
}

#[test]
fn a_server_that_was_told_to_stop_and_makes_way_then_was_told_once() {
    let mut world = World::serving(1);
    world.order(Command::Stop);
    assert_eq!(world.order(Command::MakeWay), []);
    assert_eq!(world.order(Command::Stop), [Action::Tell { slot: 0, order: Order::Stop }]);
}

#[test]
fn workers_that_drain_already_do_not_outlast_the_three_seconds() {
    let short = |slot| Action::Tell { slot, order: Order::Drain(Duration::from_secs(3)) };
    let mut world = World::serving(1);
    world.order(Command::Reload);
    assert_eq!(world.ready(1), [drain(0)]);
    assert_eq!(world.order(Command::Interrupt), [Action::CloseListeners, short(1), short(0)]);
    assert_eq!(world.pass(5_000), [Action::Kill { slot: 0 }, Action::Kill { slot: 1 }]);
    let mut world = World::serving(1);
    world.order(Command::MakeWay);
    assert_eq!(world.order(Command::Interrupt), [short(0)]);
    assert_eq!(world.order(Command::Interrupt), [Action::Tell { slot: 0, order: Order::Stop }]);
}
