//! Which answers are compressed, and how: `--compress` and its companions.

use crate::error::Invalid;
use crate::values;

/// How a body can be compressed (RFC 9110 §8.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentCoding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

/// The media types that are compressed where nobody says which.
pub const COMPRESSED_TYPES: &[&str] = &[
    "text/*",
    "application/json",
    "application/*+json",
    "application/javascript",
    "application/xml",
    "application/*+xml",
    "application/wasm",
    "application/x-ndjson",
    "image/svg+xml",
    "image/x-icon",
    "font/ttf",
    "font/otf",
];

/// Which answers are compressed, and how.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compression {
    /// The codings in order of preference, with their levels. None compresses nothing.
    pub codings: Vec<(ContentCoding, u32)>,
    /// Media types in small letters, in which one `*` stands for anything; none means [`COMPRESSED_TYPES`].
    pub types: Vec<String>,
    /// The least length of a body, in bytes.
    pub min: u64,
    /// What paths begin with whose answers are left as they are.
    pub exclude: Vec<String>,
}

/// Each coding with its name, its level where none is said, and its highest level.
const CODINGS: &[(ContentCoding, &str, u32, u32)] = &[
    (ContentCoding::Zstd, "zstd", 3, 19),
    (ContentCoding::Brotli, "br", 4, 11),
    (ContentCoding::Gzip, "gzip", 5, 9),
];

/// Reads `on`, `off` or `zstd,br=5,gzip`.
pub(crate) fn codings(text: &str) -> Result<Vec<(ContentCoding, u32)>, Invalid> {
    match values::boolean(text) {
        Some(true) => return Ok(CODINGS.iter().map(|(coding, _, level, _)| (*coding, *level)).collect()),
        Some(false) => return Ok(Vec::new()),
        None => {}
    }
    let mut codings: Vec<(ContentCoding, u32)> = Vec::new();
    for part in text.split(',').map(str::trim) {
        let (name, level) = part.split_once('=').map_or((part, None), |(name, level)| (name, Some(level)));
        let known = CODINGS.iter().find(|(_, known, ..)| *known == name.trim());
        let Some(&(coding, _, usual, most)) = known else {
            return Err(Invalid::new(format!("{part:?} is no coding")));
        };
        let level = match level {
            None => usual,
            Some(level) => match level.trim().parse() {
                Ok(level) if (1..=most).contains(&level) => level,
                _ => return Err(Invalid::new(format!("{part:?}: levels of {name} are 1 to {most}"))),
            },
        };
        if codings.iter().any(|(other, _)| *other == coding) {
            return Err(Invalid::new(format!("{name} is given twice")));
        }
        codings.push((coding, level));
    }
    Ok(codings)
}

/// Reads a media type, in which one `*` may stand for anything.
pub(crate) fn media_type(text: &str) -> Result<String, Invalid> {
    let is_token = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte))
    };
    match text.split_once('/') {
        Some((main, sub)) if is_token(main) && is_token(sub) && text.matches('*').count() <= 1 => {
            Ok(text.to_ascii_lowercase())
        }
        _ => Err(Invalid::new(format!("{text:?} is no media type"))),
    }
}

/// Reads what paths begin with, as they are after decoding.
pub(crate) fn path_prefix(text: &str) -> Result<String, Invalid> {
    if !text.starts_with('/') || text.contains(['%', '?', '#', '\0']) {
        let hint = "write what paths begin with, such as /account/";
        return Err(Invalid::with_hint(format!("{text:?} is nothing that paths begin with"), hint));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_have_levels() {
        use ContentCoding::{Brotli, Gzip, Zstd};
        assert_eq!(codings("on").unwrap(), [(Zstd, 3), (Brotli, 4), (Gzip, 5)]);
        assert_eq!(codings("off").unwrap(), []);
        assert_eq!(codings("gzip=9, br").unwrap(), [(Gzip, 9), (Brotli, 4)]);
        for text in ["", "deflate", "gzip=0", "gzip=10", "br=x", "gzip,gzip", "gzip,", "br=-1"] {
            assert!(codings(text).is_err(), "{text}");
        }
    }

    #[test]
    fn media_types_have_one_star() {
        assert_eq!(media_type("Text/*").unwrap(), "text/*");
        assert_eq!(media_type("application/*+json").unwrap(), "application/*+json");
        for text in ["", "text", "*/*", "text/", "/html", "text/html;a", "a/b/c"] {
            assert!(media_type(text).is_err(), "{text}");
        }
        assert!(path_prefix("/a").is_ok() && path_prefix("a").is_err() && path_prefix("/%41").is_err());
    }
}
