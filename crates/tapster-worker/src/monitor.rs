//! The monitor: a native thread that never touches the interpreter. It takes the token from a leader that blocks in
//! the application and gives it to a parked thread; when no thread is free it runs the loop itself (it reads, flushes
//! and keeps deadlines, but calls nothing). Asleep while the worker is idle.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::serve::{self, Context};
use crate::token::{MONITOR, Phase, View};
use crate::worker::Shared;

/// How often a busy worker is looked at, and so how long a call may block before others go on.
const TICK: Duration = Duration::from_micros(500);

/// How long a call that computes keeps the token: others gain nothing earlier, but must not wait for it for ever.
const COMPUTING: Duration = Duration::from_millis(10);

/// How long a woken thread may need to start leading (two switch intervals of the interpreter).
const GRANT: Duration = Duration::from_millis(10);

/// How long an orphan's threads may take to come back from the application.
const ORPHAN_JOIN: Duration = Duration::from_millis(200);

/// A call (or a grant) that the monitor watches.
struct Watch {
    view: View,
    since: Instant,
    /// The leader's CPU time when it was last looked at, and when that was.
    cpu: Option<Duration>,
    looked: Instant,
}

/// Watches until the worker ends.
pub(crate) fn run(shared: &Shared) {
    let _set_once = shared.monitor.thread.set(std::thread::current());
    let mut context = Context::new(shared, MONITOR);
    let mut watch: Option<Watch> = None;
    while !shared.is_stopping() {
        let view = shared.lane.token.view();
        if view.holder() == MONITOR {
            serve::survive(shared, &mut context, serve::lead);
            watch = None;
            continue;
        }
        watch = match watch.take() {
            Some(mut same) if same.view == view && view.phase() != Phase::Leading => {
                if is_stuck(shared, &mut same) {
                    replace_leader(shared, view);
                    None
                } else {
                    Some(same)
                }
            }
            _ => {
                Some(Watch { view, since: Instant::now(), cpu: cpu_of(shared, view), looked: Instant::now() })
            }
        };
        if view.phase() == Phase::Leading && sleep_while_idle(shared) {
            watch = None;
        } else {
            std::thread::park_timeout(TICK);
        }
    }
    end_orphan(shared);
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

/// Sleeps if the leader waits for events; it wakes the monitor before its next call. False if it does not wait.
fn sleep_while_idle(shared: &Shared) -> bool {
    shared.monitor.asleep.store(true, Ordering::SeqCst);
    if !shared.lane.polling.load(Ordering::SeqCst) || shared.is_stopping() {
        shared.monitor.asleep.store(false, Ordering::SeqCst);
        return false;
    }
    while shared.monitor.asleep.load(Ordering::SeqCst) {
        std::thread::park();
    }
    true
}

/// Whether the holder blocks: in its call its CPU clock hardly moves, or it computes for long; or a thread that was
/// woken to lead does not get the interpreter's lock.
fn is_stuck(shared: &Shared, watch: &mut Watch) -> bool {
    let now = Instant::now();
    let watched = now.saturating_duration_since(watch.since);
    if watch.view.phase() == Phase::Granted {
        return watched >= GRANT;
    }
    let wall = now.saturating_duration_since(watch.looked);
    let cpu = cpu_of(shared, watch.view);
    let blocked = match (cpu, watch.cpu) {
        (Some(cpu), Some(before)) => cpu.saturating_sub(before) < wall / 4,
        _ => true,
    };
    watch.cpu = cpu;
    watch.looked = now;
    blocked || watched >= COMPUTING
}

fn cpu_of(shared: &Shared, view: View) -> Option<Duration> {
    shared.clocks.get(usize::from(view.holder()))?.get()?.cpu_time().ok()
}

/// Gives the token of a stuck holder to a parked thread, or takes it for the monitor if there is none (or if the
/// last one that was given it could not run).
fn replace_leader(shared: &Shared, seen: View) {
    let mut core = shared.lane.core();
    let next = if seen.phase() == Phase::Granted { None } else { core.parked.pop() };
    let taken = shared.lane.token.take(seen, next.unwrap_or(MONITOR));
    match next {
        Some(thread) if taken => {
            drop(core);
            shared.wake(thread);
        }
        Some(thread) => core.parked.push(thread),
        None => {}
    }
}
