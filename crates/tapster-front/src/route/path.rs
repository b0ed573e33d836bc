//! Paths as routes compare them: decoded, and as those who get them may read them, without `.`, `..` and empty names. So no
//! spelling of a path gets around the route that it belongs to.

use std::borrow::Cow;

use tapster_gateway::percent;

/// A path without the prefix of its route.
pub(crate) struct Stripped {
    /// What is left of it, as the client sent it, with a slash in front.
    pub(crate) path: Vec<u8>,
    /// The prefix.
    pub(crate) prefix: Vec<u8>,
}

/// Whether a path begins with a prefix, which ends where a name ends.
pub(crate) fn has(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'/')) || prefix.is_empty())
}

/// A decoded path without empty names, `.` and `..`; a slash at the end stays.
pub(crate) fn normal(path: &[u8]) -> Cow<'_, [u8]> {
    let is_odd = |name: &[u8]| matches!(name, b"" | b"." | b"..");
    let mut names = path.split(|byte| *byte == b'/').skip(1).peekable();
    let mut is_normal = path.first() == Some(&b'/');
    while let Some(name) = names.next() {
        is_normal &= !is_odd(name) || name.is_empty() && names.peek().is_none();
    }
    if is_normal {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut is_directory = false;
    for name in path.split(|byte| *byte == b'/') {
        is_directory = is_odd(name);
        match name {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let mut normal = Vec::with_capacity(path.len() + 1);
    for name in &kept {
        normal.push(b'/');
        normal.extend_from_slice(name);
    }
    if is_directory || kept.is_empty() {
        normal.push(b'/');
    }
    Cow::Owned(normal)
}

/// A path as the client sent it, without a prefix; none if it does not begin with the prefix as it is written, but only as
/// others may read it.
pub(crate) fn strip(path: &[u8], prefix: &[u8]) -> Option<Stripped> {
    let (mut at, mut decoded) = (0, Vec::with_capacity(prefix.len()));
    while decoded.len() < prefix.len() {
        let length = if path.get(at)? == &b'%' { 3 } else { 1 };
        percent::decode(path.get(at..at + length)?, &mut decoded).ok()?;
        at += length;
    }
    let rest = &path[at..];
    let mut whole = Vec::new();
    percent::decode(rest, &mut whole).ok()?;
    // What is left must not lead out of the prefix again, nor look like a host.
    let leads_out = whole.split(|byte| *byte == b'/').any(|name| matches!(name, b"." | b".."));
    if decoded != prefix || leads_out || whole.starts_with(b"//") {
        return None;
    }
    let path = match rest.first() {
        None => b"/".to_vec(),
        Some(b'/') => rest.to_vec(),
        Some(_) => return None,
    };
    Some(Stripped { path, prefix: prefix.to_vec() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_prefix_ends_with_a_name() {
        for (path, prefix, yes) in [
            ("/api", "/api", true),
            ("/api/", "/api", true),
            ("/api/a", "/api", true),
            ("/apis", "/api", false),
            ("/", "/api", false),
            ("/anything", "", true),
            ("*", "", true),
        ] {
            assert_eq!(has(path.as_bytes(), prefix.as_bytes()), yes, "{path} {prefix}");
        }
    }

    #[test]
    fn every_spelling_means_the_same() {
        for path in ["/a/b", "//a/b", "/./a//b", "/x/../a/b", "/../a/./b", "/a/b/c/.."] {
            let expected: &[u8] = if path.ends_with("..") { b"/a/b/" } else { b"/a/b" };
            assert_eq!(normal(path.as_bytes()).as_ref(), expected, "{path}");
        }
        for path in ["", "/", "//", "/..", "/./"] {
            assert_eq!(normal(path.as_bytes()).as_ref(), b"/");
        }
        assert_eq!(normal(b"/a/b/").as_ref(), b"/a/b/");
    }

    #[test]
    fn what_is_left_is_as_it_was_sent() {
        let left = |path: &str, prefix: &str| {
            strip(path.as_bytes(), prefix.as_bytes())
                .map(|stripped| String::from_utf8(stripped.path).unwrap())
        };
        assert_eq!(left("/api/a%20b", "/api").as_deref(), Some("/a%20b"));
        assert_eq!(left("/%61pi/c", "/api").as_deref(), Some("/c"));
        assert_eq!(left("/api", "/api").as_deref(), Some("/"));
        assert_eq!(left("/api/", "/api").as_deref(), Some("/"));
        for path in
            ["//api/a", "/./api/a", "/api/../x", "/api//evil", "/api%2Fc", "/api/%2e%2e/x", "/ap", "/x"]
        {
            assert_eq!(left(path, "/api"), None, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_path_stays_so(path in "(/|[ab.]){0,12}") {
            let once = normal(path.as_bytes()).into_owned();
            let again = normal(&once).into_owned();
            prop_assert_eq!(&again, &once);
            let odd = once.split(|byte| *byte == b'/').any(|name| matches!(name, b"." | b".."));
            prop_assert!(!odd && once.starts_with(b"/") && !once.windows(2).any(|pair| pair == b"//"));
        }

        #[test]
        fn stripping_never_panics(path in "(/|%2f|%2e|[ab.%]){0,12}", prefix in "(/[ab]){1,2}") {
            if let Some(stripped) = strip(path.as_bytes(), prefix.as_bytes()) {
                prop_assert!(stripped.path.starts_with(b"/") && !stripped.path.starts_with(b"//"));
            }
        }
    }
}
