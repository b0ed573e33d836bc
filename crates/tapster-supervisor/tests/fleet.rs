//! The fleet on a clock of our own: one scenario after the other.

use std::time::Duration;

use tapster_supervisor::{
    Action, BootFailure, Command, Event, Fleet, Order, Outcome, Plan, Reason, Report, RetireReason, slots_for,
};
use tapster_sys::wait::Status;

const GRACE: Duration = Duration::from_secs(25);
const KILLED: Status = Status::Signaled { signal: 9, core: false };
const CRASHED: Status = Status::Signaled { signal: 11, core: true };
const CLEAN: Status = Status::Exited(0);

struct World {
    fleet: Fleet,
    now: Duration,
}

impl World {
    fn new(workers: usize) -> World {
        World::up_to(workers, workers)
    }

    fn up_to(workers: usize, most_workers: usize) -> World {
        let plan = Plan {
            workers,
            most_workers,
            slots: slots_for(most_workers),
            boot_timeout: Duration::from_secs(60),
            graceful_timeout: GRACE,
            preload: false,
        };
        World { fleet: Fleet::new(plan), now: Duration::ZERO }
    }

    /// Workers in slots 0.., all ready for ten seconds.
    fn serving(workers: usize) -> World {
        let mut world = World::new(workers);
        world.order(Command::Start);
        for slot in 0..workers {
            world.ready(slot);
        }
        world.pass(10_000);
        world
    }

    fn event(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.fleet.handle(self.now, event, &mut actions);
        actions
    }

    /// What is done about it, without what is only said about it.
    fn deeds(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.event(event);
        actions.retain(|action| !matches!(action, Action::Report(_)));
        actions
    }

    fn order(&mut self, command: Command) -> Vec<Action> {
        self.deeds(Event::Command(command))
    }

    fn ready(&mut self, slot: usize) -> Vec<Action> {
        self.deeds(Event::Ready { slot })
    }

    fn exit(&mut self, slot: usize, status: Status) -> Vec<Action> {
        self.deeds(Event::Exited { slot, status })
    }

    fn retire(&mut self, slot: usize, reason: RetireReason) -> Vec<Action> {
        self.deeds(Event::Retire { slot, reason })
    }

    fn pass(&mut self, milliseconds: u64) -> Vec<Action> {
        self.now += Duration::from_millis(milliseconds);
        self.deeds(Event::Tick)
    }
}

fn start(slot: usize, generation: u64) -> Action {
    Action::Start { slot, generation }
}

fn drain(slot: usize) -> Action {
    Action::Tell { slot, order: Order::Drain(GRACE) }
}

fn poke(slot: usize) -> Action {
    Action::Tell { slot, order: Order::Poke }
}

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
