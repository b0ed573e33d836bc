//! The main thread of a worker: with one thread it serves, and is told of signals; with more it waits for the end.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tapster_gateway::{App, Request, Respond};
use tapster_sys::inbox::Message;

use crate::app::{eventually, ok};
use crate::server::Wanted;

/// Counts how often signal handlers were run.
struct Handlers(Arc<AtomicUsize>);

impl App for Handlers {
    fn call(&self, _: &mut Request, respond: &mut dyn Respond) {
        ok(respond, b"");
    }

    fn run_signal_handlers(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_only_thread_runs_signal_handlers_when_it_is_told() {
    let (signals, mut caught) = UnixStream::pair().unwrap();
    signals.set_nonblocking(true).unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let mut wanted = Wanted::threads(1);
    wanted.signals = Some(signals.into());
    let server = wanted.serve_app(Arc::new(Handlers(runs.clone())));
    for _ in 0..5 {
        let before = runs.load(Ordering::SeqCst);
        caught.write_all(&[15]).unwrap();
        eventually(|| runs.load(Ordering::SeqCst) > before);
        assert_eq!(server.connect().get("/").status, 200);
    }
}

#[test]
fn whoever_waits_for_the_end_is_told_of_it() {
    let (mut ended, writer) = io::pipe().unwrap();
    let mut wanted = Wanted::threads(3);
    wanted.ended = Some(writer.into());
    let server = wanted.serve(|_, respond| ok(respond, b""));
    assert_eq!(server.connect().get("/").status, 200);
    server.tell(Message::Stop);
    ended.read_exact(&mut [0]).unwrap();
    assert!(server.worker.is_stopping());
}
