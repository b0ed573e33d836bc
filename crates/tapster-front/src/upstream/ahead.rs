//! What an upstream said and its client has not taken yet: some of it in memory, the rest in an unlinked file, and beyond that the
//! upstream waits. So an upstream is done as soon as it has said all, however slowly its client reads.
//!
//! One task fills it and empties it, and is polled for both: nobody need be woken.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use tapster_observe::{Incident, Log};

use crate::spool::{Spool, SpoolFile};

/// Bytes of an answer that wait in memory before the file is used, and those that wait behind it to be written at once.
const MEMORY: usize = 64 * 1024;

/// Bytes of a file that are read at once.
const PIECE: usize = 64 * 1024;

/// What one answer may be ahead of its client by in its file, as with a worker.
const MOST: u64 = 256 << 20;

/// One answer.
pub(super) struct Ahead {
    state: RefCell<State>,
    file: SpoolFile,
    spool: Rc<Spool>,
    log: Log,
    /// Something was put in or taken out since the task looked.
    changed: Cell<bool>,
    /// The client had its turn since something was put in.
    is_turn: Cell<bool>,
    /// Something was taken out since there was no room.
    has_taken: Cell<bool>,
}

/// In this order: what is in memory, in the file, and in memory again.
struct State {
    first: Vec<u8>,
    /// Where in the file it begins, and where it ends.
    start: u64,
    end: u64,
    last: Vec<u8>,
    /// What was last is on its way into the file.
    is_writing: bool,
    may_spool: bool,
    /// The upstream said all that it will.
    over: Option<io::Result<()>>,
}

impl State {
    fn has_file(&self) -> bool {
        self.start < self.end
    }

    /// Whether something can be taken, be it the end.
    fn is_ready(&self) -> bool {
        let can_tell = !self.last.is_empty() || self.over.is_some();
        !self.first.is_empty() || self.has_file() || can_tell && !self.is_writing
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty() && !self.has_file() && self.last.is_empty() && !self.is_writing
    }
}

impl Ahead {
    /// For an answer; `may_spool` if it may go to a file.
    pub(super) fn new(spool: &Rc<Spool>, log: &Log, may_spool: bool) -> Ahead {
        let state = State {
            first: Vec::new(),
            start: 0,
            end: 0,
            last: Vec::new(),
            is_writing: false,
            may_spool,
            over: None,
        };
        Ahead {
            state: RefCell::new(state),
            file: SpoolFile::new(spool),
            spool: spool.clone(),
            log: log.clone(),
            changed: Cell::new(false),
            is_turn: Cell::new(false),
            has_taken: Cell::new(false),
        }
    }

    /// Whether something was put in or taken out since this was asked last.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.replace(false)
    }

    /// The client had its turn: more may come.
    pub(super) fn give_turn(&self) {
        self.is_turn.set(true);
    }

    /// Puts `data` in, which is empty then; comes back when there is room for more.
    pub(super) async fn put(&self, data: &mut Vec<u8>) {
        self.put_last(data);
        self.turn().await;
        while self.state.borrow().last.len() >= MEMORY && !self.spill().await {
            self.room().await;
        }
    }

    /// Puts `data` in behind which nothing comes.
    pub(super) fn put_last(&self, data: &mut Vec<u8>) {
        let state = &mut *self.state.borrow_mut();
        let is_first = state.first.len() < MEMORY && !state.has_file() && state.last.is_empty();
        let place = if is_first { &mut state.first } else { &mut state.last };
        if place.is_empty() {
            std::mem::swap(place, data);
        } else {
            place.append(data);
        }
    }

    /// The upstream said all, or cannot go on.
    pub(super) fn end(&self, how: io::Result<()>) {
        self.state.borrow_mut().over = Some(how);
        self.changed.set(true);
    }

    /// Waits until the client had its turn.
    async fn turn(&self) {
        self.is_turn.set(false);
        self.changed.set(true);
        poll_fn(|_| if self.is_turn.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Waits until the client took something.
    async fn room(&self) {
        self.has_taken.set(false);
        poll_fn(|_| if self.has_taken.get() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Writes what is last into the file. False if that cannot be now: the client has to take something first.
    async fn spill(&self) -> bool {
        let (data, end) = {
            let state = &mut *self.state.borrow_mut();
            if !state.has_file() {
                (state.start, state.end) = (0, 0);
            }
            if !state.may_spool || state.end + state.last.len() as u64 > MOST {
                return false;
            }
            state.is_writing = true;
            (Bytes::from(std::mem::take(&mut state.last)), state.end)
        };
        // Bodies of requests, which have to be refused where there is no room, have the other half for themselves.
        let written = self.file.write(data.clone(), end, self.spool.most() / 2).await;
        let state = &mut *self.state.borrow_mut();
        state.is_writing = false;
        self.changed.set(true);
        match written {
            Ok(()) => {
                state.end += data.len() as u64;
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::QuotaExceeded => {}
            Err(error) => {
                state.may_spool = false;
                if self.spool.is_to_tell() {
                    self.log.report(Incident::ANSWERS_NOT_SPOOLED, format_args!(
                        "answers cannot be put into files, so that upstreams wait for slow clients (--temp-dir): {error}"
                    ));
                }
            }
        }
        state.last = data.into();
        false
    }

    /// Whether there is something to take.
    pub(super) fn is_ready(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// Waits until there is something to take.
    pub(super) async fn ready(&self) -> io::Result<usize> {
        poll_fn(|_| if self.is_ready() { Poll::Ready(()) } else { Poll::Pending }).await;
        Ok(0)
    }

    /// Takes what is next, in the place of what `data` held. True if it is the last. To be called when there is something.
    ///
    /// # Errors
    /// What the upstream ended with, after all that came before; and when the file cannot be read.
    pub(super) async fn take(&self, data: &mut Vec<u8>) -> io::Result<bool> {
        data.clear();
        let place = self.take_from_memory(data)?;
        if let Some((start, count)) = place {
            *data = self.file.read(start, count, std::mem::take(data)).await?;
            self.state.borrow_mut().start = start + count as u64;
        }
        self.has_taken.set(true);
        self.changed.set(true);
        let state = self.state.borrow();
        Ok(state.is_empty() && matches!(state.over, Some(Ok(()))))
    }

    /// Takes what is in memory; where it is in the file if what is next is there.
    fn take_from_memory(&self, data: &mut Vec<u8>) -> io::Result<Option<(u64, usize)>> {
        let state = &mut *self.state.borrow_mut();
        if !state.first.is_empty() {
            std::mem::swap(&mut state.first, data);
        } else if state.has_file() {
            let count = usize::try_from(state.end - state.start).map_or(PIECE, |left| left.min(PIECE));
            return Ok(Some((state.start, count)));
        } else if !state.last.is_empty() {
            std::mem::swap(&mut state.last, data);
        } else if let Some(Err(_)) = &state.over
            && let Some(how) = state.over.take()
        {
            how?;
        }
        Ok(None)
    }
}
