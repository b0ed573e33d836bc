//! Requests whose time is over: answered once, whoever is first, and the thread's own words come to nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tapster_gateway::{App, BodySize, Flush, Request, Respond, Stacks, ThreadStack};
use tapster_observe::Lost;
use tapster_sys::inbox::{Message, Retire};

use crate::app::{Gate, body, eventually, head, ok, path};
use crate::server::{Server, Wanted};

fn limited(threads: usize, limit: Duration) -> Wanted {
    Wanted::threads(threads).with(|settings| {
        settings.request_timeout = limit;
        settings.timeout_grace = Duration::from_secs(3600);
    })
}

const LIMIT: Duration = Duration::from_millis(100);

/// Every request waits at the gate, and then answers, in vain.
fn gated(wanted: Wanted, gate: &Gate) -> Server {
    let held = gate.clone();
    wanted.serve(move |request, respond| {
        let path = path(request);
        if path == "/midway" {
            respond.start(&head("200 OK", &[]), BodySize::Unknown);
            respond.write(&&b"begun"[..], Flush::Now).unwrap();
        }
        if path != "/free" {
            held.pass();
        }
        match &*path {
            "/midway" => {
                let late = respond.write(&&b"late"[..], Flush::Now);
                assert!(late.is_err(), "the request is lost");
                respond.finish();
            }
            _ => ok(respond, b"late"),
        }
    })
}

#[test]
fn the_monitor_answers_and_the_late_answer_is_dropped() {
    for threads in [1, 3] {
        let gate = Gate::default();
        let server = gated(limited(threads, LIMIT), &gate);
        let mut client = server.connect();
        client.ask("/held");
        let answer = client.answer();
        assert_eq!(answer.status, 504);
        assert!(client.is_ended());
        assert_eq!(server.board.lost(Lost::TimedOut), 1);
        assert_eq!(server.board.busy_threads(), 1);
        gate.open();
        eventually(|| server.board.busy_threads() == 0 && server.board.connections() == 0);
        assert_eq!(server.board.statuses()[4], 1);
        assert_eq!(server.connect().get("/free").text(), "late");
    }
}

#[test]
fn an_answer_that_has_begun_is_cut_without_its_end() {
    let gate = Gate::default();
    let server = gated(limited(2, LIMIT), &gate);
    let mut client = server.connect();
    client.ask("/midway");
    gate.wait_for(1);
    let all = client.rest();
    gate.open();
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains("begun") && !text.contains("late") && !text.ends_with("0\r\n\r\n"), "{text}");
}

/// Answers that come at the very moment of their time-out: each client gets one, whole, and its own.
#[test]
fn an_answer_at_the_last_moment_is_given_once() {
    let limit = Duration::from_millis(20);
    let server = limited(4, limit).serve(move |request, respond| {
        let path = path(request);
        let early: u64 = path.rsplit('/').next().unwrap().parse().unwrap();
        let until = Instant::now() + limit + Duration::from_millis(2) - Duration::from_micros(early);
        while Instant::now() < until {
            std::thread::yield_now();
        }
        ok(respond, path.as_bytes());
    });
    let [answered, timed_out] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (server, answered, timed_out) = (&server, &answered, &timed_out);
            scope.spawn(move || {
                for round in 0..60 {
                    let target = format!("/{number}/{round}/{}", round * 70);
                    let mut client = server.connect();
                    client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
                    let text = String::from_utf8(client.rest()).unwrap();
                    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
                    if text.starts_with("HTTP/1.1 504 ") {
                        assert!(!text.contains(&target), "{text}");
                        timed_out.fetch_add(1, Ordering::Relaxed);
                    } else {
                        assert!(text.starts_with("HTTP/1.1 200 ") && text.ends_with(&target), "{text}");
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (answered, timed_out) = (answered.into_inner(), timed_out.into_inner());
    println!("{answered} answered, {timed_out} timed out");
    assert_eq!(server.board.lost(Lost::TimedOut), timed_out as u64);
    assert!(answered > 0 && timed_out > 0);
}

#[test]
fn the_supervisor_is_asked_once_for_a_successor_and_a_drain_does_not_wait() {
    for threads in [1, 2] {
        let gate = Gate::default();
        let wanted = limited(threads, LIMIT).with(|settings| settings.timeout_grace = LIMIT);
        let server = gated(wanted, &gate);
        let mut client = server.connect();
        client.ask("/held");
        assert_eq!(client.answer().status, 504);
        let said = || server.inbox.receive().ok().flatten().map(|(message, _)| message);
        eventually(|| matches!(said(), Some(Message::Retire(Retire::Stuck { .. }))));
        std::thread::sleep(LIMIT * 3);
        assert_eq!(said(), None);
        server.drain(Duration::from_secs(60));
        eventually(|| server.worker.is_stopping());
        gate.open();
        server.wait();
    }
}

const STALL: Duration = Duration::from_millis(400);

fn is_to_be_replaced(server: &Server) -> bool {
    let said = || server.inbox.receive().ok().flatten().map(|(message, _)| message);
    std::iter::from_fn(said).any(|message| matches!(message, Message::Retire(Retire::Stuck { .. })))
}

#[test]
fn requests_that_wait_while_nothing_moves_replace_the_worker() {
    for (threads, request) in [(1, None), (2, None), (2, Some(Duration::from_secs(60)))] {
        let gate = Gate::default();
        let wanted = Wanted::threads(threads).with(|settings| {
            settings.stall_timeout = STALL;
            settings.request_timeout = request.unwrap_or_default();
        });
        let server = gated(wanted, &gate);
        let mut held: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        held.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads);
        // Without anybody who waits there is nothing to be wondered at.
        std::thread::sleep(STALL * 2);
        assert!(!is_to_be_replaced(&server));
        let mut waiting = server.connect();
        waiting.ask("/free");
        eventually(|| is_to_be_replaced(&server));
        eventually(|| server.log().contains("(--stall-timeout)"));
        gate.open();
        held.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
        assert_eq!(waiting.answer().status, 200);
    }
}

/// As long as one thread answers, or says something, the others may be slow.
#[test]
fn a_worker_that_gets_on_stays() {
    let gate = Gate::default();
    let held = gate.clone();
    let wanted = Wanted::threads(2).with(|settings| settings.stall_timeout = STALL);
    let server = wanted.serve(move |request, respond| match &*path(request) {
        "/held" => {
            held.pass();
            ok(respond, b"");
        }
        "/events" => {
            respond.start(&head("200 OK", &[]), BodySize::Unknown);
            for _ in 0..20 {
                std::thread::sleep(STALL / 5);
                respond.write(&&b"event"[..], Flush::Now).unwrap();
            }
            respond.finish();
        }
        _ => {
            std::thread::sleep(STALL / 5);
            ok(respond, b"");
        }
    });
    let mut clients = [server.connect(), server.connect()];
    clients[0].ask("/held");
    gate.wait_for(1);
    clients[1].ask("/events");
    std::thread::sleep(STALL / 2);
    let mut waiting: Vec<_> = (0..10).map(|_| server.connect()).collect();
    waiting.iter_mut().for_each(|client| client.ask("/short"));
    assert_eq!(clients[1].answer().status, 200);
    waiting.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
    assert!(!is_to_be_replaced(&server), "{}", server.log());
    gate.open();
    assert_eq!(clients[0].answer().status, 200);
}

/// Tells what it is asked to: stacks, and interruptions.
#[derive(Default)]
struct Interrupted {
    gate: Gate,
    threads: Mutex<Vec<ThreadStack>>,
    interrupted: Mutex<Vec<u64>>,
}

impl App for Interrupted {
    fn call(&self, request: &mut Request, respond: &mut dyn Respond) {
        let (ident, frames) = (tapster_sys::thread::ident(), format!("  stack of {}\n", path(request)));
        self.threads.lock().unwrap().push(ThreadStack { ident, frames, ..ThreadStack::default() });
        if path(request) == "/stream" {
            respond.start(&head("200 OK", &[]), BodySize::Unknown);
            respond.write(&&b"begun"[..], Flush::Now).unwrap();
        }
        self.gate.pass();
        assert_eq!(respond.end_call(), !self.interrupted.lock().unwrap().is_empty());
        respond.finish();
    }

    fn stacks(&self) -> Stacks {
        Stacks { note: None, threads: self.threads.lock().unwrap().clone() }
    }

    fn interrupt(&self, ident: u64, claim: &dyn Fn(&mut dyn FnMut())) {
        claim(&mut || self.interrupted.lock().unwrap().push(ident));
    }
}

#[test]
fn the_stuck_thread_is_told_of_and_interrupted() {
    let app = Arc::new(Interrupted::default());
    let server = limited(2, LIMIT).serve_app(app.clone());
    let mut client = server.connect();
    client.ask("/stuck");
    assert_eq!(client.answer().status, 504);
    eventually(|| !app.interrupted.lock().unwrap().is_empty());
    assert_eq!(*app.interrupted.lock().unwrap(), [app.threads.lock().unwrap()[0].ident]);
    eventually(|| server.log().contains("stack of /stuck"));
    let log = server.log();
    assert!(log.contains("GET /stuck has run for 0.") && log.contains("answered with 504"), "{log}");
    app.gate.open();
}

#[test]
fn slow_requests_are_told_of_once_and_streams_are_not() {
    for threads in [1, 3] {
        let app = Arc::new(Interrupted::default());
        let wanted = Wanted::threads(threads).with(|settings| settings.slow_log = LIMIT);
        let server = wanted.serve_app(app.clone());
        let paths = ["/slow", "/stream", "/slow-too"];
        let mut clients: Vec<_> = paths[..threads].iter().map(|_| server.connect()).collect();
        for (place, client) in clients.iter_mut().enumerate() {
            client.ask(paths[place]);
            app.gate.wait_for(place + 1);
        }
        eventually(|| server.log().contains("stack of /slow"));
        eventually(|| threads == 1 || server.log().contains("stack of /slow-too"));
        std::thread::sleep(LIMIT * 3);
        let log = server.log();
        assert_eq!(log.matches("GET /slow has run for 0.").count(), 1, "{log}");
        assert!(!log.contains("/stream has run"), "{log}");
        app.gate.open();
    }
}

#[test]
fn a_request_that_waits_too_long_for_a_thread_is_refused() {
    for threads in [1, 2] {
        let gate = Gate::default();
        let wanted = Wanted::threads(threads).with(|settings| settings.queue_timeout = LIMIT);
        let server = gated(wanted, &gate);
        let mut held: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        held.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads);
        let mut waiting: Vec<_> = (0..5).map(|_| server.connect()).collect();
        waiting.iter_mut().for_each(|client| client.ask("/free"));
        for client in &mut waiting {
            let answer = client.answer();
            assert_eq!(answer.status, 503);
            assert!(answer.field("Retry-After").is_some());
        }
        assert_eq!(server.board.lost(Lost::Queued), 5);
        gate.open();
        held.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
        assert_eq!(server.connect().get("/free").status, 200);
    }
}

/// A unix socket that is closed says so at once; a client that only says no more is served.
#[test]
fn a_request_whose_client_is_gone_is_not_run() {
    for (unix, threads) in [(true, 1), (true, 2), (false, 2)] {
        let gate = Gate::default();
        let (held, ran) = (gate.clone(), Arc::new(Mutex::new(Vec::new())));
        let noted = ran.clone();
        let wanted = Wanted::threads(threads);
        let wanted = if unix { wanted.unix() } else { wanted };
        let server = wanted.serve(move |request, respond| {
            noted.lock().unwrap().push(path(request));
            held.pass();
            ok(respond, b"");
        });
        let mut clients: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads);
        let (mut gone, mut half) = (server.connect(), server.connect());
        gone.ask("/gone");
        half.ask("/half-closed");
        half.finish_sending();
        eventually(|| server.board.connections() == threads as u64 + 2);
        // It has to be read before it is closed: a reset takes what nobody has read along.
        std::thread::sleep(LIMIT);
        if unix {
            drop(gone);
        } else {
            gone.reset();
        }
        eventually(|| server.board.lost(Lost::Abandoned) == 1);
        eventually(|| server.board.connections() == threads as u64 + 1);
        gate.open();
        clients.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
        assert_eq!(half.answer().status, 200);
        assert!(!ran.lock().unwrap().contains(&"/gone".to_owned()));
    }
}

#[test]
fn what_waits_at_the_end_of_a_drain_is_refused_and_not_cut() {
    let gate = Gate::default();
    let server = gated(Wanted::threads(1), &gate);
    let mut held = server.connect();
    held.ask("/held");
    gate.wait_for(1);
    let mut waiting = server.connect();
    waiting.ask("/free");
    eventually(|| server.board.connections() == 2);
    std::thread::sleep(LIMIT);
    server.drain(LIMIT);
    assert_eq!(waiting.answer().status, 503);
    gate.open();
    server.wait();
}

/// What a client takes for a body that the application reads as it comes is not the application's time.
#[test]
fn a_slow_body_does_not_count() {
    let wanted = limited(2, LIMIT).with(|settings| settings.stream_body = true);
    let server = wanted.serve(|request, respond| {
        let body = body(request);
        ok(respond, &body);
    });
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n");
    for part in ["ab", "cd", "ef"] {
        std::thread::sleep(LIMIT * 2);
        client.send(part);
    }
    assert_eq!(client.answer().text(), "abcdef");
    assert_eq!(server.board.lost(Lost::TimedOut), 0);
}
