//! The end of a worker in order: what runs is finished, idle connections move to a peer or end, late ones are cut.

use std::time::Duration;

use tapster_observe::WorkerState;
use tapster_sys::inbox::{Inbox, Message};
use tapster_worker::Peers;

use crate::app::{Gate, eventually, ok, path};
use crate::server::{Server, Wanted, scoreboard};

fn serve(threads: usize, gate: &Gate) -> Server {
    let held = gate.clone();
    Wanted::threads(threads).serve(move |request, respond| {
        if path(request) == "/held" {
            held.pass();
        }
        ok(respond, b"done");
    })
}

#[test]
fn what_runs_is_finished_and_the_connection_closed_and_told() {
    for threads in [1, 3] {
        let gate = Gate::default();
        let server = serve(threads, &gate);
        let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads.min(3));
        server.drain(Duration::from_secs(20));
        eventually(|| server.board.state() == WorkerState::Draining);
        gate.open();
        for client in &mut clients {
            assert_eq!(client.answer().text(), "done");
            assert!(client.is_ended());
        }
        server.wait();
    }
}

#[test]
fn without_peers_idle_connections_end_and_the_worker_too() {
    let server = serve(2, &Gate::default());
    let mut clients: Vec<_> = (0..5).map(|_| server.connect()).collect();
    clients[1..].iter_mut().for_each(|client| assert_eq!(client.get("/").status, 200));
    server.drain(Duration::from_secs(20));
    clients.iter_mut().for_each(|client| assert!(client.is_ended()));
    assert!(server.wait() < Duration::from_secs(2));
}

#[test]
fn a_request_that_arrives_with_the_drain_is_served() {
    for delay in 0..20 {
        let server = serve(1, &Gate::default());
        let (mut fresh, mut kept) = (server.connect(), server.connect());
        kept.get("/");
        server.drain(Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(delay));
        fresh.ask("/");
        kept.ask("/");
        for client in [&mut fresh, &mut kept] {
            let answer = client.answer();
            assert_eq!((answer.text(), answer.field("Connection")), ("done", Some("close")));
        }
        server.wait();
    }
}

#[test]
fn a_worker_that_hands_over_answers_nothing_new() {
    for delay in 0..20 {
        let (inbox, theirs) = Inbox::pair().unwrap();
        let board = scoreboard(2, 2);
        let mut wanted = Wanted::threads(2);
        wanted.board = Some(board.worker(0));
        // The place has no worker yet.
        wanted.peers = Peers::new(0, vec![(1, inbox.try_clone().unwrap())], board.clone());
        let gate = Gate::default();
        let held = gate.clone();
        let has_lanes = wanted.lanes > 1;
        let server = wanted.serve(move |request, respond| {
            if path(request) == "/held" {
                held.pass();
            }
            ok(respond, b"done");
        });
        let (mut idle, mut fresh, mut busy) = (server.connect(), server.connect(), server.connect());
        idle.get("/");
        busy.ask("/held");
        gate.wait_for(1);
        eventually(|| server.board.connections() == 3);
        server.tell(Message::HandOver { timeout_ms: 20_000 });
        std::thread::sleep(Duration::from_millis(delay));
        if has_lanes {
            // One lane reads the message before what came after it; another may be at work at that moment.
            eventually(|| server.board.state() == WorkerState::Draining);
        }
        idle.ask("/");
        fresh.ask("/");
        let mut late = server.connect();
        late.ask("/");
        // What runs is finished.
        gate.open();
        assert_eq!(busy.answer().text(), "done");
        server.wait();
        // The one that came later waits in the listener's queue, or was taken by a lane that had not heard of it yet.
        let listener = Some(server.listener.try_clone().unwrap());
        let (board, inbox) = (Some(board.worker(1)), Some((inbox, theirs)));
        let next = Wanted { listener, board, inbox, ..Wanted::threads(1) };
        let next = next.serve(|_, respond| ok(respond, b"next"));
        for client in [&mut idle, &mut fresh, &mut late] {
            assert_eq!(client.answer().text(), "next");
        }
        drop(next);
    }
}

#[test]
fn idle_connections_move_to_a_peer_and_go_on_there() {
    let (inbox, theirs) = Inbox::pair().unwrap();
    let board = scoreboard(2, 2);
    let mut wanted = Wanted::threads(2);
    wanted.board = Some(board.worker(0));
    wanted.peers = Peers::new(0, vec![(1, inbox.try_clone().unwrap())], board.clone());
    let gate = Gate::default();
    let held = gate.clone();
    let server = wanted.serve(move |request, respond| {
        if path(request) == "/held" {
            held.pass();
        }
        ok(respond, b"first");
    });
    let mut wanted = Wanted::threads(1);
    wanted.board = Some(board.worker(1));
    wanted.inbox = Some((inbox, theirs));
    let peer = wanted.serve(|_, respond| ok(respond, b"second"));
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    clients[1..].iter_mut().for_each(|client| assert_eq!(client.get("/").text(), "first"));
    // Its answer promised to keep the connection before the drain began: the promise is kept.
    let mut streaming = server.connect();
    streaming.ask("/held");
    gate.wait_for(1);
    peer.board.set_state(WorkerState::Ready);
    server.drain(Duration::from_secs(20));
    eventually(|| peer.board.connections() == 20);
    for client in &mut clients {
        for _ in 0..3 {
            assert_eq!(client.get("/").text(), "second");
        }
    }
    gate.open();
    assert_eq!(streaming.answer().text(), "first");
    server.wait();
    assert_eq!(streaming.get("/").text(), "second");
    assert_eq!((server.board.connections(), peer.board.connections()), (0, 21));
}

#[test]
fn what_is_late_is_cut_and_counted() {
    for threads in [1, 2] {
        let gate = Gate::default();
        let server = serve(threads, &gate);
        let mut client = server.connect();
        client.ask("/held");
        gate.wait_for(1);
        server.drain(Duration::from_millis(200));
        eventually(|| server.worker.is_stopping());
        assert!(server.log().contains("1 connections were cut"), "{}", server.log());
        gate.open();
        server.wait();
    }
}

#[test]
fn no_time_at_all_ends_at_once() {
    let gate = Gate::default();
    let server = serve(1, &gate);
    let mut idle = server.connect();
    idle.get("/");
    let mut busy = server.connect();
    busy.ask("/held");
    gate.wait_for(1);
    server.drain(Duration::ZERO);
    eventually(|| server.worker.is_stopping());
    gate.open();
    server.wait();
}

#[test]
fn a_second_drain_only_shortens_the_time() {
    let gate = Gate::default();
    let server = serve(1, &gate);
    server.connect().ask("/held");
    gate.wait_for(1);
    server.drain(Duration::from_secs(60));
    server.tell(Message::Drain { timeout_ms: 0 });
    eventually(|| server.worker.is_stopping());
    gate.open();
    server.wait();
}

#[test]
fn a_slow_reader_gets_the_rest_of_its_answer() {
    let large = vec![b'x'; 16 << 20];
    let server = Wanted::threads(1).serve(move |_, respond| ok(respond, &large));
    let mut client = server.connect();
    client.ask("/");
    client.head();
    server.worker.drain(Duration::from_secs(20));
    eventually(|| server.board.state() == WorkerState::Draining);
    assert_eq!(client.exactly(16 << 20).len(), 16 << 20);
    assert!(client.is_ended());
    server.wait();
}
