//! What a file's name says of it: its media type, and whether the name changes with the content.

/// Types that differ from those of `mime_guess`, or that it does not know. None, if it is to decide.
fn known(extension: &str) -> Option<&'static str> {
    Some(match extension {
        "js" | "mjs" | "cjs" => "text/javascript",
        "map" => "application/json",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        _ => return None,
    })
}

/// The value of Content-Type. Text is taken to be UTF-8.
pub(crate) fn media_type(name: &[u8]) -> String {
    let extension = std::str::from_utf8(extension(name).1).unwrap_or_default().to_ascii_lowercase();
    let guess = || mime_guess::from_ext(&extension).first_raw();
    let kind = known(&extension).or_else(guess).unwrap_or("application/octet-stream");
    if kind.starts_with("text/") { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

/// Whether a name has a hash of the content in it, right before the extension: `app.0123456789ab.css` as Django writes it,
/// `index-Dk3fJ2aB.js` as bundlers do. Such a file never changes.
pub(crate) fn is_hashed(name: &[u8]) -> bool {
    let (stem, extension) = extension(name);
    let Some(mark) = stem.iter().rposition(|byte| matches!(byte, b'.' | b'-')) else { return false };
    let hash = stem.get(mark + 1..).unwrap_or_default();
    let all = |test: fn(&u8) -> bool| hash.iter().all(test);
    let any = |test: fn(&u8) -> bool| hash.iter().any(test);
    let is_hex = hash.len() >= 8 && all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_short = hash.len() == 8 && all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let is_mixed = any(u8::is_ascii_digit) && any(u8::is_ascii_lowercase);
    mark > 0 && !extension.is_empty() && is_mixed && (is_hex || is_short && any(u8::is_ascii_uppercase))
}

/// A path's last name without its extension, and the extension.
fn extension(path: &[u8]) -> (&[u8], &[u8]) {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    match name.iter().rposition(|&byte| byte == b'.') {
        Some(dot) if dot > 0 => (&name[..dot], &name[dot + 1..]),
        _ => (name, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_browsers_want() {
        for (name, expected) in [
            ("a.css", "text/css; charset=utf-8"),
            ("a.JS", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.html", "text/html; charset=utf-8"),
            ("a.svg", "image/svg+xml"),
            ("a.json", "application/json"),
            ("a.wasm", "application/wasm"),
            ("a.woff2", "font/woff2"),
            ("a.min.js.map", "application/json"),
            ("a.unheard-of", "application/octet-stream"),
            ("css/README", "application/octet-stream"),
            (".well-known/css", "application/octet-stream"),
        ] {
            assert_eq!(media_type(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn hashes_are_told_from_words_and_dates() {
        for name in [
            "css/app.0123456789ab.css",
            "index-Dk3fJ2aB.js",
            "main.8e0d62a1.js",
            "a.5d41402abc4b2a76b9719d911017c592.js",
        ] {
            assert!(is_hashed(name.as_bytes()), "{name}");
        }
        for name in [
            "app.css",
            "jquery-dropdown.js",
            "photo-20241122.jpg",
            "a.deadbeef.js",
            "backup.12345678.sql",
            "0123456789ab.css",
            "bootstrap-5.3.2.min.js",
            "app.0123456789ab",
        ] {
            assert!(!is_hashed(name.as_bytes()), "{name}");
        }
    }
}
