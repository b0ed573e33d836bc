//! Requests that wait in a worker whose threads are stuck: another worker answers them.

use std::time::Duration;

use tapster_gateway::Variable;
use tapster_observe::WorkerState;
use tapster_sys::inbox::Inbox;
use tapster_worker::Peers;

use crate::app::{Gate, body, eventually, ok, path};
use crate::client::Client;
use crate::server::{Server, Wanted, open, scoreboard};

/// Two workers with a listener each, in one process, and a gate for each.
struct Two {
    servers: [Server; 2],
    gates: [Gate; 2],
}

fn two() -> Two {
    two_with(1 << 20)
}

/// So many bytes of a body are kept in memory.
fn two_with(body_memory: usize) -> Two {
    let board = scoreboard(2, 1);
    let pairs = [Inbox::pair().unwrap(), Inbox::pair().unwrap()];
    let gates = [Gate::default(), Gate::default()];
    let servers = [0, 1].map(|slot| {
        let mut wanted = Wanted::threads(1).with(|settings| settings.limits.body_memory = body_memory);
        wanted.board = Some(board.worker(slot));
        let numbered = pairs.iter().map(|pair| pair.0.try_clone().unwrap()).enumerate().collect();
        wanted.peers = Peers::new(slot, numbered, board.clone());
        let (outer, inner) = &pairs[slot];
        wanted.inbox = Some((outer.try_clone().unwrap(), inner.try_clone().unwrap()));
        wanted.listener = Some(open(false));
        let held = gates[slot].clone();
        wanted.serve(move |request, respond| {
            let path = path(request);
            if path == "/held" {
                held.pass();
            }
            let tenant = request.vars.get_named(b"HTTP_X_TENANT").unwrap_or_default().to_vec();
            let length = request.vars.get(Variable::ContentLength).unwrap_or_default().to_vec();
            let body = body(request);
            ok(
                respond,
                &[slot.to_string().as_bytes(), path.as_bytes(), b" ", &tenant, b" ", &length, b" ", &body]
                    .concat(),
            );
        })
    });
    servers.iter().for_each(|server| server.board.set_state(WorkerState::Ready));
    Two { servers, gates }
}

impl Two {
    /// Both are in a call; the clients' requests wait in the first.
    fn stuck(&self, clients: &mut [Client]) -> [Client; 2] {
        clients.iter_mut().for_each(|client| assert_eq!(client.get("/first").status, 200));
        let held = [0, 1].map(|slot| {
            let mut client = self.servers[slot].connect();
            client.ask("/held");
            self.gates[slot].wait_for(1);
            client
        });
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!(
                "POST /waits/{number} HTTP/1.1\r\nHost: x\r\nX-Tenant: {number}\r\nContent-Length: 6\r\n\r\nabc"
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!(
                "def{}",
                if number % 2 == 0 { "GET /behind HTTP/1.1\r\nHost: x\r\n\r\n" } else { "" }
            ));
        }
        eventually(|| self.servers[0].board.waiting() == clients.len() as u64);
        held
    }
}

fn assert_answered_by_the_other(clients: &mut [Client]) {
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.answer().text(), format!("1/waits/{number} {number} 6 abcdef"));
        if number % 2 == 0 {
            assert_eq!(client.answer().text(), "1/behind   ");
        }
        assert_eq!(client.get("/after").text(), "1/after   ");
    }
}

#[test]
fn a_worker_with_a_free_thread_answers_what_waits_in_another() {
    let two = two();
    let mut clients: Vec<_> = (0..6).map(|_| two.servers[0].connect()).collect();
    let mut held = two.stuck(&mut clients);
    two.gates[1].open();
    assert_answered_by_the_other(&mut clients);
    two.gates[0].open();
    assert!(held[0].answer().text().starts_with("0/held") && held[1].answer().text().starts_with("1/held"));
    drop(clients);
    drop(held);
    eventually(|| two.servers.iter().all(|server| server.board.connections() == 0));
}

#[test]
fn a_worker_that_drains_gives_away_what_waits() {
    let two = two();
    let mut clients: Vec<_> = (0..6).map(|_| two.servers[0].connect()).collect();
    let mut held = two.stuck(&mut clients);
    two.servers[0].drain(Duration::from_secs(60));
    eventually(|| two.servers[1].board.waiting() == 6);
    two.gates[1].open();
    assert_answered_by_the_other(&mut clients);
    two.gates[0].open();
    assert_eq!(held[0].answer().status, 200);
    two.servers[0].wait();
}

/// It is in a file of this worker, and does not stand in the way of others.
#[test]
fn a_request_with_a_large_body_waits_on() {
    let two = two_with(4);
    let mut clients: Vec<_> = (0..3).map(|_| two.servers[0].connect()).collect();
    let _held = two.stuck(&mut clients);
    let mut small = two.servers[0].connect();
    small.ask("/small");
    two.gates[1].open();
    assert_eq!(small.answer().text(), "1/small   ");
    assert_eq!(two.servers[0].board.waiting(), 3);
    two.servers[0].drain(Duration::from_millis(200));
    for client in &mut clients {
        let answer = client.answer();
        assert!(answer.status == 503 && answer.field("Retry-After").is_some());
    }
    two.gates[0].open();
    two.servers[0].wait();
}
