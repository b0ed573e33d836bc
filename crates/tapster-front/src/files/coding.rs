//! Which encoding of a file a client gets, of those that lie beside it ready-made (RFC 9110 §12.5.3).

use tapster_http1::syntax;

/// An encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// All of them, the best first.
    pub(crate) const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// The name of its file ends with this.
    pub(crate) fn suffix(self) -> &'static [u8] {
        match self {
            Coding::Brotli => b".br",
            Coding::Zstd => b".zst",
            Coding::Gzip => b".gz",
        }
    }

    /// The value of Content-Encoding.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }
}

/// The place of the best of these codings in them, which are in order of preference; none for the file as it is.
pub(crate) fn choose<'a>(
    accept: impl Iterator<Item = &'a [u8]> + Clone,
    codings: impl Iterator<Item = Coding>,
) -> Option<usize> {
    let weight = |name: &[u8]| weight(accept.clone(), name);
    let weighed =
        codings.enumerate().map(|(place, coding)| (weight(coding.name().as_bytes()).unwrap_or(0), place));
    // Of equal weights the first.
    let (best, place) =
        weighed.filter(|(weight, _)| *weight > 0).reduce(|a, b| if b.0 > a.0 { b } else { a })?;
    (weight(b"identity").is_none_or(|plain| plain <= best)).then_some(place)
}

/// The weight of a coding in thousandths; none where neither it nor `*` is named.
pub(crate) fn weight<'a>(accept: impl Iterator<Item = &'a [u8]> + Clone, wanted: &[u8]) -> Option<u32> {
    let named = |wanted: &[u8]| {
        let mut members = accept.clone().flat_map(syntax::list).filter_map(weigh);
        members.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, weight)| weight)
    };
    named(wanted).or_else(|| named(b"*"))
}

/// A member of the list: its name, and its weight in thousandths. A malformed weight counts for nothing.
fn weigh(member: &[u8]) -> Option<(&[u8], u32)> {
    let mut parts = member.split(|&byte| byte == b';').map(syntax::trim_ows);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let value = parts.find_map(|part| part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q=")));
    Some((name, value.map_or(1000, thousandths)))
}

fn thousandths(value: &[u8]) -> u32 {
    let (whole, rest) = value.split_at(value.len().min(1));
    match (whole, rest) {
        (b"1", []) => 1000,
        (b"1", [b'.', zeros @ ..]) if zeros.iter().all(|&digit| digit == b'0') => 1000,
        (b"0", [b'.', digits @ ..]) if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => {
            let padded = digits.iter().chain([b'0'; 3].iter()).take(3);
            padded.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_decides_and_then_the_size() {
        let choose = |accept: &str| choose(std::iter::once(accept.as_bytes()), Coding::ALL.into_iter());
        for (accept, expected) in [
            ("", None),
            ("gzip, deflate, br, zstd", Some(0)),
            ("gzip, zstd", Some(1)),
            ("GZIP", Some(2)),
            ("br;q=0.5, gzip;q=0.8", Some(2)),
            ("br;q=0, *", Some(1)),
            ("*", Some(0)),
            ("*;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0", None),
            ("gzip;q=0.0001", None),
            ("gzip;q=2", None),
            ("gzip; q=1.000", Some(2)),
            ("deflate", None),
        ] {
            assert_eq!(choose(accept), expected, "{accept}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nobody_gets_what_was_not_accepted(accept in "[a-z*;=,.0-9 ]{0,40}", named in "(br|gzip|zstd|\\*)(;q=[01](\\.[0-9]{0,3})?)?") {
            let accept = format!("{accept},{named}");
            let values = || std::iter::once(accept.as_bytes());
            if let Some(place) = choose(values(), Coding::ALL.into_iter()) {
                proptest::prop_assert!(weight(values(), Coding::ALL[place].name().as_bytes()) > Some(0));
            }
        }
    }
}
