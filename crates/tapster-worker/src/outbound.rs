//! Bytes that the socket did not take at once. The thread that answers puts them in, the loop flushes them when
//! the socket has room, so that a slow client holds no thread; a stream that is too far ahead waits here.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tapster_gateway::Kept;

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
    pub(crate) fn new(stream: Arc<Stream>) -> Outbound {
        Outbound { stream, queue: Mutex::default(), moved: Condvar::new() }
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

    /// Waits until less than half of the high-water mark is queued, the client is gone, or `limit` passed without
    /// any progress. True if there is room.
    pub(crate) fn wait_for_room(&self, limit: Duration) -> bool {
        let mut queue = self.lock();
        while !queue.gone && queue.bytes > HIGH_WATER / 2 {
            let before = queue.bytes;
            let (next, wait) = self.moved.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner);
            queue = next;
            if wait.timed_out() && queue.bytes == before {
                return false;
            }
        }
        !queue.gone
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
                    return Ok(if queue.bytes < before { Flushed::Progress } else { Flushed::Stuck });
                }
                Err(error) => return Err(error),
            }
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
