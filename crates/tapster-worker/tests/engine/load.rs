//! Many clients at once and calls that take their time at random: every answer is right, nothing hangs.

use std::sync::Arc;
use std::time::Duration;

use tapster_gateway::{Request, Respond};

use crate::app::{body, ok, path};
use crate::server::{Server, Wanted};

/// Numbers that look random, the same in each run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Mostly fast, sometimes a pause, as the path says: `/CLIENT/ROUND/MICROSECONDS`.
pub fn app(request: &mut Request, respond: &mut dyn Respond) {
    let path = path(request);
    let micros = path.rsplit('/').next().unwrap().parse().unwrap();
    if micros > 0 {
        std::thread::sleep(Duration::from_micros(micros));
    }
    let body = body(request);
    ok(respond, &[path.as_bytes(), b" ", &body].concat());
}

/// Each of 8 threads asks on 8 connections at once, `rounds` times.
pub fn clients(server: &Server, rounds: u64, pause: impl Fn(&mut Random) -> u64 + Sync) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let pause = &pause;
            scope.spawn(move || {
                let mut random = Random::new(thread + 1);
                let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
                for round in 0..rounds {
                    let mut expected = Vec::new();
                    for (number, client) in clients.iter_mut().enumerate() {
                        let path = format!("/{thread}-{number}/{round}/{}", pause(&mut random));
                        let body = "b".repeat(random.below(3) as usize * 40);
                        client.send(format!(
                            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        ));
                        expected.push(format!("{path} {body}"));
                    }
                    for (client, expected) in clients.iter_mut().zip(expected) {
                        assert_eq!(client.answer().text(), expected);
                    }
                    if random.below(20) == 0 {
                        let place = random.below(8) as usize;
                        clients[place] = server.connect();
                    }
                }
            });
        }
    });
}

/// Mostly nothing, now and then up to 3 ms.
pub fn rarely(random: &mut Random) -> u64 {
    if random.below(100) < 3 { random.below(3000) } else { 0 }
}

#[test]
fn mixed_load_on_one_thread() {
    clients(&Wanted::threads(1).serve(app), 200, rarely);
}

#[test]
fn mixed_load_on_two_threads() {
    clients(&Wanted::threads(2).serve(app), 200, rarely);
}

#[test]
fn mixed_load_on_eight_threads() {
    clients(&Wanted::threads(8).serve(app), 200, rarely);
}

#[test]
fn calls_that_always_block() {
    for threads in [8, 64] {
        clients(&Wanted::threads(threads).serve(app), 60, |random| 500 + random.below(2000));
    }
}

#[test]
fn load_that_changes_between_blocking_and_not() {
    clients(&Wanted::threads(8).unix().serve(app), 200, |random| {
        // Stretches in which each call blocks, and stretches in which none does.
        let stretch = random.below(1 << 20) % 7;
        if stretch < 2 { random.below(1500) } else { 0 }
    });
}

#[test]
fn connections_come_and_go_under_load() {
    let server = Arc::new(Wanted::threads(4).serve(app));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let server = server.clone();
            scope.spawn(move || {
                let mut random = Random::new(thread + 100);
                for round in 0..150 {
                    let mut client = server.connect();
                    let path = format!("/{thread}/{round}/{}", rarely(&mut random));
                    match random.below(4) {
                        0 => client.send(format!("GET {path} HTTP/1.1\r\nHo")),
                        1 => client.ask(&path),
                        2 => {
                            client
                                .send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
                            assert_eq!(client.answer().text(), format!("{path} "));
                            assert!(client.is_ended());
                        }
                        _ => assert_eq!(client.get(&path).text(), format!("{path} ")),
                    }
                }
            });
        }
    });
    crate::app::eventually(|| server.board.connections() == 0);
}
