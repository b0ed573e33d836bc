//! How workers begin, what follows when they do not, and when they die.

use std::time::Duration;

use tapster_supervisor::{
    Action, BootFailure, Command, EXIT_NOT_SHARED, Event, Outcome, Report, TemplateEvent,
};
use tapster_sys::wait::Status;

use crate::world::{CRASHED, KILLED, World, poke, start};

#[test]
fn the_first_worker_starts_alone_and_the_others_follow_it() {
    let mut world = World::new(3);
    assert_eq!(world.order(Command::Start), [start(0, 0)]);
    assert_eq!(world.order(Command::Start), []);
    world.now = Duration::from_millis(300);
    assert_eq!(world.ready(0), [start(1, 0), start(2, 0)]);
    assert_eq!(world.ready(2), []);
    let took = Duration::from_millis(300);
    let last = world.event(Event::Ready { slot: 1 });
    assert_eq!(last[1], Action::Report(Report::AllReady { workers: 3, took }));
    assert_eq!(world.fleet.next_deadline(), None);
}

#[test]
fn an_application_that_cannot_be_loaded_ends_the_server() {
    let mut world = World::new(4);
    world.order(Command::Start);
    assert_eq!(world.event(Event::BootFailed { slot: 0 }), []);
    let end = world.event(Event::Exited { slot: 0, status: Status::Exited(1) });
    let expected = [
        Action::Report(Report::NotBooted { slot: 0, failure: BootFailure::Refused }),
        Action::Report(Report::GivingUp),
        Action::CloseListeners,
        Action::Report(Report::Stopped),
        Action::Finish(Outcome::BootFailed),
    ];
    assert_eq!(end, expected);
    assert_eq!(Outcome::BootFailed.exit_code(), 3);
}

#[test]
fn a_first_worker_that_crashes_or_cannot_be_forked_ends_the_server_too() {
    let mut world = World::new(1);
    world.order(Command::Start);
    assert_eq!(world.exit(0, CRASHED), [Action::CloseListeners, Action::Finish(Outcome::BootFailed)]);
    let mut world = World::new(1);
    world.order(Command::Start);
    let end = world.deeds(Event::NotStarted { slot: 0 });
    assert_eq!(end, [Action::CloseListeners, Action::Finish(Outcome::BootFailed)]);
}

#[test]
fn a_boot_that_takes_too_long_is_killed() {
    let mut world = World::new(1);
    world.order(Command::Start);
    assert_eq!(world.fleet.next_deadline(), Some(Duration::from_secs(60)));
    assert_eq!(world.pass(59_999), []);
    assert_eq!(world.pass(1), [Action::Kill { slot: 0 }]);
    assert_eq!(world.fleet.next_deadline(), None);
    let end = world.event(Event::Exited { slot: 0, status: KILLED });
    assert_eq!(end[0], Action::Report(Report::NotBooted { slot: 0, failure: BootFailure::TooSlow }));
    assert_eq!(end.last(), Some(&Action::Finish(Outcome::BootFailed)));
}

#[test]
fn a_worker_that_cannot_boot_and_does_not_exit_is_killed() {
    let mut world = World::new(1);
    world.order(Command::Start);
    world.event(Event::BootFailed { slot: 0 });
    assert_eq!(world.pass(5_000), [Action::Kill { slot: 0 }]);
    let end = world.event(Event::Exited { slot: 0, status: KILLED });
    assert_eq!(end[0], Action::Report(Report::NotBooted { slot: 0, failure: BootFailure::Refused }));
}

#[test]
fn a_crashed_worker_is_replaced_at_once_and_its_peers_are_woken() {
    let mut world = World::serving(3);
    assert_eq!(world.exit(1, CRASHED), [poke(0), poke(2), start(1, 0)]);
    assert_eq!(world.ready(1), []);
}

#[test]
fn a_worker_that_does_not_boot_any_more_is_tried_with_growing_pauses() {
    let mut world = World::serving(1);
    assert_eq!(world.exit(0, CRASHED), [start(0, 0)]);
    for pause in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
        assert_eq!(world.exit(0, Status::Exited(1)), []);
        assert_eq!(world.pass(pause - 1), []);
        assert_eq!(world.pass(1), [start(0, 0)]);
    }
    world.ready(0);
    world.pass(1_000);
    assert_eq!(world.exit(0, CRASHED), [start(0, 0)]);
}

#[test]
fn workers_that_die_young_are_not_replaced_in_a_busy_loop() {
    let mut world = World::serving(1);
    world.exit(0, CRASHED);
    world.ready(0);
    assert_eq!(world.exit(0, CRASHED), [start(0, 0)]);
    world.ready(0);
    assert_eq!(world.exit(0, CRASHED), []);
    assert_eq!(world.pass(100), [start(0, 0)]);
    world.ready(0);
    assert_eq!(world.exit(0, CRASHED), []);
    assert_eq!(world.pass(199), []);
    assert_eq!(world.pass(1), [start(0, 0)]);
}

#[test]
fn a_system_without_processes_is_asked_each_second() {
    let mut world = World::serving(2);
    assert_eq!(world.exit(0, CRASHED), [poke(1), start(0, 0)]);
    for pause in [100, 200, 400, 800, 1_000, 1_000] {
        let told = world.event(Event::NotStarted { slot: 0 });
        assert_eq!(told.len(), 1, "one line, for debugging: {told:?}");
        assert_eq!((world.pass(pause - 1), world.pass(1)), (vec![], vec![start(0, 0)]));
    }
    assert_eq!(world.ready(0), []);
}

#[test]
fn an_import_that_cannot_be_shared_is_left_to_each_worker() {
    let mut world = World::preloading(2);
    assert_eq!(world.template(1, TemplateEvent::Exited(Status::Exited(EXIT_NOT_SHARED))), [start(0, 0)]);
    assert_eq!(world.ready(0), [start(1, 0)]);
}

#[test]
fn any_other_end_of_the_first_import_ends_the_server() {
    let mut world = World::preloading(2);
    let end = world.template(1, TemplateEvent::Exited(Status::Exited(1)));
    assert_eq!(end, [Action::CloseListeners, Action::Finish(Outcome::BootFailed)]);
}
