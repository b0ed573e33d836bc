//! The fields by which proxies say who their client is, and how it came. From a client that is not a proxy they are lies.

use tapster_http1::syntax;

/// All of them but `X-Forwarded-*`.
const NAMES: &[&[u8]] = &[
    b"client-ip",
    b"forwarded",
    b"front-end-https",
    b"true-client-ip",
    b"x-client-ip",
    b"x-cluster-client-ip",
    b"x-real-ip",
    b"x-scheme",
    b"x-url-scheme",
];

/// Whether a field is one of them.
pub(crate) fn is_name(name: &[u8]) -> bool {
    name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"x-forwarded-")) || is_one_of(NAMES, name)
}

/// Whether a name is one of these, which are in small letters.
pub(crate) fn is_one_of(names: &[&[u8]], name: &[u8]) -> bool {
    names.iter().any(|known| known.len() == name.len() && syntax::is_lower_case_of(known, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["X-Forwarded-For", "x-forwarded-anything", "Forwarded", "X-REAL-IP", "True-Client-IP"] {
            assert!(is_name(name.as_bytes()), "{name}");
        }
        for name in ["X-Forwarded", "Host", "X-Real", "Forwarded-For", ""] {
            assert!(!is_name(name.as_bytes()), "{name}");
        }
    }
}
