//! Workers as they should be: answer each connection with generation and process number, and obey.

use std::fs::File;
use std::io::{PipeWriter, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::Duration;

use tapster_observe::WorkerState;
use tapster_supervisor::WorkerStart;
use tapster_sys::inbox::Message;
use tapster_sys::poll::{self, Interest};
use tapster_sys::process::Pid;
use tapster_sys::signal::{Signal, Signals};
use tapster_sys::socket::Listener;

/// Says something to the operator; lines of several processes do not mix.
pub fn say(mut writer: &PipeWriter, text: &str) {
    writer.write_all(format!("{text}\n").as_bytes()).unwrap();
}

pub fn become_ready(start: &WorkerStart, writer: &PipeWriter) {
    start.board.worker(start.place.slot).set_state(WorkerState::Ready);
    start.inbox.send(Message::Ready, None).unwrap();
    say(
        writer,
        &format!(
            "slot {} generation {} pid {} serves",
            start.place.slot,
            start.place.generation,
            Pid::current()
        ),
    );
}

/// Serves until told to go. `on` sees every order first.
pub fn serve(start: WorkerStart, writer: &PipeWriter, on: impl Fn(&WorkerStart, Message)) -> i32 {
    let terminate = Signals::catch(&[Signal::Terminate]).unwrap();
    become_ready(&start, writer);
    obey(start, &terminate, writer, on)
}

/// As `serve`, for a worker that is ready already.
pub fn obey(
    start: WorkerStart,
    terminate: &Signals,
    writer: &PipeWriter,
    on: impl Fn(&WorkerStart, Message),
) -> i32 {
    loop {
        let mut sources = vec![start.inbox.as_fd(), start.alive.as_fd(), terminate.as_fd()];
        sources.extend(start.listeners.iter().map(|listener| listener.as_fd()));
        let sources: Vec<_> = sources.into_iter().map(|source| (source, Interest::Readable)).collect();
        let found = poll::wait(&sources, None).unwrap();
        if found[1] {
            say(writer, &format!("slot {} lost its supervisor", start.place.slot));
            return 0;
        }
        accept_all(&start);
        while let Ok(Some((message, connection))) = start.inbox.receive() {
            on(&start, message);
            match (message, connection) {
                (Message::Adopt { .. }, Some(connection)) => answer(&start, connection),
                (Message::Drain { .. } | Message::Stop, _) => return drain(&start, writer),
                _ => {}
            }
        }
        if terminate.take().is_some() {
            return drain(&start, writer);
        }
    }
}

/// What waits in the listeners' queues was promised to clients.
fn drain(start: &WorkerStart, writer: &PipeWriter) -> i32 {
    accept_all(start);
    say(writer, &format!("slot {} drained", start.place.slot));
    0
}

fn accept_all(start: &WorkerStart) {
    for listener in &start.listeners {
        while let Some(connection) = accept(listener) {
            answer(start, connection);
        }
    }
}

/// Waits for one client of the first listener.
pub fn accept_one(start: &WorkerStart) -> OwnedFd {
    let listener = &start.listeners[0];
    loop {
        poll::wait(&[(listener.as_fd(), Interest::Readable)], None).unwrap();
        if let Some(connection) = accept(listener) {
            return connection;
        }
    }
}

fn accept(listener: &Listener) -> Option<OwnedFd> {
    let handle = listener.as_fd().try_clone_to_owned().unwrap();
    if listener.is_unix() {
        return UnixListener::from(handle).accept().ok().map(|(connection, _)| connection.into());
    }
    TcpListener::from(handle).accept().ok().map(|(connection, _)| connection.into())
}

fn answer(start: &WorkerStart, connection: OwnedFd) {
    let mut connection = File::from(connection);
    write!(connection, "{} {}", start.place.generation, Pid::current()).unwrap();
}

/// Sleeps for ever, deaf to everything.
pub fn hang() -> i32 {
    loop {
        poll::wait(&[], Some(Duration::from_secs(3600))).unwrap();
    }
}
