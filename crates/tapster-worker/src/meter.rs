//! How fast a client takes an answer. What counts is what its system has acknowledged: a large socket buffer reports
//! room seldom, however fast the client reads.

use std::time::Instant;

use crate::pace::{Pace, PaceLimits, Slow};
use crate::stream::Stream;

/// The client's side of an answer that it did not take at once.
#[derive(Default)]
pub(crate) struct Meter {
    /// None until the client is waited for.
    pace: Option<Pace>,
    /// Bytes of the answer that the socket took.
    written: u64,
    /// Bytes of it that the client had at the last look.
    taken: u64,
    /// The socket took some since the last look.
    moved: bool,
    /// Why the client was given up, if it was.
    pub(crate) slow: Option<Slow>,
}

impl Meter {
    /// Of an answer of which the socket took `written` bytes.
    pub(crate) fn new(written: u64) -> Meter {
        Meter { written, ..Meter::default() }
    }

    /// The socket took `bytes`.
    pub(crate) fn count(&mut self, bytes: u64) {
        self.written += bytes;
        self.moved |= bytes > 0;
    }

    /// Until when the client must have taken more. From the first time that this is asked until [`Meter::stop`], it
    /// is the client that is waited for.
    pub(crate) fn deadline(&mut self, stream: &Stream, now: Instant, limits: &PaceLimits) -> Option<Instant> {
        match &mut self.pace {
            None => self.look(stream, now, limits),
            Some(pace) => {
                pace.run(now);
                if std::mem::take(&mut self.moved) {
                    pace.heard(now, limits);
                }
            }
        }
        self.pace.as_ref().and_then(Pace::deadline)
    }

    /// Whether the client's time is over, by a look at how far it is.
    pub(crate) fn verdict(&mut self, stream: &Stream, now: Instant, limits: &PaceLimits) -> Option<Slow> {
        self.look(stream, now, limits);
        self.pace.as_ref().and_then(|pace| pace.verdict(now))
    }

    /// It was not the client that was waited for: its time begins anew.
    pub(crate) fn excuse(&mut self, now: Instant, limits: &PaceLimits) {
        let mut pace = Pace::new(limits);
        pace.run(now);
        self.pace = Some(pace);
    }

    /// The client is not waited for any more.
    pub(crate) fn stop(&mut self) {
        if let Some(pace) = &mut self.pace {
            pace.stop(Instant::now());
        }
    }

    fn look(&mut self, stream: &Stream, now: Instant, limits: &PaceLimits) {
        let pace = self.pace.get_or_insert_with(|| Pace::new(limits));
        pace.run(now);
        let taken = self.written.saturating_sub(stream.unacknowledged()).max(self.taken);
        pace.moved(taken - self.taken, now, limits);
        self.taken = taken;
        self.moved = false;
    }
}
