//! Errors that repeat: the first ones of a time are logged, the others counted and told of in one line. A table of fixed size
//! in each process; nothing is allocated for an error, however many come.

use std::fmt::{self, Write};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::Incident;

/// The time within which the same errors are counted, from the first of them.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// How many different errors are told apart in one window.
const DIFFERENT: usize = 64;

/// How much of a message is kept to say what was repeated, in bytes.
const KEPT: usize = 200;

/// What has been logged lately.
pub(crate) struct Repeats {
    /// How often the same is logged within a window; 0 is without end.
    most: u32,
    hasher: RandomState,
    began: Instant,
    table: Mutex<Box<[Repeated; DIFFERENT]>>,
    /// When the next count is to be told, in milliseconds after the beginning; [`NEVER`] without any.
    due: AtomicU64,
}

const NEVER: u64 = u64::MAX;

/// One error and how often it came.
#[derive(Clone, Copy)]
pub(crate) struct Repeated {
    key: u64,
    incident: Option<Incident>,
    since: Duration,
    logged: u32,
    /// How often it was not logged since.
    pub(crate) suppressed: u64,
    words: [u8; KEPT],
    length: usize,
}

const NOTHING: Repeated = Repeated {
    key: 0,
    incident: None,
    since: Duration::ZERO,
    logged: 0,
    suppressed: 0,
    words: [0; KEPT],
    length: 0,
};

/// What is to become of an error.
pub(crate) enum Verdict {
    /// It is to be logged.
    Log,
    /// It is to be logged, behind the line that tells of another's repeats.
    Tell(Box<Repeated>),
    /// It is counted and not logged; true if it is the first, so that somebody has to tell of it later.
    Count(bool),
}

impl Repeats {
    pub(crate) fn new(most: u32) -> Repeats {
        Repeats {
            most,
            hasher: RandomState::new(),
            began: Instant::now(),
            table: Mutex::new(Box::new([NOTHING; DIFFERENT])),
            due: AtomicU64::new(NEVER),
        }
    }

    /// What makes an error the same as another: its incident, and what it says but for its numbers; with text below, that
    /// text to the byte, and not the message.
    pub(crate) fn key(&self, incident: Incident, message: fmt::Arguments<'_>, text: &[u8]) -> u64 {
        let mut words = WithoutDigits(self.hasher.build_hasher());
        words.0.write_u16(incident.number());
        if text.is_empty() {
            let _infallible = words.write_fmt(message);
        } else {
            words.0.write(text);
        }
        words.0.finish()
    }

    /// Notes an error with this key and says what is to become of it.
    pub(crate) fn note(&self, key: u64, incident: Incident, message: fmt::Arguments<'_>) -> Verdict {
        self.note_at(key, incident, message, self.began.elapsed())
    }

    fn note_at(&self, key: u64, incident: Incident, message: fmt::Arguments<'_>, now: Duration) -> Verdict {
        if self.most == 0 {
            return Verdict::Log;
        }
        // Whoever finds it taken is in a process forked in the middle of a line, or very unlucky: logging is right.
        let Ok(mut table) = self.table.try_lock() else { return Verdict::Log };
        if let Some(known) = table.iter_mut().find(|known| known.key == key && known.is_open(now)) {
            known.logged = known.logged.saturating_add(1);
            if known.logged <= self.most {
                return Verdict::Log;
            }
            known.suppressed += 1;
            let is_first = known.suppressed == 1;
            let over = (known.since + WINDOW).as_millis() as u64;
            self.due.fetch_min(over, Relaxed);
            return Verdict::Count(is_first);
        }
        let Some(place) = table.iter_mut().min_by_key(|known| known.worth(key, now)) else {
            return Verdict::Log;
        };
        let before = std::mem::replace(
            place,
            Repeated { key, incident: Some(incident), since: now, logged: 1, ..NOTHING },
        );
        let _cut = Sample(place).write_fmt(message);
        if before.suppressed > 0 { Verdict::Tell(Box::new(before)) } else { Verdict::Log }
    }

    /// Whether there is a count that is to be told by now.
    pub(crate) fn is_due(&self) -> bool {
        let due = self.due.load(Relaxed);
        due != NEVER && due <= self.began.elapsed().as_millis() as u64
    }

    /// How long it is until a count is to be told, if there is one.
    pub(crate) fn left(&self) -> Option<Duration> {
        let due = self.due.load(Relaxed);
        (due != NEVER).then(|| Duration::from_millis(due).saturating_sub(self.began.elapsed()))
    }

    /// Calls with every count whose window is over, or with `all` those too whose window is not.
    pub(crate) fn tell(&self, all: bool, mut tell: impl FnMut(&Repeated)) {
        if self.due.load(Relaxed) == NEVER {
            return;
        }
        let Ok(mut table) = self.table.try_lock() else { return };
        let now = self.began.elapsed();
        let mut next = NEVER;
        for known in table.iter_mut().filter(|known| known.suppressed > 0) {
            if all || !known.is_open(now) {
                let told = std::mem::replace(&mut known.suppressed, 0);
                tell(&Repeated { suppressed: told, ..*known });
            } else {
                next = next.min((known.since + WINDOW).as_millis() as u64);
            }
        }
        self.due.store(next, Relaxed);
    }
}

impl Repeated {
    /// Its window is not over.
    fn is_open(&self, now: Duration) -> bool {
        self.incident.is_some() && now < self.since + WINDOW
    }

    /// The place that is given to another error first: its own of before, one that is over, one of which nothing is to be told.
    fn worth(&self, key: u64, now: Duration) -> (bool, bool, bool, Duration) {
        let is_other = self.incident.is_none() || self.key != key;
        (is_other, self.is_open(now), self.suppressed > 0, self.since)
    }

    /// What was repeated.
    pub(crate) fn incident(&self) -> Option<Incident> {
        self.incident
    }

    /// The beginning of its first message.
    pub(crate) fn words(&self) -> &str {
        let words = &self.words[..self.length];
        std::str::from_utf8(words)
            .unwrap_or_else(|cut| std::str::from_utf8(&words[..cut.valid_up_to()]).unwrap_or_default())
    }
}

struct WithoutDigits<H>(H);

impl<H: Hasher> Write for WithoutDigits<H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().split(u8::is_ascii_digit).filter(|part| !part.is_empty()) {
            self.0.write(part);
        }
        Ok(())
    }
}

/// Keeps as much as there is room for.
struct Sample<'a>(&'a mut Repeated);

impl Write for Sample<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let Repeated { words, length, .. } = &mut *self.0;
        let count = text.len().min(KEPT - *length);
        words[*length..*length + count].copy_from_slice(&text.as_bytes()[..count]);
        *length += count;
        if count < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(repeats: &Repeats, all: bool) -> Vec<(String, u64)> {
        let mut told = Vec::new();
        repeats.tell(all, |one| told.push((one.words().to_owned(), one.suppressed)));
        told
    }

    fn note(repeats: &Repeats, message: &str, text: &[u8], seconds: u64) -> Verdict {
        let incident = Incident::APPLICATION_FAILED;
        let key = repeats.key(incident, format_args!("{message}"), text);
        repeats.note_at(key, incident, format_args!("{message}"), Duration::from_secs(seconds))
    }

    #[test]
    fn numbers_make_no_difference_and_words_do() {
        let repeats = Repeats::new(2);
        assert!(matches!(note(&repeats, "client 1 left", b"", 0), Verdict::Log));
        assert!(matches!(note(&repeats, "client 22 left", b"", 1), Verdict::Log));
        assert!(matches!(note(&repeats, "client 3 left", b"", 2), Verdict::Count(true)));
        assert!(matches!(note(&repeats, "client 4 left", b"", 3), Verdict::Count(false)));
        assert!(matches!(note(&repeats, "client 5 came", b"", 4), Verdict::Log));
        assert_eq!(told(&repeats, true), [("client 1 left".to_owned(), 2)]);
        assert_eq!(told(&repeats, true), []);
    }

    #[test]
    fn tracebacks_differ_by_each_byte_and_not_by_the_request() {
        let repeats = Repeats::new(1);
        assert!(matches!(note(&repeats, "GET /a", b"KeyError: 1", 0), Verdict::Log));
        assert!(matches!(note(&repeats, "GET /b", b"KeyError: 1", 0), Verdict::Count(true)));
        assert!(matches!(note(&repeats, "GET /a", b"KeyError: 2", 0), Verdict::Log));
    }

    #[test]
    fn each_window_lets_some_through_again_and_tells_of_the_last() {
        let repeats = Repeats::new(1);
        assert!(matches!(note(&repeats, "x", b"", 0), Verdict::Log));
        assert!(matches!(note(&repeats, "x", b"", 9), Verdict::Count(true)));
        let Verdict::Tell(before) = note(&repeats, "x", b"", 10) else { panic!("nothing told") };
        assert_eq!((before.words(), before.suppressed), ("x", 1));
        assert!(matches!(note(&repeats, "x", b"", 11), Verdict::Count(true)));
    }

    #[test]
    fn many_different_ones_push_out_the_quiet_ones_first() {
        let repeats = Repeats::new(1);
        note(&repeats, "loud", b"", 0);
        note(&repeats, "loud", b"", 0);
        for letter in 0..(DIFFERENT * 3) {
            let message = "x".repeat(letter + 1);
            assert!(matches!(note(&repeats, &message, b"", 1), Verdict::Log));
        }
        assert_eq!(told(&repeats, true), [("loud".to_owned(), 1)]);
    }

    #[test]
    fn without_a_limit_all_are_logged_and_long_messages_are_cut() {
        let repeats = Repeats::new(0);
        assert!((0..100).all(|_| matches!(note(&repeats, "x", b"", 0), Verdict::Log)));
        let repeats = Repeats::new(1);
        let long = "é".repeat(KEPT);
        note(&repeats, &long, b"", 0);
        note(&repeats, &long, b"", 0);
        assert_eq!(told(&repeats, true), [("é".repeat(KEPT / 2), 1)]);
    }
}
