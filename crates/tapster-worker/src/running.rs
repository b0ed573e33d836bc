//! What each thread of the pool serves, so that others can say it: the monitor in the log, a helper in a list of stacks.
//! The thread writes it at the start of each request with a few plain stores; a reader sees all of one request or nothing.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use tapster_gateway::{Variable, Vars};

use crate::ownership::Owner;

/// Words of text: with what stands before it, two cache lines.
const WORDS: usize = 13;

/// Words of the request's id.
const ID_WORDS: usize = 16;

/// One thread's entry. Only the thread itself writes it.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Running {
    /// Odd while the text is being written; another for each request.
    sequence: AtomicU64,
    /// Of the text, and above 32 bits of the id.
    length: AtomicU64,
    /// How many parts of its answer have left.
    parts: AtomicU64,
    text: [AtomicU64; WORDS],
    /// Whose the request is, where its time is limited.
    pub(crate) owner: Owner,
    /// What names the request; not touched where requests have no names.
    id: [AtomicU64; ID_WORDS],
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
        self.parts.store(0, Ordering::Relaxed);
        store(&self.text, &text[..length]);
        let id = vars.get(Variable::TapsterRequestId).unwrap_or_default();
        let id = &id[..id.len().min(ID_WORDS * 8)];
        store(&self.id, id);
        self.length.store(length as u64 | (id.len() as u64) << 32, Ordering::Relaxed);
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
        let length = |lengths: u64| lengths as u32 as usize;
        Some(self.read(&self.text, length)?.escape_ascii().to_string())
    }

    /// What names that request; empty where requests have no names. None while it changes.
    pub(crate) fn id(&self) -> Option<Vec<u8>> {
        self.read(&self.id, |lengths| (lengths >> 32) as usize)
    }

    fn read(&self, words: &[AtomicU64], length: impl Fn(u64) -> usize) -> Option<Vec<u8>> {
        let before = self.sequence.load(Ordering::Acquire);
        let length = length(self.length.load(Ordering::Relaxed));
        let bytes = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        let bytes = bytes.take(length).collect();
        fence(Ordering::Acquire);
        let is_whole = before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before;
        is_whole.then_some(bytes)
    }
}

/// Puts bytes, for which there is room, into words.
fn store(words: &[AtomicU64], bytes: &[u8]) {
    for (place, part) in words.iter().zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        place.store(u64::from_ne_bytes(word), Ordering::Relaxed);
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
        assert_eq!((running.subject().unwrap().as_str(), running.id().unwrap()), ("GET /", vec![]));
        let mut named = vars(b"/");
        named.set(Name::Known(Variable::TapsterRequestId), b"0123456789");
        running.begin(&named);
        assert_eq!(
            (running.subject().unwrap().as_str(), running.id().unwrap()),
            ("GET /", b"0123456789".to_vec())
        );
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
