//! Deadlines: a head has its time in total, a body and an answer while nothing moves, an idle connection its own.

use std::time::{Duration, Instant};

use tapster_config::Settings;

use crate::app::{Gate, body, eventually, ok};
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
