//! A lane: one poller, one queue of ready connections, one token. A worker has one, or one a core where the interpreter
//! has no lock. Its threads and its monitor work on it; its lock is held for moments only, and never while the
//! application or its interpreter may run. What the lock protects stands in `connections.rs` and `waiting.rs`.

mod connections;
mod waiting;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::Thread;

use mio::{Events, Poll, Registry, Token as PollToken, Waker};
use tapster_observe::WorkerBoard;
use tapster_sys::socket::Listener;

use crate::accept::Acceptor;
use crate::blocking::Blocking;
use crate::burst::Burst;
use crate::token::{Holder, Token};
use crate::worker::{FIRST_LISTENER, WAKE};

#[cfg(test)]
pub(crate) use connections::SLOT_SIZE;
pub(crate) use connections::{Core, Load, Readiness};

/// One lane of a worker. Two lanes never meet in a cache line.
#[repr(align(128))]
pub(crate) struct Lane {
    pub(crate) index: usize,
    pub(crate) load: Arc<Load>,
    pub(crate) token: Token,
    pub(crate) blocking: Blocking,
    pub(crate) burst: Burst,
    pub(crate) registry: Registry,
    pub(crate) waker: Waker,
    /// The leader is inside a poll that may block.
    pub(crate) polling: AtomicBool,
    pub(crate) monitor: Monitor,
    pub(crate) acceptors: Vec<Acceptor>,
    /// The monitor left the listeners, since all its threads are busy.
    pub(crate) is_busy: AtomicBool,
    /// The listeners are left for good.
    pub(crate) has_left: AtomicBool,
    /// The listeners are closed: nobody else has them.
    pub(crate) has_closed: AtomicBool,
    /// Clients in a row that were gone when they were accepted.
    pub(crate) lost_in_a_row: AtomicU32,
    /// The poller's own descriptor, to register shared listeners with.
    pub(crate) poll_fd: OwnedFd,
    core: Mutex<Core>,
    poller: Mutex<Poller>,
}

/// The monitor's bed.
#[derive(Default)]
pub(crate) struct Monitor {
    pub(crate) thread: OnceLock<Thread>,
    pub(crate) asleep: AtomicBool,
}

/// The poller and its buffer of events: one thread's at a time.
pub(crate) struct Poller {
    pub(crate) poll: Poll,
    pub(crate) events: Events,
}

impl Lane {
    /// Lane `index` of a worker; the thread of that number is the first to lead.
    pub(crate) fn new(index: usize, listeners: &[Listener], board: WorkerBoard) -> io::Result<Lane> {
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = Waker::new(&registry, WAKE)?;
        let acceptors = listeners
            .iter()
            .enumerate()
            .map(|(index, listener)| Acceptor::new(listener, PollToken(FIRST_LISTENER + index)))
            .collect::<io::Result<Vec<_>>>()?;
        let load = Arc::new(Load::default());
        let core = Core::new(load.clone(), board);
        Ok(Lane {
            index,
            load,
            token: Token::granted_to(index as Holder),
            blocking: Blocking::default(),
            burst: Burst::default(),
            registry,
            waker,
            polling: AtomicBool::new(false),
            monitor: Monitor::default(),
            acceptors,
            is_busy: AtomicBool::new(false),
            has_left: AtomicBool::new(false),
            has_closed: AtomicBool::new(false),
            lost_in_a_row: AtomicU32::new(0),
            poll_fd: tapster_sys::poll::duplicate(&poll)?,
            core: Mutex::new(core),
            poller: Mutex::new(Poller { poll, events: Events::with_capacity(256) }),
        })
    }

    pub(crate) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poller(&self) -> MutexGuard<'_, Poller> {
        self.poller.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The poller, if nobody else has it.
    pub(crate) fn try_poller(&self) -> Option<MutexGuard<'_, Poller>> {
        match self.poller.try_lock() {
            Ok(poller) => Some(poller),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The file thread did its part for a connection, which can go on.
    pub(crate) fn resume(&self, key: usize) {
        let resumed = Readiness { resumed: true, ..Readiness::default() };
        let _only_for_writable = self.core().saw(key, resumed);
        self.wake_poller();
    }

    /// Brings whoever polls back to the queue.
    pub(crate) fn wake_poller(&self) {
        if self.polling.load(Ordering::SeqCst) {
            // Fails only when the poller itself is gone.
            let _gone = self.waker.wake();
        }
    }

    pub(crate) fn wake_monitor(&self) {
        if self.monitor.asleep.load(Ordering::SeqCst)
            && self.monitor.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.monitor.thread.get()
        {
            thread.unpark();
        }
    }
}
