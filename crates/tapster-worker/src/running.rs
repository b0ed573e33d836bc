//! What each thread of the pool serves, so that others can say it: the monitor in the log, a helper in a list of stacks.
//! The thread writes it at the start of each request with a few plain stores; a reader sees all of one request or nothing.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use tapster_gateway::{Variable, Vars};

use crate::ownership::Owner;

/// Words of text: with what stands before it, two cache lines.
const WORDS: usize = 13;

/// One thread's entry. Only the thread itself writes it.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Running {
    /// Odd while the text is being written; another for each request.
    sequence: AtomicU64,
    length: AtomicU64,
    /// How many parts of its answer have left.
    parts: AtomicU64,
    text: [AtomicU64; WORDS],
    /// Whose the request is, where its time is limited.
    pub(crate) owner: Owner,
}

impl Running {
    /// The thread begins a request.
    pub(crate) fn begin(&self, vars: &Vars) {
        let mut text = [0; WORDS * 8];
        let mut length = 0;
        let method = vars.get(Variable::RequestMethod).unwrap_or(b"?");
        for part in [method, b" ", path(vars)] {
            let part = &part[..part.len().min(text.len() - length)];
            text[length..length + part.len()].copy_from_slice(part);
            length += part.len();
        }
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.length.store(length as u64, Ordering::Relaxed);
        self.parts.store(0, Ordering::Relaxed);
        let (words, _) = text.as_chunks();
        for (place, word) in self.text.iter().zip(&words[..length.div_ceil(8)]) {
            place.store(u64::from_ne_bytes(*word), Ordering::Relaxed);
        }
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// A part of the answer has left.
    pub(crate) fn note_part(&self) {
        // One writer: a load and a store are enough.
        self.parts.store(self.parts.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Whether something of the answer has left.
    pub(crate) fn has_started(&self) -> bool {
        self.parts.load(Ordering::Relaxed) > 0
    }

    /// Another number whenever the thread has begun a request, or a part of its answer has left.
    pub(crate) fn progress(&self) -> (u64, u64) {
        (self.sequence.load(Ordering::Relaxed), self.parts.load(Ordering::Relaxed))
    }

    /// The thread's present request, or its last one: `GET /path`, without the query (it may hold secrets), cut where it is
    /// long. None while it changes.
    pub(crate) fn subject(&self) -> Option<String> {
        let before = self.sequence.load(Ordering::Acquire);
        let length = usize::try_from(self.length.load(Ordering::Relaxed)).ok()?.min(WORDS * 8);
        let mut text = [0; WORDS * 8];
        for (bytes, word) in text.chunks_exact_mut(8).zip(&self.text) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        fence(Ordering::Acquire);
        let is_whole = before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before;
        is_whole.then(|| text[..length].escape_ascii().to_string())
    }
}

/// The path as the client wrote it.
pub(crate) fn path(vars: &Vars) -> &[u8] {
    let target = vars.get(Variable::RequestUri).or_else(|| vars.get(Variable::PathInfo)).unwrap_or(b"/");
    target.split(|&byte| byte == b'?').next().unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    use tapster_gateway::Name;

    fn vars(path: &[u8]) -> Vars {
        let mut vars = Vars::default();
        vars.set(Name::Known(Variable::RequestMethod), b"GET");
        vars.set(Name::Known(Variable::RequestUri), path);
        vars
    }

    #[test]
    fn a_subject_is_method_and_path() {
        let running = Running::default();
        running.begin(&vars(b"/some/where\x7f?secret=1"));
        assert_eq!(running.subject().unwrap(), "GET /some/where\\x7f");
        running.begin(&vars(b"/"));
        assert_eq!(running.subject().unwrap(), "GET /");
        running.begin(&vars(&[b'a'; 1000]));
        assert_eq!(running.subject().unwrap(), format!("GET {}", "a".repeat(WORDS * 8 - 4)));
    }

    #[test]
    fn a_reader_never_sees_two_requests_in_one() {
        let running = Running::default();
        let paths = [vec![b'x'; 5], vec![b'y'; 90]];
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let requests = paths.each_ref().map(|path| vars(path));
                while !stop.load(Ordering::Relaxed) {
                    requests.iter().for_each(|vars| running.begin(vars));
                }
            });
            let allowed = paths.each_ref().map(|path| format!("GET {}", String::from_utf8_lossy(path)));
            let mut seen = 0;
            while seen < 10_000 {
                let Some(subject) = running.subject().filter(|subject| !subject.is_empty()) else { continue };
                assert!(allowed.contains(&subject), "{subject}");
                seen += 1;
            }
            stop.store(true, Ordering::Relaxed);
        });
    }
}
