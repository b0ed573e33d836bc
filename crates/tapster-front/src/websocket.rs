//! The keys of a WebSocket handshake (RFC 6455 §4), for clients that have none: those of HTTP/2 (RFC 8441 §5.1).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a server that understood adds to the key.
const UNDERSTOOD: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key that nobody has seen; none where the system has no chance to give.
pub(crate) fn key() -> Option<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// What a server answers that understood this key.
pub(crate) fn answer(key: &[u8]) -> String {
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, UNDERSTOOD].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_the_standard() {
        // RFC 6455 §1.3.
        assert_eq!(answer(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(key().unwrap().len(), 24);
        assert_ne!(key(), key());
    }
}
