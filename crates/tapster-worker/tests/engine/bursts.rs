//! Answers that are kept back for the rest of a burst: nobody waits for them longer than a moment, whatever the calls
//! after them do.

use std::time::{Duration, Instant};

use tapster_gateway::{BodySize, Flush, Respond};

use crate::app::{Gate, head, ok, path};
use crate::client::Client;
use crate::server::{Server, Wanted};

const ROUNDS: usize = 10;
const CLIENTS: usize = 16;

/// `/busy` computes for so long that a burst gathers behind it, `/held` waits at the gate, `/whole` does so behind the
/// last byte of its answer, `/finished` when that is over, as a `close()` does.
fn serve(threads: usize, gate: &Gate) -> Server {
    let gate = gate.clone();
    Wanted::threads(threads).serve(move |request, respond| match &*path(request) {
        "/busy" => {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) {
                std::hint::spin_loop();
            }
            ok(respond, b"busy");
        }
        "/held" => {
            gate.pass();
            ok(respond, b"held");
        }
        "/whole" => {
            write_at_once(respond, b"whole");
            gate.pass();
            respond.finish();
        }
        "/finished" => {
            ok(respond, b"finished");
            gate.pass();
        }
        _ => ok(respond, b"fast"),
    })
}

fn write_at_once(respond: &mut dyn Respond, body: &[u8]) {
    respond.start(&head("200 OK", &[]), BodySize::Known(body.len() as u64));
    let _gone = respond.write(&body, Flush::Now);
}

/// Clients whose connections the server knows.
fn clients(server: &Server) -> Vec<Client> {
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| server.connect()).collect();
    clients.iter_mut().for_each(|client| assert_eq!(client.get("/fast").status, 200));
    clients
}

/// A burst of fast requests with one of `last` among them: the fast ones are answered while that stands at the gate.
fn burst_with(last: &str, threads: usize) -> (Gate, Server, Vec<Client>) {
    let gate = Gate::default();
    let server = serve(threads, &gate);
    let mut clients = clients(&server);
    let (busy, rest) = clients.split_first_mut().unwrap();
    let (slow, fast) = rest.split_last_mut().unwrap();
    for round in 0..ROUNDS {
        busy.ask("/busy");
        let place = round % fast.len();
        fast[..place].iter_mut().for_each(|client| client.ask("/fast"));
        if round + 1 == ROUNDS {
            slow.ask(last);
        }
        fast[place..].iter_mut().for_each(|client| client.ask("/fast"));
        assert_eq!(busy.answer().text(), "busy");
        if round + 1 < ROUNDS || threads > 1 {
            fast.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "fast"));
        } else {
            fast[..place].iter_mut().for_each(|client| assert_eq!(client.answer().text(), "fast"));
        }
    }
    gate.wait_for(1);
    (gate, server, clients)
}

#[test]
fn answers_of_a_burst_do_not_wait_for_a_call_that_blocks() {
    for threads in [1, 4] {
        let (gate, _server, mut clients) = burst_with("/held", threads);
        gate.open();
        assert_eq!(clients.last_mut().unwrap().answer().text(), "held");
    }
}

#[test]
fn a_whole_answer_does_not_wait_for_the_end_of_its_call() {
    for (threads, last) in [(1, "whole"), (4, "whole"), (1, "finished"), (4, "finished")] {
        let (gate, _server, mut clients) = burst_with(&format!("/{last}"), threads);
        assert_eq!(clients.last_mut().unwrap().answer().text(), last);
        gate.open();
        assert_eq!(clients[0].get("/fast").text(), "fast");
    }
}
