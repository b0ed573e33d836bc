//! A worker's engine and its life: start, serve, drain, end. The threads of the pool come from outside (they are the
//! interpreter's own); each calls [`Worker::serve`] and then belongs to one lane.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use mio::unix::SourceFd;
use mio::{Interest, Token as PollToken};
use tapster_config::Settings;
use tapster_gateway::App;
use tapster_observe::{Incident, Log, WorkerBoard};
use tapster_sys::inbox::Inbox;
use tapster_sys::socket::Listener;

use crate::budget::Budget;
use crate::capacity::Capacity;
use crate::drain::{Drain, IDLE_GRACE_MS};
use crate::lane::Lane;
use crate::monitor::Watched;
use crate::parker::Parker;
use crate::peers::Peers;
use crate::policy::Policy;
use crate::quota::Quota;
use crate::reports::Reports;
use crate::running::Running;
use crate::spool::Spool;
use crate::token::{Holder, MONITOR};

/// Poll tokens of what is not a connection; connections use their keys from 0 up.
pub(crate) const WAKE: PollToken = PollToken(usize::MAX);
pub(crate) const INBOX: PollToken = PollToken(usize::MAX - 1);
pub(crate) const ALIVE: PollToken = PollToken(usize::MAX - 2);
pub(crate) const SIGNALS: PollToken = PollToken(usize::MAX - 3);
pub(crate) const FIRST_LISTENER: usize = usize::MAX - 1024;

/// What a worker is made of.
pub struct WorkerParts {
    /// The application.
    pub app: Arc<dyn App>,
    /// The shared listeners, in the order that all workers have them.
    pub listeners: Vec<Listener>,
    /// Commands from the supervisor, connections from peers.
    pub inbox: Inbox,
    /// The other workers; none where a worker is alone.
    pub peers: Peers,
    /// Readable as soon as the supervisor is gone; none outside of a supervisor.
    pub alive: Option<OwnedFd>,
    /// Readable (and non-blocking) when the interpreter caught a signal, if thread 0 is the main thread.
    pub signals: Option<OwnedFd>,
    /// Gets a byte as soon as the worker is over, whatever its threads still do.
    pub ended: Option<OwnedFd>,
    /// This worker's part of the scoreboard.
    pub board: WorkerBoard,
    /// The log.
    pub log: Log,
    /// How many threads can run the application at the same moment: 1 where an interpreter has one lock. As many lanes
    /// are made, but no more than there are threads.
    pub lanes: usize,
}

/// A worker process's request engine.
#[derive(Clone)]
pub struct Worker {
    pub(crate) engine: Arc<Engine>,
}

/// What all lanes of a worker share.
pub(crate) struct Engine {
    pub(crate) app: Arc<dyn App>,
    pub(crate) policy: Policy,
    /// Thread `t` of the pool belongs to lane `t` modulo their number. The first has the worker's own descriptors.
    pub(crate) lanes: Vec<Arc<Lane>>,
    /// Bodies too large for memory.
    pub(crate) spool: Arc<Spool>,
    pub(crate) inbox: Inbox,
    pub(crate) peers: Peers,
    pub(crate) alive: Option<OwnedFd>,
    pub(crate) signals: Option<File>,
    /// Signal handlers are due.
    pub(crate) signalled: AtomicBool,
    end_signal: Option<File>,
    pub(crate) board: WorkerBoard,
    pub(crate) log: Log,
    pub(crate) parkers: Vec<Parker>,
    /// The pool's threads, for the monitor.
    pub(crate) watched: Vec<OnceLock<Watched>>,
    /// What they serve.
    pub(crate) running: Arc<[Running]>,
    /// What is to be told of them.
    pub(crate) reports: Arc<Reports>,
    /// One of them does not come back, and the supervisor knows.
    pub(crate) is_stuck: AtomicBool,
    /// One call keeps the interpreter's lock, for longer than it may.
    pub(crate) is_wedged: AtomicBool,
    /// Runs first on every native thread.
    on_start: OnceLock<fn()>,
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) drain: Mutex<Option<Drain>>,
    /// How long a drain leaves idle connections open that no peer takes.
    pub(crate) idle_grace_ms: AtomicU32,
    /// Nobody serves the listeners after this drain: who waits to be accepted is this worker's.
    pub(crate) takes_last: AtomicBool,
    /// What drains answers nothing new: clients between requests go to whoever serves next.
    pub(crate) handing_over: AtomicBool,
    /// The supervisor wants this process for a template when its requests have ended.
    pub(crate) promoting: AtomicBool,
    pub(crate) capacity: Capacity,
    pub(crate) quota: Quota,
    stopping: AtomicBool,
    serving: AtomicUsize,
    /// Whoever started the threads waits for them or goes on without them.
    pub(crate) is_left: AtomicBool,
    ended: (Mutex<bool>, Condvar),
    started: Instant,
    pub(crate) orphan: Orphan,
}

/// What a thread works with: a lane, and the engine that it is a part of.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'e> {
    pub(crate) engine: &'e Engine,
    /// The lane of the connection at hand.
    pub(crate) lane: &'e Arc<Lane>,
    /// The thread's own lane: another one while it helps there.
    pub(crate) home: &'e Lane,
}

impl Deref for Shared<'_> {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.engine
    }
}

/// What is left to do when the supervisor died and a thread does not come back from the application.
#[derive(Default)]
pub(crate) struct Orphan {
    pub(crate) is_one: AtomicBool,
    pub(crate) end: OnceLock<fn()>,
}

impl Worker {
    /// Sets up the loop; nothing is served before threads call [`Worker::serve`].
    ///
    /// # Errors
    /// When the system refuses a poller or a registration.
    pub fn new(settings: &Settings, parts: WorkerParts) -> io::Result<Worker> {
        tapster_sys::fork::watch_forks()?;
        let lanes = parts.lanes.clamp(1, settings.threads.max(1));
        let lanes = (0..lanes)
            .map(|index| Lane::new(index, &parts.listeners, parts.board.clone()).map(Arc::new))
            .collect::<io::Result<_>>()?;
        let budget = Budget::new(settings.spool_max, parts.board.clone(), parts.peers.scoreboard());
        let directory = settings.temp_dir.clone().unwrap_or_else(std::env::temp_dir);
        let engine = Engine {
            app: parts.app,
            policy: Policy::new(settings),
            lanes,
            spool: Spool::new(directory, budget),
            inbox: parts.inbox,
            peers: parts.peers,
            alive: parts.alive,
            signals: parts.signals.map(File::from),
            signalled: AtomicBool::new(false),
            end_signal: parts.ended.map(File::from),
            board: parts.board,
            log: parts.log,
            parkers: (0..settings.threads).map(|_| Parker::default()).collect(),
            watched: (0..settings.threads).map(|_| OnceLock::new()).collect(),
            running: (0..settings.threads).map(|_| Running::default()).collect(),
            reports: Arc::default(),
            is_stuck: AtomicBool::new(false),
            is_wedged: AtomicBool::new(false),
            on_start: OnceLock::new(),
            draining: Arc::new(AtomicBool::new(false)),
            drain: Mutex::new(None),
            idle_grace_ms: AtomicU32::new(IDLE_GRACE_MS),
            takes_last: AtomicBool::new(false),
            handing_over: AtomicBool::new(false),
            promoting: AtomicBool::new(false),
            capacity: Capacity::new(settings.worker_connections),
            quota: Quota::new(settings),
            stopping: AtomicBool::new(false),
            serving: AtomicUsize::new(0),
            is_left: AtomicBool::new(false),
            ended: (Mutex::new(false), Condvar::new()),
            started: Instant::now(),
            orphan: Orphan::default(),
        };
        engine.register()?;
        if let Ok(now) = SystemTime::UNIX_EPOCH.elapsed() {
            engine.board.set_began(now.as_micros() as u64);
        }
        Ok(Worker { engine: Arc::new(engine) })
    }

    /// Starts each lane's monitor: a native thread that never touches the interpreter. `on_start` runs first on it, and
    /// on the other native threads when they are needed.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start_monitors(&self, on_start: fn()) -> io::Result<()> {
        self.engine.spool.disk.start_with(on_start);
        let _set_once = self.engine.on_start.set(on_start);
        for index in 0..self.engine.lanes.len() {
            let engine = self.engine.clone();
            let thread = std::thread::Builder::new().name("tapster-monitor".into()).stack_size(256 * 1024);
            thread.spawn(move || {
                on_start();
                if let Some(shared) = engine.lane(index) {
                    crate::monitor::run(&shared);
                }
            })?;
        }
        Ok(())
    }

    /// Has `end` called on the monitor's thread when the supervisor is gone, the drain is over, and some thread still
    /// does not come back from the application: nobody else would end this process then.
    pub fn end_orphan_with(&self, end: fn()) {
        let _set_once = self.engine.orphan.end.set(end);
    }

    /// Serves as thread `index` of the pool (from 0) until the worker ends. Called once by each thread.
    pub fn serve(&self, index: usize) {
        let engine = &*self.engine;
        let Ok(thread) = Holder::try_from(index) else { return };
        let Some(shared) = engine.lane(index % engine.lanes.len()) else { return };
        engine.serving.fetch_add(1, Ordering::SeqCst);
        crate::serve::run(&shared, thread);
        if engine.serving.fetch_sub(1, Ordering::SeqCst) == 1 {
            engine.note_end();
        }
    }

    /// Accepts nothing new, finishes what runs within `timeout`, then ends.
    pub fn drain(&self, timeout: Duration) {
        self.engine.start_drain(timeout);
    }

    /// Waits until every thread left [`Worker::serve`], or `timeout` is over. True if they did.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.engine.is_left.store(self.is_stopping(), Ordering::SeqCst);
        let (ended, signal) = &self.engine.ended;
        let guard = ended.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = signal
            .wait_timeout_while(guard, timeout, |ended| !*ended)
            .unwrap_or_else(PoisonError::into_inner);
        *guard
    }

    /// Whether the supervisor wants this process for a template, now that its requests have ended.
    pub fn is_to_be_template(&self) -> bool {
        self.engine.promoting.load(Ordering::SeqCst)
    }

    /// Has the file thread end, which else would wait for tasks. For a worker that is over.
    pub fn end_file_thread(&self) {
        self.engine.spool.disk.end();
    }

    /// What is left of the time that [`Worker::drain`] or the supervisor gave; none if neither did.
    pub fn time_left(&self) -> Option<Duration> {
        self.engine.drain_left()
    }

    /// Empties the pipe that wakes the main thread of a pool; `woken` does not block.
    pub fn clear_wakeups(&self, woken: &OwnedFd) {
        if let Ok(woken) = woken.try_clone() {
            crate::control::empty(&File::from(woken));
        }
    }

    /// Whether the worker is over: drained, or told to stop.
    pub fn is_stopping(&self) -> bool {
        self.engine.is_stopping()
    }
}

impl Engine {
    /// Has the first lane watch the worker's own descriptors, and every lane the listeners.
    fn register(&self) -> io::Result<()> {
        use std::os::fd::{AsFd, AsRawFd};
        let Some(first) = self.lanes.first() else { return Ok(()) };
        let watch = |fd: std::os::fd::BorrowedFd<'_>, token| {
            first.registry.register(&mut SourceFd(&fd.as_raw_fd()), token, Interest::READABLE)
        };
        watch(self.inbox.as_fd(), INBOX)?;
        if let Some(alive) = &self.alive {
            watch(alive.as_fd(), ALIVE)?;
        }
        if let Some(signals) = &self.signals {
            watch(signals.as_fd(), SIGNALS)?;
        }
        self.lanes.iter().try_for_each(|lane| lane.watch_listeners())
    }

    /// The view of a thread in that lane; none if there is no such lane.
    pub(crate) fn lane(&self, index: usize) -> Option<Shared<'_>> {
        self.lanes.get(index).map(|lane| Shared { engine: self, lane, home: lane })
    }

    /// Does something that may wait on a native thread of its own.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(crate) fn aside(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        start(self.on_start.get().copied(), name, work)
    }

    /// As [`Engine::aside`], when it is called.
    pub(crate) fn later(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> impl FnOnce() + Send + 'static {
        let (on_start, log) = (self.on_start.get().copied(), self.log.clone());
        move || {
            if let Err(error) = start(on_start, name, work) {
                log.report(
                    Incident::REQUEST_NOT_INTERRUPTED,
                    format_args!("a request cannot be interrupted: no thread for it: {error}"),
                );
            }
        }
    }

    /// Brings every lane's leader back from its poll.
    pub(crate) fn wake_leaders(&self) {
        for lane in &self.lanes {
            // Fails only when the poller itself is gone.
            let _gone = lane.waker.wake();
        }
    }

    /// Microseconds since the worker began, for the scoreboard.
    pub(crate) fn micros(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_micros() as u64
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// In a forked child of the application: the thread that forked leaves the loop when it comes back to it.
    pub(crate) fn stop_in_child(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.spool.budget.leave_to_parent();
    }

    /// Ends the worker: every thread leaves as soon as it is out of the application.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for parker in &self.parkers {
            parker.wake();
        }
        self.wake_leaders();
        self.lanes.iter().for_each(|lane| lane.wake_monitor());
        if let Some(mut signal) = self.end_signal.as_ref() {
            // A full pipe wakes its reader as well.
            let _full = signal.write(&[0]);
        }
        if self.serving.load(Ordering::SeqCst) == 0 {
            self.note_end();
        }
    }

    fn note_end(&self) {
        *self.ended.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.1.notify_all();
    }

    /// Wakes a thread that was parked.
    pub(crate) fn wake(&self, thread: Holder) {
        debug_assert_ne!(thread, MONITOR);
        if let Some(parker) = self.parkers.get(usize::from(thread)) {
            parker.wake();
        }
    }
}

fn start(on_start: Option<fn()>, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        if let Some(on_start) = on_start {
            on_start();
        }
        work();
    });
    thread.map(drop)
}
