//! The monitor: a native thread that never touches the interpreter. It takes the token from a leader that blocks in
//! the application and gives it to a parked thread; when no thread is free it runs the loop itself (it reads, flushes
//! and keeps deadlines, but calls nothing). Asleep while the worker is idle.

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use tapster_sys::clock::ThreadClock;
use tapster_sys::thread::{self, Thread};

use crate::burst;
use crate::overdue;
use crate::serve::{self, Context};
use crate::token::{MONITOR, Phase, View};
use crate::worker::Shared;

/// How long a watched call may block before others go on.
const TICK: Duration = Duration::from_micros(500);

/// How often a busy worker is looked at while no call blocks. Each look costs a context switch.
const CALM_TICK: Duration = Duration::from_millis(2);

/// How long after a call that blocked each moment is watched.
const ALERT: Duration = Duration::from_secs(1);

/// How many looks in a row must find the leader where it was before the monitor sleeps.
const IDLE_LOOKS: u32 = 10;

/// How long a call may block while no thread is parked: others would only wait for a thread, and most calls that
/// block end before this.
const NOBODY_PARKED: Duration = Duration::from_millis(5);

/// How long a call that computes keeps the token: others gain nothing earlier, but must not wait for it for ever.
const COMPUTING: Duration = Duration::from_millis(10);

/// How long a holder that gets no CPU keeps the token: on a crowded machine others would get none either.
const STARVED: Duration = Duration::from_millis(100);

/// How long a woken thread may need to start leading (two switch intervals of the interpreter).
const GRANT: Duration = Duration::from_millis(10);

/// How long an orphan's threads may take to come back from the application.
const ORPHAN_JOIN: Duration = Duration::from_millis(200);

/// When to see whether a worker that is over and has lost a thread comes to its end by itself.
const STUCK_JOIN: Duration = Duration::from_secs(1);

/// How long that may then take: the application's exit handlers have 5 s.
const STUCK_END: Duration = Duration::from_secs(7);

/// How long the last log lines may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A thread of the pool, as the monitor sees it.
pub(crate) struct Watched {
    clock: ThreadClock,
    thread: Thread,
    /// What stacks call it.
    pub(crate) ident: u64,
}

impl Watched {
    /// The calling thread.
    pub(crate) fn current() -> io::Result<Watched> {
        Ok(Watched { clock: ThreadClock::current()?, thread: Thread::current(), ident: thread::ident() })
    }

    /// What it does in native code, for people.
    pub(crate) fn whereabouts(&self) -> Option<String> {
        tapster_sys::whereabouts::of(self.thread)
    }

    /// Whether a thread that uses no time waits for something: else it waits for a CPU, and others would too.
    fn may_wait(&self) -> bool {
        self.thread.is_waiting().unwrap_or(true)
    }
}

/// A call (or a grant) that the monitor watches.
struct Watch {
    view: View,
    since: Instant,
    /// The leader's CPU time when the watch began.
    began: Option<Duration>,
    /// The same when it was last looked at, and when that was.
    cpu: Option<Duration>,
    looked: Instant,
}

impl Watch {
    fn begin(shared: &Shared, view: View) -> Watch {
        let now = Instant::now();
        let cpu = cpu_of(shared, view);
        Watch { view, since: now, began: cpu, cpu, looked: now }
    }
}

/// Watches until the worker ends.
pub(crate) fn run(shared: &Shared) {
    let _set_once = shared.lane.monitor.thread.set(std::thread::current());
    let mut context = Context::new(shared, MONITOR);
    let mut watch: Option<Watch> = None;
    let mut alert = Instant::now();
    let mut last = (View::NONE, 0);
    while !shared.is_stopping() {
        let view = shared.lane.token.view();
        if view.holder() == MONITOR {
            serve::survive(shared, &mut context, serve::lead);
            watch = None;
            continue;
        }
        let blocking = &shared.lane.blocking;
        let is_calm = if blocking.is_usual() { blocking.returns_soon() } else { Instant::now() >= alert };
        let usual_tick = if is_calm { CALM_TICK } else { TICK };
        let tick;
        (watch, tick) = match watch.take() {
            Some(same) if same.view == view => {
                burst::release_for(shared, &mut context);
                let (watch, has_blocked) = judge(shared, same);
                if has_blocked {
                    alert = Instant::now() + ALERT;
                }
                (watch, TICK)
            }
            _ if is_idle(&mut last, view) && sleep_while_idle(shared, &mut context) => (None, Duration::ZERO),
            _ if view.phase() == Phase::Leading => (None, usual_tick),
            // Calls come and go.
            _ => (Some(Watch::begin(shared, view)), usual_tick),
        };
        if !tick.is_zero() {
            std::thread::park_timeout(tick);
        }
        overdue::look_if_due(shared, &mut context);
    }
    // A call that is cut may have given its whole answer.
    burst::release_for(shared, &mut context);
    end_orphan(shared);
    end_stuck(shared);
}

/// Looks at a holder that has not moved. Gives the watch back if it goes on, and says whether the holder blocks.
fn judge(shared: &Shared, mut watch: Watch) -> (Option<Watch>, bool) {
    let is_stuck = is_stuck(shared, &mut watch);
    let is_replaced = is_stuck && replace_leader(shared, &watch);
    ((!is_replaced).then_some(watch), is_stuck)
}

/// Ends the process of an orphan that cannot end by itself.
fn end_orphan(shared: &Shared) {
    if !shared.orphan.is_one.load(Ordering::SeqCst) {
        return;
    }
    std::thread::sleep(ORPHAN_JOIN);
    if let Some(end) = shared.orphan.end.get() {
        end();
    }
}

/// Ends the process of a worker that is over, one of whose threads does not come back: it may keep the interpreter's
/// lock, or be the main thread.
fn end_stuck(shared: &Shared) {
    let is_wedged = shared.is_wedged.load(Ordering::SeqCst);
    if shared.lost_threads() == 0 && !is_wedged {
        return;
    }
    if is_wedged {
        shared.reports.wait(STUCK_JOIN);
    } else {
        std::thread::sleep(STUCK_JOIN);
    }
    if !is_wedged && shared.is_left.load(Ordering::SeqCst) {
        std::thread::sleep(STUCK_END);
    }
    shared.log.flush(LAST_LINES);
    if let Some(end) = shared.orphan.end.get() {
        end();
    }
}

/// Whether the leader has not moved for a while. Sleeping at each of its pauses would cost a wake-up after each.
fn is_idle((last, looks): &mut (View, u32), view: View) -> bool {
    *looks = if *last == view { *looks + 1 } else { 0 };
    *last = view;
    view.phase() == Phase::Leading && *looks >= IDLE_LOOKS
}

/// Sleeps if the leader waits for events; it wakes the monitor before its next call. False if it does not wait. While
/// others are in calls, only until one of them may be due.
fn sleep_while_idle(shared: &Shared, context: &mut Context) -> bool {
    shared.lane.monitor.asleep.store(true, Ordering::SeqCst);
    if !shared.lane.polling.load(Ordering::SeqCst) || shared.is_stopping() {
        shared.lane.monitor.asleep.store(false, Ordering::SeqCst);
        return false;
    }
    // Whoever begins a call after this looks whether the monitor sleeps.
    fence(Ordering::SeqCst);
    let alarm = context.overseer.as_ref().and_then(|overseer| overseer.alarm(shared));
    while shared.lane.monitor.asleep.load(Ordering::SeqCst) {
        let Some(alarm) = alarm else {
            std::thread::park();
            continue;
        };
        let left = alarm.saturating_duration_since(Instant::now());
        if left.is_zero() {
            shared.lane.monitor.asleep.store(false, Ordering::SeqCst);
            break;
        }
        std::thread::park_timeout(left);
    }
    overdue::look_if_due(shared, context);
    true
}

/// Whether the holder blocks: in its call its CPU clock hardly moves although it could have a CPU, or it computes for
/// long; or a thread that was woken to lead does not get the interpreter's lock.
fn is_stuck(shared: &Shared, watch: &mut Watch) -> bool {
    let now = Instant::now();
    let watched = now.saturating_duration_since(watch.since);
    if watched >= STARVED {
        return true;
    }
    let may_wait = || watched_thread(shared, watch.view).is_none_or(Watched::may_wait);
    if watch.view.phase() == Phase::Granted {
        return watched >= GRANT && may_wait();
    }
    let wall = now.saturating_duration_since(watch.looked);
    let cpu = cpu_of(shared, watch.view);
    let used = |since: Option<Duration>| Some(cpu?.saturating_sub(since?));
    let is_still = used(watch.cpu).is_none_or(|used| used < wall / 4);
    let computed = used(watch.began).unwrap_or(watched);
    let is_stuck = is_still && may_wait() || computed >= COMPUTING;
    watch.cpu = cpu;
    watch.looked = now;
    is_stuck
}

fn cpu_of(shared: &Shared, view: View) -> Option<Duration> {
    watched_thread(shared, view)?.clock.cpu_time().ok()
}

fn watched_thread<'a>(shared: &'a Shared, view: View) -> Option<&'a Watched> {
    shared.watched.get(usize::from(view.holder()))?.get()
}

/// Gives the token of a stuck holder to a parked thread. If there is none, the next thread that comes back takes it,
/// or the monitor after a while; at once if a thread of another lane is free, or if the holder was given it and could
/// not run. False if it is still watched.
fn replace_leader(shared: &Shared, watch: &Watch) -> bool {
    let token = &shared.lane.token;
    let has_help = shared.free_lane().is_some();
    let mut core = shared.lane.core();
    let next = if watch.view.phase() == Phase::Granted { None } else { core.parked.pop() };
    let is_in_app = watch.view.phase() == Phase::InApp;
    if next.is_none() && is_in_app && !has_help && watch.since.elapsed() < NOBODY_PARKED {
        token.offer(watch.view);
        return false;
    }
    let taken = token.take(watch.view, next.unwrap_or(MONITOR));
    match next {
        Some(thread) if taken => {
            drop(core);
            shared.wake(thread);
        }
        Some(thread) => core.parked.push(thread),
        None => {}
    }
    true
}
