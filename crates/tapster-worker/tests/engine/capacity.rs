//! As many connections as a worker may have: further clients wait, or go to a peer, and come in as soon as there is room.

use std::time::{Duration, Instant};

use crate::app::{eventually, ok};
use crate::server::{Server, Wanted};

fn serve(most: usize) -> Server {
    Wanted::threads(2)
        .with(|settings| settings.worker_connections = Some(most))
        .serve(|_, respond| ok(respond, b"hello"))
}

#[test]
fn beyond_the_bound_clients_wait_and_come_in_one_by_one() {
    let server = serve(3);
    let mut clients: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.get("/").text(), "hello");
    }
    for _ in 0..20 {
        let mut next = server.connect();
        next.ask("/");
        assert!(next.is_quiet());
        assert_eq!(server.board.connections(), 3);
        for client in &mut clients {
            assert_eq!(client.get("/").text(), "hello");
        }
        drop(clients.remove(0));
        assert_eq!(next.answer().text(), "hello");
        clients.push(next);
    }
}

#[test]
fn one_connection_at_a_time_serves_everybody() {
    let server = serve(1);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(server.connect().get("/").text(), "hello");
                }
            });
        }
    });
    eventually(|| server.board.connections() == 0);
}

#[test]
fn long_idle_connections_make_room() {
    let server = serve(32);
    let mut idle: Vec<_> = (0..32).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.get("/");
    }
    let start = Instant::now();
    let mut next = server.connect();
    next.ask("/");
    std::thread::sleep(Duration::from_secs(2));
    // The first was busy meanwhile.
    assert_eq!(idle[0].get("/").text(), "hello");
    assert_eq!(next.answer().text(), "hello");
    assert!(start.elapsed() > Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    assert_eq!(idle[0].get("/").text(), "hello");
    assert!(idle[1].is_ended());
}
