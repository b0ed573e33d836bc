//! What comes from outside of the connections: new clients, messages from the supervisor, its death, the drain.
//! Run by whoever leads, after a poll.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapster_observe::WorkerState;
use tapster_sys::inbox::Message;

use crate::accept::Accepted;
use crate::connection::Connection;
use crate::drive;
use crate::policy::Rest;
use crate::serve::Context;
use crate::worker::Shared;

/// Connections taken in one turn; the listener is level-triggered, the rest is reported again.
const ACCEPTS_PER_TURN: usize = 64;

/// How long accepting pauses when the process has no descriptor left.
const PAUSE: Duration = Duration::from_millis(250);

/// How often a draining worker looks at what is left.
const DRAIN_STEP: Duration = Duration::from_millis(50);

/// What an orphan may still finish: whoever takes over wants its port.
const ORPHAN_DRAIN: Duration = Duration::from_millis(500);

impl Shared {
    /// Takes new connections from a listener that has some.
    pub(crate) fn accept_from(&self, context: &Context, index: usize) {
        let Some(acceptor) = self.acceptors.get(index) else { return };
        if self.is_draining() {
            return;
        }
        if self.is_shared_listener && !context.may_call() {
            // All threads are busy: other workers take the client, this one listens again when a thread is free.
            return self.leave_listeners();
        }
        let turns = if self.is_shared_listener { 1 } else { ACCEPTS_PER_TURN };
        for _ in 0..turns {
            match acceptor.accept() {
                Ok(accepted) => self.enter_here_or_pass(accepted, index as u16),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_of_that_client(&error) => {}
                Err(error) => return self.pause_accepting(context.now, &error),
            }
        }
    }

    /// The kernel wakes whom it likes: a worker that has clearly more clients than a peer passes the new one on.
    fn enter_here_or_pass(&self, accepted: Accepted, listener: u16) {
        let own = self.board.connections();
        let passed = self.is_shared_listener
            && self.peers.less_busy_than(own).is_some_and(|peer| {
                peer.send(Message::Adopt { listener }, Some(accepted.stream.as_fd())).is_ok()
            });
        if !passed {
            self.enter(accepted, listener);
        }
    }

    /// Makes a connection of a new socket.
    fn enter(&self, accepted: Accepted, listener: u16) {
        let Accepted { stream, local, peer } = accepted;
        let facts = self.policy.facts(local, peer);
        let now = Instant::now();
        let deadline = self.policy.deadline(Rest::Head, now, now);
        let entered = self.lane.core().insert(deadline, |key| {
            stream.register(&self.lane.registry, mio::Token(key)).ok()?;
            Some(Box::new(Connection::new(key, listener, stream, facts)))
        });
        if entered {
            self.board.connections_changed(1);
        } else {
            self.log.error(format_args!("a new connection was dropped: the poller refused it"));
        }
    }

    fn pause_accepting(&self, now: Instant, error: &io::Error) {
        self.log.error(format_args!(
            "cannot accept connections for now: {error}; raise the limit on open files (ulimit -n) or lower the load"
        ));
        self.leave_listeners();
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + PAUSE);
    }

    /// Listens again when a pause is over.
    pub(crate) fn resume_accepting(&self, now: Instant) {
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        if paused.is_some_and(|until| now >= until) {
            *paused = None;
            drop(paused);
            self.rejoin_listeners();
        }
    }

    pub(crate) fn watch_listeners(&self) -> io::Result<()> {
        self.acceptors
            .iter()
            .try_for_each(|acceptor| acceptor.watch(self.poll_fd.as_fd(), &self.lane.registry))
    }

    fn leave_listeners(&self) {
        for acceptor in &self.acceptors {
            acceptor.leave(self.poll_fd.as_fd(), &self.lane.registry);
        }
    }

    /// Listens again, unless there is a reason not to.
    pub(crate) fn rejoin_listeners(&self) {
        let paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if !paused
            && !self.is_draining()
            && let Err(error) = self.watch_listeners()
        {
            self.log.error(format_args!("cannot listen again: {error}"));
        }
    }

    /// Reads the messages of the supervisor and of peers.
    pub(crate) fn read_inbox(&self, context: &Context) {
        loop {
            match self.inbox.receive() {
                Ok(Some((message, descriptor))) => self.obey(message, descriptor, context),
                Ok(None) => return self.supervisor_gone(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.log.error(format_args!("cannot read the supervisor's messages: {error}"));
                    return self.supervisor_gone();
                }
            }
        }
    }

    fn obey(&self, message: Message, descriptor: Option<OwnedFd>, context: &Context) {
        match message {
            Message::Drain { timeout_ms } => self.start_drain(Duration::from_millis(timeout_ms.into())),
            Message::Stop => self.stop(),
            Message::Poke => (0..self.acceptors.len()).for_each(|index| self.accept_from(context, index)),
            Message::Adopt { listener } => self.adopt(listener, descriptor),
            Message::Ready | Message::BootFailed | Message::Reopen => {}
        }
    }

    fn adopt(&self, listener: u16, descriptor: Option<OwnedFd>) {
        let (Some(acceptor), Some(fd)) = (self.acceptors.get(usize::from(listener)), descriptor) else {
            return;
        };
        // A client that is gone already needs no connection.
        if let Ok(accepted) = acceptor.adopt(fd) {
            self.enter(accepted, listener);
        }
    }

    /// Without a supervisor nobody restarts or stops this worker: it ends.
    pub(crate) fn supervisor_gone(&self) {
        if !self.is_draining() {
            self.log.error(format_args!("the supervisor is gone: this worker stops"));
        }
        self.start_drain(ORPHAN_DRAIN);
    }

    /// Empties the pipe that told of a signal; the handlers run on the main thread.
    pub(crate) fn clear_signals(&self) {
        if let Some(signals) = &self.signals {
            empty(signals);
        }
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Accepts nothing new; answers from now on end their connections. A second call can only shorten the time.
    pub(crate) fn start_drain(&self, timeout: Duration) {
        self.leave_listeners();
        let deadline = Instant::now() + timeout;
        let mut current = self.drain_deadline.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(current.map_or(deadline, |earlier| earlier.min(deadline)));
        drop(current);
        self.draining.store(true, Ordering::SeqCst);
        self.board.set_state(WorkerState::Draining);
    }

    /// One step of the drain: idle connections go to workers that stay, and the last one out ends the worker.
    pub(crate) fn continue_drain(&self, now: Instant) {
        if !self.is_draining() {
            return;
        }
        let idle = self.lane.core().take_idle();
        for connection in idle {
            self.hand_over(connection);
        }
        let left = self.lane.core().len();
        let deadline = *self.drain_deadline.lock().unwrap_or_else(PoisonError::into_inner);
        let late = deadline.is_some_and(|deadline| now >= deadline);
        if late && left > 0 {
            self.log.warning(format_args!(
                "{left} connections were cut: still busy at the end of the graceful time-out"
            ));
        }
        if left == 0 || late {
            self.stop();
        }
    }

    /// Sends an idle connection to a worker that stays, so that its client notices nothing; closes it if none does.
    fn hand_over(&self, connection: Box<Connection>) {
        let message = Message::Adopt { listener: connection.listener };
        let left = connection.stream.deregister(&self.lane.registry).is_ok();
        let sent = left
            && self
                .peers
                .ready()
                .iter()
                .any(|peer| peer.send(message, Some(connection.stream.as_fd())).is_ok());
        if sent {
            self.lane.core().remove(connection.key);
            self.board.connections_changed(-1);
        } else {
            drive::close(self, connection, "idle when the worker drained");
        }
    }

    /// How long the next poll may sleep.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        let sleep = self.lane.core().sleep(now);
        let paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner).map(|_| PAUSE);
        let draining = self.is_draining().then_some(DRAIN_STEP);
        [sleep, paused, draining].into_iter().flatten().min()
    }
}

/// Reads and forgets what is in a pipe that does not block.
pub(crate) fn empty(mut pipe: &File) {
    let mut bytes = [0; 64];
    while matches!(pipe.read(&mut bytes), Ok(count) if count > 0) {}
}

/// Errors of accept that concern one client only.
fn is_of_that_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
