//! Connections and their requests in HTTP: keep-alive, pipelining, half-close, versions.

use std::sync::atomic::{AtomicBool, Ordering};

use tapster_gateway::{Request, Respond};

use crate::app::{Gate, eventually, ok, path};
use crate::server::Wanted;

fn echo_path(request: &mut Request, respond: &mut dyn Respond) {
    ok(respond, path(request).as_bytes());
}

#[test]
fn a_connection_serves_one_request_after_the_other() {
    for wanted in [Wanted::threads(1), Wanted::threads(2), Wanted::threads(1).unix()] {
        let server = wanted.serve(echo_path);
        let mut client = server.connect();
        for number in 0..100 {
            let answer = client.get(&format!("/{number}"));
            assert_eq!((answer.status, answer.text()), (200, &*format!("/{number}")));
            assert_eq!(answer.field("Connection"), None);
            assert_eq!(answer.field("Server"), Some("tapster"));
            assert!(answer.field("Date").is_some_and(|date| date.ends_with(" GMT")));
        }
        eventually(|| server.board.requests() == 100);
        assert_eq!(server.board.connections(), 1);
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Wanted::threads(2).serve(echo_path);
    let mut client = server.connect();
    let requests: String = (0..1000).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: test\r\n\r\n")).collect();
    client.send(requests);
    for number in 0..1000 {
        assert_eq!(client.answer().text(), format!("/{number}"));
    }
    assert!(client.is_quiet());
}

#[test]
fn pipelined_requests_are_answered_in_order_while_calls_block() {
    let server = Wanted::threads(4).serve(|request, respond| {
        std::thread::sleep(std::time::Duration::from_millis(2));
        echo_path(request, respond);
    });
    let mut client = server.connect();
    client.send((0..50).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: test\r\n\r\n")).collect::<String>());
    for number in 0..50 {
        assert_eq!(client.answer().text(), format!("/{number}"));
    }
}

#[test]
fn pipelined_bodies_keep_their_bounds() {
    let server = Wanted::threads(1).serve(|request, respond| ok(respond, &crate::app::body(request)));
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for number in 0..200 {
        let body = format!("body {number}");
        let length = body.len();
        bytes.extend_from_slice(match number % 3 {
            0 => format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"),
            1 => format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
            _ => "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        }.as_bytes());
    }
    client.send(bytes);
    for number in 0..200 {
        let expected = if number % 3 == 2 { String::new() } else { format!("body {number}") };
        assert_eq!(client.answer().text(), expected);
    }
}

#[test]
fn a_request_in_single_bytes_is_one_request() {
    let server = Wanted::threads(1).serve(|request, respond| ok(respond, &crate::app::body(request)));
    for wire in [
        "POST /a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello",
        "POST /a HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n",
    ] {
        let mut client = server.connect();
        for byte in wire.as_bytes() {
            client.send([*byte]);
        }
        assert_eq!(client.answer().text(), "hello");
        assert_eq!(client.get("/").status, 200);
    }
}

#[test]
fn a_half_closed_connection_gets_its_answers_and_ends() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Wanted::threads(2).serve(move |request, respond| {
        held.pass();
        echo_path(request, respond);
    });
    let mut client = server.connect();
    client.ask("/one");
    client.ask("/two");
    client.finish_sending();
    gate.wait_for(1);
    gate.open();
    assert_eq!(client.answer().text(), "/one");
    assert_eq!(client.answer().text(), "/two");
    assert!(client.is_ended());
}

#[test]
fn close_and_old_versions_end_the_connection_and_say_so() {
    let server = Wanted::threads(1).serve(echo_path);
    let cases = [
        ("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Some("close"), false),
        ("GET /x HTTP/1.0\r\n\r\n", Some("close"), false),
        ("GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Some("keep-alive"), true),
        ("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", None, true),
    ];
    for (request, connection, stays) in cases {
        let mut client = server.connect();
        client.send(request);
        let answer = client.answer();
        assert_eq!((answer.text(), answer.field("Connection")), ("/x", connection), "{request}");
        if stays {
            assert_eq!(client.get("/again").text(), "/again");
        } else {
            assert!(client.is_ended(), "{request}");
        }
    }
}

#[test]
fn without_keep_alive_every_answer_says_close() {
    let server =
        Wanted::threads(1).with(|settings| settings.keep_alive = std::time::Duration::ZERO).serve(echo_path);
    for version in ["1.1\r\nHost: a", "1.0\r\nConnection: keep-alive"] {
        let mut client = server.connect();
        client.send(format!("GET /x HTTP/{version}\r\n\r\n"));
        assert_eq!(client.answer().field("Connection"), Some("close"));
        assert!(client.is_ended());
    }
}

#[test]
fn a_client_that_leaves_costs_nothing() {
    let server = Wanted::threads(1).serve(echo_path);
    for part in ["", "GET / HT", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab"] {
        let mut client = server.connect();
        client.send(part);
        drop(client);
    }
    let mut client = server.connect();
    assert_eq!(client.get("/x").status, 200);
    eventually(|| server.board.connections() == 1);
}

#[test]
fn one_client_that_always_has_more_does_not_stop_the_others() {
    // One client writes without a pause until the other has its answers: small requests, then one endless body.
    for request in [
        "GET /greedy HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n",
    ] {
        let server = Wanted::threads(1).serve(echo_path);
        let (greedy, mut modest) = (server.connect(), server.connect());
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (mut reader, mut writer) = greedy.split();
            let done = &done;
            scope.spawn(move || {
                let bytes = if request.starts_with('G') { request.repeat(500) } else { "x".repeat(100_000) };
                writer.send(request);
                while !done.load(Ordering::SeqCst) {
                    writer.send(&bytes);
                }
                writer.finish_sending();
            });
            scope.spawn(move || drop(reader.try_rest()));
            for _ in 0..100 {
                assert_eq!(modest.get("/other").text(), "/other");
            }
            done.store(true, Ordering::SeqCst);
        });
    }
}
