//! Workers whose threads can run at the same moment: several lanes. Clients are divided over them, and no request waits
//! for a slow call while a thread of any lane is free.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use tapster_sys::inbox::Message;

use crate::app::{Gate, eventually, ok, path};
use crate::client::Client;
use crate::load::{Random, clients, rarely};
use crate::server::{Server, Wanted};

/// `/held` waits at the gate; all else is answered at once with its path.
fn serve(wanted: Wanted, gate: &Gate) -> Server {
    let held = gate.clone();
    wanted.serve(move |request, respond| {
        let path = path(request);
        if path.starts_with("/held") {
            held.pass();
        }
        ok(respond, path.as_bytes());
    })
}

fn connect(server: &Server, count: usize) -> Vec<Client> {
    (0..count).map(|_| server.connect()).collect()
}

#[test]
fn clients_are_divided_over_the_lanes() {
    let answered = Arc::new(Mutex::new(HashMap::<ThreadId, u32>::new()));
    let count = answered.clone();
    let server = Wanted::threads(2).lanes(2).serve(move |_, respond| {
        *count.lock().unwrap().entry(std::thread::current().id()).or_default() += 1;
        ok(respond, b"");
    });
    let mut clients = connect(&server, 20);
    for _ in 0..10 {
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    }
    let answered = answered.lock().unwrap();
    let counts: Vec<_> = answered.values().copied().collect();
    // A thread may have helped the other now and then.
    assert!(counts.len() == 2 && counts.iter().all(|&count| count > 60), "{counts:?} of 200");
}

/// Wherever the slow calls are, the one thread that is left answers for all lanes.
#[test]
fn no_request_waits_while_any_lane_has_a_free_thread() {
    for (threads, lanes) in [(2, 2), (4, 2), (3, 3), (6, 3)] {
        let gate = Gate::default();
        let server = serve(Wanted::threads(threads).lanes(lanes), &gate);
        let mut fast = connect(&server, 12);
        fast.iter_mut().for_each(|client| assert_eq!(client.get("/fast").text(), "/fast"));
        let mut slow = connect(&server, threads - 1);
        for (number, client) in slow.iter_mut().enumerate() {
            client.ask("/held");
            gate.wait_for(number + 1);
            for _ in 0..5 {
                fast.iter_mut().for_each(|client| assert_eq!(client.get("/fast").text(), "/fast"));
            }
        }
        // New ones too.
        connect(&server, 6).iter_mut().for_each(|client| assert_eq!(client.get("/new").text(), "/new"));
        gate.open();
        slow.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
    }
}

/// All clients ask at once, more than there are threads: none is forgotten in its lane's queue.
#[test]
fn requests_that_wait_in_a_lane_are_answered_by_all() {
    let gate = Gate::default();
    let server = serve(Wanted::threads(4).lanes(2), &gate);
    let mut held = connect(&server, 3);
    held.iter_mut().for_each(|client| client.ask("/held"));
    gate.wait_for(3);
    let mut others = connect(&server, 40);
    others.iter_mut().for_each(|client| client.ask("/fast"));
    others.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/fast"));
    gate.open();
    held.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
}

#[test]
fn with_all_threads_in_calls_only_calls_wait() {
    let gate = Gate::default();
    let wanted =
        Wanted::threads(4).lanes(2).with(|settings| settings.head_timeout = Duration::from_millis(300));
    let server = serve(wanted, &gate);
    let mut held = connect(&server, 4);
    held.iter_mut().for_each(|client| client.ask("/held"));
    gate.wait_for(4);
    let mut bad = connect(&server, 6);
    bad.iter_mut().for_each(|client| client.send("nonsense\r\n\r\n"));
    bad.iter_mut().for_each(|client| assert_eq!(client.answer().status, 400));
    let mut late = connect(&server, 6);
    late.iter_mut().for_each(|client| client.send("GET / HTTP/1.1\r\n"));
    late.iter_mut().for_each(|client| assert_eq!(client.answer().status, 408));
    let mut waiting = connect(&server, 6);
    waiting.iter_mut().for_each(|client| client.ask("/fast"));
    gate.open();
    held.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
    waiting.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/fast"));
}

/// A client that comes to a lane whose leader sleeps has its time from then on.
#[test]
fn silent_clients_end_in_every_lane() {
    let wanted =
        Wanted::threads(3).lanes(3).with(|settings| settings.head_timeout = Duration::from_millis(200));
    let server = serve(wanted, &Gate::default());
    connect(&server, 9).iter_mut().for_each(|client| assert!(client.is_ended()));
    eventually(|| server.board.connections() == 0);
}

#[test]
fn a_drain_finishes_what_runs_in_every_lane_and_ends_the_rest() {
    for (threads, lanes) in [(2, 2), (6, 3)] {
        let gate = Gate::default();
        let server = serve(Wanted::threads(threads).lanes(lanes), &gate);
        let mut idle = connect(&server, 7);
        idle.iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
        let mut held = connect(&server, threads);
        held.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads);
        server.drain(Duration::from_secs(20));
        idle.iter_mut().for_each(|client| assert!(client.is_ended()));
        gate.open();
        held.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
        server.wait();
    }
}

#[test]
fn an_idle_worker_ends_at_once() {
    for message in [Message::Stop, Message::Drain { timeout_ms: 20_000 }] {
        let server = serve(Wanted::threads(6).lanes(3), &Gate::default());
        server.tell(message);
        assert!(server.wait() < Duration::from_secs(2));
    }
}

#[test]
fn mixed_load_on_several_lanes() {
    for (threads, lanes) in [(2, 2), (8, 2), (7, 3)] {
        clients(&serve_paths(Wanted::threads(threads).lanes(lanes)), 100, rarely);
    }
}

#[test]
fn calls_that_always_block_on_several_lanes() {
    for (threads, lanes) in [(3, 3), (32, 2)] {
        let pause = |random: &mut Random| 200 + random.below(1000);
        clients(&serve_paths(Wanted::threads(threads).lanes(lanes)), 30, pause);
    }
}

fn serve_paths(wanted: Wanted) -> Server {
    wanted.serve(crate::load::app)
}

/// There are never more lanes than threads: each must have one that leads.
#[test]
fn one_thread_has_one_lane() {
    let server = serve(Wanted::threads(1).lanes(4), &Gate::default());
    connect(&server, 8).iter_mut().for_each(|client| assert_eq!(client.get("/one").text(), "/one"));
}
