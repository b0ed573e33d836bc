//! What the conditions and the range of a request come to (RFC 9110 §13.2.2, §14.2).

use std::ops::Range;
use std::time::SystemTime;

use tapster_http1::syntax;

use super::ranges;

/// What is asked for by a request's fields.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// All of it.
    Whole,
    /// These bytes; at least one range, and none of them empty.
    Parts(Vec<Range<u64>>),
    /// The client has it (304).
    NotModified,
    /// It is not what the client wants it to be (412).
    Failed,
    /// There are no such bytes (416).
    Unsatisfiable,
}

/// What the conditions are compared with.
pub(crate) struct Validators<'a> {
    pub(crate) etag: &'a str,
    /// Whole seconds.
    pub(crate) modified: SystemTime,
    pub(crate) size: u64,
}

/// Whether a field is one that [`judge`] asks for.
pub(crate) fn is_condition(name: &[u8]) -> bool {
    match name.len() {
        5 => syntax::is_lower_case_of(b"range", name),
        8.. => matches!(name, [b'i' | b'I', b'f' | b'F', b'-', ..]),
        _ => false,
    }
}

/// Judges a GET or HEAD by its fields, which `fields` gives by name.
pub(crate) fn judge<'r, I: Iterator<Item = &'r [u8]>>(
    fields: impl Fn(&'static str) -> I,
    of: &Validators<'_>,
) -> Verdict {
    let first = |name| fields(name).next();
    if first("if-match").is_some() {
        if !fields("if-match").any(|value| lists(value, of.etag, false)) {
            return Verdict::Failed;
        }
    } else if first("if-unmodified-since").and_then(date).is_some_and(|date| of.modified > date) {
        return Verdict::Failed;
    }
    if first("if-none-match").is_some() {
        if fields("if-none-match").any(|value| lists(value, of.etag, true)) {
            return Verdict::NotModified;
        }
    } else if first("if-modified-since").and_then(date).is_some_and(|date| of.modified <= date) {
        return Verdict::NotModified;
    }
    let is_same =
        first("if-range").is_none_or(|value| value == of.etag.as_bytes() || date(value) == Some(of.modified));
    match first("range").filter(|_| is_same) {
        Some(value) => ranges::asked(value, of.size),
        None => Verdict::Whole,
    }
}

/// Whether a list of entity tags has this one, which is strong; `weakly` leaves the mark of weak ones out.
fn lists(value: &[u8], etag: &str, weakly: bool) -> bool {
    syntax::list(value).any(|member| {
        let tag = member.strip_prefix(b"W/").filter(|_| weakly).unwrap_or(member);
        member == b"*" || tag == etag.as_bytes()
    })
}

fn date(value: &[u8]) -> Option<SystemTime> {
    httpdate::parse_http_date(std::str::from_utf8(value).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";

    fn part(range: Range<u64>) -> Verdict {
        Verdict::Parts(vec![range])
    }

    fn judged(fields: &[(&'static str, &'static str)]) -> Verdict {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let of = Validators { etag: "\"a-1\"", modified, size: 100 };
        judge(
            |name| fields.iter().filter(move |(known, _)| *known == name).map(|(_, value)| value.as_bytes()),
            &of,
        )
    }

    #[test]
    fn conditions_are_taken_in_their_order() {
        for (fields, expected) in [
            (&[][..], Verdict::Whole),
            (&[("if-none-match", "\"a-1\"")], Verdict::NotModified),
            (&[("if-none-match", "\"b\", W/\"a-1\"")], Verdict::NotModified),
            (&[("if-none-match", "\"b\""), ("if-none-match", "\"a-1\"")], Verdict::NotModified),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", "\"b\"")], Verdict::Whole),
            (&[("if-none-match", "\"b\""), ("if-modified-since", LATER)], Verdict::Whole),
            (&[("if-modified-since", DATE)], Verdict::NotModified),
            (&[("if-modified-since", EARLIER)], Verdict::Whole),
            (&[("if-modified-since", "yesterday")], Verdict::Whole),
            (&[("if-match", "\"a-1\"")], Verdict::Whole),
            (&[("if-match", "*")], Verdict::Whole),
            (&[("if-match", "W/\"a-1\"")], Verdict::Failed),
            (&[("if-match", "\"b\"")], Verdict::Failed),
            (&[("if-unmodified-since", EARLIER)], Verdict::Failed),
            (&[("if-unmodified-since", DATE)], Verdict::Whole),
            (&[("if-match", "\"a-1\""), ("if-unmodified-since", EARLIER)], Verdict::Whole),
            (&[("if-match", "\"b\""), ("if-none-match", "\"a-1\"")], Verdict::Failed),
            (&[("if-none-match", "\"a-1\""), ("range", "bytes=0-1")], Verdict::NotModified),
            (&[("if-range", "\"a-1\""), ("range", "bytes=0-1")], part(0..2)),
            (&[("if-range", "W/\"a-1\""), ("range", "bytes=0-1")], Verdict::Whole),
            (&[("if-range", "\"b\""), ("range", "bytes=0-1")], Verdict::Whole),
            (&[("if-range", DATE), ("range", "bytes=0-1")], part(0..2)),
            (&[("if-range", LATER), ("range", "bytes=0-1")], Verdict::Whole),
        ] {
            assert_eq!(judged(fields), expected, "{fields:?}");
        }
    }
}
