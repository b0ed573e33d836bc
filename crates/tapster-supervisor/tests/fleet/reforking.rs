//! A warmed worker becomes the template, and what fails on the way changes nothing.

use tapster_supervisor::{Action, Command, Event, Order, Report, TemplateDeed, TemplateEvent};
use tapster_sys::wait::Status;

use crate::world::{CLEAN, CRASHED, GRACE, KILLED, World, deed, drain, fork, poke};

const WARM: Event = Event::Warm { slot: 1, requests: 1_000 };

fn promote(slot: usize) -> Action {
    Action::Tell { slot, order: Order::Promote(GRACE) }
}

/// Two workers, the second of which was just told to become the template. Its successor is in slot 2.
fn promoting() -> World {
    let mut world = World::preloaded(2);
    assert_eq!(world.deeds(WARM), [fork(1, 2, 0)]);
    world.deeds(Event::Born { slot: 2 });
    assert_eq!(world.ready(2), [promote(1)]);
    world
}

#[test]
fn a_worker_becomes_the_template_and_the_others_are_replaced_one_by_one() {
    let mut world = promoting();
    assert!(!world.fleet.wants_refork());
    let adopted = deed(2, TemplateDeed::Adopt { slot: 1 });
    assert_eq!(world.deeds(Event::Promoted { slot: 1 }), [poke(0), poke(2), adopted, fork(2, 1, 0)]);
    world.deeds(Event::Born { slot: 1 });
    assert_eq!(world.ready(1), [drain(0)]);
    assert_eq!(world.exit(0, CLEAN), [poke(1), poke(2), fork(2, 0, 0)]);
    world.deeds(Event::Born { slot: 0 });
    // The former template is not the last that has the import.
    assert_eq!(world.ready(0), [drain(2), deed(1, TemplateDeed::Retire)]);
    assert_eq!(world.exit(2, CLEAN), [poke(0), poke(1), deed(1, TemplateDeed::Leave)]);
    world.template(1, TemplateEvent::Exited(CLEAN));
    assert_eq!(world.fleet.next_deadline(), None);
    assert!(!world.fleet.wants_refork());
}

#[test]
fn a_worker_that_ends_instead_is_not_followed_by_another() {
    let mut world = promoting();
    let said = world.event(Event::Exited { slot: 1, status: CLEAN });
    assert!(said.contains(&Action::Report(Report::NotPromoted { slot: 1 })), "{said:?}");
    assert!(!world.fleet.wants_refork());
    assert_eq!(world.deeds(Event::Warm { slot: 0, requests: 1_000 }), []);
    assert_eq!(world.exit(0, CRASHED), [poke(2), fork(1, 0, 0)]);
}

#[test]
fn a_worker_that_dies_before_it_is_told_leaves_it_to_another() {
    let mut world = World::preloaded(2);
    world.deeds(WARM);
    world.exit(1, KILLED);
    world.deeds(Event::Born { slot: 2 });
    world.ready(2);
    assert!(world.fleet.wants_refork());
    assert_eq!(world.deeds(Event::Warm { slot: 0, requests: 1_000 }), [fork(1, 1, 0)]);
}

#[test]
fn a_fork_that_does_not_live_brings_the_former_template_back() {
    let mut world = promoting();
    world.deeds(Event::Promoted { slot: 1 });
    world.deeds(Event::Born { slot: 1 });
    let said = world.event(Event::Exited { slot: 1, status: CRASHED });
    assert!(said.contains(&Action::Report(Report::ReforkAborted)), "{said:?}");
    // It has no workers, and what it would remove is the former one's still.
    let end = [deed(2, TemplateDeed::Retire), deed(2, TemplateDeed::Leave)];
    assert!(said.windows(2).any(|two| two == end), "{said:?}");
    assert_eq!(world.exit(0, CRASHED), [poke(2), fork(1, 0, 0)]);
}

#[test]
fn a_new_template_that_dies_is_followed_by_the_former_one() {
    let mut world = promoting();
    world.deeds(Event::Promoted { slot: 1 });
    world.deeds(Event::Born { slot: 1 });
    world.ready(1);
    assert_eq!(world.template(2, TemplateEvent::Exited(KILLED)), []);
    // No further worker is replaced for it.
    assert_eq!(world.exit(0, CLEAN), [poke(1), poke(2)]);
    assert_eq!(world.exit(1, CRASHED), [poke(2), fork(1, 1, 0)]);
}

#[test]
fn a_reload_takes_over_from_a_refork() {
    let mut world = promoting();
    world.deeds(Event::Promoted { slot: 1 });
    assert_eq!(world.order(Command::Reload), [deed(3, TemplateDeed::Start { generation: 1 })]);
    world.deeds(Event::Born { slot: 1 });
    world.ready(1);
    let ready = world.template(3, TemplateEvent::Ready);
    assert!(ready.contains(&deed(2, TemplateDeed::Retire)), "{ready:?}");
    assert!(ready.iter().any(|action| matches!(action, Action::Template { template: 3, .. })), "{ready:?}");
}

#[test]
fn a_worker_that_is_ready_too_late_is_a_template_that_goes() {
    let mut world = promoting();
    world.order(Command::Reload);
    let late = world.deeds(Event::Promoted { slot: 1 });
    let expected =
        [TemplateDeed::Adopt { slot: 1 }, TemplateDeed::Retire, TemplateDeed::Leave].map(|it| deed(3, it));
    assert_eq!(late, [&[poke(0), poke(2)], &expected[..]].concat());
}

#[test]
fn a_stop_lets_the_worker_finish_and_exit() {
    let mut world = promoting();
    let stop = world.order(Command::Stop);
    assert_eq!(stop[..2], [Action::CloseListeners, drain(1)]);
    world.exit(1, Status::Exited(0));
}

#[test]
fn nobody_follows_the_template_while_something_else_goes_on() {
    let mut world = World::preloaded(2);
    assert!(world.fleet.wants_refork());
    world.order(Command::Reload);
    assert!(!world.fleet.wants_refork());
    assert_eq!(world.deeds(WARM), []);
    let mut without = World::serving(2);
    assert!(!without.fleet.wants_refork());
    assert_eq!(without.deeds(WARM), []);
}
