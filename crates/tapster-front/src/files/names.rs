//! Names that files may be served by. Everything else is refused before the file system is asked.

/// The one hidden directory that is meant to be seen (RFC 8615).
const WELL_KNOWN: &[u8] = b".well-known";

/// Whether a relative path, decoded once, may be that of a file: plain names with single slashes between them, none of
/// them hidden. One slash at the end stands for a directory.
pub(crate) fn may_be_served(path: &[u8]) -> bool {
    let names = match path {
        [] => return true,
        [first @ .., b'/'] => first,
        _ => path,
    };
    names.split(|&byte| byte == b'/').enumerate().all(|(place, name)| is_plain(place, name))
}

/// Whether a relative path that the application says is one of names: hidden ones too, for it knows what it sends.
pub(crate) fn is_below(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').all(|name| !matches!(name, b"" | b"." | b"..") && !name.contains(&0))
}

fn is_plain(place: usize, name: &[u8]) -> bool {
    match name.first() {
        None => false,
        Some(b'.') => place == 0 && name == WELL_KNOWN,
        Some(_) => !name.iter().any(|byte| matches!(byte, 0..=0x1f | 0x7f | b'\\')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_served() {
        for path in [
            "",
            "a",
            "a/",
            "a/b.css",
            "a b/\u{e9}.css",
            ".well-known/x",
            "a..b",
            "...a".trim_start_matches('.'),
        ] {
            assert!(may_be_served(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn the_application_may_name_hidden_files_but_none_elsewhere() {
        for path in ["a", "a/b.pdf", ".hidden/x", "a\\b"] {
            assert!(is_below(path.as_bytes()), "{path}");
        }
        for path in ["", "/", "a/", "/a", "a//b", "..", "../a", "a/..", "a/./b", "a\0"] {
            assert!(!is_below(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn others_are_not() {
        for path in [
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "a/./b",
            "/",
            "//",
            "/a",
            "a//b",
            "a//",
            ".git",
            ".env",
            "a/.env",
            "a/.well-known/x",
            ".well-known/.x",
            "a\\..\\b",
            "..\\a",
            "a\0b",
            "a\nb",
            "...",
            "..a",
        ] {
            assert!(!may_be_served(path.as_bytes()), "{path}");
        }
    }
}
