//! The servers that a front alone passes requests to: which of them gets a request, with how many at once, and the
//! connections to them. What is decided is decided by [`balance`](crate::balance).

mod ahead;
mod answer;
mod attempt;
mod body;
mod cgi;
mod checks;
mod connect;
mod fields;
mod flowing;
mod link;
mod message;
mod names;
mod packet;
mod pass;
mod place;
mod pool;
mod queue;
mod relay;
mod rules;
mod tunnel;
mod upgrade;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

use tapster_config::Upstream;
use tapster_observe::{FrontBoard, Incident, Log, WorkerBoard};
use tokio::sync::Notify;

use crate::balance::{Ending, Group, HostId, Member, Standing, Time};
use crate::spool::{Account, Spool};

pub(crate) use pass::pass;
use place::Place;
use pool::Pool;
use queue::Waiter;
pub(crate) use rules::Rules;

/// All upstreams.
pub(crate) struct Upstreams {
    rules: Rules,
    began: Instant,
    state: RefCell<State>,
    /// What the names of upstreams stood for when somebody could be asked.
    resolved: RefCell<HashMap<String, Vec<IpAddr>>>,
    /// A host came, or came back.
    changed: Notify,
    log: Log,
    /// Where requests are counted.
    board: Option<WorkerBoard>,
    /// Where bodies are that are too large for memory.
    spool: Rc<Spool>,
    /// And how the hosts are is shown.
    counters: FrontBoard,
    is_retired: Cell<bool>,
}

struct State {
    group: Group,
    places: HashMap<HostId, Rc<Place>>,
    pool: Pool,
    waiting: VecDeque<Waiter>,
}

/// A request's leave to be sent to a host. The host counts it until this is dropped.
pub(crate) struct Ticket {
    upstreams: Rc<Upstreams>,
    host: HostId,
    place: Rc<Place>,
    ending: Ending,
}

impl Upstreams {
    pub(crate) fn new(
        rules: Rules,
        account: &Account,
        counters: &FrontBoard,
        log: &Log,
        before: Option<&Rc<Upstreams>>,
    ) -> Rc<Upstreams> {
        // Several fronts must not draw the same lots.
        let seed = tapster_sys::jitter::up_to(u64::MAX);
        let mut group = Group::new(rules.algorithm, rules.health_path.is_some(), seed);
        if let Some(before) = before {
            group.remember(&before.state.borrow().group);
        }
        let state = State { group, places: HashMap::new(), pool: Pool::default(), waiting: VecDeque::new() };
        let spool = Spool::new(rules.temp_dir.clone(), rules.spool_max, account.clone());
        Rc::new(Upstreams {
            rules,
            began: before.map_or_else(Instant::now, |before| before.began),
            state: RefCell::new(state),
            resolved: RefCell::new(before.map(|before| before.resolved.borrow().clone()).unwrap_or_default()),
            changed: Notify::new(),
            log: log.clone(),
            board: account.own.clone(),
            spool,
            counters: counters.clone(),
            is_retired: Cell::new(false),
        })
    }

    /// Whether it is the group of this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.rules.name == name
    }

    /// Whether it does what these rules say.
    pub(crate) fn has_rules(&self, rules: &Rules) -> bool {
        self.rules == *rules
    }

    /// Another group has its place: its requests end, and nobody looks after it any more.
    pub(crate) fn retire(&self) {
        self.is_retired.set(true);
        let state = &mut *self.state.borrow_mut();
        state.places.values().for_each(|place| drop(place.board.take()));
        state.pool = Pool::default();
    }

    /// Finds the hosts, and looks after them from now on.
    pub(crate) fn start(self: &Rc<Upstreams>) {
        for index in 0..self.rules.upstreams.len() {
            names::follow(self, index);
        }
        pool::sweep(self);
    }

    /// How many servers were given.
    pub(crate) fn count(&self) -> usize {
        self.rules.upstreams.len()
    }

    /// Time on the clock of the group.
    fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// These are the addresses of an upstream now.
    fn set_addresses(self: &Rc<Upstreams>, upstream: usize, places: Vec<Place>) {
        let Upstream { weight, slots, .. } = self.rules.upstreams[upstream];
        let slots = slots.or(self.rules.slots);
        let member = |place: &Place| Member {
            name: place.name.clone(),
            token: self.rules.token(&place.name),
            weight,
            slots,
        };
        let members: Vec<_> = places.iter().map(member).collect();
        let mut added = Vec::new();
        {
            let state = &mut *self.state.borrow_mut();
            let (new, gone) = state.group.set_members(upstream, &members, self.now());
            for host in gone {
                state.places.remove(&host);
                state.pool.forget(host);
            }
            for place in places {
                let is_its = |host: &&HostId| state.group.name(**host) == Some(place.name.as_str());
                if let Some(&host) = new.iter().find(is_its) {
                    place.board.replace(self.counters.add_host(&self.rules.name, &place.name));
                    let place = Rc::new(place);
                    if let Some(standing) = state.group.standing(host) {
                        place.show(standing, state.group.left(host, self.now()));
                    }
                    state.places.insert(host, place.clone());
                    added.push((host, place));
                }
            }
        }
        for (host, place) in added {
            if self.state.borrow().group.standing(host) == Some(Standing::Refusing) {
                checks::wait_for_connection(self, host, &place);
            }
            checks::follow(self, host, place);
        }
        self.someone_came();
    }

    /// Requests that wait may go on.
    fn someone_came(self: &Rc<Upstreams>) {
        self.changed.notify_waiters();
        self.dispatch();
    }

    /// Something was learnt of a host: says in the log what that changes.
    fn learn(self: &Rc<Upstreams>, host: HostId, place: &Place, lesson: impl FnOnce(&mut Group, Time)) {
        let now = self.now();
        let (before, after, left) = {
            let group = &mut self.state.borrow_mut().group;
            let before = group.standing(host);
            lesson(group, now);
            (before, group.standing(host), group.left(host, now))
        };
        if before == after {
            return;
        }
        after.iter().for_each(|standing| place.show(*standing, left));
        match (before, after) {
            (Some(Standing::Unknown), Some(Standing::In)) => self.someone_came(),
            (_, Some(Standing::In)) => {
                self.log.info(format_args!("upstream {place} is back"));
                self.someone_came();
            }
            (Some(Standing::In | Standing::Unknown), Some(why)) => {
                self.log.report(
                    Incident::UPSTREAM_UNAVAILABLE,
                    format_args!("upstream {place} gets no requests for now: {why}"),
                );
                self.state.borrow_mut().pool.forget(host);
                if why == Standing::Refusing {
                    checks::wait_for_connection(self, host, place);
                }
            }
            _ => {}
        }
    }
}

impl Ticket {
    /// How it ended. Without this word: by the client.
    fn ended(&mut self, ending: Ending) {
        self.ending = ending;
    }

    /// What a client is given to come back to this host.
    fn token(&self) -> Option<u64> {
        self.upstreams.state.borrow().group.token(self.host)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (host, ending) = (self.host, self.ending);
        let is_bad = matches!(ending, Ending::Bad | Ending::Refused);
        self.place.board.borrow().iter().for_each(|board| board.end(is_bad));
        self.upstreams.learn(host, &self.place, |group, now| group.ended(host, ending, now));
        self.upstreams.dispatch();
    }
}
