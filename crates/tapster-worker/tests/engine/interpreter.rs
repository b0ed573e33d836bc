//! An application with a lock like an interpreter's: held in every call, let go while the engine or a call waits.
//! The engine must never call without it, never wait for it with a lock of its own, and never need it.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use tapster_gateway::{App, Request, Respond};
use tapster_sys::inbox::{Message, Retire};

use crate::app::{Gate, body, eventually, ok, path};
use crate::load::{clients, rarely};
use crate::server::{Server, Wanted};

/// The lock, and who has it.
#[derive(Default)]
struct Interpreter {
    holder: Mutex<Option<ThreadId>>,
    released: Condvar,
}

impl Interpreter {
    fn acquire(&self) {
        let mut holder = self.holder.lock().unwrap();
        while holder.is_some() {
            holder = self.released.wait(holder).unwrap();
        }
        *holder = Some(std::thread::current().id());
    }

    fn release(&self) {
        self.assert_held();
        *self.holder.lock().unwrap() = None;
        self.released.notify_one();
    }

    fn assert_held(&self) {
        assert_eq!(
            *self.holder.lock().unwrap(),
            Some(std::thread::current().id()),
            "called without the lock"
        );
    }

    fn without<T>(&self, act: impl FnOnce() -> T) -> T {
        self.release();
        let done = act();
        self.acquire();
        done
    }
}

/// `…/N` sleeps N microseconds without the lock; `/hog` waits at the gate with it, `/nap-hog` after a nap without;
/// `/compute` computes with it.
struct Locked {
    interpreter: Arc<Interpreter>,
    gate: Gate,
}

impl App for Locked {
    fn call(&self, request: &mut Request, respond: &mut dyn Respond) {
        self.interpreter.assert_held();
        let path = path(request);
        match &*path {
            "/hog" => self.gate.pass(),
            "/nap-hog" => {
                self.interpreter.without(|| std::thread::sleep(Duration::from_millis(50)));
                self.gate.pass();
            }
            "/compute" => compute(Duration::from_millis(20)),
            path => {
                let micros = path.rsplit('/').next().and_then(|last| last.parse().ok()).unwrap_or(0);
                if micros > 0 {
                    self.interpreter.without(|| std::thread::sleep(Duration::from_micros(micros)));
                }
            }
        }
        let body = body(request);
        ok(respond, &[path.as_bytes(), b" ", &body].concat());
        self.interpreter.assert_held();
    }

    fn unlocked(&self, wait: &mut dyn FnMut()) {
        self.interpreter.without(wait);
    }

    fn touch_lock(&self) {
        self.interpreter.acquire();
        self.interpreter.release();
    }

    fn run_signal_handlers(&self) {
        self.interpreter.assert_held();
    }
}

fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

fn serve(mut wanted: Wanted, gate: &Gate) -> Server {
    let interpreter = Arc::new(Interpreter::default());
    let around = interpreter.clone();
    wanted.around = Arc::new(move |serve| {
        around.acquire();
        serve();
        around.release();
    });
    wanted.serve_app(Arc::new(Locked { interpreter, gate: gate.clone() }))
}

#[test]
fn mixed_load_with_the_lock() {
    for threads in [1, 2, 8] {
        clients(&serve(Wanted::threads(threads), &Gate::default()), 100, rarely);
    }
}

#[test]
fn blocking_load_with_the_lock() {
    clients(&serve(Wanted::threads(32), &Gate::default()), 50, |random| 500 + random.below(2000));
}

#[test]
fn a_call_that_keeps_the_lock_stops_only_calls() {
    for (threads, path) in [(1, "/hog"), (2, "/hog"), (4, "/hog"), (2, "/nap-hog"), (4, "/nap-hog")] {
        let gate = Gate::default();
        let wanted =
            Wanted::threads(threads).with(|settings| settings.head_timeout = Duration::from_millis(300));
        let server = serve(wanted, &gate);
        let mut hog = server.connect();
        hog.ask(path);
        gate.wait_for(1);
        let mut late = server.connect();
        late.send("GET / HTTP/1.1\r\n");
        late.set_read_timeout(Duration::from_secs(10));
        assert_eq!(late.answer().status, 408, "{threads} threads, {path}");
        let mut bad = server.connect();
        bad.set_read_timeout(Duration::from_secs(10));
        bad.send("nonsense\r\n\r\n");
        assert_eq!(bad.answer().status, 400);
        let mut queued: Vec<_> = (0..10).map(|_| server.connect()).collect();
        queued.iter_mut().for_each(|client| client.ask("/queued"));
        eventually(|| server.board.connections() >= 11);
        gate.open();
        assert_eq!(hog.answer().status, 200);
        queued.iter_mut().for_each(|client| assert_eq!(client.answer().text(), "/queued "));
    }
}

const LIMIT: Duration = Duration::from_millis(400);

fn wedging(threads: usize) -> Wanted {
    Wanted::threads(threads).with(|settings| settings.gil_timeout = LIMIT)
}

fn is_to_be_replaced(server: &Server) -> bool {
    let said = || server.inbox.receive().ok().flatten().map(|(message, _)| message);
    std::iter::from_fn(said).any(|message| matches!(message, Message::Retire(Retire::Stuck { .. })))
}

#[test]
fn a_worker_whose_lock_is_kept_asks_for_a_successor_and_ends_without_it() {
    for (threads, path) in [(1, "/hog"), (3, "/hog"), (3, "/nap-hog")] {
        let gate = Gate::default();
        let server = serve(wedging(threads), &gate);
        let mut hog = server.connect();
        hog.ask(path);
        gate.wait_for(1);
        let began = Instant::now();
        // Requests that come meanwhile wake threads, which cannot run either.
        let mut queued: Vec<_> = (0..5).map(|_| server.connect()).collect();
        queued.iter_mut().for_each(|client| client.ask("/queued"));
        eventually(|| is_to_be_replaced(&server));
        let took = began.elapsed();
        assert!(took > LIMIT / 2 && took < LIMIT * 10, "{took:?}");
        eventually(|| server.log().contains("(--gil-timeout)"));
        server.drain(Duration::from_secs(60));
        // There is nobody else to answer these.
        queued.iter_mut().for_each(|client| assert_eq!(client.answer().status, 503));
        queued.clear();
        eventually(|| server.worker.is_stopping());
        gate.open();
        server.wait();
    }
}

#[test]
fn a_lock_that_comes_back_makes_a_worker_whole() {
    let gate = Gate::default();
    let server = serve(wedging(2), &gate);
    let mut hog = server.connect();
    hog.ask("/hog");
    gate.wait_for(1);
    eventually(|| is_to_be_replaced(&server));
    gate.open();
    assert_eq!(hog.answer().status, 200);
    std::thread::sleep(LIMIT);
    let mut late = server.connect();
    late.ask("/300000");
    eventually(|| server.board.busy_threads() == 1);
    server.drain(Duration::from_secs(60));
    assert_eq!(late.answer().text(), "/300000 ");
    server.wait();
}

/// Calls that sleep, and calls that compute all the time, for much longer than the limit in all.
#[test]
fn a_lock_that_comes_and_goes_is_not_kept() {
    for threads in [1, 4] {
        let server = serve(wedging(threads), &Gate::default());
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let mut client = server.connect();
                    (0..20).for_each(|_| assert_eq!(client.get("/compute").status, 200));
                });
            }
        });
        let mut clients: Vec<_> = (0..threads).map(|_| server.connect()).collect();
        clients.iter_mut().for_each(|client| client.ask("/1500000"));
        clients.iter_mut().for_each(|client| assert_eq!(client.answer().status, 200));
        assert!(!is_to_be_replaced(&server), "{}", server.log());
    }
}

#[test]
fn computing_calls_take_turns() {
    let server = serve(Wanted::threads(4), &Gate::default());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut client = server.connect();
                (0..10).for_each(|_| assert_eq!(client.get("/compute").status, 200));
            });
        }
    });
}

#[test]
fn drain_and_stop_need_no_lock() {
    for threads in [1, 3] {
        let gate = Gate::default();
        let server = serve(Wanted::threads(threads), &gate);
        let mut idle = server.connect();
        idle.get("/");
        server.connect().ask("/hog");
        gate.wait_for(1);
        server.drain(Duration::from_millis(300));
        assert!(idle.is_ended());
        eventually(|| server.worker.is_stopping());
        gate.open();
        server.wait();
    }
}

/// An engine that fails in the loop itself goes on, short of one connection at most.
#[test]
fn a_panic_in_the_loop_ends_no_thread() {
    struct Failing(Mutex<u32>);
    impl App for Failing {
        fn call(&self, _: &mut Request, respond: &mut dyn Respond) {
            ok(respond, b"");
        }
        fn unlocked(&self, wait: &mut dyn FnMut()) {
            wait();
            let mut left = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *left = left.saturating_sub(1);
            assert!(*left == 0, "the panic that this test is about");
        }
    }
    for threads in [1, 3] {
        let server = Wanted::threads(threads).serve_app(Arc::new(Failing(Mutex::new(10))));
        for _ in 0..50 {
            let mut client = server.connect();
            assert_eq!(client.get("/").status, 200);
        }
        assert!(server.log().contains("panicked"));
        assert!(server.board.panics() > 0);
    }
}
