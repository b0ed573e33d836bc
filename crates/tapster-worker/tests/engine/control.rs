//! What other processes say: stop, poke, adopt, their death. And the listeners shared with them.

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tapster_gateway::{App, Request, Respond, Stacks, ThreadStack};
use tapster_observe::WorkerState;
use tapster_sys::inbox::{Inbox, Message};
use tapster_worker::Peers;

use crate::app::{Gate, PATIENCE, eventually, ok, path};
use crate::client::Client;
use crate::server::{Server, Wanted, open, scoreboard};

#[test]
fn stop_ends_at_once_whatever_the_clients_do() {
    for threads in [1, 4] {
        let server = Wanted::threads(threads).serve(|_, respond| ok(respond, b"hello"));
        let mut clients: Vec<_> = (0..10).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.get("/");
            client.send("GET / HTTP/1.1\r\n");
        }
        server.tell(Message::Stop);
        assert!(server.wait() < Duration::from_secs(2));
        assert!(server.worker.is_stopping());
    }
}

#[test]
fn a_stop_is_known_although_the_only_thread_is_in_a_call() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Wanted::threads(1).serve(move |_, respond| {
        held.pass();
        ok(respond, b"");
    });
    let mut client = server.connect();
    client.ask("/");
    gate.wait_for(1);
    server.tell(Message::Stop);
    eventually(|| server.worker.is_stopping());
    assert!(!server.worker.wait(Duration::from_millis(10)));
    gate.open();
    server.wait();
}

/// An application whose stacks are those of the threads that called it, by what they call themselves.
struct Traced {
    gate: Gate,
    calls: Mutex<Vec<ThreadStack>>,
}

impl App for Traced {
    fn call(&self, request: &mut Request, respond: &mut dyn Respond) {
        let (ident, frames) = (tapster_sys::thread::ident(), format!("  {}\n", path(request)));
        self.calls.lock().unwrap().push(ThreadStack { ident, name: "pool".into(), frames });
        self.gate.pass();
        ok(respond, b"");
    }

    fn stacks(&self) -> Stacks {
        Stacks { note: Some("a note".into()), threads: self.calls.lock().unwrap().clone() }
    }
}

#[test]
fn stacks_are_written_while_every_thread_is_stuck() {
    for threads in [1, 3] {
        let gate = Gate::default();
        let app = Arc::new(Traced { gate: gate.clone(), calls: Mutex::default() });
        let server = Wanted::threads(threads).serve_app(app);
        let stacks = || {
            let (mut reader, writer) = std::io::pipe().unwrap();
            server.inbox.send(Message::Stacks, Some(writer.as_fd())).unwrap();
            drop(writer);
            std::io::read_to_string(&mut reader).unwrap()
        };
        assert!(stacks().contains("no request runs"));
        let mut clients: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.ask(&format!("/stuck/{number}?secret"));
            gate.wait_for(number + 1);
        }
        let text = stacks();
        assert!(
            text.contains(&format!("{threads} of its {threads} threads in requests\na note\n")),
            "{text}"
        );
        for number in 0..threads {
            assert!(text.contains(&format!(", in GET /stuck/{number} for 0.")), "{text}");
            let stack = format!(":\n  /stuck/{number}\n");
            assert!(text.contains(&stack), "{text}");
            if cfg!(target_os = "linux") {
                assert!(text.contains(" s; natively waiting"), "{text}");
            }
        }
        gate.open();
        clients.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
    }
}

#[test]
fn the_death_of_the_supervisor_ends_the_worker_with_what_runs_finished() {
    let gate = Gate::default();
    let held = gate.clone();
    let mut server = Wanted::threads(2).serve(move |_, respond| {
        held.pass();
        ok(respond, b"finished");
    });
    let mut client = server.connect();
    client.ask("/");
    gate.wait_for(1);
    drop(server.alive.take());
    eventually(|| server.board.state() == WorkerState::Draining);
    gate.open();
    assert_eq!(client.answer().text(), "finished");
    server.wait();
    assert!(server.log().contains("the supervisor is gone"));
}

#[test]
fn the_death_of_the_supervisor_ends_the_worker_although_a_call_never_returns() {
    let gate = Gate::default();
    let held = gate.clone();
    let mut server = Wanted::threads(1).serve(move |_, respond| {
        held.pass();
        ok(respond, b"");
    });
    server.connect().ask("/");
    gate.wait_for(1);
    drop(server.alive.take());
    eventually(|| server.worker.is_stopping());
    gate.open();
}

#[test]
fn a_connection_from_outside_is_served() {
    for wanted in [Wanted::threads(1), Wanted::threads(2).unix()] {
        let unix = wanted.unix;
        let server = wanted.serve(|request, respond| ok(respond, path(request).as_bytes()));
        server.board.connections_changed(4);
        let mut client = if unix {
            let (client, other) = Client::pair();
            server.inbox.send(Message::Adopt { listener: 0 }, Some(other.as_fd())).unwrap();
            client
        } else {
            let foreign = open(false);
            let client = Client::connect(foreign.address());
            let accepted = std::net::TcpListener::from(foreign.as_fd().try_clone_to_owned().unwrap())
                .accept()
                .unwrap()
                .0;
            // One that blocks, which the loop must not inherit.
            server.inbox.send(Message::Adopt { listener: 0 }, Some(accepted.as_fd())).unwrap();
            client
        };
        for number in 0..3 {
            assert_eq!(client.get(&format!("/{number}")).text(), format!("/{number}"));
        }
        // Of no use, and no harm: an unknown listener, no descriptor, a descriptor that is no connection.
        server.tell(Message::Adopt { listener: 0 });
        server.inbox.send(Message::Adopt { listener: 7 }, Some(client.as_fd())).unwrap();
        server.inbox.send(Message::Adopt { listener: 0 }, Some(server.listener.as_fd())).unwrap();
        server.tell(Message::Poke);
        assert_eq!(client.get("/x").text(), "/x");
        eventually(|| server.board.connections() == 1);
    }
}

/// Two workers on one listener, in one process.
fn two(threads: usize, gate: &Gate) -> (Server, Server) {
    let board = scoreboard(2, threads);
    let listener = open(false);
    let (inboxes, others): (Vec<_>, Vec<_>) =
        [Inbox::pair().unwrap(), Inbox::pair().unwrap()].into_iter().unzip();
    let mut others = others.into_iter();
    let mut start = |slot: usize| {
        let mut wanted = Wanted::threads(threads);
        wanted.board = Some(board.worker(slot));
        let numbered = inboxes.iter().map(|inbox| inbox.try_clone().unwrap()).enumerate().collect();
        wanted.peers = Peers::new(slot, numbered, board.clone());
        wanted.inbox = Some((inboxes[slot].try_clone().unwrap(), others.next().unwrap()));
        wanted.listener = Some(listener.try_clone().unwrap());
        let held = gate.clone();
        wanted.serve(move |request, respond| {
            if path(request) == "/held" {
                held.pass();
            }
            ok(respond, slot.to_string().as_bytes());
        })
    };
    let servers = (start(0), start(1));
    for server in [&servers.0, &servers.1] {
        server.board.set_state(WorkerState::Ready);
    }
    servers
}

#[test]
fn many_connections_spread_over_the_workers() {
    let gate = Gate::default();
    let (one, other) = two(2, &gate);
    // A worker whose threads do not run yet leaves clients to its peer.
    for slot in ["0", "1"] {
        eventually(|| one.connect().get("/").text() == slot);
    }
    eventually(|| one.board.connections() + other.board.connections() == 0);
    eventually(|| !one.board.is_full() && !other.board.is_full());
    let mut clients: Vec<_> = (0..200).map(|_| one.connect()).collect();
    for client in &mut clients {
        client.get("/");
    }
    let (one, other) = (one.board.connections(), other.board.connections());
    assert_eq!(one + other, 200);
    assert!(one.abs_diff(other) <= 40, "{one} and {other}");
}

#[test]
fn a_worker_without_a_free_thread_leaves_new_clients_to_its_peer() {
    let gate = Gate::default();
    let (one, other) = two(1, &gate);
    // Whoever gets it is busy from now on.
    let mut busy = one.connect();
    busy.ask("/held");
    gate.wait_for(1);
    for _ in 0..100 {
        let mut client = one.connect();
        client.set_read_timeout(Duration::from_secs(5));
        assert_eq!(client.get("/").status, 200);
    }
    gate.open();
    let first = busy.answer().text().to_owned();
    // Free again, it takes its share.
    eventually(|| !one.board.is_full() && !other.board.is_full());
    let mut clients: Vec<_> = (0..100).map(|_| one.connect()).collect();
    let answers: Vec<_> = clients.iter_mut().map(|client| client.get("/").text().to_owned()).collect();
    assert!(answers.iter().filter(|answer| **answer == first).count() > 10, "worker {first} is deaf");
    drop(other);
}

#[test]
fn clients_that_come_while_all_workers_are_busy_are_served_when_one_is_free() {
    for _ in 0..10 {
        let gate = Gate::default();
        let (one, other) = two(1, &gate);
        let mut busy: Vec<_> = (0..2).map(|_| one.connect()).collect();
        busy[0].ask("/held");
        gate.wait_for(1);
        busy[1].ask("/held");
        let mut late: Vec<_> = (0..20).map(|_| one.connect()).collect();
        late.iter_mut().for_each(|client| client.ask("/"));
        gate.open();
        for client in busy.iter_mut().chain(&mut late) {
            assert_eq!(client.answer().status, 200);
        }
        drop(other);
    }
}

#[test]
fn no_client_is_lost_while_a_worker_drains() {
    for round in 0..10 {
        let gate = Gate::default();
        let (one, other) = two(2, &gate);
        std::thread::scope(|scope| {
            let one = &one;
            for _ in 0..4 {
                scope.spawn(move || {
                    for _ in 0..50 {
                        let mut client = one.connect();
                        client.set_read_timeout(PATIENCE / 2);
                        // A kept connection moves to the peer, a request in flight is finished here.
                        for _ in 0..3 {
                            let answer = client.get("/");
                            assert_eq!(answer.status, 200);
                            if answer.field("Connection") == Some("close") {
                                break;
                            }
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(round * 2));
            one.drain(Duration::from_secs(10));
        });
        one.wait();
        assert_eq!(one.board.connections(), 0);
        drop(other);
    }
}
