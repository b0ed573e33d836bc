//! What the server writes, to the byte.

use tapster_http1::Refusal;
use tapster_http1::encode::{
    BodyField, Connection, DateCache, RefusalFields, ServerFields, chunk_header, interim_head, reason_phrase,
    refusal_response, response_head,
};

fn head(fields: &ServerFields<'_>) -> String {
    let mut out = b"before ".to_vec();
    response_head(&mut out, b"200 OK\r\nA: b\r\n", fields);
    crate::pieces::latin1(&out)
}

#[test]
fn the_servers_fields_follow_the_applications() {
    let all = ServerFields {
        date: Some(b"Sun, 06 Nov 1994 08:49:37 GMT"),
        server: true,
        body: BodyField::Length(13),
        connection: Connection::Close,
        lines: b"",
    };
    assert_eq!(
        head(&all),
        "before HTTP/1.1 200 OK\r\nA: b\r\nServer: tapster\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Content-Length: 13\r\nConnection: close\r\n\r\n"
    );
    let none = ServerFields {
        date: None,
        server: false,
        body: BodyField::None,
        connection: Connection::Default,
        lines: b"",
    };
    assert_eq!(head(&none), "before HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
    let chunked = ServerFields { body: BodyField::Chunked, connection: Connection::KeepAlive, ..none };
    let more = ServerFields { lines: b"X-A: 1\r\nX-B: 2\r\n", ..none };
    assert_eq!(head(&more), "before HTTP/1.1 200 OK\r\nA: b\r\nX-A: 1\r\nX-B: 2\r\n\r\n");
    assert!(head(&chunked).ends_with("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"));
    let largest = ServerFields { body: BodyField::Length(u64::MAX), ..none };
    assert!(head(&largest).ends_with("Content-Length: 18446744073709551615\r\n\r\n"));
}

#[test]
fn an_interim_head_has_no_field_of_the_servers() {
    let mut out = b"before ".to_vec();
    interim_head(&mut out, b"103 Early Hints\r\nLink: </a>\r\n");
    assert_eq!(out, b"before HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

#[test]
fn chunk_sizes_are_hexadecimal() {
    for (size, expected) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0x1_0000, "10000\r\n")] {
        let mut out = Vec::new();
        chunk_header(&mut out, size);
        assert_eq!(out, expected.as_bytes());
    }
}

#[test]
fn dates_are_made_once_a_second() {
    let mut cache = DateCache::default();
    assert_eq!(cache.at(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(cache.at(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(cache.at(784_111_777), b"Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(cache.at(784_111_778), b"Sun, 06 Nov 1994 08:49:38 GMT");
    assert_eq!(cache.at(u64::MAX), b"Fri, 31 Dec 9999 23:59:59 GMT");
}

#[test]
fn every_refusal_has_a_whole_answer() {
    for &refusal in Refusal::ALL {
        let mut out = Vec::new();
        let fields = RefusalFields { date: Some(b"Sun, 06 Nov 1994 08:49:37 GMT"), server: true, lines: b"" };
        refusal_response(&mut out, refusal.status(), refusal.reason(), &fields);
        let text = String::from_utf8(out).expect("all is ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(matches!(refusal.status(), 400 | 413 | 414 | 417 | 431 | 501 | 505), "{refusal}");
        let phrase = reason_phrase(refusal.status());
        assert!(
            !phrase.is_empty() && head.starts_with(&format!("HTTP/1.1 {} {phrase}\r\n", refusal.status()))
        );
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{text}");
        assert!(head.ends_with("\r\nConnection: close"));
        assert_eq!(body, format!("{} {phrase}: {refusal}\n", refusal.status()));
    }
}

#[test]
fn an_answer_needs_no_reason() {
    let mut out = Vec::new();
    refusal_response(&mut out, 503, "", &RefusalFields { date: None, server: false, lines: b"" });
    assert_eq!(
        out,
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\nContent-Length: 24\r\n\
          Connection: close\r\n\r\n503 Service Unavailable\n"
    );
}
