//! The PROXY protocol: every form of both versions, what is no header, and properties of any bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by its panic")]

use proptest::prelude::*;
use tapster_gateway::Endpoint;
use tapster_gateway::proxy_header::{Ends, ProxyError, ProxyHeader, ProxyVersions, parse};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Version 2 with a command, a family and a body.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[command, family], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [&[kind][..], &(value.len() as u16).to_be_bytes(), value].concat()
}

/// The address part of TCP over IPv4.
fn tcp4() -> Vec<u8> {
    [&[203, 0, 113, 9, 192, 0, 2, 1][..], &50123_u16.to_be_bytes(), &443_u16.to_be_bytes()].concat()
}

fn inet(source: &str, source_port: u16, destination: &str, destination_port: u16) -> Option<Ends> {
    Some(Ends {
        source: Endpoint::Inet(source.parse().unwrap(), source_port),
        destination: Endpoint::Inet(destination.parse().unwrap(), destination_port),
    })
}

/// Parses a whole header with a request behind it; each beginning of it is incomplete.
fn whole(header: &[u8]) -> ProxyHeader {
    for end in 0..header.len() {
        assert_eq!(parse(&header[..end], ProxyVersions::Any), Ok(None), "{end} bytes");
    }
    let input = [header, b"GET / HTTP/1.1\r\n\r\n"].concat();
    let parsed = parse(&input, ProxyVersions::Any).unwrap().unwrap();
    assert_eq!(parsed.length, header.len());
    parsed
}

fn refused(input: &[u8]) -> ProxyError {
    parse(input, ProxyVersions::Any).unwrap_err()
}

#[test]
fn version_1_names_both_ends() {
    for (line, ends) in [
        ("TCP4 203.0.113.9 192.0.2.1 50123 443", inet("203.0.113.9", 50123, "192.0.2.1", 443)),
        ("TCP6 2001:db8::7 2001:db8::1 1 65535", inet("2001:db8::7", 1, "2001:db8::1", 65535)),
        ("TCP6 ::ffff:203.0.113.9 ::ffff:192.0.2.1 0 443", inet("203.0.113.9", 0, "192.0.2.1", 443)),
        ("UNKNOWN", None),
        ("UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535", None),
    ] {
        let parsed = whole(format!("PROXY {line}\r\n").as_bytes());
        assert_eq!((parsed.ends, parsed.tls), (ends, false), "{line}");
    }
}

#[test]
fn malformed_lines_of_version_1_are_refused() {
    for line in [
        "TCP4 203.0.113.9 192.0.2.1 50123",
        "TCP4 203.0.113.9 192.0.2.1 50123 443 more",
        "TCP4 203.0.113.9 192.0.2.1 50123 443 ",
        "TCP4  203.0.113.9 192.0.2.1 50123 443",
        "TCP4 203.0.113.9 192.0.2.1 +50123 443",
        "TCP4 203.0.113.9 192.0.2.1 050123 443",
        "TCP4 203.0.113.9 192.0.2.1 65536 443",
        "TCP4 203.0.113.9 192.0.2.1  443",
        "TCP4 203.0.113.09 192.0.2.1 50123 443",
        "TCP4 2001:db8::7 2001:db8::1 50123 443",
        "TCP6 203.0.113.9 192.0.2.1 50123 443",
        "TCP6 fe80::1%eth0 2001:db8::1 50123 443",
        "UDP4 203.0.113.9 192.0.2.1 50123 443",
        "tcp4 203.0.113.9 192.0.2.1 50123 443",
        "",
    ] {
        assert_eq!(refused(format!("PROXY {line}\r\n").as_bytes()), ProxyError::Line, "{line}");
    }
    assert_eq!(refused(b"PROXY TCP4 203.0.113.9 192.0.2.1 50123 443\n"), ProxyError::Line);
    assert_eq!(refused(b"PROXY TCP4 203.0.113.9\xff 192.0.2.1 50123 443\r\n"), ProxyError::Line);
}

#[test]
fn a_line_of_version_1_has_107_bytes_at_most() {
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(107 - 16));
    assert_eq!(longest.len(), 107);
    whole(longest.as_bytes());
    let longer = format!("PROXY UNKNOWN {}", "x".repeat(107));
    assert_eq!(parse(&longer.as_bytes()[..106], ProxyVersions::Any), Ok(None));
    assert_eq!(refused(&longer.as_bytes()[..107]), ProxyError::LineTooLong);
    assert_eq!(refused(longer.as_bytes()), ProxyError::LineTooLong);
}

#[test]
fn version_2_names_both_ends() {
    let tcp6 = [
        &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7][..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1],
        &[0, 80, 1, 0],
    ]
    .concat();
    let mut paths = vec![0; 216];
    paths[..6].copy_from_slice(b"/tmp/c");
    paths[108..112].copy_from_slice(b"/run");
    let unix = Some(Ends {
        source: Endpoint::Unix("/tmp/c".to_owned()),
        destination: Endpoint::Unix("/run".to_owned()),
    });
    let four = inet("203.0.113.9", 50123, "192.0.2.1", 443);
    for (family, body, ends) in [
        (0x11, tcp4(), four.clone()),
        (0x12, tcp4(), four),
        (0x21, tcp6.clone(), inet("2001:db8::7", 80, "192.0.2.1", 256)),
        (0x22, tcp6, inet("2001:db8::7", 80, "192.0.2.1", 256)),
        (0x31, paths.clone(), unix.clone()),
        (0x32, paths, unix),
        (0x00, tcp4(), None),
        (0x00, Vec::new(), None),
    ] {
        let skipped = if family == 0 { Vec::new() } else { [tlv(0x04, b"no-op"), tlv(0xea, b"")].concat() };
        let body = if family == 0 { tlv(0x02, &body) } else { body };
        assert_eq!(whole(&v2(0x21, family, &[body, skipped].concat())).ends, ends, "{family:#x}");
    }
}

#[test]
fn a_connection_of_the_proxys_own_names_nobody() {
    for body in [Vec::new(), tcp4(), vec![0xff; 100]] {
        assert_eq!(whole(&v2(0x20, 0x11, &body)).ends, None);
    }
}

#[test]
fn tls_between_client_and_proxy_is_told_by_a_tlv() {
    let ssl = |client: u8| [&[client, 0, 0, 0, 0][..], &tlv(0x21, b"TLSv1.3")].concat();
    for (client, tls) in [(0x01, true), (0x07, true), (0x00, false), (0x02, false)] {
        let body = [tcp4(), tlv(0x03, &[1, 2, 3, 4]), tlv(0x20, &ssl(client))].concat();
        assert_eq!(whole(&v2(0x21, 0x11, &body)).tls, tls);
    }
}

#[test]
fn what_version_2_does_not_have_is_refused() {
    assert_eq!(refused(&v2(0x22, 0x11, &tcp4())), ProxyError::Command);
    assert_eq!(refused(&v2(0x11, 0x11, &tcp4())), ProxyError::Command);
    assert_eq!(refused(&v2(0x21, 0x41, &tcp4())), ProxyError::Family);
    assert_eq!(refused(&v2(0x21, 0x13, &tcp4())), ProxyError::Family);
    assert_eq!(refused(&v2(0x21, 0x11, &tcp4()[..11])), ProxyError::Cut);
    assert_eq!(refused(&v2(0x21, 0x21, &tcp4())), ProxyError::Cut);
    assert_eq!(refused(&v2(0x21, 0x31, &[0; 215])), ProxyError::Cut);
    for rest in [&b"\x04"[..], b"\x04\0", b"\x04\0\x05four", b"\x20\0\0"] {
        assert_eq!(refused(&v2(0x21, 0x11, &[&tcp4()[..], rest].concat())), ProxyError::Cut);
    }
}

#[test]
fn version_2_has_4096_bytes_at_most() {
    let most = |size: usize| [tcp4(), tlv(0x04, &vec![0; size - 16 - 12 - 3])].concat();
    assert_eq!(parse(&v2(0x21, 0x11, &most(4096)), ProxyVersions::Any).unwrap().unwrap().length, 4096);
    // Said before the rest of it comes.
    assert_eq!(refused(&v2(0x21, 0x11, &most(4097))[..16]), ProxyError::TooLong);
}

#[test]
fn anything_else_is_seen_at_its_first_wrong_byte() {
    for input in [&b"G"[..], b"GET / HTTP/1.1\r\n", b"PROXYTCP4", b"\r\n\r\nG", b"\0", b"\x16\x03", b"proxy "]
    {
        assert_eq!(refused(input), ProxyError::Missing, "{input:?}");
    }
}

#[test]
fn a_version_that_is_not_wanted_is_something_else() {
    let (one, two) = (b"PROXY UNKNOWN\r\n", v2(0x20, 0, b""));
    assert!(parse(one, ProxyVersions::One).unwrap().is_some());
    assert!(parse(&two, ProxyVersions::Two).unwrap().is_some());
    assert_eq!(parse(one, ProxyVersions::Two), Err(ProxyError::Missing));
    assert_eq!(parse(&two, ProxyVersions::One), Err(ProxyError::Missing));
}

fn header() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        any::<Vec<u8>>(),
        "PROXY (TCP4|TCP6|UNKNOWN)( [0-9a-f.:]{1,15}){0,5}\r?\n?".prop_map(String::into_bytes),
        (any::<u8>(), any::<u8>(), body.clone())
            .prop_map(|(command, family, body)| v2(command, family, &body)),
        (prop::sample::select(vec![0x11, 0x21, 0x31, 0x00]), body)
            .prop_map(|(family, body)| v2(0x21, family, &body)),
    ]
}

proptest! {
    /// However the bytes are cut into reads, the outcome is the same, and it comes within the bound.
    #[test]
    fn any_bytes_are_judged_alike_however_they_come(input in header(), behind in any::<Vec<u8>>()) {
        let input = [input, behind].concat();
        let at_once = parse(&input, ProxyVersions::Any);
        let first = (0..=input.len()).map(|end| parse(&input[..end], ProxyVersions::Any)).find(|parsed| *parsed != Ok(None));
        prop_assert_eq!(first.unwrap_or(Ok(None)), at_once.clone());
        if let Ok(Some(parsed)) = at_once {
            prop_assert!(parsed.length <= input.len().min(4096));
        }
    }

    #[test]
    fn every_address_comes_back(source: [u8; 4], destination: [u8; 4], ports: (u16, u16)) {
        let (source, destination) = (std::net::Ipv4Addr::from(source), std::net::Ipv4Addr::from(destination));
        let ends = inet(&source.to_string(), ports.0, &destination.to_string(), ports.1);
        let line = format!("PROXY TCP4 {source} {destination} {} {}\r\n", ports.0, ports.1);
        prop_assert_eq!(parse(line.as_bytes(), ProxyVersions::Any).unwrap().unwrap().ends, ends.clone());
        let body = [source.octets().to_vec(), destination.octets().to_vec(), ports.0.to_be_bytes().to_vec(), ports.1.to_be_bytes().to_vec()].concat();
        prop_assert_eq!(parse(&v2(0x21, 0x11, &body), ProxyVersions::Any).unwrap().unwrap().ends, ends);
    }
}
