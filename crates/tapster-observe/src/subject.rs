//! What a thread serves, `GET /path`, and what names that request, where every process can read it. The thread writes it at the
//! start of each request with a few plain stores; a reader sees all of one request or nothing.
//!
//! It has two pairs of cache lines; the second is not touched where requests have no names.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

/// Words of text, and of the request's id.
const TEXT: usize = 14;
const ID: usize = 16;
/// The sequence, odd while the text is being written; the length of the text, and above 32 bits that of the id; the text; the id.
pub(crate) const SUBJECT_WORDS: usize = 2 + TEXT + ID;

/// What a thread serves, or served last.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Subject {
    /// `GET /path`, without the query (it may hold secrets), as the client sent it, cut where it is long.
    pub text: Vec<u8>,
    /// What names the request, cut where it is long; empty where requests have no names.
    pub id: Vec<u8>,
}

/// Writes method and path and the id, cut where there is no more room.
pub(crate) fn write(words: &[AtomicU64; SUBJECT_WORDS], method: &[u8], path: &[u8], id: &[u8]) {
    let mut text = [0; TEXT * 8];
    let mut length = 0;
    for part in [method, b" ", path] {
        let part = &part[..part.len().min(text.len() - length)];
        text[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    let id = &id[..id.len().min(ID * 8)];
    let sequence = words[0].load(Relaxed);
    words[0].store(sequence.wrapping_add(1), Relaxed);
    fence(Release);
    words[1].store(length as u64 | (id.len() as u64) << 32, Relaxed);
    store(&words[2..2 + TEXT], &text[..length]);
    store(&words[2 + TEXT..], id);
    words[0].store(sequence.wrapping_add(2), Release);
}

/// Puts bytes, for which there is room, into words.
fn store(words: &[AtomicU64], bytes: &[u8]) {
    for (place, part) in words.iter().zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        place.store(u64::from_ne_bytes(word), Relaxed);
    }
}

/// What was written; none while it changes, and before the first.
pub(crate) fn read(words: &[AtomicU64; SUBJECT_WORDS]) -> Option<Subject> {
    let before = words[0].load(Acquire);
    let lengths = words[1].load(Relaxed);
    let text = load(&words[2..2 + TEXT], lengths as u32 as usize);
    let id = load(&words[2 + TEXT..], (lengths >> 32) as usize);
    fence(Acquire);
    let is_whole = before > 0 && before.is_multiple_of(2) && words[0].load(Relaxed) == before;
    is_whole.then_some(Subject { text, id })
}

fn load(words: &[AtomicU64], length: usize) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Relaxed).to_ne_bytes()).take(length).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn words() -> [AtomicU64; SUBJECT_WORDS] {
        std::array::from_fn(|_| AtomicU64::new(0))
    }

    fn subject(text: &[u8], id: &[u8]) -> Option<Subject> {
        Some(Subject { text: text.to_vec(), id: id.to_vec() })
    }

    #[test]
    fn a_subject_is_cut_where_it_is_long() {
        let words = words();
        assert_eq!(read(&words), None);
        write(&words, b"GET", b"/a", b"0123456789");
        assert_eq!(read(&words), subject(b"GET /a", b"0123456789"));
        write(&words, b"GET", b"/", b"");
        assert_eq!(read(&words), subject(b"GET /", b""));
        write(&words, b"GET", &[b'x'; 500], &[b'y'; 500]);
        let cut = read(&words).unwrap();
        assert_eq!((cut.text.len(), cut.id.len()), (TEXT * 8, ID * 8));
    }

    #[test]
    fn a_reader_never_sees_two_requests_in_one() {
        let words = words();
        let requests = [(vec![b'x'; 5], vec![b'1'; 90]), (vec![b'y'; 90], vec![b'2'; 7])];
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    requests.iter().for_each(|(path, id)| write(&words, b"", path, id));
                }
            });
            let mut seen = 0;
            while seen < 10_000 {
                let Some(Subject { text, id }) = read(&words) else { continue };
                let found = (text[1..].to_vec(), id);
                assert!(requests.contains(&found), "{found:?}");
                seen += 1;
            }
            stop.store(true, Relaxed);
        });
    }
}
