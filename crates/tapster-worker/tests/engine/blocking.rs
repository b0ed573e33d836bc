//! Calls that block: they hold up nobody while a thread is free, and nothing but calls while none is.

use std::time::{Duration, Instant};

use crate::app::{Gate, eventually, ok, path};
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

/// The middle one of the times that so many requests took.
fn usual_time(count: usize, mut request: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let start = Instant::now();
            request();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[count / 2]
}

#[test]
fn a_blocked_call_holds_up_nobody_while_a_thread_is_free() {
    let gate = Gate::default();
    let server = serve(Wanted::threads(4), &gate);
    let mut fast = server.connect();
    let mut slow = Vec::new();
    for number in 1..4 {
        let mut client = server.connect();
        client.ask("/held");
        slow.push(client);
        // The thread that takes over is there within milliseconds, and stays.
        let usual = usual_time(100, || assert_eq!(fast.get("/fast").text(), "/fast"));
        assert!(usual < Duration::from_millis(20), "{usual:?} beside {number} blocked calls");
        gate.wait_for(number);
    }
    gate.open();
    slow.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
    assert_eq!(fast.get("/fast").text(), "/fast");
}

#[test]
fn as_many_calls_run_at_once_as_there_are_threads() {
    for threads in [2, 8, 64] {
        let gate = Gate::default();
        let server = serve(Wanted::threads(threads), &gate);
        let mut clients: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads);
        gate.open();
        clients.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
    }
}

#[test]
fn while_no_thread_is_free_everything_but_calls_goes_on() {
    for threads in [1, 2] {
        let gate = Gate::default();
        let wanted =
            Wanted::threads(threads).with(|settings| settings.head_timeout = Duration::from_millis(300));
        let server = serve(wanted, &gate);
        let mut blocked: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        blocked.iter_mut().for_each(|client| client.ask("/held"));
        gate.wait_for(threads);
        // Accepted, read, refused.
        let mut bad = server.connect();
        bad.send("nonsense\r\n\r\n");
        assert_eq!(bad.answer().status, 400);
        // Its time runs.
        let mut late = server.connect();
        late.send("GET / HTTP/1.1\r\n");
        assert_eq!(late.answer().status, 408);
        drop((bad, late));
        // Read and kept for the first thread that is free, beyond the time for a head.
        let mut queued: Vec<_> = (0..20).map(|_| server.connect()).collect();
        for (number, client) in queued.iter_mut().enumerate() {
            client.ask(&format!("/{number}"));
        }
        std::thread::sleep(Duration::from_millis(700));
        eventually(|| server.board.connections() == (threads + queued.len()) as u64);
        gate.open();
        for (number, client) in queued.iter_mut().enumerate() {
            assert_eq!(client.answer().text(), format!("/{number}"));
        }
        blocked.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
    }
}

#[test]
fn an_answer_goes_on_to_a_slow_reader_while_the_only_thread_is_blocked() {
    let gate = Gate::default();
    let held = gate.clone();
    let large = vec![b'x'; 32 << 20];
    let server = Wanted::threads(1).serve(move |request, respond| match &*path(request) {
        "/held" => {
            held.pass();
            ok(respond, b"");
        }
        _ => ok(respond, &large),
    });
    let mut reader = server.connect();
    reader.ask("/large");
    reader.head();
    let mut blocked = server.connect();
    blocked.ask("/held");
    gate.wait_for(1);
    assert_eq!(reader.exactly(32 << 20).len(), 32 << 20);
    gate.open();
    assert_eq!(blocked.answer().status, 200);
}

#[test]
fn an_upload_arrives_while_the_only_thread_is_blocked() {
    let gate = Gate::default();
    let held = gate.clone();
    let server = Wanted::threads(1).serve(move |request, respond| {
        if path(request) == "/held" {
            held.pass();
        }
        let body = crate::app::body(request);
        ok(respond, &body);
    });
    let mut blocked = server.connect();
    blocked.ask("/held");
    gate.wait_for(1);
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 3) as u8).collect();
    let mut upload = server.connect();
    upload.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()));
    // All of it is taken although nobody is there to answer.
    upload.send(&body);
    gate.open();
    assert!(upload.answer().body == body);
    assert_eq!(blocked.answer().status, 200);
}

#[test]
fn threads_that_were_all_blocked_serve_on_as_before() {
    for threads in [1, 2, 5] {
        for _ in 0..5 {
            let gate = Gate::default();
            let server = serve(Wanted::threads(threads), &gate);
            let mut clients: Vec<_> = (0..threads * 3).map(|_| server.connect()).collect();
            clients.iter_mut().for_each(|client| client.ask("/held"));
            gate.wait_for(threads);
            gate.open();
            clients.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/held"));
            for round in 0..20 {
                for client in &mut clients {
                    client.ask(&format!("/{round}"));
                }
                clients.iter_mut().for_each(|client| assert_eq!(client.answer().text(), format!("/{round}")));
            }
        }
    }
}

#[test]
fn calls_that_compute_for_long_do_not_stop_the_loop() {
    let server = Wanted::threads(2).serve(|request, respond| {
        if path(request) == "/compute" {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(700) {
                std::hint::spin_loop();
            }
        }
        ok(respond, b"");
    });
    let mut slow = server.connect();
    let mut fast = server.connect();
    fast.get("/");
    slow.ask("/compute");
    eventually(|| server.board.busy_threads() == 1);
    let start = Instant::now();
    assert_eq!(fast.get("/").status, 200);
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    assert_eq!(slow.answer().status, 200);
}

#[test]
fn no_new_client_is_forgotten_while_the_loop_changes_hands() {
    // The monitor has the loop while the only thread is in a call that blocks for the first time. The thread comes back,
    // and a new client comes at that moment.
    for _ in 0..100 {
        let server = Wanted::threads(1).serve(|request, respond| {
            if path(request) == "/slow" {
                std::thread::sleep(Duration::from_millis(15));
            }
            ok(respond, b"here");
        });
        let _idle = server.connect();
        assert_eq!(server.connect().get("/slow").text(), "here");
        let start = Instant::now();
        assert_eq!(server.connect().get("/").text(), "here");
        assert!(start.elapsed() < Duration::from_secs(5), "noticed by chance after {:?}", start.elapsed());
    }
}
