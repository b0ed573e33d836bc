//! What of an answer the socket did not take at once. The thread that answers puts it in, the loop flushes it when
//! the socket has room, so that a slow client holds no thread; files, and bytes that were moved to one, are the file
//! thread's (`file.rs`). A stream that is too far ahead waits here.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tapster_gateway::Kept;

use crate::backing::Backing;
use crate::file::{self, FileBody, FilePart};
use crate::meter::Meter;
use crate::pace::{PaceLimits, Slow};
use crate::spool::{ANSWER_SPOOL, SpoolFile};
use crate::stream::Stream;

/// A stream that has this much unsent in memory is moved to a file, or made to wait; what is queued by reference does
/// not count twice, it is in the application's memory anyway.
const HIGH_WATER: u64 = 1 << 20;

/// What a stream may have in memory while some of it is being moved to a file.
const HIGHEST_WATER: u64 = 2 * HIGH_WATER;

/// How long a stream waits for its client before it goes to a file: a fast client has taken a mebibyte by then.
const BRIEFLY: Duration = Duration::from_millis(20);

/// How often a stream that waits for the disk looks after its client.
const DISK: Duration = Duration::from_secs(1);

/// How many parts go into one `writev`.
const PARTS: usize = 16;

/// The unsent rest of one connection's answers.
pub(crate) struct Outbound {
    pub(crate) stream: Arc<Stream>,
    pub(crate) backing: Backing,
    queue: Mutex<Queue>,
    moved: Condvar,
    /// An application waits for room: set under the queue's lock.
    is_waited_for: AtomicBool,
}

/// What waits, in its order.
pub(crate) enum Part {
    Memory(Box<dyn Kept>),
    File(FilePart),
    /// Bytes on their way to the spool file.
    Moving(u64),
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) parts: VecDeque<Part>,
    /// How much of the first part is sent, if that is in memory.
    pub(crate) sent: usize,
    bytes: u64,
    /// How many of them are in memory.
    pub(crate) memory: u64,
    pub(crate) gone: bool,
    /// The file thread sends, or will as soon as it can: nobody else may.
    pub(crate) is_sent_by_thread: bool,
    /// The poller saw room while the file thread was sending.
    pub(crate) saw_room: bool,
    /// What was moved out of memory; none also while the file thread has it in hand.
    pub(crate) spool: Option<SpoolFile>,
    /// Bytes in the spool file, sent or not.
    pub(crate) spooled: u64,
    /// The file thread moves bytes, or will.
    pub(crate) is_spooling: bool,
    /// The client is too slow for this stream to wait for it.
    spools: bool,
    /// There is no more room for files.
    pub(crate) spool_failed: bool,
    pub(crate) meter: Meter,
}

/// What a flush came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flushed {
    /// Nothing is left.
    Empty,
    /// Some bytes went, some are left.
    Progress,
    /// Not a byte went, or the file thread is at it.
    Stuck,
    /// The client is gone; the rest was dropped.
    Gone,
}

/// Why writing from memory stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    Nothing,
    /// The socket has no room.
    Blocked,
    /// The next part is in a file.
    File,
}

impl Outbound {
    /// A queue behind the `written` bytes of the answer that the socket took.
    pub(crate) fn new(stream: Arc<Stream>, written: u64, backing: Backing) -> Arc<Outbound> {
        let queue = Queue { meter: Meter::new(written), ..Queue::default() };
        let (moved, is_waited_for) = (Condvar::new(), AtomicBool::new(false));
        Arc::new(Outbound { stream, backing, queue: Mutex::new(queue), moved, is_waited_for })
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
            queue.meter.count(sent as u64);
        }
        let left = (part.bytes().len() - sent) as u64;
        queue.bytes += left;
        queue.memory += left;
        queue.parts.push_back(Part::Memory(part));
        first
    }

    /// Adds a part of a file, and then flushes.
    pub(crate) fn push_file(self: &Arc<Outbound>, file: FileBody, offset: u64, length: u64) -> Flushed {
        let mut queue = self.lock();
        if !queue.gone {
            queue.bytes += length;
            queue.parts.push_back(Part::File(FilePart { file: Some(Arc::new(file)), offset, left: length }));
        }
        drop(queue);
        self.flush()
    }

    /// How many bytes are queued; none if the client is gone.
    pub(crate) fn queued(&self) -> Option<u64> {
        let queue = self.lock();
        (!queue.gone).then_some(queue.bytes)
    }

    /// Until when the client must have taken more. From the first time that this is asked until the queue is empty,
    /// it is the client that is waited for.
    pub(crate) fn deadline(&self, now: Instant, limits: &PaceLimits) -> Option<Instant> {
        self.lock().meter.deadline(&self.stream, now, limits)
    }

    /// Whether the client's time is over, by a look at how far it is.
    pub(crate) fn verdict(&self, now: Instant, limits: &PaceLimits) -> Option<Slow> {
        let mut queue = self.lock();
        if queue.is_sent_by_thread {
            // There is room, so it is the disk that is waited for.
            queue.meter.excuse(now, limits);
            return None;
        }
        queue.meter.verdict(&self.stream, now, limits)
    }

    /// Whether the application may go on at once. What it is ahead by goes to a file if its client is slow.
    pub(crate) fn has_room(self: &Arc<Outbound>) -> bool {
        let queue = self.lock();
        !queue.gone && (queue.memory <= HIGH_WATER || queue.spools && self.spool(queue))
    }

    /// Waits until there is room in memory, first for the client, then for the file thread, and for the client again
    /// if there is no room for files. False if the client is gone or too slow.
    pub(crate) fn wait_for_room(self: &Arc<Outbound>, limits: &PaceLimits) -> bool {
        self.wait_briefly();
        self.lock().spools = true;
        loop {
            let now = Instant::now();
            let deadline = self.deadline(now, limits);
            let queue = self.lock();
            if queue.gone || queue.memory <= HIGH_WATER / 2 {
                return !queue.gone;
            }
            if self.spool(queue) {
                return true;
            }
            let queue = self.lock();
            let waits_for_disk = queue.is_spooling;
            let limit = match deadline {
                Some(deadline) if !waits_for_disk => deadline.saturating_duration_since(now),
                _ => DISK,
            };
            let is_over = !self.wait(queue, limit);
            if is_over
                && !waits_for_disk
                && let Some(slow) = self.verdict(Instant::now(), limits)
            {
                self.cut(slow);
                return false;
            }
        }
    }

    fn wait_briefly(&self) {
        let until = Instant::now() + BRIEFLY;
        loop {
            let queue = self.lock();
            let left = until.saturating_duration_since(Instant::now());
            if queue.spools || queue.gone || queue.memory <= HIGH_WATER / 2 || left.is_zero() {
                return;
            }
            self.wait(queue, left);
        }
    }

    /// Waits for a change of the queue; false if there was none within `limit`.
    fn wait(&self, queue: MutexGuard<'_, Queue>, limit: Duration) -> bool {
        self.is_waited_for.store(true, Ordering::SeqCst);
        let (queue, wait) = self.moved.wait_timeout(queue, limit).unwrap_or_else(PoisonError::into_inner);
        self.is_waited_for.store(false, Ordering::SeqCst);
        drop(queue);
        !wait.timed_out()
    }

    /// Has what is in memory moved to a file, if there is room for it. True if the application need not wait for that.
    fn spool(self: &Arc<Outbound>, mut queue: MutexGuard<'_, Queue>) -> bool {
        if queue.spool_failed || queue.spooled >= ANSWER_SPOOL {
            return false;
        }
        let is_ahead = queue.memory <= HIGHEST_WATER;
        if !std::mem::replace(&mut queue.is_spooling, true) {
            drop(queue);
            file::spool_soon(self.clone());
        }
        is_ahead
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
            (queue.bytes, queue.memory) = (0, 0);
            (std::mem::take(&mut queue.parts), queue.spool.take())
        };
        drop(dropped);
        self.notify();
    }

    /// Writes as much as the socket takes, or has the file thread do it.
    pub(crate) fn flush(self: &Arc<Outbound>) -> Flushed {
        let mut done: Vec<Part> = Vec::new();
        let result = self.flush_into(&mut done);
        // Outside of the lock: dropping may run the application's interpreter.
        drop(done);
        match result {
            Ok(flushed) => {
                if flushed != Flushed::Stuck {
                    self.notify();
                }
                flushed
            }
            Err(_) => {
                self.give_up();
                Flushed::Gone
            }
        }
    }

    fn flush_into(self: &Arc<Outbound>, done: &mut Vec<Part>) -> io::Result<Flushed> {
        let mut queue = self.lock();
        if queue.gone {
            return Ok(Flushed::Gone);
        }
        if queue.is_sent_by_thread {
            queue.saw_room = true;
            return Ok(Flushed::Stuck);
        }
        let before = queue.bytes;
        let next = queue.write(&self.stream, done)?;
        let went = queue.bytes < before;
        if next == Next::File {
            queue.is_sent_by_thread = true;
            drop(queue);
            file::send_soon(self.clone());
        }
        Ok(match next {
            Next::Nothing => Flushed::Empty,
            Next::Blocked | Next::File if went => Flushed::Progress,
            Next::Blocked | Next::File => Flushed::Stuck,
        })
    }

    /// Wakes an application that waits for room.
    pub(crate) fn notify(&self) {
        if self.is_waited_for.load(Ordering::SeqCst) {
            self.moved.notify_all();
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Writes the parts in memory that come next; puts into `done` what is to be dropped without the lock.
    pub(crate) fn write(&mut self, stream: &Stream, done: &mut Vec<Part>) -> io::Result<Next> {
        loop {
            match self.parts.front() {
                None => {
                    self.meter.stop();
                    self.spools = false;
                    return Ok(Next::Nothing);
                }
                Some(Part::File(_) | Part::Moving(_)) => return Ok(Next::File),
                Some(Part::Memory(_)) => match stream.write_parts(&self.slices()) {
                    Ok(written) => self.consume(written, done),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Blocked),
                    Err(error) => return Err(error),
                },
            }
        }
    }

    fn slices(&self) -> Vec<IoSlice<'_>> {
        let mut slices = Vec::with_capacity(self.parts.len().min(PARTS));
        let mut skip = self.sent;
        for part in self.parts.iter().take(PARTS) {
            let Part::Memory(bytes) = part else { break };
            slices.push(IoSlice::new(&bytes.bytes()[skip..]));
            skip = 0;
        }
        slices
    }

    fn consume(&mut self, mut written: usize, done: &mut Vec<Part>) {
        self.count(written as u64);
        self.memory -= written as u64;
        while let Some(Part::Memory(first)) = self.parts.front() {
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

    /// The socket took `bytes`.
    pub(crate) fn count(&mut self, bytes: u64) {
        self.bytes -= bytes;
        self.meter.count(bytes);
    }
}
