//! Bytes that the socket did not take at once. The thread that answers puts them in, the loop flushes them when
//! the socket has room, so that a slow client holds no thread; a stream that is too far ahead waits here.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tapster_gateway::Kept;

use crate::pace::{Pace, PaceLimits, Slow};
use crate::stream::Stream;

/// A stream that has this much unsent makes its application wait; what is queued by reference does not count
/// twice, it is in the application's memory anyway.
pub(crate) const HIGH_WATER: usize = 1 << 20;

/// How many parts go into one `writev`.
const PARTS: usize = 16;

/// The unsent rest of one connection's answers.
pub(crate) struct Outbound {
    stream: Arc<Stream>,
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Default)]
struct Queue {
    parts: VecDeque<Box<dyn Kept>>,
    /// How much of the first part is sent.
    sent: usize,
    bytes: usize,
    gone: bool,
    meter: Meter,
}

/// How fast the client takes the answer. What counts is what its system has acknowledged: a large socket buffer
/// reports room seldom, however fast the client reads.
#[derive(Default)]
struct Meter {
    /// None until the client is waited for.
    pace: Option<Pace>,
    /// Bytes of the answer that the socket took.
    written: u64,
    /// Bytes of it that the client had at the last look.
    taken: u64,
    /// The socket took some since the last look.
    moved: bool,
    slow: Option<Slow>,
}

impl Meter {
    /// Looks at how far the client is.
    fn look(&mut self, stream: &Stream, now: Instant, limits: &PaceLimits) {
        let pace = self.pace.get_or_insert_with(|| Pace::new(limits));
        pace.run(now);
        let taken = self.written.saturating_sub(stream.unacknowledged()).max(self.taken);
        pace.moved(taken - self.taken, now, limits);
        self.taken = taken;
        self.moved = false;
    }
}

/// What a flush came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flushed {
    /// Nothing is left.
    Empty,
    /// Some bytes went, some are left.
    Progress,
    /// Not a byte went.
    Stuck,
    /// The client is gone; the rest was dropped.
    Gone,
}

impl Outbound {
    /// A queue behind the `written` bytes of the answer that the socket took.
    pub(crate) fn new(stream: Arc<Stream>, written: u64) -> Outbound {
        let meter = Meter { written, ..Meter::default() };
        let queue = Queue { meter, ..Queue::default() };
        Outbound { stream, queue: Mutex::new(queue), moved: Condvar::new() }
    }

    /// Adds bytes behind what is queued, `sent` of them already sent if nothing is. True for the first of them: then
    /// the caller flushes, since only a write that finds no room *while bytes are queued* makes sure that the poller's
    /// next word of room is not lost.
    #[must_use]
    pub(crate) fn push(&self, part: Box<dyn Kept>, sent: usize) -> bool {
        let mut queue = self.lock();
        if queue.gone {
            return false;
        }
        let first = queue.parts.is_empty();
        if first {
            queue.sent = sent;
            queue.meter.written += sent as u64;
        }
        queue.bytes += part.bytes().len() - sent;
        queue.parts.push_back(part);
        first
    }

    /// How many bytes are queued; none if the client is gone.
    pub(crate) fn queued(&self) -> Option<usize> {
        let queue = self.lock();
        (!queue.gone).then_some(queue.bytes)
    }

    /// Until when the client must have taken more. From the first time that this is asked until the queue is empty,
    /// it is the client that is waited for.
    pub(crate) fn deadline(&self, now: Instant, limits: &PaceLimits) -> Option<Instant> {
        let mut queue = self.lock();
        let Queue { meter, .. } = &mut *queue;
        match &mut meter.pace {
            None => meter.look(&self.stream, now, limits),
            Some(pace) => {
                pace.run(now);
                if std::mem::take(&mut meter.moved) {
                    pace.heard(now, limits);
                }
            }
        }
        meter.pace.as_ref().and_then(Pace::deadline)
    }

    /// Whether the client's time is over, by a look at how far it is.
    pub(crate) fn verdict(&self, now: Instant, limits: &PaceLimits) -> Option<Slow> {
        let mut queue = self.lock();
        queue.meter.look(&self.stream, now, limits);
        queue.meter.pace.as_ref().and_then(|pace| pace.verdict(now))
    }

    /// Waits until less than half of the high-water mark is queued, the client is gone, or it is too slow. True if
    /// there is room.
    pub(crate) fn wait_for_room(&self, limits: &PaceLimits) -> bool {
        loop {
            let now = Instant::now();
            let deadline = self.deadline(now, limits);
            let queue = self.lock();
            if queue.gone || queue.bytes <= HIGH_WATER / 2 {
                return !queue.gone;
            }
            let limit = deadline.unwrap_or(now).saturating_duration_since(now);
            let (queue, wait) = self.moved.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner);
            drop(queue);
            if wait.timed_out()
                && let Some(slow) = self.verdict(Instant::now(), limits)
            {
                self.cut(slow);
                return false;
            }
        }
    }

    /// Gives up a client that is too slow. Its connection ends with a reset: an answer that is cut must not look
    /// whole, and the system is to keep nothing for it.
    pub(crate) fn cut(&self, slow: Slow) {
        self.lock().meter.slow = Some(slow);
        self.stream.reset_on_close();
        self.give_up();
    }

    /// Why the client was given up, if it was for being slow.
    pub(crate) fn slow(&self) -> Option<Slow> {
        self.lock().meter.slow
    }

    /// Gives the client up: what is queued is dropped, waiting applications wake.
    pub(crate) fn give_up(&self) {
        let dropped = {
            let mut queue = self.lock();
            queue.gone = true;
            queue.bytes = 0;
            std::mem::take(&mut queue.parts)
        };
        drop(dropped);
        self.moved.notify_all();
    }

    /// Writes as much as the socket takes.
    pub(crate) fn flush(&self) -> Flushed {
        let mut done: Vec<Box<dyn Kept>> = Vec::new();
        let result = self.flush_into(&mut done);
        // Outside of the lock: dropping may run the application's interpreter.
        drop(done);
        match result {
            Ok(flushed) => {
                if flushed != Flushed::Stuck {
                    self.moved.notify_all();
                }
                flushed
            }
            Err(_) => {
                self.give_up();
                Flushed::Gone
            }
        }
    }

    fn flush_into(&self, done: &mut Vec<Box<dyn Kept>>) -> io::Result<Flushed> {
        let mut queue = self.lock();
        if queue.gone {
            return Ok(Flushed::Gone);
        }
        let before = queue.bytes;
        while queue.bytes > 0 {
            match self.stream.write_parts(&queue.slices()) {
                Ok(written) => queue.consume(written, done),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    queue.meter.moved |= queue.bytes < before;
                    return Ok(if queue.bytes < before { Flushed::Progress } else { Flushed::Stuck });
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(pace) = &mut queue.meter.pace {
            pace.stop(Instant::now());
        }
        Ok(Flushed::Empty)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(self.parts.len().min(PARTS));
        for (index, part) in self.parts.iter().take(PARTS).enumerate() {
            let skip = if index == 0 { self.sent } else { 0 };
            slices.push(IoSlice::new(&part.bytes()[skip..]));
        }
        slices
    }

    fn consume(&mut self, mut written: usize, done: &mut Vec<Box<dyn Kept>>) {
        self.bytes -= written;
        self.meter.written += written as u64;
        while let Some(first) = self.parts.front() {
            let left = first.bytes().len() - self.sent;
            if written < left {
                self.sent += written;
                return;
            }
            written -= left;
            self.sent = 0;
            done.extend(self.parts.pop_front());
        }
    }
}
