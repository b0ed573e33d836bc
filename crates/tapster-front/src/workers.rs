//! The workers as the front sees them: which of them serve, how much each has to do, and one fair queue of requests for
//! all of them.
//!
//! A worker gets no more requests than it has threads, so that each request goes to the first thread that is free,
//! whichever worker's it is. Who serves and who is busy stands on the scoreboard; it is looked at when a request comes, when
//! one ends, and every few milliseconds while some wait.

pub(crate) mod hop;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tapster_observe::{FrontBoard, FrontCounter, FrontGauge, Scoreboard, WorkerState};
use tapster_sys::inbox::Inbox;
use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};

use hop::Hop;

/// Requests that may wait; more are answered with 503.
const QUEUE: usize = 16 * 1024;

/// How long a request waits while no worker serves: a restart takes less.
const HOLD: Duration = Duration::from_secs(10);

/// How often the scoreboard is looked at while requests wait.
const LOOK: Duration = Duration::from_millis(5);

/// Idle connections kept to each worker.
const KEPT: usize = 64;

/// All workers.
pub(crate) struct Workers {
    board: Scoreboard,
    inboxes: Vec<(usize, Inbox)>,
    /// Threads of each.
    threads: usize,
    state: RefCell<State>,
    someone_waits: Notify,
    counters: FrontBoard,
}

struct State {
    places: Vec<Place>,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// The worker in a slot.
#[derive(Default)]
struct Place {
    pid: u32,
    /// Requests that it has and did not begin to answer.
    pending: usize,
    /// Requests whose answers are on their way. Some of them hold a thread; others wait for their clients alone.
    flowing: usize,
    idle: Vec<Hop>,
}

/// Leave to send a request to a worker.
pub(crate) struct Permit {
    workers: Rc<Workers>,
    slot: usize,
    pid: u32,
    stage: Stage,
}

/// What a permit counts as in its worker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing.
    Nothing,
    Pending,
    Flowing,
}

/// Why a request finds no worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoWorker {
    /// None serves.
    Absent,
    /// It waited for as long as it may.
    Late,
    /// Too many wait.
    Full,
}

impl Workers {
    pub(crate) fn new(board: Scoreboard, inboxes: Vec<(usize, Inbox)>, counters: FrontBoard) -> Rc<Workers> {
        let places = (0..board.workers()).map(|_| Place::default()).collect();
        Rc::new(Workers {
            threads: board.threads().max(1),
            board,
            inboxes,
            state: RefCell::new(State { places, waiting: VecDeque::new() }),
            someone_waits: Notify::new(),
            counters,
        })
    }

    /// Waits until a worker serves.
    pub(crate) async fn some_ready(&self) {
        while !self.is_some_ready() {
            sleep(LOOK).await;
        }
    }

    /// Gives permits to those that wait, for ever.
    pub(crate) async fn serve_queue(self: Rc<Workers>) {
        loop {
            self.someone_waits.notified().await;
            while !self.state.borrow().waiting.is_empty() {
                sleep(LOOK).await;
                self.dispatch();
            }
        }
    }

    /// Leave for a request, as soon as a thread is free for it and for all that came before; within `limit`, if there is
    /// one.
    pub(crate) async fn permit(self: &Rc<Workers>, limit: Option<Duration>) -> Result<Permit, NoWorker> {
        let mut asked = {
            let state = &mut *self.state.borrow_mut();
            if state.waiting.is_empty()
                && let Some(permit) = self.pick(state)
            {
                return Ok(permit);
            }
            if state.waiting.len() >= QUEUE {
                state.waiting.retain(|waiter| !waiter.is_closed());
                if state.waiting.len() >= QUEUE {
                    return Err(NoWorker::Full);
                }
            }
            let (grant, asked) = oneshot::channel();
            state.waiting.push_back(grant);
            asked
        };
        self.someone_waits.notify_one();
        let _waiting = self.counters.enter(FrontGauge::Waiting);
        let mut held = None;
        let (began, mut seen) = (Instant::now(), Instant::now());
        loop {
            if held.is_none() && !self.is_some_ready() {
                self.counters.count(FrontCounter::Held);
                held = Some(self.counters.enter(FrontGauge::Holding));
            }
            let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
            let step = left.unwrap_or(HOLD).min(HOLD / 10);
            if let Ok(Ok(permit)) = timeout(step, &mut asked).await {
                return Ok(permit);
            }
            if self.is_some_ready() {
                seen = Instant::now();
            }
            if limit.is_some_and(|limit| began.elapsed() >= limit) {
                return Err(if self.is_some_ready() { NoWorker::Late } else { NoWorker::Absent });
            }
            if seen.elapsed() >= HOLD {
                return Err(NoWorker::Absent);
            }
        }
    }

    /// Leave for a request that takes no thread yet, because its body is still to come: the worker waits for that.
    pub(crate) async fn permit_to_receive(self: &Rc<Workers>) -> Result<Permit, NoWorker> {
        let began = Instant::now();
        loop {
            if let Some((slot, pid, _)) = self.least_busy(&mut self.state.borrow_mut()) {
                return Ok(Permit { workers: self.clone(), slot, pid, stage: Stage::Nothing });
            }
            if began.elapsed() >= HOLD {
                return Err(NoWorker::Absent);
            }
            sleep(LOOK).await;
        }
    }

    /// Keeps a connection for the next request.
    pub(crate) fn keep(&self, hop: Hop) {
        let place = &mut self.state.borrow_mut().places[hop.slot];
        if place.pid == hop.pid && place.idle.len() < KEPT {
            place.idle.push(hop);
        }
    }

    fn is_some_ready(&self) -> bool {
        self.board.iter().any(|worker| worker.state() == WorkerState::Ready)
    }

    /// A permit for the worker that has most to give, if any has a free thread.
    fn pick(self: &Rc<Workers>, state: &mut State) -> Option<Permit> {
        let (slot, pid, load) = self.least_busy(state)?;
        if load >= self.threads {
            return None;
        }
        state.places[slot].pending += 1;
        Some(Permit { workers: self.clone(), slot, pid, stage: Stage::Pending })
    }

    /// The worker with the fewest requests: its slot, its process, and how many it has. Connections to workers that serve
    /// no more are given up.
    fn least_busy(&self, state: &mut State) -> Option<(usize, u32, usize)> {
        let mut best = None;
        for (slot, place) in state.places.iter_mut().enumerate() {
            let worker = self.board.worker(slot);
            if worker.state() != WorkerState::Ready {
                place.idle.clear();
                continue;
            }
            let Some(pid) = worker.pid() else { continue };
            if place.pid != pid {
                *place = Place { pid, ..Place::default() };
            }
            // A thread that has just written its answer may still be marked as busy: only as many count as there may be.
            let busy = worker.busy_threads().min(place.pending + place.flowing);
            let load = place.pending.max(busy);
            if best.is_none_or(|(_, _, least)| load < least) {
                best = Some((slot, pid, load));
            }
        }
        best
    }

    /// Gives permits to those that wait, as long as there are free threads.
    fn dispatch(self: &Rc<Workers>) {
        let state = &mut *self.state.borrow_mut();
        while !state.waiting.is_empty() {
            let Some(permit) = self.pick(state) else { return };
            let (slot, mut unused) = (permit.slot, Some(permit));
            while let Some(permit) = unused.take() {
                // One that waits no more leaves its permit to the next.
                unused = match state.waiting.pop_front() {
                    Some(waiter) => waiter.send(permit).err(),
                    None => Some(permit),
                };
                if state.waiting.is_empty() {
                    break;
                }
            }
            if let Some(mut permit) = unused {
                permit.stage = Stage::Nothing;
                state.places[slot].pending -= 1;
            }
        }
    }

    /// A new connection to the worker in a slot.
    fn open(&self, slot: usize, pid: u32) -> io::Result<Hop> {
        let inbox = self.inboxes.iter().find(|(place, _)| *place == slot).map(|(_, inbox)| inbox);
        let hop = Hop::open(inbox.ok_or(io::ErrorKind::NotFound)?, slot, pid)?;
        // Whoever sends a connection counts it for the worker that gets it.
        self.board.worker(slot).connections_changed(1);
        Ok(hop)
    }
}

impl Permit {
    /// A connection to the worker: one that is idle, or a new one. Before a request that cannot be sent again, `is_last_chance`,
    /// the system is asked whether the idle one is still the worker's.
    ///
    /// # Errors
    /// When there is no descriptor for it, or the worker takes no messages.
    pub(crate) fn hop(&self, is_last_chance: bool) -> io::Result<Hop> {
        let is_alive = if is_last_chance { Hop::is_alive } else { Hop::seems_alive };
        loop {
            let idle = self.workers.state.borrow_mut().places[self.slot].idle.pop();
            match idle {
                Some(hop) if hop.pid == self.pid && is_alive(&hop) => return Ok(hop),
                Some(_) => {}
                None => return self.new_hop(),
            }
        }
    }

    /// A new connection to the worker.
    ///
    /// # Errors
    /// As [`Permit::hop`].
    pub(crate) fn new_hop(&self) -> io::Result<Hop> {
        self.workers.open(self.slot, self.pid)
    }

    /// The worker that it is for, as people count them.
    pub(crate) fn number(&self) -> usize {
        self.slot + 1
    }

    /// The worker has begun to answer: the next request may have its turn.
    pub(crate) fn answered(&mut self) {
        if self.stage == Stage::Pending {
            self.enter(Stage::Flowing);
        }
    }

    fn enter(&mut self, stage: Stage) {
        let before = std::mem::replace(&mut self.stage, stage);
        {
            let place = &mut self.workers.state.borrow_mut().places[self.slot];
            if place.pid != self.pid {
                return;
            }
            match before {
                Stage::Nothing => {}
                Stage::Pending => place.pending = place.pending.saturating_sub(1),
                Stage::Flowing => place.flowing = place.flowing.saturating_sub(1),
            }
            if stage == Stage::Flowing {
                place.flowing += 1;
            }
        }
        self.workers.dispatch();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.stage != Stage::Nothing {
            self.enter(Stage::Nothing);
        }
    }
}
