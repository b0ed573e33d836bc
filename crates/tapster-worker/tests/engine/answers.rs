//! Answers as they go out: framing, bodiless answers, streaming, what an application does wrong.

use std::sync::Mutex;

use tapster_gateway::{BodySize, Flush, ResponseHead, WriteError};

use crate::app::{Gate, answer, eventually, head, ok, path};
use crate::server::Wanted;

#[test]
fn bodiless_answers_have_no_body_and_keep_the_connection() {
    let server = Wanted::threads(1).serve(|request, respond| match &*path(request) {
        "/204" => answer(respond, "204 No Content", b"never sent"),
        "/304" => answer(respond, "304 Not Modified", b"never sent"),
        _ => ok(respond, b"hello"),
    });
    let mut client = server.connect();
    for status in [204, 304] {
        let answer = client.get(&format!("/{status}"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.field("Transfer-Encoding"), None);
        assert_eq!(answer.field("Content-Length"), None);
    }
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.head();
    assert_eq!((answer.status, answer.field("Content-Length")), (200, Some("5")));
    // What follows is the next answer, not a body.
    assert_eq!(client.get("/").text(), "hello");
}

#[test]
fn what_is_flushed_arrives_at_once_and_the_rest_with_the_end() {
    for threads in [1, 2] {
        let gate = Gate::default();
        let held = gate.clone();
        let server = Wanted::threads(threads).serve(move |_, respond| {
            respond.start(&head("200 OK", &[]), BodySize::Unknown);
            respond.write(&&b"one"[..], Flush::Now).unwrap();
            held.pass();
            respond.write(&&b"two"[..], Flush::Later).unwrap();
            respond.write(&&b"three"[..], Flush::Later).unwrap();
            respond.finish();
        });
        let mut client = server.connect();
        client.ask("/");
        assert_eq!(client.head().field("Transfer-Encoding"), Some("chunked"));
        assert_eq!(client.chunk(), b"one");
        gate.open();
        assert_eq!(client.chunk(), b"two");
        assert_eq!(client.chunk(), b"three");
        assert_eq!(client.chunk(), b"");
        assert_eq!(client.get("/").body, b"onetwothree");
    }
}

#[test]
fn what_fails_before_a_byte_has_left_is_a_whole_500() {
    let server = Wanted::threads(1).serve(|request, respond| {
        respond.start(&head("200 OK", &[("Content-Length", "10")]), BodySize::Unknown);
        let flush = if path(request) == "/late" { Flush::Now } else { Flush::Later };
        respond.write(&&b"hello"[..], flush).unwrap();
        assert_eq!(respond.has_left(), flush == Flush::Now);
        respond.abort();
    });
    let answer = server.connect().get("/");
    assert_eq!((answer.status, answer.text()), (500, "500 Internal Server Error\n"));
    let mut client = server.connect();
    client.ask("/late");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.rest(), b"hello");
}

#[test]
fn early_hints_come_before_the_answer_and_to_http_1_1_alone() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Wanted::threads(1).serve(move |request, respond| {
        let mut hints = ResponseHead::default();
        for link in ["</a.css>", "</b.css>"] {
            hints.begin_early_hints();
            hints.field(b"Link", link.as_bytes()).unwrap();
            assert!(respond.early_hints(&hints));
        }
        held.pass();
        if path(request) == "/fails" {
            return respond.abort();
        }
        ok(respond, b"hello");
        assert!(!respond.early_hints(&hints), "too late");
    });
    let mut client = server.connect();
    client.ask("/");
    for link in ["</a.css>", "</b.css>"] {
        let interim = client.head();
        assert_eq!((interim.status, interim.field("Link")), (103, Some(link)));
        assert_eq!((interim.field("Date"), interim.field("Content-Length")), (None, None));
    }
    gate.open();
    assert_eq!(client.answer().text(), "hello");
    client.ask("/fails");
    assert_eq!((client.head().status, client.head().status, client.answer().status), (103, 103, 500));
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().text(), "hello");
}

#[test]
fn an_unknown_length_ends_with_the_connection_where_there_are_no_chunks() {
    let server = Wanted::threads(1).serve(|_, respond| {
        respond.start(&head("200 OK", &[]), BodySize::Unknown);
        respond.write(&&b"one"[..], Flush::Now).unwrap();
        respond.write(&&b"two"[..], Flush::Now).unwrap();
        respond.finish();
    });
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.text(), answer.field("Connection")), ("onetwo", Some("close")));
}

#[test]
fn too_little_shows_as_truncation_and_too_much_is_dropped() {
    let server = Wanted::threads(1).serve(|request, respond| {
        respond.start(&head("200 OK", &[("Content-Length", "10")]), BodySize::Unknown);
        let body: &[u8] = if path(request) == "/short" { b"short" } else { b"much too long" };
        let written = respond.write(&body, Flush::Later);
        assert_eq!(written.is_err(), path(request) == "/long");
        respond.finish();
    });
    let mut client = server.connect();
    assert_eq!(client.get("/long").text(), "much too l");
    client.ask("/short");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.rest(), b"short");
    assert!(server.log().contains("5 bytes less than its Content-Length"), "{}", server.log());
}

#[test]
fn an_application_that_fails_is_a_500_or_a_truncated_answer() {
    let server = Wanted::threads(1).serve(|request, respond| match &*path(request) {
        "/abort" => respond.abort(),
        "/nothing" => {}
        "/finish" => respond.finish(),
        "/started" => {
            respond.start(&head("200 OK", &[]), BodySize::Unknown);
            respond.write(&&b"part"[..], Flush::Now).unwrap();
            respond.abort();
        }
        _ => ok(respond, b"fine"),
    });
    for path in ["/abort", "/nothing", "/finish"] {
        let mut client = server.connect();
        let answer = client.get(path);
        assert_eq!((answer.status, answer.field("Connection")), (500, Some("close")), "{path}");
        assert!(client.is_ended());
    }
    let mut client = server.connect();
    client.ask("/started");
    client.head();
    assert_eq!(client.chunk(), b"part");
    assert!(client.is_ended());
    assert_eq!(server.connect().get("/").text(), "fine");
}

#[test]
fn a_panic_costs_its_request_and_nothing_else() {
    for threads in [1, 3] {
        let server = Wanted::threads(threads).serve(|request, respond| {
            if path(request) == "/late" {
                respond.start(&head("200 OK", &[]), BodySize::Unknown);
                respond.write(&&b"part"[..], Flush::Now).unwrap();
            }
            assert!(path(request) == "/fine", "the panic that this test is about");
            ok(respond, b"fine");
        });
        let mut stays = server.connect();
        for _ in 0..20 {
            let mut client = server.connect();
            assert_eq!(client.get("/early").status, 500);
            assert!(client.is_ended());
            let mut client = server.connect();
            client.ask("/late");
            client.head();
            assert_eq!(client.chunk(), b"part");
            assert!(client.is_ended());
            assert_eq!(stays.get("/fine").text(), "fine");
        }
        eventually(|| server.board.connections() == 1 && server.board.busy_threads() == 0);
    }
}

#[test]
fn an_application_whose_client_left_is_told() {
    let gate = Gate::default();
    let held = gate.clone();
    let (say, hear) = std::sync::mpsc::channel();
    let say = Mutex::new(say);
    let server = Wanted::threads(2).serve(move |_, respond| {
        respond.start(&head("200 OK", &[]), BodySize::Unknown);
        held.pass();
        let outcome = (0..10_000).find_map(|_| respond.write(&&[0_u8; 1000][..], Flush::Now).err());
        say.lock().unwrap().send(outcome).unwrap();
        respond.finish();
    });
    let mut client = server.connect();
    client.ask("/");
    gate.wait_for(1);
    drop(client);
    gate.open();
    assert_eq!(hear.recv_timeout(crate::app::PATIENCE).unwrap(), Some(WriteError::Disconnected));
    eventually(|| server.board.connections() == 0);
}

#[test]
fn a_file_is_sent_whole_and_from_its_offset() {
    use std::io::Write;
    let contents: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 / 5) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&contents).unwrap();
    let server = Wanted::threads(2).serve(move |_, respond| {
        respond.start(&head("200 OK", &[]), BodySize::Known(2_999_000));
        respond.send_file(file.try_clone().unwrap().into(), 1000, 2_999_000).unwrap();
        respond.finish();
    });
    let mut client = server.connect();
    for _ in 0..3 {
        assert!(client.get("/").body == contents[1000..]);
    }
}
