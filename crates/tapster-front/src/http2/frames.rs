//! What frames pass on a connection, read off their headers (RFC 9113 §4.1): `h2` answers PING and SETTINGS by itself and tells
//! nobody, so floods of them are seen here.

use super::PREFACE;

/// Bytes of a frame's header.
const HEADER: usize = 9;

/// Kinds of frames (RFC 9113 §6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const CONTINUATION: u8 = 9;

/// Follows the frames of one direction, in whatever pieces they come.
pub(super) struct Frames {
    header: [u8; HEADER],
    /// Bytes of it that came.
    have: usize,
    /// Bytes that are passed over until the next header.
    over: usize,
}

impl Frames {
    /// Those that a client sends.
    pub(super) fn of_client() -> Frames {
        Frames { over: PREFACE.len(), ..Frames::of_server() }
    }

    /// Those that the server sends.
    pub(super) fn of_server() -> Frames {
        Frames { header: [0; HEADER], have: 0, over: 0 }
    }

    /// Tells the kind of each frame whose header ends in these bytes, and the length of its payload.
    pub(super) fn follow(&mut self, mut bytes: &[u8], mut each: impl FnMut(u8, usize)) {
        while !bytes.is_empty() {
            let passed = bytes.len().min(self.over);
            self.over -= passed;
            bytes = &bytes[passed..];
            let count = bytes.len().min(HEADER - self.have);
            self.header[self.have..self.have + count].copy_from_slice(&bytes[..count]);
            self.have += count;
            bytes = &bytes[count..];
            if self.have == HEADER {
                let [one, two, three, kind, ..] = self.header;
                self.over = usize::from(one) << 16 | usize::from(two) << 8 | usize::from(three);
                self.have = 0;
                each(kind, self.over);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            sent in proptest::collection::vec((any::<u8>(), 0usize..40), 0..20),
            size in 1usize..50,
        ) {
            let mut bytes = PREFACE.to_vec();
            for &(kind, length) in &sent {
                bytes.extend([0, 0, length as u8, kind, 0, 0, 0, 0, 1]);
                bytes.resize(bytes.len() + length, 0xff);
            }
            let (mut frames, mut seen) = (Frames::of_client(), Vec::new());
            for piece in bytes.chunks(size) {
                frames.follow(piece, |kind, length| seen.push((kind, length)));
            }
            prop_assert_eq!(seen, sent);
        }
    }
}
