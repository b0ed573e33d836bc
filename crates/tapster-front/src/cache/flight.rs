//! One answer that is being fetched, by a task of its own, for everybody who waits for it. Whose request it was reads along; the
//! others wait until it is stored, or is known not to be for them.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Instant;

use tapster_http1::ResponseBody;
use tapster_observe::FrontCounter;
use tokio::sync::Notify;

use super::Cache;
use super::ask::Ask;
use super::entry::Entry;
use super::freshness::Freshness;
use super::vary::Vary;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::reply::Head;

/// Bytes of an answer that is not stored that are held for whoever reads it.
const WINDOW: usize = 128 * 1024;

/// One answer on its way.
pub(crate) struct Flight {
    cache: Rc<Cache>,
    ask: Ask,
    /// What was sent.
    request: Request,
    /// The answer that is there already, and is asked about.
    old: Option<Rc<Entry>>,
    state: RefCell<State>,
    /// Something came, or was taken.
    changed: Notify,
    /// What it answers was changed meanwhile: it is not stored.
    is_void: Cell<bool>,
}

struct State {
    /// Whoever reads along is there.
    has_reader: bool,
    head: Option<(Head, ResponseBody)>,
    /// What came of the body and is held; the reader has taken what was before it.
    body: Vec<u8>,
    taken: usize,
    stage: Stage,
    outcome: Option<Outcome>,
}

enum Stage {
    /// Nothing came.
    Asked,
    /// All of the body is held, because it is to be stored.
    Storing(Box<(Freshness, Vary)>),
    /// The body goes by.
    Passing,
    /// It is dropped.
    Dropped,
    /// It is all there.
    Over,
    /// It will never be.
    Broken,
}

/// What became of it, for everybody.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// It is stored.
    Stored(Rc<Entry>),
    /// No better answer was to be had than the one that was there.
    Stale(Rc<Entry>),
    /// It is for the one alone whose request it was.
    Private,
    /// It was refused.
    Refused(Refused),
    /// Somebody has to ask anew.
    Again,
}

/// What the reader does next.
pub(crate) enum Next {
    /// The head, and how the body is delimited.
    Head(Box<Head>, ResponseBody),
    /// A piece of the body, and whether it is the last.
    Piece(Vec<u8>, bool),
    Outcome(Outcome),
    /// What was begun has no end.
    Broken,
}

impl Flight {
    pub(super) fn new(
        cache: &Rc<Cache>,
        ask: Ask,
        request: Request,
        old: Option<Rc<Entry>>,
        has_reader: bool,
    ) -> Rc<Flight> {
        let state =
            State { has_reader, head: None, body: Vec::new(), taken: 0, stage: Stage::Asked, outcome: None };
        Rc::new(Flight {
            cache: cache.clone(),
            ask,
            request,
            old,
            state: RefCell::new(state),
            changed: Notify::new(),
            is_void: Cell::new(false),
        })
    }

    /// What is sent.
    pub(super) fn request(&self) -> &Request {
        &self.request
    }

    /// The key of its target.
    pub(super) fn key(&self) -> &[u8] {
        &self.ask.key
    }

    /// What it answers was changed: it is not stored.
    pub(super) fn void(&self) {
        self.is_void.set(true);
    }

    /// The head came.
    pub(super) fn begin(&self, head: Head, body: ResponseBody) {
        let mut state = self.state.borrow_mut();
        let old = self.old.as_ref();
        (state.stage, state.outcome) = match (head.status, old) {
            (304, Some(old)) => (Stage::Dropped, Some(self.confirmed(old, &head))),
            (500 | 502..=504, Some(old)) if old.freshness.serves_instead(Instant::now()) => {
                (Stage::Dropped, Some(Outcome::Stale(old.clone())))
            }
            _ => match self.prepare(&head, body) {
                Some(prepared) => (Stage::Storing(Box::new(prepared)), None),
                None => (Stage::Passing, Some(self.private(head.status))),
            },
        };
        state.head = Some((head, body));
        drop(state);
        self.changed.notify_waiters();
    }

    /// The old answer is right still.
    fn confirmed(&self, old: &Rc<Entry>, new: &Head) -> Outcome {
        let plain = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
        let is_another = match (new.value(b"etag"), old.etag()) {
            (Some(new), Some(old)) => plain(new) != plain(old.as_bytes()),
            _ => false,
        };
        let head = old.merged(new);
        let freshness = Freshness::of(&self.cache.rules, &self.ask, &self.request, &head);
        match freshness.filter(|_| !is_another && !self.is_void.get()) {
            Some(freshness) => {
                self.cache.board.count(FrontCounter::CacheRevalidated);
                let entry = Rc::new(old.updated(freshness, head));
                self.cache.store.borrow_mut().insert(&self.ask.key, entry.clone());
                Outcome::Stored(entry)
            }
            None => {
                self.cache.store.borrow_mut().remove(&self.ask.key, old);
                Outcome::Again
            }
        }
    }

    /// Whether the answer may be stored, and how.
    fn prepare(&self, head: &Head, body: ResponseBody) -> Option<(Freshness, Vary)> {
        let most = self.cache.rules.max_object;
        let fits = match body {
            ResponseBody::Length(length) => usize::try_from(length).is_ok_and(|length| length <= most),
            ResponseBody::Chunked => true,
            // Where it was cut off cannot be seen.
            ResponseBody::UntilClose => false,
        };
        if !fits || self.is_void.get() || !self.cache.has_room() {
            return None;
        }
        let freshness = Freshness::of(&self.cache.rules, &self.ask, &self.request, head)?;
        Some((freshness, Vary::new(head, &self.request)?))
    }

    /// Nobody else gets this answer, and for a while nobody waits for the like of it.
    fn private(&self, status: u16) -> Outcome {
        if let Some(old) = &self.old
            && status < 500
        {
            self.cache.store.borrow_mut().remove(&self.ask.key, old);
        }
        if status < 500 {
            self.cache.mark(&self.ask);
        }
        Outcome::Private
    }

    /// A piece of the body came.
    ///
    /// # Errors
    /// `ConnectionReset` when nobody wants it.
    pub(super) fn put(&self, data: &[u8], is_last: bool) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        match &state.stage {
            Stage::Asked | Stage::Over | Stage::Broken | Stage::Dropped => return Ok(()),
            Stage::Storing(_) => {
                state.body.extend_from_slice(data);
                self.cache.filling.set(self.cache.filling.get() + data.len() as u64);
                if state.body.len() > self.cache.rules.max_object || !self.cache.has_room() {
                    self.give_up(&mut state);
                }
            }
            Stage::Passing => {
                if !state.has_reader {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                let taken = std::mem::take(&mut state.taken);
                state.body.drain(..taken);
                state.body.extend_from_slice(data);
            }
        }
        if is_last {
            self.finish(&mut state);
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    /// It is larger than it may be.
    fn give_up(&self, state: &mut State) {
        self.empty(state);
        state.stage = Stage::Passing;
        state.outcome = Some(self.private(200));
    }

    /// What is held does not count as being stored any more.
    fn empty(&self, state: &State) {
        if matches!(state.stage, Stage::Storing(_)) {
            let filling = &self.cache.filling;
            filling.set(filling.get().saturating_sub(state.body.len() as u64));
        }
    }

    /// All of it is there.
    fn finish(&self, state: &mut State) {
        self.empty(state);
        let stage = std::mem::replace(&mut state.stage, Stage::Over);
        let Stage::Storing(prepared) = stage else { return };
        let (freshness, vary) = *prepared;
        let Some((head, _)) = &state.head else { return };
        if self.is_void.get() {
            state.outcome = Some(Outcome::Private);
            return;
        }
        let mut head = head.clone();
        if !head.has(b"date") {
            head.add(b"Date", &self.cache.date());
        }
        let selecting = self.ask.selecting.clone().into();
        let body = bytes::Bytes::copy_from_slice(&state.body);
        let entry = Rc::new(Entry::new(vary, selecting, freshness, head, body));
        self.cache.store.borrow_mut().insert(&self.ask.key, entry.clone());
        self.cache.board.count(FrontCounter::CacheStored);
        state.outcome = Some(Outcome::Stored(entry));
    }

    /// The handler is done; with `refused` it has not answered.
    pub(super) fn end(&self, refused: Option<Refused>) {
        let mut state = self.state.borrow_mut();
        self.empty(&state);
        if !matches!(state.stage, Stage::Over | Stage::Dropped) {
            state.stage = Stage::Broken;
        }
        if state.outcome.is_none() {
            let old = self.old.as_ref().filter(|old| old.freshness.serves_instead(Instant::now()));
            state.outcome = Some(match (refused, old) {
                (_, Some(old)) => Outcome::Stale(old.clone()),
                (Some(refused), None) => Outcome::Refused(refused),
                (None, None) => Outcome::Again,
            });
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Whether more of the body may come.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state.borrow();
        !matches!(state.stage, Stage::Passing) || !state.has_reader || state.body.len() - state.taken < WINDOW
    }

    /// Waits until that is so.
    pub(super) async fn room(&self) {
        self.until(|| self.has_room().then_some(())).await;
    }

    /// Waits until nobody wants the answer: whose request it was has left, and it is not to be stored.
    pub(super) async fn unwanted(&self) {
        self.until(|| {
            let state = self.state.borrow();
            (matches!(state.stage, Stage::Passing) && !state.has_reader).then_some(())
        })
        .await;
    }

    /// Waits for what becomes of it.
    pub(super) async fn outcome(&self) -> Outcome {
        self.until(|| self.state.borrow().outcome.clone()).await
    }

    async fn until<T>(&self, ready: impl Fn() -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            match ready() {
                Some(value) => return value,
                None => changed.await,
            }
        }
    }
}

/// Whoever reads along: the client whose request it was.
pub(crate) struct Reader {
    flight: Rc<Flight>,
    has_head: bool,
}

impl Reader {
    pub(super) fn new(flight: Rc<Flight>) -> Reader {
        Reader { flight, has_head: false }
    }

    /// What to do next.
    pub(crate) async fn next(&mut self) -> Next {
        let flight = self.flight.clone();
        let next = flight.until(|| if self.has_head { flight.piece() } else { flight.first() }).await;
        self.has_head |= matches!(next, Next::Head(..));
        next
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.flight.state.borrow_mut().has_reader = false;
        self.flight.changed.notify_waiters();
    }
}

impl Flight {
    fn first(&self) -> Option<Next> {
        let state = self.state.borrow();
        match (&state.outcome, &state.stage) {
            // It may have come to its end already.
            (Some(Outcome::Private), _) | (None, Stage::Storing(_)) => {
                let (head, body) = state.head.as_ref()?;
                Some(Next::Head(Box::new(head.clone()), *body))
            }
            (Some(outcome), _) => Some(Next::Outcome(outcome.clone())),
            (None, _) => None,
        }
    }

    fn piece(&self) -> Option<Next> {
        let mut state = self.state.borrow_mut();
        let piece = state.body.get(state.taken..).unwrap_or_default().to_vec();
        let is_over = matches!(state.stage, Stage::Over);
        if piece.is_empty() && !is_over {
            return matches!(state.stage, Stage::Broken).then_some(Next::Broken);
        }
        state.taken = state.body.len();
        drop(state);
        self.changed.notify_waiters();
        Some(Next::Piece(piece, is_over))
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let state = &*self.state.borrow();
        self.empty(state);
    }
}
