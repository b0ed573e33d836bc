//! What comes from other processes: messages of the supervisor and of peers, the supervisor's death. Run by whoever
//! leads, after a poll.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tapster_observe::Incident;

use tapster_sys::inbox::Message;
use tapster_sys::log_file;

use crate::accept::Accepted;
use crate::introduction::Introduction;
use crate::reserve;
use crate::worker::Shared;

/// What an orphan may still finish: whoever takes over wants its port.
const ORPHAN_DRAIN: Duration = Duration::from_millis(500);

/// What a connection has that no listener accepted.
const NO_LISTENER: u16 = u16::MAX;

impl Shared<'_> {
    /// Reads the messages of the supervisor and of peers.
    pub(crate) fn read_inbox(&self) {
        let mut reserve = self.capacity.reserve.take();
        loop {
            // A message may bring a descriptor, which is lost if there is no room for it.
            reserve.lend();
            match self.inbox.receive() {
                Ok(Some((message, descriptor))) => self.obey(message, descriptor, &mut reserve),
                Ok(None) => return self.supervisor_gone(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.log.report(Incident::MESSAGE_LOST, format_args!("a message was lost: {error}"));
                }
                Err(error) => {
                    self.log.report(
                        Incident::MESSAGE_LOST,
                        format_args!("cannot read the supervisor's messages: {error}"),
                    );
                    return self.supervisor_gone();
                }
            }
        }
    }

    fn obey(&self, message: Message, descriptor: Option<OwnedFd>, reserve: &mut reserve::Taken<'_>) {
        match message {
            Message::Drain { timeout_ms } => {
                self.promoting.store(false, Ordering::SeqCst);
                self.start_drain(Duration::from_millis(timeout_ms.into()));
            }
            Message::Promote { timeout_ms } => {
                self.promoting.store(true, Ordering::SeqCst);
                self.start_drain(Duration::from_millis(timeout_ms.into()));
            }
            Message::HandOver { timeout_ms } => self.hand_over(Duration::from_millis(timeout_ms.into())),
            Message::KeepIdle { grace_ms } => self.idle_grace_ms.store(grace_ms, Ordering::Relaxed),
            Message::LastClients { grace_ms } => {
                self.idle_grace_ms.store(grace_ms, Ordering::Relaxed);
                self.takes_last.store(true, Ordering::Relaxed);
            }
            Message::Stop => {
                self.promoting.store(false, Ordering::SeqCst);
                self.stop();
            }
            Message::Poke => self.lanes.iter().for_each(|lane| Shared { lane, ..*self }.look_at_listeners()),
            Message::Adopt { listener } => self.adopt(listener, descriptor, reserve),
            Message::AdoptRequest { listener } => self.adopt_request(listener, descriptor, reserve),
            Message::Hop => self.adopt_hop(descriptor),
            Message::Stacks => {
                if let Some(to) = descriptor {
                    self.write_stacks(to);
                }
            }
            Message::Profile(sampling) => {
                if let Some(to) = descriptor {
                    self.write_profile(sampling, to);
                }
            }
            Message::Reopen => self.change_log(self.log.file(), descriptor),
            Message::ReopenAccess => self.change_log(self.log.access_file(), descriptor),
            Message::Ready | Message::StandsIn | Message::BootFailed | Message::Retire(_) => {}
            Message::Promoted
            | Message::Certificates
            | Message::Configuration
            | Message::Configured
            | Message::NotConfigured
            | Message::Lists
            | Message::Purge => {}
            Message::Fork { .. } | Message::Born { .. } | Message::NotForked { .. } => {}
        }
    }

    /// Lines go to the new file that the supervisor opened: this process may not be allowed to.
    fn change_log(&self, old: Option<BorrowedFd<'_>>, new: Option<OwnedFd>) {
        if let (Some(old), Some(new)) = (old, new)
            && let Err(error) = log_file::replace(old, new.as_fd())
        {
            self.log.report(
                Incident::LOG_NOT_REOPENED,
                format_args!("cannot change to the new log file: {error}"),
            );
        }
    }

    /// Serves a connection that came from elsewhere, whose sender has counted it.
    fn adopt(&self, listener: u16, descriptor: Option<OwnedFd>, reserve: &mut reserve::Taken<'_>) {
        let acceptor = self.lane.acceptors.get(usize::from(listener));
        match acceptor.zip(descriptor).map(|(acceptor, fd)| acceptor.adopt(fd)) {
            Some(Ok(accepted)) if !reserve.restore() => self.send_away(accepted, listener),
            Some(Ok(accepted)) => Shared { lane: self.lane_for_client(), ..*self }.enter(accepted, listener),
            // A client that is gone already needs no connection.
            Some(Err(_)) | None => self.forget_one(),
        }
    }

    /// Serves a connection of the front's, which has counted it.
    fn adopt_hop(&self, descriptor: Option<OwnedFd>) {
        match descriptor.map(Accepted::hop) {
            Some(Ok(accepted)) => {
                let shared = Shared { lane: self.lane_for_client(), ..*self };
                shared.enter_introduced(accepted, NO_LISTENER, Introduction::Each, |_| {});
            }
            Some(Err(_)) | None => self.forget_one(),
        }
    }

    /// Without a supervisor nobody restarts or stops this worker: it ends.
    pub(crate) fn supervisor_gone(&self) {
        if !self.is_draining() {
            self.log
                .report(Incident::SUPERVISOR_GONE, format_args!("the supervisor is gone: this worker stops"));
        }
        self.promoting.store(false, Ordering::SeqCst);
        self.orphan.is_one.store(true, Ordering::SeqCst);
        self.start_drain(ORPHAN_DRAIN);
    }

    /// Empties the pipe that told of a signal. Whoever polled, the handlers run on the main thread.
    pub(crate) fn clear_signals(&self) {
        if let Some(signals) = &self.signals {
            empty(signals);
            self.signalled.store(true, Ordering::SeqCst);
        }
    }

    /// How long the next poll may sleep.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        let sleep = self.lane.core().sleep(now);
        [sleep, self.queue_wait(now), self.pause_left(), self.drain_step()].into_iter().flatten().min()
    }
}

/// Reads and forgets what is in a pipe that does not block.
pub(crate) fn empty(mut pipe: &File) {
    let mut bytes = [0; 64];
    while matches!(pipe.read(&mut bytes), Ok(count) if count > 0) {}
}
