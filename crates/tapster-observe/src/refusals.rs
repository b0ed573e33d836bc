//! The statuses with which a server refuses requests, each counted in a word of its own.

/// The statuses that are counted apart; others share the last word.
pub(crate) const REASONS: [u16; 17] =
    [400, 403, 404, 408, 413, 414, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505, 0];

/// Where the count of this status stands.
pub(crate) fn place_of(status: u16) -> usize {
    REASONS.iter().position(|known| *known == status).unwrap_or(REASONS.len() - 1)
}
