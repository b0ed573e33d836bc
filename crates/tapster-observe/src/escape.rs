//! Makes bytes safe to show: nothing that a client or an application sends reaches a terminal as a control sequence,
//! or looks like a line of its own.

/// Where escaped pieces go. A piece (a character or one escape) is never split.
pub(crate) trait Pieces {
    /// Appends one piece.
    fn piece(&mut self, bytes: &[u8]);
}

impl Pieces for Vec<u8> {
    fn piece(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes text for people: valid UTF-8 stays as it is, but for control characters (C0 without the tab, DEL, C1), line
/// separators and marks that change the direction of writing. Bytes that are no UTF-8 become `\xff`.
pub(crate) fn text(out: &mut impl Pieces, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let piece = character.encode_utf8(&mut buffer).as_bytes();
            if harmless(character) { out.piece(piece) } else { escape_each(out, piece) }
        }
        escape_each(out, chunk.invalid());
    }
}

/// Writes what stands between double quotes in an access line: printable ASCII as it is, all else, the quote and the
/// backslash escaped. At most `limit` bytes are written, and `…` as `...` when something was left out.
pub(crate) fn quoted(out: &mut impl Pieces, bytes: &[u8], limit: usize) {
    let mut room = limit.saturating_sub(3);
    if bytes.len() <= room && is_all_plain(bytes) {
        return out.piece(bytes);
    }
    let mut rest = bytes;
    while let [byte, more @ ..] = rest {
        // Nearly all that is written is harmless.
        let plain = rest.iter().take(room).take_while(|byte| is_plain(**byte)).count();
        if plain > 0 {
            out.piece(&rest[..plain]);
            (rest, room) = (&rest[plain..], room - plain);
        } else if !is_plain(*byte) && room >= 4 {
            escape(out, *byte);
            (rest, room) = (more, room - 4);
        } else {
            return out.piece(b"...");
        }
    }
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Whether all bytes are plain. By sixteen at a time, without a branch for each: what is logged nearly always is.
fn is_all_plain(bytes: &[u8]) -> bool {
    let all = |bytes: &[u8]| bytes.iter().fold(true, |plain, byte| plain & is_plain(*byte));
    let (blocks, rest) = bytes.as_chunks::<16>();
    blocks.iter().all(|block| all(block)) && all(rest)
}

/// Writes what stands between double quotes in JSON (RFC 8259 §7): UTF-8 as it is, but for control characters and those that
/// [`text`] escapes too. Bytes that are no UTF-8 become the text `\xff`. At most `limit` bytes are written, and the rest
/// is `...`.
pub(crate) fn json(out: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    let room = limit.saturating_sub(3);
    if bytes.len() <= room && is_all_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    let end = out.len() + room;
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let before = out.len();
            json_character(out, character);
            if out.len() > end {
                out.truncate(before);
                return out.extend_from_slice(b"...");
            }
        }
        for byte in chunk.invalid() {
            if out.len() + 5 > end {
                return out.extend_from_slice(b"...");
            }
            out.push(b'\\');
            escape(out, *byte);
        }
    }
}

fn json_character(out: &mut Vec<u8>, character: char) {
    match character {
        '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
        '\n' => out.extend_from_slice(b"\\n"),
        '\t' => out.extend_from_slice(b"\\t"),
        _ if harmless(character) => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        // All of them are in the first plane.
        _ => {
            let digits = [12, 8, 4, 0].map(|shift| HEX[(character as usize >> shift) & 15]);
            out.extend_from_slice(b"\\u");
            out.extend_from_slice(&digits);
        }
    }
}

fn harmless(character: char) -> bool {
    let direction =
        matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let separator = matches!(character, '\u{2028}' | '\u{2029}');
    character == '\t' || !(character.is_control() || direction || separator)
}

fn escape_each(out: &mut impl Pieces, bytes: &[u8]) {
    for byte in bytes {
        escape(out, *byte);
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn escape(out: &mut impl Pieces, byte: u8) {
    match byte {
        b'\n' => out.piece(b"\\n"),
        b'\r' => out.piece(b"\\r"),
        b'\t' => out.piece(b"\\t"),
        _ => out.piece(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        text(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    fn as_quoted(bytes: &[u8], limit: usize) -> String {
        let mut out = Vec::new();
        quoted(&mut out, bytes, limit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_sequences_become_visible() {
        assert_eq!(as_text(b"a\x1b[31mb\r\n\0\x7f"), "a\\x1b[31mb\\r\\n\\x00\\x7f");
        assert_eq!(
            as_text("ä \u{9b}31m \u{202e}x\u{2028}".as_bytes()),
            "ä \\xc2\\x9b31m \\xe2\\x80\\xaex\\xe2\\x80\\xa8"
        );
        assert_eq!(as_text(b"tab\tand \xff\xc3"), "tab\tand \\xff\\xc3");
    }

    #[test]
    fn a_quoted_field_cannot_end_early() {
        assert_eq!(as_quoted(b"GET /\"\\ HTTP", 100), "GET /\\x22\\x5c HTTP");
        assert_eq!(as_quoted("/é".as_bytes(), 100), "/\\xc3\\xa9");
    }

    #[test]
    fn a_long_field_is_cut_and_says_so() {
        assert_eq!(as_quoted(b"abcdefgh", 8), "abcde...");
        assert_eq!(as_quoted(b"abcd\x01", 8), "abcd...");
    }

    proptest! {
        #[test]
        fn no_bytes_pass_a_control_character(bytes in prop::collection::vec(any::<u8>(), 0..200), limit in 4usize..300) {
            prop_assert!(as_text(&bytes).chars().all(|shown| shown == '\t' || !shown.is_control()));
            let shown = as_quoted(&bytes, limit);
            prop_assert!(shown.len() <= limit);
            prop_assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"'));
        }
    }
}
