//! The fleet with `--reload`: what is new is served at once or waited for, what is old is not, and what is broken is
//! answered for.

use std::time::Duration;

use proptest::prelude::*;
use tapster_supervisor::{
    Action, BootFailure, Command, Event, Fleet, Order, Outcome, Plan, Report, slots_for,
};
use tapster_sys::wait::Status;

const GRACE: Duration = Duration::from_secs(1);
const CRASHED: Status = Status::Signaled { signal: 11, core: true };
const CLEAN: Status = Status::Exited(0);

struct World {
    fleet: Fleet,
    now: Duration,
    reports: Vec<Report>,
}

impl World {
    fn new(workers: usize) -> World {
        let plan = Plan {
            workers,
            most_workers: workers,
            slots: slots_for(workers),
            boot_timeout: Duration::from_secs(60),
            graceful_timeout: Duration::from_secs(25),
            preload: false,
        };
        let fleet = Fleet::new(plan).for_development(true);
        let mut world = World { fleet, now: Duration::ZERO, reports: Vec::new() };
        assert_eq!(world.order(Command::Start), [start(0, 0)]);
        world
    }

    /// What is done, without what is said; that is kept.
    fn event(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.fleet.handle(self.now, event, &mut actions);
        let (said, done): (Vec<_>, Vec<_>) =
            actions.into_iter().partition(|action| matches!(action, Action::Report(_)));
        self.reports.extend(said.into_iter().filter_map(|action| match action {
            Action::Report(report) => Some(report),
            _ => None,
        }));
        done
    }

    fn order(&mut self, command: Command) -> Vec<Action> {
        self.event(Event::Command(command))
    }

    fn pass(&mut self, milliseconds: u64) -> Vec<Action> {
        self.now += Duration::from_millis(milliseconds);
        self.event(Event::Tick)
    }

    fn last(&self) -> Report {
        self.reports[self.reports.len() - 1]
    }
}

fn start(slot: usize, generation: u64) -> Action {
    Action::Start { slot, generation }
}

fn hand_over(slot: usize) -> Action {
    Action::Tell { slot, order: Order::HandOver(GRACE) }
}

#[test]
fn old_workers_hand_over_and_new_ones_start_at_the_same_time() {
    let mut world = World::new(2);
    assert_eq!(world.event(Event::Ready { slot: 0 }), [start(1, 0)]);
    assert_eq!(world.event(Event::Ready { slot: 1 }), []);
    assert_eq!(world.last(), Report::AllReady { workers: 2, took: Duration::ZERO });
    world.pass(10_000);
    assert_eq!(world.order(Command::Reload), [hand_over(0), hand_over(1), start(2, 1), start(3, 1)]);
    assert_eq!(world.last(), Report::Renewing);
    world.pass(200);
    assert_eq!(world.event(Event::Ready { slot: 2 }), []);
    assert_eq!(world.last(), Report::WorkerReady { slot: 2, took: Duration::from_millis(200) });
    world.event(Event::Ready { slot: 3 });
    assert_eq!(world.last(), Report::Reloaded(Duration::from_millis(200)));
    world.event(Event::Exited { slot: 0, status: CLEAN });
    // Workers that do not come to an end are ended.
    assert_eq!(world.pass(4_000), [Action::Kill { slot: 1 }]);
}

#[test]
fn a_save_while_a_worker_boots_does_not_wait_for_it() {
    let mut world = World::new(1);
    assert_eq!(world.order(Command::Reload), [Action::Terminate { slot: 0 }, start(1, 1)]);
    assert_eq!(world.order(Command::Reload), [Action::Terminate { slot: 1 }, start(2, 2)]);
    world.event(Event::Exited { slot: 0, status: CLEAN });
    assert_eq!(world.event(Event::Ready { slot: 2 }), []);
    assert_eq!(world.fleet.ready_slots().collect::<Vec<_>>(), [2]);
}

#[test]
fn a_worker_without_an_application_serves_the_reason_until_the_next_save() {
    let mut world = World::new(1);
    assert_eq!(world.event(Event::StandsIn { slot: 0 }), []);
    assert_eq!(world.last(), Report::StandingIn);
    assert_eq!(world.pass(60_000), []);
    assert_eq!(world.order(Command::Reload), [hand_over(0), start(1, 1)]);
    world.event(Event::Ready { slot: 1 });
    assert_eq!(world.last(), Report::Reloaded(Duration::ZERO));
}

#[test]
fn a_worker_that_dies_or_hangs_while_it_boots_is_stood_in_for() {
    let mut world = World::new(1);
    let died = BootFailure::Died(CRASHED);
    let stand_in = |failure| Action::StandIn { slot: 0, generation: 0, failure };
    assert_eq!(world.event(Event::Exited { slot: 0, status: CRASHED }), [stand_in(died)]);
    world.event(Event::StandsIn { slot: 0 });
    assert_eq!(world.last(), Report::StandingIn);

    let mut world = World::new(1);
    assert_eq!(world.pass(60_000), [Action::Kill { slot: 0 }]);
    assert_eq!(world.event(Event::Exited { slot: 0, status: CRASHED }), [stand_in(BootFailure::TooSlow)]);
}

#[test]
fn the_end_is_the_same_as_ever() {
    let mut world = World::new(1);
    world.event(Event::Ready { slot: 0 });
    let drain = Action::Tell { slot: 0, order: Order::Drain(Duration::from_secs(25)) };
    assert_eq!(world.order(Command::Stop), [Action::CloseListeners, drain]);
    assert_eq!(world.order(Command::Reload), []);
    let end = world.event(Event::Exited { slot: 0, status: CLEAN });
    assert_eq!(end, [Action::Finish(Outcome::Stopped)]);
}

#[test]
fn a_system_that_starts_nothing_is_no_reason_to_stand_in() {
    let mut world = World::new(1);
    let end = world.event(Event::NotStarted { slot: 0 });
    assert_eq!(end, [Action::CloseListeners, Action::Finish(Outcome::BootFailed)]);
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Save,
    Ready(usize),
    StandsIn(usize),
    End(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Save),
        4 => any::<usize>().prop_map(Step::Ready),
        1 => any::<usize>().prop_map(Step::StandsIn),
        4 => any::<usize>().prop_map(Step::End),
        3 => (0..5_000_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// After each save no worker of before serves, and in the end all serve the newest code, whatever ended meanwhile.
    #[test]
    fn only_the_newest_code_serves(workers in 1..4_usize, steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(workers);
        let mut generations: Vec<Option<u64>> = vec![None; slots_for(workers)];
        generations[0] = Some(0);
        for action in world.event(Event::Ready { slot: 0 }) {
            if let Action::Start { slot, generation } = action {
                generations[slot] = Some(generation);
            }
        }
        let mut saves = 0;
        let quiet = (0..400).map(|number| match number % 20 {
            19 => Step::Pass(6_000),
            slot => Step::Ready(slot),
        });
        for step in steps.into_iter().chain(quiet) {
            let taken: Vec<usize> =
                generations.iter().enumerate().filter_map(|(slot, taken)| taken.map(|_| slot)).collect();
            let pick = |number: usize| taken.get(number % taken.len().max(1)).copied();
            let event = match step {
                Step::Save => { saves += 1; Some(Event::Command(Command::Reload)) }
                Step::Ready(number) => pick(number).map(|slot| Event::Ready { slot }),
                Step::StandsIn(number) => pick(number).map(|slot| Event::StandsIn { slot }),
                Step::End(number) => pick(number).map(|slot| Event::Exited { slot, status: CRASHED }),
                Step::Pass(time) => { world.now += Duration::from_millis(time); Some(Event::Tick) }
            };
            let Some(event) = event else { continue };
            if let Event::Exited { slot, .. } = event {
                generations[slot] = None;
            }
            let mut killed = Vec::new();
            let mut actions = world.event(event);
            while !actions.is_empty() {
                for action in std::mem::take(&mut actions) {
                    match action {
                        Action::Start { slot, generation } | Action::StandIn { slot, generation, .. } => {
                            prop_assert_eq!(generations[slot], None, "slot {} is used twice", slot);
                            prop_assert_eq!(generation, saves);
                            generations[slot] = Some(generation);
                        }
                        Action::Kill { slot } => killed.push(slot),
                        Action::Tell { .. } | Action::Terminate { .. } => {}
                        other => prop_assert!(false, "{:?}", other),
                    }
                }
                if let Some(slot) = killed.pop() {
                    generations[slot] = None;
                    actions = world.event(Event::Exited { slot, status: CRASHED });
                }
            }
            for slot in world.fleet.ready_slots() {
                prop_assert_eq!(generations[slot], Some(saves), "slot {} serves old code", slot);
            }
        }
        prop_assert_eq!(world.fleet.ready_slots().count(), workers);
    }
}
