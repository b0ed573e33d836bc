//! A fleet on a clock of our own.

use std::time::Duration;

use tapster_supervisor::{
    Action, Command, Event, Fleet, Order, Plan, RetireReason, TemplateDeed, TemplateEvent, slots_for,
};
use tapster_sys::wait::Status;

pub const GRACE: Duration = Duration::from_secs(25);
pub const KILLED: Status = Status::Signaled { signal: 9, core: false };
pub const CRASHED: Status = Status::Signaled { signal: 11, core: true };
pub const CLEAN: Status = Status::Exited(0);

pub struct World {
    pub fleet: Fleet,
    pub now: Duration,
}

impl World {
    pub fn new(workers: usize) -> World {
        World::up_to(workers, workers)
    }

    pub fn up_to(workers: usize, most_workers: usize) -> World {
        World::of(Plan {
            workers,
            most_workers,
            slots: slots_for(most_workers),
            boot_timeout: Duration::from_secs(60),
            graceful_timeout: GRACE,
            preload: false,
        })
    }

    fn of(plan: Plan) -> World {
        World { fleet: Fleet::new(plan), now: Duration::ZERO }
    }

    /// Template 1 imports the application.
    pub fn preloading(workers: usize) -> World {
        let mut world = World::of(Plan {
            workers,
            most_workers: workers,
            slots: slots_for(workers),
            boot_timeout: Duration::from_secs(60),
            graceful_timeout: GRACE,
            preload: true,
        });
        world.order(Command::Start);
        world
    }

    /// Workers in slots 0.., forked by template 1, all ready for ten seconds.
    pub fn preloaded(workers: usize) -> World {
        let mut world = World::preloading(workers);
        world.template(1, TemplateEvent::Ready);
        for slot in 0..workers {
            world.deeds(Event::Born { slot });
            world.ready(slot);
        }
        world.pass(10_000);
        world
    }

    pub fn template(&mut self, template: u64, event: TemplateEvent) -> Vec<Action> {
        self.deeds(Event::Template { template, event })
    }

    /// Workers in slots 0.., all ready for ten seconds.
    pub fn serving(workers: usize) -> World {
        let mut world = World::new(workers);
        world.order(Command::Start);
        for slot in 0..workers {
            world.ready(slot);
        }
        world.pass(10_000);
        world
    }

    pub fn event(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.fleet.handle(self.now, event, &mut actions);
        actions
    }

    /// What is done about it, without what is only said about it.
    pub fn deeds(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.event(event);
        actions.retain(|action| !matches!(action, Action::Report(_)));
        actions
    }

    pub fn order(&mut self, command: Command) -> Vec<Action> {
        self.deeds(Event::Command(command))
    }

    pub fn ready(&mut self, slot: usize) -> Vec<Action> {
        self.deeds(Event::Ready { slot })
    }

    pub fn exit(&mut self, slot: usize, status: Status) -> Vec<Action> {
        self.deeds(Event::Exited { slot, status })
    }

    pub fn retire(&mut self, slot: usize, reason: RetireReason) -> Vec<Action> {
        self.deeds(Event::Retire { slot, reason })
    }

    pub fn pass(&mut self, milliseconds: u64) -> Vec<Action> {
        self.now += Duration::from_millis(milliseconds);
        self.deeds(Event::Tick)
    }
}

pub fn start(slot: usize, generation: u64) -> Action {
    Action::Start { slot, generation }
}

pub fn drain(slot: usize) -> Action {
    Action::Tell { slot, order: Order::Drain(GRACE) }
}

pub fn poke(slot: usize) -> Action {
    Action::Tell { slot, order: Order::Poke }
}

pub fn fork(template: u64, slot: usize, generation: u64) -> Action {
    Action::Template { template, deed: TemplateDeed::Fork { slot, generation } }
}

pub fn deed(template: u64, deed: TemplateDeed) -> Action {
    Action::Template { template, deed }
}
