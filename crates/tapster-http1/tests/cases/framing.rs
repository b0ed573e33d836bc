//! Message framing, Host, Connection and Expect, case by case.

use crate::pieces::frame;
use tapster_http1::{BodyLength, Refusal};

fn framed(version: &str, fields: &str) -> Result<tapster_http1::Framing, Refusal> {
    frame(format!("POST / HTTP/{version}\r\n{fields}\r\n").as_bytes())
}

#[test]
fn smuggling_is_refused() {
    use Refusal::*;
    let cases: &[(&str, &str, Refusal)] = &[
        ("1.1", "", HostMissing),
        ("1.1", "Host: a\r\nHost: a\r\n", HostRepeated),
        ("1.0", "Host: a\r\nHost: b\r\n", HostRepeated),
        ("1.1", "Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", LengthAndEncoding),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n", LengthAndEncoding),
        ("1.1", "Host: a\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n", LengthAndEncoding),
        ("1.1", "Host: a\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n", LengthAndEncoding),
        ("1.0", "Transfer-Encoding: chunked\r\n", EncodingIn10),
        ("1.1", "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n", ContentLengthRepeated),
        ("1.1", "Host: a\r\nContent-Length: 5\r\ncontent-length: 5\r\n", ContentLengthRepeated),
        ("1.1", "Host: a\r\nContent-Length: 5, 5\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: +5\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: -5\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: 0x5\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: 1_0\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: 5 5\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: 5.0\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length:\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: \u{b2}\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nContent-Length: 18446744073709551616\r\n", ContentLengthMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: xchunked\r\n", EncodingUnknown),
        ("1.1", "Host: a\r\nTransfer-Encoding: gzip\r\n", EncodingUnknown),
        ("1.1", "Host: a\r\nTransfer-Encoding: identity\r\n", EncodingUnknown),
        ("1.1", "Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", EncodingUnknown),
        ("1.1", "Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", EncodingUnknown),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked, gzip\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding:\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: , chunked\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked,\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: \"chunked\"\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked;q=1\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nTransfer-Encoding: \u{a0}chunked\r\n", EncodingMalformed),
        ("1.1", "Host: a\r\nExpect: 100-continued\r\n", Expectation),
        ("1.1", "Host: a\r\nExpect:\r\n", Expectation),
        ("1.0", "Expect: magic\r\n", Expectation),
    ];
    for (version, fields, expected) in cases {
        assert_eq!(framed(version, fields), Err(*expected), "{fields:?}");
    }
}

#[test]
fn bodies_are_framed() {
    let cases: &[(&str, &str, BodyLength)] = &[
        ("1.1", "Host: a\r\n", BodyLength::None),
        ("1.0", "", BodyLength::None),
        ("1.1", "Host: a\r\nContent-Length: 0\r\n", BodyLength::Length(0)),
        ("1.1", "Host: a\r\nContent-Length: \t 0042 \r\n", BodyLength::Length(42)),
        ("1.0", "Content-Length: 7\r\n", BodyLength::Length(7)),
        ("1.1", "Host: a\r\nCONTENT-LENGTH: 18446744073709551615\r\n", BodyLength::Length(u64::MAX)),
        ("1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n", BodyLength::Chunked),
        ("1.1", "Host: a\r\ntransfer-encoding: \tCHUNKED \r\n", BodyLength::Chunked),
    ];
    for (version, fields, expected) in cases {
        assert_eq!(framed(version, fields).map(|framing| framing.body), Ok(*expected), "{fields:?}");
    }
}

#[test]
fn hosts_are_checked() {
    let good = [
        "a",
        "a.example",
        "A.example:80",
        "a:",
        "a:0",
        "a:65535",
        "127.0.0.1:8000",
        "[::1]",
        "[2001:db8::1]:80",
        "under_score",
        "sub-delims!$&'()*+,;=~",
        "pct%2dencoded",
        "xn--bcher-kva.example",
        "a.",
    ];
    for host in good {
        assert!(framed("1.1", &format!("Host: {host}\r\n")).is_ok(), "{host}");
    }
    let bad = [
        "",
        ":80",
        "a b",
        "a/b",
        "a@b",
        "http://a",
        "a:b",
        "a:65536",
        "a:99999999999999999999",
        "a:+1",
        "a:80:80",
        "[::1",
        "[::1]a",
        "[]",
        "[a]",
        "::1",
        "[::1]:x",
        "a%2",
        "a%zz",
        "a\\b",
        "a?b",
        "a#b",
        "\"a\"",
        "a, b",
        "caf\u{e9}",
        "[fe80::1%25eth0]",
    ];
    for host in bad {
        assert_eq!(framed("1.1", &format!("Host: {host}\r\n")), Err(Refusal::HostMalformed), "{host}");
        assert_eq!(framed("1.0", &format!("Host: {host}\r\n")), Err(Refusal::HostMalformed), "{host}");
    }
    let long = format!("Host: {}\r\n", "%20".repeat(20_000));
    assert!(framed("1.1", &long).is_ok());
}

#[test]
fn connections_are_kept_as_the_version_says() {
    let cases = [
        ("1.1", "", true),
        ("1.1", "Connection: keep-alive\r\n", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: Upgrade, CLOSE\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.1", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: close, keep-alive\r\n", false),
        ("1.0", "Keep-Alive: timeout=5\r\n", false),
    ];
    for (version, fields, expected) in cases {
        let framing = framed(version, &format!("Host: a\r\n{fields}"));
        assert_eq!(framing.map(|framing| framing.keep_alive), Ok(expected), "{version} {fields:?}");
    }
}

#[test]
fn a_continue_is_for_those_that_wait() {
    let cases = [
        ("1.1", "Expect: 100-continue\r\nContent-Length: 5\r\n", true),
        ("1.1", "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n", true),
        ("1.1", "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 5\r\n", true),
        ("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false),
        ("1.1", "Expect: 100-continue\r\n", false),
        ("1.0", "Expect: 100-continue\r\nContent-Length: 5\r\n", false),
        ("1.1", "Content-Length: 5\r\n", false),
    ];
    for (version, fields, expected) in cases {
        let framing = framed(version, &format!("Host: a\r\n{fields}"));
        assert_eq!(framing.map(|framing| framing.expect_continue), Ok(expected), "{version} {fields:?}");
    }
}

#[test]
fn a_get_may_have_a_body() {
    let framing = frame(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(framing.map(|framing| framing.body), Ok(BodyLength::Length(3)));
}
