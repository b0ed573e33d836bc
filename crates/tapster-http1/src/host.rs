//! `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2): what Host and the authority of a target may say.

use std::net::Ipv6Addr;

use crate::syntax;

/// Whether `text` is a host with an optional port. An empty host is refused, as RFC 9110 §4.2.1 asks of http URIs,
/// and so are user information and lists.
pub(crate) fn is_valid(text: &[u8]) -> bool {
    if let [b'[', rest @ ..] = text {
        let Some(end) = memchr::memchr(b']', rest) else { return false };
        let (address, port) = rest.split_at(end);
        return is_ipv6(address) && is_port(port.get(1..).unwrap_or_default());
    }
    let end = reg_name(text);
    end > 0 && is_port(text.get(end..).unwrap_or_default())
}

fn is_ipv6(address: &[u8]) -> bool {
    std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// Nothing, or a colon and a number up to 65535 (RFC 3986 allows an empty one).
fn is_port(text: &[u8]) -> bool {
    match text {
        [] | [b':'] => true,
        [b':', digits @ ..] => syntax::decimal(digits).is_some_and(|port| port <= u64::from(u16::MAX)),
        _ => false,
    }
}

/// How long the name at the start of the text is: `unreserved`, `sub-delims` and `pct-encoded`.
fn reg_name(text: &[u8]) -> usize {
    let mut end = 0;
    loop {
        let rest = text.get(end..).unwrap_or_default();
        end += rest.iter().position(|&byte| !NAME[usize::from(byte)]).unwrap_or(rest.len());
        match text.get(end..) {
            Some([b'%', high, low, ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => end += 3,
            _ => return end,
        }
    }
}

static NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_name_byte(byte as u8);
        byte += 1;
    }
    table
};

const fn is_name_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'A'..=b'Z' | b'_' | b'~' | b'!' | b'$' | b'&'..=b',' | b';' | b'=')
}
