//! The fleet under random schedules: whatever workers and operators do, its promises hold. TAPSTER_SCHEDULES says how
//! many there are for each promise; `make test-long` takes 100,000.

mod steps;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use tapster_supervisor::{Command, Event, Outcome, Report, RetireReason};

use steps::{Step, quiet_step, step};
use world::{GRACE, MouldState, Process, World};

fn world_after(workers: usize, preload: bool, steps: &[Step]) -> Option<World> {
    let mut world = World::new(workers, preload);
    world.event(Event::Command(Command::Start));
    for step in steps {
        world.take(*step);
        if world.stopping && world.outcome.is_none() {
            // It gave up, and the template is about to end.
            world.pass_until(world.now + Duration::from_secs(5));
        }
        if let Some(outcome) = world.outcome {
            assert_eq!(outcome, Outcome::BootFailed);
            assert!(!world.reports.iter().any(|report| matches!(report, Report::WorkerReady { .. })));
            return None;
        }
    }
    Some(world)
}

/// Some hundred schedules for each promise, or as many as the environment says.
fn config() -> ProptestConfig {
    let given = std::env::var("TAPSTER_SCHEDULES").ok().and_then(|text| text.parse().ok());
    ProptestConfig { cases: given.unwrap_or(500), failure_persistence: None, ..ProptestConfig::default() }
}

/// A worker that was to become the template is gone when it is taken, and its template's time is over too: that one was
/// once told that the other goes on, and what the import had made was left.
#[test]
fn a_template_has_no_heir_that_may_be_gone() {
    use Step::{Boot, BootTemplate, FinishDraining, ForkFails, Order, Promote, Warm};
    let steps = [
        BootTemplate,
        Boot(0),
        Warm(0),
        Boot(0),
        Order(Command::Reload),
        BootTemplate,
        ForkFails,
        Boot(0),
        FinishDraining(0),
        Promote,
    ];
    let Some(mut world) = world_after(1, true, &steps) else { panic!("the server gave up") };
    world.settle();
    assert_eq!(world.templates.len(), 1);
}

/// All workers of the former template were gone before the reload came to its end: it once stayed until something else
/// happened.
#[test]
fn a_former_template_ends_with_the_reload() {
    use Step::{Boot, BootTemplate, Crash, CrashTemplate, Order, Pass};
    let steps = [
        BootTemplate,
        Order(Command::Reload),
        BootTemplate,
        Order(Command::Reload),
        CrashTemplate(1),
        Boot(0),
        Crash(0),
        Pass(1_000),
    ];
    let Some(mut world) = world_after(4, true, &steps) else { panic!("the server gave up") };
    world.event(Event::Command(Command::Reload));
    world.settle();
    assert_eq!(world.templates.len(), 1);
}

/// The template dies before it has forked the first worker, and the next one takes its time: the worker was once taken
/// for one that does not boot.
#[test]
fn a_worker_that_waits_for_a_template_has_all_its_time() {
    use Step::{Boot, BootTemplate, CrashTemplate, HangTemplate, Order, Pass};
    let steps = [
        HangTemplate,
        BootTemplate,
        Pass(1_000),
        Order(Command::Reload),
        CrashTemplate(0),
        Pass(59_500),
        BootTemplate,
    ];
    let Some(mut world) = world_after(1, true, &steps) else { panic!("the server gave up") };
    world.take(Pass(58_000));
    world.take(Boot(0));
    world.settle();
    assert_eq!(world.count(Process::Ready), 1);
    assert!(!world.reports.iter().any(|report| matches!(report, Report::Overdue { .. })));
}

/// The same, and the next one cannot import the application: nobody serves, and nobody will.
#[test]
fn without_a_worker_or_a_template_the_server_gives_up() {
    use Step::{BootTemplate, CrashTemplate, FailTemplate, HangTemplate, Order, Pass};
    let steps =
        [HangTemplate, BootTemplate, Order(Command::Reload), CrashTemplate(0), Pass(1_000), FailTemplate];
    assert!(world_after(1, true, &steps).is_none());
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_fleet_recovers_from_everything(
        workers in 1..5_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let Some(mut world) = world_after(workers, preload, &steps) else { return Ok(()) };
        world.settle();
        prop_assert_eq!(world.count(Process::Ready), world.fleet.wanted());
        prop_assert_eq!(world.processes.iter().flatten().count(), world.fleet.wanted());
        prop_assert_eq!(world.fleet.next_deadline(), None);
        let forking = world.templates.iter().filter(|one| one.state == MouldState::Ready).count();
        prop_assert_eq!(forking, usize::from(preload));
    }

    #[test]
    fn a_reload_ends_with_new_workers_only(
        workers in 1..5_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let Some(mut world) = world_after(workers, preload, &steps) else { return Ok(()) };
        world.reports.clear();
        world.fork_fails = false;
        world.event(Event::Command(Command::Reload));
        world.settle();
        let ended = world.reports.iter().filter(|report| matches!(report, Report::Reloaded(_))).count();
        prop_assert_eq!(ended, 1);
        let mut generations: Vec<_> = world.processes.iter().flatten().map(|(_, generation)| *generation).collect();
        generations.dedup();
        prop_assert_eq!(generations.len(), 1);
        let left: Vec<_> = world.templates.iter().map(|one| one.generation).collect();
        prop_assert_eq!(left, if preload { generations } else { Vec::new() });
    }

    #[test]
    fn workers_that_are_due_go_one_at_a_time(
        workers in 1..6_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(quiet_step(), 0..80),
    ) {
        let mut world = World::new(workers, preload);
        world.event(Event::Command(Command::Start));
        world.settle();
        for step in steps {
            world.take(step);
            prop_assert!(world.count(Process::Draining) <= 1);
        }
        world.settle();
        prop_assert_eq!(world.count(Process::Ready), workers);
        // Nobody who was due is still there: whoever is told to go gets a slot, and each has a successor.
        let due = world.reports.iter().filter(|report| matches!(report, Report::Retiring { .. })).count();
        let gone = world.reports.iter().filter(|report| matches!(report, Report::Gone { .. })).count();
        let promoted = world.reports.iter().filter(|report| matches!(report, Report::Promoted { .. })).count();
        let is_refork = |report: &&Report| matches!(report, Report::Retiring { reason: RetireReason::Refork, .. });
        // The new template may be given up before they are replaced.
        let of_refork = world.reports.iter().filter(is_refork).count();
        prop_assert!(gone + promoted <= due);
        prop_assert!(gone + promoted + world.crashes + of_refork >= due);
    }

    #[test]
    fn a_warmed_worker_is_followed_by_forks_of_it_only(
        workers in 1..5_usize,
        steps in prop::collection::vec(step(), 0..40),
        number in any::<usize>(),
    ) {
        let Some(mut world) = world_after(workers, true, &steps) else { return Ok(()) };
        // What was imported anew has had no successor.
        world.fork_fails = false;
        world.event(Event::Command(Command::Reload));
        world.settle();
        world.reports.clear();
        let import = world.templates[0].id;
        world.take(Step::Warm(number));
        world.settle();
        prop_assert_eq!(world.reports.iter().filter(|report| matches!(report, Report::Reforked(_))).count(), 1);
        prop_assert_eq!(world.count(Process::Ready), world.fleet.wanted());
        prop_assert_eq!(world.templates.len(), 1);
        prop_assert!(world.templates[0].id != import && world.templates[0].import == import);
        prop_assert!(!world.fleet.wants_refork());
    }

    #[test]
    fn a_stop_always_ends(
        workers in 1..5_usize,
        preload in any::<bool>(),
        steps in prop::collection::vec(step(), 0..60),
        after in prop::collection::vec(step(), 0..20),
    ) {
        let Some(mut world) = world_after(workers, preload, &steps) else { return Ok(()) };
        let order = world.now;
        world.event(Event::Command(Command::Stop));
        for step in after {
            if world.outcome.is_none() {
                world.take(step);
            }
        }
        // Nobody obeys; only what is killed ends.
        if world.outcome.is_none() {
            world.reap_killed();
        }
        if world.outcome.is_none() {
            world.pass_until(world.now.max(order + GRACE + Duration::from_secs(5)));
        }
        prop_assert_eq!(world.outcome, Some(Outcome::Stopped));
    }
}
