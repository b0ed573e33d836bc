//! The hosts of a front's upstreams, each with a place on the scoreboard for as long as there is one.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::scoreboard::Words;

/// Hosts that a front shows; more are served all the same.
pub(super) const HOSTS: usize = 64;
/// Words of a host: four cache lines.
pub(super) const HOST_WORDS: usize = 32;

/// Odd while the texts change: whoever reads looks before and after.
const TURN: usize = 0;
const STATE: usize = 1;
/// Milliseconds since 1970 until which the state holds; 0 without an end.
const UNTIL: usize = 2;
const ACTIVE: usize = 3;
const REQUESTS: usize = 4;
const FAILURES: usize = 5;
const GROUP: std::ops::Range<usize> = 6..10;
const NAME: std::ops::Range<usize> = 10..32;

/// How often a reader looks again at a text that changes.
const LOOKS: usize = 100;

/// How a host is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostState {
    /// It gets its share of the requests.
    Healthy = 1,
    /// It came back, and gets its share little by little.
    SlowStart = 2,
    /// It was not checked yet, and gets no requests.
    Unknown = 3,
    /// It failed requests, and gets none for a while.
    Ejected = 4,
    /// It accepts no connections.
    Refusing = 5,
    /// It failed its health checks.
    Unhealthy = 6,
}

impl HostState {
    fn from_word(word: u64) -> Option<HostState> {
        use HostState::{Ejected, Healthy, Refusing, SlowStart, Unhealthy, Unknown};
        let all = [Healthy, SlowStart, Unknown, Ejected, Refusing, Unhealthy];
        all.into_iter().find(|state| *state as u64 == word)
    }

    /// In small letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            HostState::Healthy => "healthy",
            HostState::SlowStart => "slow start",
            HostState::Unknown => "unknown",
            HostState::Ejected => "ejected",
            HostState::Refusing => "refusing",
            HostState::Unhealthy => "unhealthy",
        }
    }

    /// Whether it gets requests, or may once its time is over.
    const fn may_serve(self, is_over: bool) -> bool {
        match self {
            HostState::Healthy | HostState::SlowStart => true,
            HostState::Ejected => is_over,
            HostState::Unknown | HostState::Refusing | HostState::Unhealthy => false,
        }
    }
}

/// A host as a reader sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostView {
    /// The group that it belongs to; empty for the one without a name.
    pub group: String,
    /// Its URL.
    pub name: String,
    /// How it is.
    pub state: HostState,
    /// Whether it gets requests now, be it that one tries how it is.
    pub serves: bool,
    /// Requests that it has.
    pub active: u64,
    /// Requests that it was sent.
    pub requests: u64,
    /// How many of these failed: no answer, or 502, 503, 504.
    pub failures: u64,
}

/// The counters of one host, for the front that made it. The place is free again when it is dropped.
pub struct HostBoard(Place);

/// A place for a host.
pub(super) struct Place {
    words: Words,
    first: usize,
}

impl Place {
    pub(super) fn new(words: Words, first: usize) -> Place {
        Place { words, first }
    }

    fn words(&self) -> &[AtomicU64] {
        &self.words[self.first..self.first + HOST_WORDS]
    }

    pub(super) fn clear(&self) {
        self.words()[STATE].store(0, Relaxed);
    }

    /// Takes the place, if it is free.
    pub(super) fn take(self, group: &str, name: &str) -> Option<HostBoard> {
        let words = self.words();
        if words[STATE].load(Relaxed) != 0 {
            return None;
        }
        words[TURN].store(words[TURN].load(Relaxed) | 1, Relaxed);
        std::sync::atomic::fence(Release);
        for place in [UNTIL, ACTIVE, REQUESTS, FAILURES] {
            words[place].store(0, Relaxed);
        }
        write_text(&words[GROUP], group);
        write_text(&words[NAME], name);
        words[STATE].store(HostState::Healthy as u64, Relaxed);
        words[TURN].store(words[TURN].load(Relaxed).wrapping_add(1), Release);
        Some(HostBoard(self))
    }

    /// Whether a host is there that gets requests now.
    pub(super) fn serves(&self) -> bool {
        let number = |place: usize| self.words()[place].load(Relaxed);
        let is_over = number(UNTIL) <= millis(SystemTime::now());
        HostState::from_word(number(STATE)).is_some_and(|state| state.may_serve(is_over))
    }

    /// What stands there; none when it is free.
    pub(super) fn view(&self) -> Option<HostView> {
        let words = self.words();
        for _ in 0..LOOKS {
            let turn = words[TURN].load(Acquire);
            let number = |place: usize| words[place].load(Relaxed);
            let state = HostState::from_word(number(STATE))?;
            let is_over = number(UNTIL) <= millis(SystemTime::now());
            let view = HostView {
                group: read_text(&words[GROUP]),
                name: read_text(&words[NAME]),
                state: match state {
                    HostState::SlowStart if is_over => HostState::Healthy,
                    state => state,
                },
                serves: state.may_serve(is_over),
                active: number(ACTIVE),
                requests: number(REQUESTS),
                failures: number(FAILURES),
            };
            std::sync::atomic::fence(Acquire);
            if turn.is_multiple_of(2) && words[TURN].load(Relaxed) == turn {
                return Some(view);
            }
        }
        None
    }
}

impl HostBoard {
    /// Says how it is; a slow start ends by itself after `left`.
    pub fn set_state(&self, state: HostState, left: Duration) {
        let words = self.0.words();
        words[UNTIL].store(millis(SystemTime::now() + left), Relaxed);
        words[STATE].store(state as u64, Relaxed);
    }

    /// Counts a request that is sent to it.
    pub fn begin(&self) {
        self.change(ACTIVE, 1);
        self.change(REQUESTS, 1);
    }

    /// Counts the end of one.
    pub fn end(&self, failed: bool) {
        self.change(ACTIVE, -1);
        self.change(FAILURES, i64::from(failed));
    }

    fn change(&self, place: usize, by: i64) {
        let word = &self.0.words()[place];
        word.store(word.load(Relaxed).wrapping_add_signed(by), Relaxed);
    }
}

impl Drop for HostBoard {
    fn drop(&mut self) {
        self.0.clear();
    }
}

impl fmt::Debug for HostBoard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.view().fmt(out)
    }
}

fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// As much of a text as there is room for.
fn write_text(words: &[AtomicU64], text: &str) {
    let mut bytes = text.bytes();
    for word in words {
        let piece: [u8; 8] = std::array::from_fn(|_| bytes.next().unwrap_or_default());
        word.store(u64::from_ne_bytes(piece), Relaxed);
    }
}

fn read_text(words: &[AtomicU64]) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.load(Relaxed).to_ne_bytes()).collect();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
