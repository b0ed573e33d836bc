//! Deadlines: a head has its time in total, a body and an answer while nothing moves, an idle connection its own.

use std::time::{Duration, Instant};

use tapster_config::Settings;
use tapster_gateway::{BodySize, Flush, Request, Respond};

use crate::app::{Gate, body, eventually, head, ok, path};
use crate::client::Client;
use crate::server::{Server, Wanted};

/// How late the engine may notice a deadline, on a busy machine.
const LATE: Duration = Duration::from_secs(4);

fn serve(threads: usize, change: impl FnOnce(&mut Settings)) -> Server {
    Wanted::threads(threads).with(change).serve(|request, respond| ok(respond, &body(request)))
}

fn assert_took(start: Instant, least: Duration) {
    let took = start.elapsed();
    assert!(took >= least && took < least + LATE, "{took:?} instead of {least:?}");
}

#[test]
fn an_idle_connection_ends_after_its_time() {
    let keep_alive = Duration::from_millis(500);
    for threads in [1, 2] {
        let server = serve(threads, |settings| settings.keep_alive = keep_alive);
        let mut client = server.connect();
        client.get("/");
        let start = Instant::now();
        client.get("/");
        assert!(client.is_ended());
        assert_took(start, keep_alive);
    }
}

#[test]
fn a_connection_that_never_says_a_word_ends_with_the_time_for_a_head() {
    let server = serve(1, |settings| settings.head_timeout = Duration::from_millis(400));
    let start = Instant::now();
    let mut client = server.connect();
    assert!(client.is_ended());
    assert_took(start, Duration::from_millis(400));
}

#[test]
fn a_head_has_its_time_in_total_however_often_a_byte_comes() {
    let limit = Duration::from_millis(700);
    let server = serve(2, |settings| settings.head_timeout = limit);
    let mut client = server.connect();
    client.get("/");
    let start = Instant::now();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    while server.board.statuses()[3] == 0 {
        assert!(start.elapsed() < limit + LATE, "each byte bought more time");
        let _late = client.try_send("x");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_took(start, limit);
    let answer = client.answer();
    assert_eq!((answer.status, answer.field("Connection")), (408, Some("close")));
    assert!(server.log().contains("--head-timeout"));
}

#[test]
fn a_body_has_time_while_bytes_come() {
    let limit = Duration::from_millis(600);
    let server = serve(1, |settings| settings.io_timeout = limit);
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
    for _ in 0..20 {
        std::thread::sleep(limit / 6);
        client.send("x");
    }
    assert_eq!(client.answer().text(), "x".repeat(20));
    let start = Instant::now();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nx");
    assert_eq!(client.answer().status, 408);
    assert_took(start, limit);
    assert!(client.is_ended());
}

#[test]
fn a_408_to_head_has_no_body() {
    let server = serve(1, |settings| settings.head_timeout = Duration::from_millis(300));
    let mut client = server.connect();
    client.send("HEAD / HTTP/1.1\r\n");
    assert_eq!(client.head().status, 408);
    assert!(client.is_ended());
}

#[test]
fn the_time_of_an_application_is_not_its_clients() {
    let gate = Gate::default();
    let held = gate.clone();
    let short = Duration::from_millis(100);
    let server = Wanted::threads(1)
        .with(|settings| {
            settings.head_timeout = short;
            settings.io_timeout = short;
            settings.keep_alive = 10 * short;
        })
        .serve(move |_, respond| {
            held.pass();
            ok(respond, b"late");
        });
    // The second waits for a thread, which is the server's time too.
    let mut clients = [server.connect(), server.connect()];
    clients[0].ask("/");
    gate.wait_for(1);
    clients[1].ask("/");
    std::thread::sleep(Duration::from_millis(900));
    gate.open();
    for client in &mut clients {
        assert_eq!(client.answer().text(), "late");
    }
}

#[test]
fn a_deadline_set_while_the_leader_sleeps_is_kept() {
    // The first request's thread is not the leader any more when it puts the connection to rest, and the leader
    // sleeps without any deadline.
    let gate = Gate::default();
    let held = gate.clone();
    let server = Wanted::threads(2).with(|settings| settings.keep_alive = Duration::from_millis(300)).serve(
        move |_, respond| {
            held.pass();
            ok(respond, b"");
        },
    );
    let mut client = server.connect();
    client.ask("/");
    gate.wait_for(1);
    std::thread::sleep(Duration::from_millis(50));
    gate.open();
    client.answer();
    let start = Instant::now();
    assert!(client.is_ended());
    assert_took(start, Duration::from_millis(200));
}

#[test]
fn a_request_at_the_last_moment_of_an_idle_connection_is_served_or_the_end_is_clean() {
    let server = serve(1, |settings| settings.keep_alive = Duration::from_millis(250));
    std::thread::scope(|scope| {
        for delay in (200..600).step_by(10) {
            let mut client = server.connect();
            scope.spawn(move || {
                client.get("/");
                std::thread::sleep(Duration::from_millis(delay));
                if client.try_send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok() {
                    // Either a whole answer or none, and the end in either case.
                    let bytes = client.try_rest().unwrap_or_default();
                    assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 200"), "{bytes:?}");
                }
            });
        }
    });
    eventually(|| server.board.connections() == 0);
}

/// Half a second, then 5,000 bytes a second.
fn serve_at_a_rate(
    wanted: Wanted,
    app: impl Fn(&mut Request, &mut dyn Respond) + Send + Sync + 'static,
) -> Server {
    let change = |settings: &mut Settings| {
        settings.min_rate = 5000;
        settings.min_rate_after = GRACE;
        settings.io_timeout = SILENCE;
    };
    wanted.with(change).serve(app)
}

const GRACE: Duration = Duration::from_millis(500);
const SILENCE: Duration = Duration::from_secs(3);

#[test]
fn a_body_below_the_least_rate_is_refused() {
    let server = serve_at_a_rate(Wanted::threads(2), |request, respond| ok(respond, &body(request)));
    for request in [
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n".to_vec(),
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n".to_vec(),
        uwsgi_post(100_000),
    ] {
        let mut client = server.connect();
        let start = Instant::now();
        client.send(request);
        let refused = server.board.statuses()[3];
        while server.board.statuses()[3] == refused {
            assert!(start.elapsed() < GRACE + LATE, "each byte bought more time");
            client.send("x");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_took(start, GRACE);
        assert_eq!(client.answer().status, 408);
        assert!(client.is_ended());
    }
    assert_eq!(server.log().matches("(--min-rate)").count(), 3);
}

/// A packet that announces a body.
fn uwsgi_post(length: usize) -> Vec<u8> {
    let length = length.to_string();
    let vars = [("REQUEST_METHOD", "POST"), ("PATH_INFO", "/"), ("CONTENT_LENGTH", &length)];
    let mut packet = Vec::new();
    let vars = vars.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    tapster_uwsgi::encode(&mut packet, 0, 0, vars).unwrap();
    packet
}

#[test]
fn a_body_above_the_least_rate_may_take_its_time_and_pause() {
    let server = serve_at_a_rate(Wanted::threads(2), |request, respond| ok(respond, &body(request)));
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 42000\r\n\r\n");
    for _ in 0..20 {
        client.send([b'x'; 1000]);
        std::thread::sleep(Duration::from_millis(100));
    }
    client.send([b'x'; 21_000]);
    std::thread::sleep(3 * GRACE);
    client.send([b'x'; 1000]);
    assert_eq!(client.answer().body.len(), 42_000);
}

/// Reads one byte now and then until it is given up, and says how long that took.
fn read_slowly(server: &Server, client: &mut Client, target: &str) -> Duration {
    client.ask(target);
    eventually(|| server.board.connections() == 1);
    let start = Instant::now();
    while server.board.connections() > 0 {
        assert!(start.elapsed() < SILENCE + LATE, "{target}: each byte bought more time");
        client.trickle();
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

fn large_answers(request: &mut Request, respond: &mut dyn Respond) {
    if path(request) == "/whole" {
        return ok(respond, &vec![b'x'; 32 << 20]);
    }
    respond.start(&head("200 OK", &[]), BodySize::Unknown);
    while respond.write(&vec![b'x'; 100_000], Flush::Now).is_ok() {}
    respond.finish();
}

#[test]
fn an_answer_that_is_read_below_the_least_rate_is_cut() {
    // A unix socket: what the client did not read is all on the server's side.
    let server = serve_at_a_rate(Wanted::threads(2).unix(), large_answers);
    for target in ["/whole", "/stream"] {
        let took = read_slowly(&server, &mut server.connect(), target);
        assert!(took >= GRACE && took < SILENCE, "{target}: {took:?}");
    }
    assert_eq!(server.log().matches("(--min-rate)").count(), 2, "{}", server.log());
}

#[test]
fn a_cut_answer_ends_with_a_reset() {
    let server = serve_at_a_rate(Wanted::threads(2), large_answers);
    for target in ["/whole", "/stream"] {
        let mut client = server.connect();
        read_slowly(&server, &mut client, target);
        let end = client.try_rest().map(|rest| rest.len());
        assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset, "{target}");
    }
}

#[test]
fn a_stream_with_nothing_to_say_is_not_slow() {
    let server = serve_at_a_rate(Wanted::threads(2), |_, respond| {
        respond.start(&head("200 OK", &[]), BodySize::Unknown);
        for _ in 0..4 {
            respond.write(&&b"event"[..], Flush::Now).unwrap();
            std::thread::sleep(2 * GRACE);
        }
        respond.finish();
    });
    let mut client = server.connect();
    assert_eq!(client.get("/").text(), "eventeventeventevent");
}

#[test]
fn a_reader_above_the_least_rate_may_take_its_time() {
    let length = 1 << 20;
    let server =
        serve_at_a_rate(Wanted::threads(2).unix(), move |_, respond| ok(respond, &vec![b'x'; length]));
    let mut client = server.connect();
    client.ask("/");
    assert_eq!(client.head().status, 200);
    for _ in 0..200 {
        client.exactly(length / 200);
        std::thread::sleep(Duration::from_millis(20));
    }
    client.exactly(length % 200);
    assert_eq!(client.get("/").body.len(), length);
}
