//! What the log said last, in memory that all processes of a server share: so that the supervisor can show the messages of
//! workers that have ended since. Written by whoever logs an error, a warning or a slow request, which is seldom; read by the
//! supervisor. It is there only if somebody is to read it.
//!
//! A ring for each [`Topic`]. A writer takes the next number, and with it its place in the ring; the place's first word is odd
//! while it is written. What is torn, because a process died while it wrote or a whole ring was written meanwhile, is passed over.

use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Level;
use crate::scoreboard::Words;

/// What belongs together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// Errors and warnings.
    Messages,
    /// Requests that ran for long, with their stacks.
    SlowRequests,
}

/// How many are kept of each topic, the messages first.
pub const KEPT: [usize; 2] = [100, 32];
/// The longest text in bytes; of a longer one the middle is left out.
pub const LONGEST: usize = (ENTRY_WORDS - TEXT) * 8;

/// Before the rings: the next number of each.
const HEAD_WORDS: usize = 16;
/// A page for each.
const ENTRY_WORDS: usize = 512;
/// Behind sequence, time, process, and worker.
const TEXT: usize = 5;
const OMISSION: &[u8] = b"\n[...]\n";

/// How many words it takes.
pub const RECENT_WORDS: usize = HEAD_WORDS + (KEPT[0] + KEPT[1]) * ENTRY_WORDS;

/// What was logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Counts those of its topic, from 0.
    pub number: u64,
    /// When.
    pub time: SystemTime,
    /// By which process.
    pub pid: u32,
    /// By which worker, from 1; none for other processes.
    pub worker: Option<usize>,
    /// How important it is.
    pub level: Level,
    /// The message, and what stands below it.
    pub text: String,
}

/// The memory. Clones show the same.
#[derive(Clone)]
pub struct Recent {
    words: Words,
}

impl Recent {
    /// In these words, all zero at first.
    ///
    /// # Panics
    /// When there are fewer than [`RECENT_WORDS`].
    pub fn new(words: Words) -> Recent {
        assert!(words.len() >= RECENT_WORDS, "{} words for {RECENT_WORDS}", words.len());
        Recent { words }
    }

    /// Keeps a message of this process.
    pub fn note(&self, topic: Topic, level: Level, worker: Option<usize>, text: &[u8]) {
        let number = self.words[topic as usize].fetch_add(1, Relaxed);
        let place = self.place(topic, number);
        place[0].store(2 * number + 1, Relaxed);
        fence(Release);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let text = shortened(text);
        place[1].store(u64::try_from(since.as_micros()).unwrap_or(u64::MAX), Relaxed);
        place[2].store(u64::from(std::process::id()), Relaxed);
        place[3].store(worker.unwrap_or(0) as u64, Relaxed);
        place[4].store((text.len() as u64) << 8 | level as u64, Relaxed);
        for (word, bytes) in place[TEXT..].iter().zip(text.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(whole), Relaxed);
        }
        place[0].store(2 * number + 2, Release);
    }

    /// How many there were so far, kept or not.
    pub fn noted(&self, topic: Topic) -> u64 {
        self.words[topic as usize].load(Relaxed)
    }

    /// What is kept, the oldest first.
    pub fn read(&self, topic: Topic) -> Vec<Entry> {
        let end = self.noted(topic);
        let first = end.saturating_sub(KEPT[topic as usize] as u64);
        (first..end).filter_map(|number| self.entry(topic, number)).collect()
    }

    fn entry(&self, topic: Topic, number: u64) -> Option<Entry> {
        let place = self.place(topic, number);
        let before = place[0].load(Acquire);
        let [time, pid, worker, kind] = [1, 2, 3, 4].map(|word: usize| place[word].load(Relaxed));
        let length = usize::try_from(kind >> 8).ok()?.min(LONGEST);
        let words = place[TEXT..].iter().take(length.div_ceil(8));
        let mut text: Vec<u8> = words.flat_map(|word| word.load(Relaxed).to_ne_bytes()).collect();
        fence(Acquire);
        if before != 2 * number + 2 || place[0].load(Relaxed) != before {
            return None;
        }
        text.truncate(length);
        Some(Entry {
            number,
            time: UNIX_EPOCH + Duration::from_micros(time),
            pid: u32::try_from(pid).ok()?,
            worker: usize::try_from(worker).ok().filter(|worker| *worker > 0),
            level: Level::ALL.into_iter().find(|level| *level as u64 == kind & 0xff)?,
            text: String::from_utf8_lossy(&text).into_owned(),
        })
    }

    fn place(&self, topic: Topic, number: u64) -> &[AtomicU64] {
        let before = if topic == Topic::Messages { 0 } else { KEPT[0] };
        // Below the number of those that are kept.
        let within = (number % KEPT[topic as usize] as u64) as usize;
        let first = HEAD_WORDS + (before + within) * ENTRY_WORDS;
        &self.words[first..first + ENTRY_WORDS]
    }
}

impl fmt::Debug for Recent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recent").finish_non_exhaustive()
    }
}

/// Of a traceback the end says what happened, so more of that is kept.
fn shortened(text: &[u8]) -> Vec<u8> {
    if text.len() <= LONGEST {
        return text.to_vec();
    }
    let (begin, end) = (LONGEST / 4, LONGEST - LONGEST / 4 - OMISSION.len());
    [&text[..begin], OMISSION, &text[text.len() - end..]].concat()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    struct Memory(Vec<AtomicU64>);

    impl std::ops::Deref for Memory {
        type Target = [AtomicU64];

        fn deref(&self) -> &[AtomicU64] {
            &self.0
        }
    }

    fn recent() -> Recent {
        Recent::new(Arc::new(Memory((0..RECENT_WORDS).map(|_| AtomicU64::new(0)).collect())))
    }

    #[test]
    fn what_was_logged_last_is_kept_by_topic() {
        let recent = recent();
        assert_eq!(recent.read(Topic::Messages), []);
        for number in 0..250 {
            recent.note(Topic::Messages, Level::Warning, Some(3), format!("message {number}").as_bytes());
        }
        recent.note(Topic::SlowRequests, Level::Error, None, b"slow");
        let read = recent.read(Topic::Messages);
        assert_eq!((read.len(), recent.noted(Topic::Messages)), (100, 250));
        let last = read.last().unwrap();
        assert_eq!((last.number, last.text.as_str(), last.level), (249, "message 249", Level::Warning));
        assert_eq!((last.pid, last.worker, read[0].number), (std::process::id(), Some(3), 150));
        assert!(last.time.elapsed().unwrap() < Duration::from_secs(60));
        let slow = recent.read(Topic::SlowRequests);
        assert_eq!((slow.len(), slow[0].worker, slow[0].text.as_str()), (1, None, "slow"));
    }

    #[test]
    fn of_a_long_text_the_middle_is_left_out() {
        let recent = recent();
        let text = format!("first {} last", "x\n".repeat(LONGEST));
        recent.note(Topic::Messages, Level::Error, None, text.as_bytes());
        recent.note(Topic::Messages, Level::Error, None, &[0xff; LONGEST]);
        let read = recent.read(Topic::Messages);
        assert!(read[0].text.starts_with("first ") && read[0].text.ends_with(" last"), "{}", read[0].text);
        assert!(read[0].text.contains("[...]") && read[0].text.len() == LONGEST);
        assert_eq!(read[1].text.chars().count(), LONGEST);
    }

    #[test]
    fn what_is_torn_is_passed_over() {
        let recent = recent();
        for _ in 0..3 {
            recent.note(Topic::Messages, Level::Error, None, b"whole");
        }
        recent.place(Topic::Messages, 1)[0].store(2 * 101 + 1, Relaxed);
        let numbers: Vec<u64> = recent.read(Topic::Messages).iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [0, 2]);
    }

    #[test]
    fn a_reader_beside_a_writer_sees_whole_messages() {
        let recent = recent();
        let texts = ["a".repeat(50), "b".repeat(4000)];
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    texts.iter().for_each(|text| {
                        recent.note(Topic::SlowRequests, Level::Error, None, text.as_bytes());
                    });
                }
            });
            let mut seen = 0;
            while seen < 2_000 {
                for entry in recent.read(Topic::SlowRequests) {
                    assert!(texts.contains(&entry.text), "{}", entry.text);
                    seen += 1;
                }
            }
            stop.store(true, Relaxed);
        });
    }
}
