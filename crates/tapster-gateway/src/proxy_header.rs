//! The PROXY protocol, versions 1 and 2: what a TCP proxy says of its client before the client's first byte
//! (haproxy's proxy-protocol.txt). Only for listeners that are marked for it, and peers that are trusted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Endpoint;

/// The longest header of version 1, with its line end (§2.1).
const LONGEST_V1: usize = 107;

/// The longest header of version 2 that is read: the addresses need 232 bytes, the rest is for TLVs.
const LONGEST_V2: usize = 4096;

const SIGNATURE_V1: &[u8] = b"PROXY ";
const SIGNATURE_V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family, and length of the rest.
const FIXED_V2: usize = 16;

/// The type of the TLV about TLS, and the bit of its first byte that says that the client spoke it (§2.2.6).
const TYPE_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;

/// Which versions are understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ProxyVersions {
    /// Both.
    #[default]
    Any,
    /// The text of version 1.
    One,
    /// The binary form of version 2.
    Two,
}

/// What a proxy says of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxyHeader {
    /// How many bytes it took.
    pub length: usize,
    /// The client and the address that it connected to. None for a connection of the proxy's own (LOCAL), and where
    /// it does not know (UNKNOWN): then the socket's addresses hold.
    pub ends: Option<Ends>,
    /// The client spoke TLS with the proxy.
    pub tls: bool,
}

/// The two ends of the client's connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ends {
    /// The client.
    pub source: Endpoint,
    /// What it connected to.
    pub destination: Endpoint,
}

/// Why the first bytes of a connection are no header that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyError {
    /// Something else, or a version that is not understood here.
    Missing,
    /// Version 1 without a line end within its bound.
    LineTooLong,
    /// Version 1 that is not `PROXY TCP4 source destination port port`, with TCP6, or with UNKNOWN.
    Line,
    /// Version 2 with a command or a number of its version that does not exist.
    Command,
    /// Version 2 with an address family or protocol that does not exist.
    Family,
    /// Version 2 beyond the bound on its length.
    TooLong,
    /// Version 2 whose length leaves no room for its addresses, or cuts a TLV.
    Cut,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Missing => {
                "no PROXY header on a listener where each connection begins with one (--proxy-protocol)"
            }
            Self::LineTooLong => "PROXY header of more than 107 bytes",
            Self::Line => "malformed PROXY header of version 1",
            Self::Command => "PROXY header with an unknown version or command",
            Self::Family => "PROXY header with an unknown address family",
            Self::TooLong => "PROXY header of more than 4096 bytes",
            Self::Cut => "PROXY header that is shorter than what it has to hold",
        })
    }
}

/// Reads the header at the front of `input`; none while it is incomplete.
///
/// # Errors
/// As soon as the bytes cannot become a header.
pub fn parse(input: &[u8], versions: ProxyVersions) -> Result<Option<ProxyHeader>, ProxyError> {
    let begins = |signature: &[u8]| input.iter().zip(signature).all(|(byte, expected)| byte == expected);
    if versions != ProxyVersions::Two && begins(SIGNATURE_V1) {
        return parse_v1(input);
    }
    if versions != ProxyVersions::One && begins(SIGNATURE_V2) {
        return parse_v2(input);
    }
    Err(ProxyError::Missing)
}

fn parse_v1(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyError> {
    let window = &input[..input.len().min(LONGEST_V1)];
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        return if input.len() < LONGEST_V1 { Ok(None) } else { Err(ProxyError::LineTooLong) };
    };
    let line = window[..end].strip_suffix(b"\r").ok_or(ProxyError::Line)?;
    let text = std::str::from_utf8(line).map_err(|_| ProxyError::Line)?;
    let ends = line_ends(text).ok_or(ProxyError::Line)?;
    Ok(Some(ProxyHeader { length: end + 1, ends, tls: false }))
}

/// The ends that a line names; the outer none if it is malformed.
fn line_ends(line: &str) -> Option<Option<Ends>> {
    let mut words = line.split(' ').skip(1);
    let is_v4 = match words.next()? {
        "TCP4" => true,
        "TCP6" => false,
        // Whatever follows is to be ignored (§2.1).
        "UNKNOWN" => return Some(None),
        _ => return None,
    };
    let [source, destination] = [words.next()?, words.next()?].map(|word| address(word, is_v4));
    let [source_port, destination_port] = [words.next()?, words.next()?].map(port);
    let ends = Ends {
        source: Endpoint::Inet(source?, source_port?),
        destination: Endpoint::Inet(destination?, destination_port?),
    };
    words.next().is_none().then_some(Some(ends))
}

fn address(word: &str, is_v4: bool) -> Option<IpAddr> {
    if is_v4 {
        word.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    } else {
        word.parse::<Ipv6Addr>().ok().map(|address| IpAddr::V6(address).to_canonical())
    }
}

/// A port without a sign or leading zeros (§2.1).
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    if plain { word.parse().ok() } else { None }
}

fn parse_v2(input: &[u8]) -> Result<Option<ProxyHeader>, ProxyError> {
    let Some((fixed, rest)) = input.split_at_checked(FIXED_V2) else { return Ok(None) };
    let is_local = match fixed[12] {
        0x20 => true,
        0x21 => false,
        _ => return Err(ProxyError::Command),
    };
    let size = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let length = FIXED_V2 + size;
    if length > LONGEST_V2 {
        return Err(ProxyError::TooLong);
    }
    let Some(body) = rest.get(..size) else { return Ok(None) };
    if is_local {
        return Ok(Some(ProxyHeader { length, ends: None, tls: false }));
    }
    let (ends, tlvs) = addresses(fixed[13], body)?;
    Ok(Some(ProxyHeader { length, ends, tls: says_tls(tlvs)? }))
}

/// The ends that version 2 names, and the TLVs behind them. A datagram transport makes no difference (§2.2.3): here
/// it came by a stream.
fn addresses(family: u8, body: &[u8]) -> Result<(Option<Ends>, &[u8]), ProxyError> {
    let split = |size: usize| body.split_at_checked(size).ok_or(ProxyError::Cut);
    match family {
        0x00 => Ok((None, body)),
        0x11 | 0x12 => {
            let (ends, rest) = split(12)?;
            let at =
                |place: usize| IpAddr::from([ends[place], ends[place + 1], ends[place + 2], ends[place + 3]]);
            Ok((Some(inet(at(0), at(4), &ends[8..])), rest))
        }
        0x21 | 0x22 => {
            let (ends, rest) = split(36)?;
            let at = |place: usize| {
                let mut octets = [0; 16];
                octets.copy_from_slice(&ends[place..place + 16]);
                IpAddr::from(octets).to_canonical()
            };
            Ok((Some(inet(at(0), at(16), &ends[32..])), rest))
        }
        0x31 | 0x32 => {
            let (ends, rest) = split(216)?;
            let (source, destination) = ends.split_at(108);
            Ok((Some(Ends { source: unix(source), destination: unix(destination) }), rest))
        }
        _ => Err(ProxyError::Family),
    }
}

fn inet(source: IpAddr, destination: IpAddr, ports: &[u8]) -> Ends {
    let port = |place: usize| u16::from_be_bytes([ports[place], ports[place + 1]]);
    Ends { source: Endpoint::Inet(source, port(0)), destination: Endpoint::Inet(destination, port(2)) }
}

/// The path of a unix socket, which is padded with NULs.
fn unix(path: &[u8]) -> Endpoint {
    let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
    Endpoint::Unix(String::from_utf8_lossy(&path[..end]).into_owned())
}

/// Goes through the TLVs, all of which but one are skipped.
fn says_tls(mut tlvs: &[u8]) -> Result<bool, ProxyError> {
    let mut tls = false;
    while let [kind, high, low, rest @ ..] = tlvs {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, next) = rest.split_at_checked(size).ok_or(ProxyError::Cut)?;
        if *kind == TYPE_SSL {
            tls |= value.first().ok_or(ProxyError::Cut)? & CLIENT_SSL != 0;
        }
        tlvs = next;
    }
    if tlvs.is_empty() { Ok(tls) } else { Err(ProxyError::Cut) }
}
