//! Which paths a rule is for. A path is looked at as it is and as a server behind may make it: with `//`, `.` and `..`
//! resolved. A rule that is for either holds.

/// A decoded path, in both ways.
pub(super) struct Paths<'p> {
    plain: &'p [u8],
    /// Where it differs.
    resolved: Option<Vec<u8>>,
}

impl<'p> Paths<'p> {
    pub(super) fn new(path: &'p [u8]) -> Paths<'p> {
        let resolved = resolve(path);
        Paths { plain: path, resolved: (resolved != path).then_some(resolved) }
    }
}

/// Removes empty names and dots (RFC 3986 §5.2.4).
fn resolve(path: &[u8]) -> Vec<u8> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.iter().fold(Vec::with_capacity(path.len()), |mut path, name| {
        path.push(b'/');
        path.extend_from_slice(name);
        path
    })
}

/// What the paths of a rule begin with.
#[derive(Debug)]
pub(super) struct Prefix(Option<Vec<u8>>);

impl Prefix {
    /// Without a slash at its end; none is all paths.
    pub(super) fn new(prefix: Option<&str>) -> Prefix {
        Prefix(prefix.map(|prefix| prefix.as_bytes().to_vec()))
    }

    /// Whether it is not for all paths.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Whether a path is one of these: the prefix itself, or below it.
    pub(super) fn is_of(&self, paths: Option<&Paths<'_>>) -> bool {
        match (&self.0, paths) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(prefix), Some(paths)) => {
                let is_below = |path: &[u8]| {
                    path.strip_prefix(prefix.as_slice()).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
                };
                is_below(paths.plain) || paths.resolved.as_deref().is_some_and(is_below)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_names() {
        let prefix = Prefix::new(Some("/admin"));
        for path in ["/admin", "/admin/", "/admin/x", "//admin", "/./admin/x", "/a/../admin", "/admin/../x"] {
            assert!(prefix.is_of(Some(&Paths::new(path.as_bytes()))), "{path}");
        }
        for path in ["/", "", "/administrator", "/a/admin", "/ADMIN"] {
            assert!(!prefix.is_of(Some(&Paths::new(path.as_bytes()))), "{path}");
        }
        assert!(Prefix::new(None).is_of(None) && !prefix.is_of(None));
    }
}
