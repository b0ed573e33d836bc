//! What a thread serves, `GET /path`, where every process can read it. The thread writes it at the start of each request with a
//! few plain stores; a reader sees all of one request or nothing.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, fence};

/// Words of text.
const TEXT: usize = 14;
/// The sequence, odd while the text is being written; the text's length; the text.
pub(crate) const SUBJECT_WORDS: usize = 2 + TEXT;

/// Writes the parts one after the other, cut where there is no more room.
pub(crate) fn write(words: &[AtomicU64], parts: [&[u8]; 3]) {
    let mut text = [0; TEXT * 8];
    let mut length = 0;
    for part in parts {
        let part = &part[..part.len().min(text.len() - length)];
        text[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    let sequence = words[0].load(Relaxed);
    words[0].store(sequence.wrapping_add(1), Relaxed);
    fence(Release);
    words[1].store(length as u64, Relaxed);
    let (bytes, _) = text.as_chunks();
    for (place, word) in words[2..].iter().zip(&bytes[..length.div_ceil(8)]) {
        place.store(u64::from_ne_bytes(*word), Relaxed);
    }
    words[0].store(sequence.wrapping_add(2), Release);
}

/// The text, as the client sent it; none while it changes, and before the first.
pub(crate) fn read(words: &[AtomicU64]) -> Option<Vec<u8>> {
    let before = words[0].load(Acquire);
    let length = usize::try_from(words[1].load(Relaxed)).ok()?.min(TEXT * 8);
    let mut text = Vec::with_capacity(TEXT * 8);
    for word in &words[2..] {
        text.extend_from_slice(&word.load(Relaxed).to_ne_bytes());
    }
    fence(Acquire);
    text.truncate(length);
    let is_whole = before > 0 && before.is_multiple_of(2) && words[0].load(Relaxed) == before;
    is_whole.then_some(text)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..SUBJECT_WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn a_subject_is_cut_where_it_is_long() {
        let words = words();
        assert_eq!(read(&words), None);
        write(&words, [b"GET", b" ", b"/a"]);
        assert_eq!(read(&words).unwrap(), b"GET /a");
        write(&words, [b"GET", b" ", &[b'x'; 500]]);
        assert_eq!(read(&words).unwrap().len(), TEXT * 8);
    }

    #[test]
    fn a_reader_never_sees_two_requests_in_one() {
        let words = words();
        let paths = [vec![b'x'; 5], vec![b'y'; 90]];
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    paths.iter().for_each(|path| write(&words, [b"", b"", path]));
                }
            });
            let mut seen = 0;
            while seen < 10_000 {
                let Some(subject) = read(&words) else { continue };
                assert!(paths.contains(&subject), "{subject:?}");
                seen += 1;
            }
            stop.store(true, Relaxed);
        });
    }
}
