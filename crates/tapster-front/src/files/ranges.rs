//! Ranges of bytes: which are asked for, and how an answer brings several of them (RFC 9110 §14).

use std::ops::Range;

use tapster_http1::syntax;
use tapster_sys::jitter;

use super::conditions::Verdict;

/// The most parts of one answer; who wants more gets the whole.
const MOST: usize = 8;

/// Several parts in one body.
pub(super) struct Multipart {
    pub(super) boundary: String,
    /// Each range, and what stands before its bytes.
    pub(super) parts: Vec<(Vec<u8>, Range<u64>)>,
    pub(super) end: Vec<u8>,
}

/// What the value of Range asks for, of so many bytes. The whole for what is malformed, for ranges that overlap, for too many,
/// and for such as would be no shorter than the whole: §14.2 allows it, and nobody can have more sent than there is.
pub(super) fn asked(value: &[u8], size: u64) -> Verdict {
    let specs = match value.split_at_checked(6) {
        Some((unit, specs)) if unit.eq_ignore_ascii_case(b"bytes=") => specs,
        _ => return Verdict::Whole,
    };
    if matches!(specs.first(), None | Some(b' ' | b'\t')) {
        return Verdict::Whole;
    }
    let (mut parts, mut count) = (Vec::new(), 0);
    for spec in syntax::list(specs).filter(|spec| !spec.is_empty()) {
        count += 1;
        match one(spec, size) {
            Some(range) if count <= MOST => parts.extend(Some(range).filter(|range| range.start < range.end)),
            Some(_) | None => return Verdict::Whole,
        }
    }
    match parts.len() {
        0 if count == 0 => Verdict::Whole,
        0 => Verdict::Unsatisfiable,
        1 => Verdict::Parts(parts),
        _ if overlap(&parts) => Verdict::Whole,
        _ => Verdict::Parts(parts),
    }
}

/// One range, which is empty where it is not satisfiable; none if it is malformed.
fn one(spec: &[u8], size: u64) -> Option<Range<u64>> {
    let dash = spec.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    match (syntax::decimal(first), syntax::decimal(last)) {
        (None, Some(suffix)) if first.is_empty() => Some(size.saturating_sub(suffix)..size),
        (Some(first), None) if last.is_empty() => Some(first..size),
        (Some(first), Some(last)) if first <= last => Some(first..last.saturating_add(1).min(size)),
        _ => None,
    }
}

fn overlap(parts: &[Range<u64>]) -> bool {
    let mut sorted: Vec<_> = parts.iter().collect();
    sorted.sort_by_key(|range| range.start);
    sorted.windows(2).any(|pair| pair[0].end > pair[1].start)
}

impl Multipart {
    /// The frame of a `multipart/byteranges` (§14.6) of ranges of a file of this type and size.
    pub(super) fn new(ranges: &[Range<u64>], kind: &[u8], size: u64) -> Multipart {
        // Nobody who makes a file can know it.
        let boundary = format!("{:016x}{:016x}", jitter::up_to(u64::MAX), jitter::up_to(u64::MAX));
        let part = |(place, range): (usize, &Range<u64>)| {
            let before = if place == 0 { "" } else { "\r\n" };
            let mut lead = format!("{before}--{boundary}\r\nContent-Type: ").into_bytes();
            lead.extend_from_slice(kind);
            lead.extend_from_slice(b"\r\n");
            lead.extend_from_slice(content_range(range, size).as_bytes());
            lead.extend_from_slice(b"\r\n");
            (lead, range.clone())
        };
        let parts = ranges.iter().enumerate().map(part).collect();
        let end = format!("\r\n--{boundary}--\r\n").into_bytes();
        Multipart { boundary, parts, end }
    }

    /// Bytes of the whole body.
    pub(super) fn length(&self) -> u64 {
        let part = |(lead, range): &(Vec<u8>, Range<u64>)| lead.len() as u64 + (range.end - range.start);
        self.parts.iter().map(part).sum::<u64>() + self.end.len() as u64
    }
}

/// The field that says which bytes these are; the range is not empty.
pub(super) fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("Content-Range: bytes {}-{}/{size}\r\n", range.start, range.end - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(range: Range<u64>) -> Verdict {
        Verdict::Parts(vec![range])
    }

    #[test]
    fn ranges_are_checked_by_arithmetic_that_does_not_wrap() {
        for (value, expected) in [
            ("bytes=0-0", part(0..1)),
            ("Bytes=0-0", part(0..1)),
            ("bytes=0-", part(0..100)),
            ("bytes=99-", part(99..100)),
            ("bytes=50-200", part(50..100)),
            ("bytes=0-18446744073709551615", part(0..100)),
            ("bytes=-1", part(99..100)),
            ("bytes=-100", part(0..100)),
            ("bytes=-18446744073709551615", part(0..100)),
            ("bytes=100-", Verdict::Unsatisfiable),
            ("bytes=100-200", Verdict::Unsatisfiable),
            ("bytes=-0", Verdict::Unsatisfiable),
            ("bytes=18446744073709551615-", Verdict::Unsatisfiable),
            ("bytes=200-300,-0", Verdict::Unsatisfiable),
            ("bytes=2-1", Verdict::Whole),
            ("bytes=-9223372036854775608,-9223372036854775608", Verdict::Whole),
            ("bytes=18446744073709551616-", Verdict::Whole),
            ("bytes=+1-2", Verdict::Whole),
            ("bytes= 1-2", Verdict::Whole),
            ("bytes=-", Verdict::Whole),
            ("bytes=", Verdict::Whole),
            ("bytes=,", Verdict::Whole),
            ("bytes", Verdict::Whole),
            ("lines=1-2", Verdict::Whole),
            ("bytes=1--2", Verdict::Whole),
            ("bytes=0x1-2", Verdict::Whole),
        ] {
            assert_eq!(asked(value.as_bytes(), 100), expected, "{value}");
        }
    }

    #[test]
    fn several_ranges_are_bounded() {
        for (value, expected) in [
            ("bytes=0-1,3-4", Verdict::Parts(vec![0..2, 3..5])),
            ("bytes=90-, 0-1", Verdict::Parts(vec![90..100, 0..2])),
            ("bytes=0-1,,200-", part(0..2)),
            ("bytes=0-1,1-2", Verdict::Whole),
            ("bytes=0-50,-60", Verdict::Whole),
            ("bytes=0-1,x", Verdict::Whole),
            ("bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", Verdict::Whole),
        ] {
            assert_eq!(asked(value.as_bytes(), 100), expected, "{value}");
        }
    }

    #[test]
    fn a_multipart_body_is_as_long_as_it_says() {
        let multipart = Multipart::new(&[0..2, 3..5], b"text/plain", 100);
        let mut body = Vec::new();
        for (lead, range) in &multipart.parts {
            body.extend_from_slice(lead);
            body.resize(body.len() + (range.end - range.start) as usize, b'x');
        }
        body.extend_from_slice(&multipart.end);
        assert_eq!(body.len() as u64, multipart.length());
        let text = String::from_utf8(body).unwrap();
        let frame = text.replace(&multipart.boundary, "B");
        assert_eq!(
            frame,
            "--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/100\r\n\r\nxx\r\n\
             --B\r\nContent-Type: text/plain\r\nContent-Range: bytes 3-4/100\r\n\r\nxx\r\n--B--\r\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_sent_is_there_and_not_twice(value in "bytes=[-0-9, ]{0,60}", size in 0_u64..50) {
            if let Verdict::Parts(parts) = asked(value.as_bytes(), size) {
                prop_assert!(!parts.is_empty() && parts.len() <= MOST);
                prop_assert!(parts.iter().all(|range| range.start < range.end && range.end <= size));
                prop_assert!(parts.iter().map(|range| range.end - range.start).sum::<u64>() <= size);
            }
        }
    }
}
