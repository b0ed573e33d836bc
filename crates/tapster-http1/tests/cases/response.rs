//! Heads of answers as a client reads them.

use tapster_http1::{Limits, Refusal, ResponseBody, ResponseHead};

fn parse(text: &str) -> Result<Option<(u16, ResponseBody, bool)>, Refusal> {
    let mut head = ResponseHead::default();
    if !head.parse(text.as_bytes(), &Limits::default())? {
        return Ok(None);
    }
    let body = head.body(text.as_bytes(), false)?;
    Ok(Some((head.status, body, head.keeps_alive(text.as_bytes()))))
}

#[test]
fn the_body_is_as_long_as_the_head_says() {
    let cases = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", (200, ResponseBody::Length(5), true)),
        ("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", (200, ResponseBody::Chunked, true)),
        ("HTTP/1.1 200 OK\r\nconnection: x, CLOSE\r\n\r\n", (200, ResponseBody::UntilClose, false)),
        ("HTTP/1.0 200 OK\r\n\r\n", (200, ResponseBody::UntilClose, false)),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            (200, ResponseBody::Length(0), true),
        ),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (304, ResponseBody::Length(0), true)),
        ("HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", (103, ResponseBody::Length(0), true)),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), Ok(Some(expected)), "{text}");
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]), Ok(None), "{text} up to {end}");
        }
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    for text in [
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
