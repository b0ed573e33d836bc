//! Bad requests: the right status, the connection closed in order, one line in the log, and no reset that eats the
//! answer.

use crate::app::{body, ok};
use crate::server::{Server, Wanted};

fn serve(threads: usize) -> Server {
    Wanted::threads(threads)
        .with(|settings| settings.limits.body = 1000)
        .serve(|request, respond| ok(respond, &body(request)))
}

#[test]
fn bad_heads_are_refused_with_their_status() {
    let server = serve(1);
    let long = "x".repeat(70_000);
    let many = "A: b\r\n".repeat(101);
    let cases = [
        (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\nHost: a\n\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n".to_owned()),
        (
            400,
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
        ),
        (501, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned()),
        (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned()),
        (417, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: tea\r\n\r\n".to_owned()),
        (414, format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        (431, format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n")),
        (413, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n".to_owned()),
        (400, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n".to_owned()),
    ];
    for (status, request) in &cases {
        let mut client = server.connect();
        // The client still sends when it is refused.
        let _cut = client.try_send(request);
        let _cut = client.try_send("and more".repeat(1000));
        let answer = client.answer();
        assert_eq!(answer.status, *status, "{}", &request[..request.len().min(80)]);
        assert_eq!(answer.field("Connection"), Some("close"));
        assert!(client.is_ended());
    }
    assert_eq!(server.log().matches("refused with").count(), cases.len());
    assert_eq!(server.connect().get("/").status, 200);
}

#[test]
fn other_first_bytes_are_refused_and_tls_is_named() {
    let server = serve(1);
    for (hello, said) in
        [(&b"\x16\x03\x01\x02\x00\x01\x00"[..], "TLS"), (b"\x05rest", "first byte"), (b" GET", "first byte")]
    {
        let mut client = server.connect();
        client.send(hello);
        assert_eq!(client.answer().status, 400);
        assert!(client.is_ended());
        assert!(server.log().contains(said), "{}", server.log());
    }
}

#[test]
fn a_refused_head_request_gets_no_body() {
    let server = serve(1);
    for request in [
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        "\r\nHEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(request);
        let answer = client.head();
        assert!(answer.status >= 400);
        assert!(client.is_ended(), "{request}");
    }
}

#[test]
fn a_client_that_sends_on_for_long_still_gets_its_refusal() {
    for server in [serve(1), serve(2)] {
        let mut client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n");
        for _ in 0..200 {
            client.send(vec![b'x'; 100_000]);
        }
        assert_eq!(client.answer().status, 413);
        assert!(client.is_ended());
    }
}

#[test]
fn a_client_that_sends_more_than_it_announced_gets_its_answer() {
    let server = serve(1);
    for connection in ["Connection: close\r\n", ""] {
        let mut client = server.connect();
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{connection}Content-Length: 5\r\n\r\nhello");
        client.send(request + &"\0garbage".repeat(20_000));
        assert_eq!(client.answer().text(), "hello");
        if connection.is_empty() {
            assert!(client.answer().status >= 400);
        }
        assert!(client.is_ended());
    }
}

#[test]
fn a_refusal_behind_answers_that_nobody_took_waits_its_turn() {
    let large = vec![b'x'; 8 << 20];
    let server = Wanted::threads(1).serve(move |_, respond| ok(respond, &large));
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3) + "BAD\r\n\r\n");
    for _ in 0..3 {
        assert_eq!(client.answer().body.len(), 8 << 20);
    }
    assert_eq!(client.answer().status, 400);
    assert!(client.is_ended());
}

#[test]
fn the_protocol_of_a_listener_can_be_pinned() {
    use tapster_config::BindProtocol;
    for (protocol, bytes, said) in [
        (BindProtocol::Http, &b"\x00\x00\x00\x00"[..], "HTTP only"),
        (BindProtocol::Uwsgi, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "uwsgi only"),
    ] {
        let server = Wanted::threads(1)
            .with(|settings| settings.bind_protocol = protocol)
            .serve(|_, respond| ok(respond, b""));
        let mut client = server.connect();
        client.send(bytes);
        assert_eq!(client.answer().status, 400);
        assert!(server.log().contains(said));
    }
}

#[test]
fn trouble_of_the_server_is_not_told_to_the_client() {
    let server = Wanted::threads(1)
        .with(|settings| {
            settings.limits.body_memory = 10;
            settings.temp_dir = Some("/nonexistent/spool".into());
        })
        .serve(|_, respond| ok(respond, b""));
    let mut client = server.connect();
    let answer = client.post("/", &[0; 100]);
    assert_eq!((answer.status, answer.text()), (500, "500 Internal Server Error\n"));
}
