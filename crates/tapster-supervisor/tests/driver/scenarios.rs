//! Starting, replacing, reloading.

use std::io::Read;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tapster_sys::inbox::Message;
use tapster_sys::process::{self, Pid};
use tapster_sys::signal::{Signal, Signals};
use tapster_sys::wait::Status;

use crate::server::{Server, Setup};
use crate::worker::{accept_one, become_ready, hang, obey, say, serve};

/// A server of workers that do as they are told.
fn good(workers: usize) -> Server {
    let setup = Setup { workers, ..Setup::default() };
    Server::start(setup, |start, writer| serve(start, writer, |_, _| {}))
}

fn pid_of(line: &str) -> Pid {
    let number = line.split("pid ").nth(1).unwrap();
    let end = number.find(|c: char| !c.is_ascii_digit()).unwrap();
    Pid::from_raw(number[..end].parse().unwrap())
}

pub fn workers_start_serve_and_stop() {
    let path = std::env::temp_dir().join(format!("tapster-driver-{}.sock", Pid::current()));
    let setup = Setup { unix: Some(path.clone()), workers: 3, ..Setup::default() };
    let mut server = Server::start(setup, |start, writer| {
        assert_eq!(Pid::parent(), start.supervisor);
        assert_eq!(start.peers.len(), start.board.workers() - 1);
        serve(start, writer, |_, _| {})
    });
    server.expect(&["ready after", "3 workers"]);
    let mut answer = String::new();
    UnixStream::connect(&path).unwrap().read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("0 "), "{answer}");
    let log = server.stop();
    assert_eq!(log.matches("drained").count(), 3, "{log}");
    assert!(log.contains("stopping: finishing requests for up to 25 s") && log.contains("stopped"), "{log}");
    assert!(!path.exists());
}

pub fn an_application_that_cannot_be_loaded_ends_the_server() {
    let server = Server::start(Setup { workers: 4, ..Setup::default() }, |start, writer| {
        say(writer, "no module named app");
        start.inbox.send(Message::BootFailed, None).unwrap();
        1
    });
    let (status, log) = server.end();
    assert_eq!(status, Status::Exited(3), "{log}");
    assert_eq!(log.matches("no module named app").count(), 1, "{log}");
    assert!(log.contains("worker 1 (pid ") && log.contains("could not load the application"), "{log}");
}

pub fn a_crashed_worker_is_replaced_and_its_peers_are_poked() {
    let mut server = Server::start(Setup::default(), |start, writer| {
        serve(start, writer, |start, message| {
            say(writer, &format!("slot {} got {message:?}", start.place.slot))
        })
    });
    let first = server.expect(&["slot 0", "serves"]);
    server.expect(&["ready after", "2 workers"]);
    process::send_signal(pid_of(&first), Signal::Kill).unwrap();
    server.expect(&["worker 1 (pid ", "was killed by SIGKILL unasked"]);
    let again = server.expect(&["slot 0", "serves"]);
    assert_ne!(pid_of(&again), pid_of(&first));
    assert!(server.stop().contains("slot 1 got Poke"));
}

pub fn a_reload_loses_no_connection() {
    let mut server = good(2);
    server.expect(&["ready after", "2 workers"]);
    for generation in 1..4 {
        server.signal(Signal::Hangup);
        while server.expect_within(&["reloaded in"], Duration::ZERO).is_none() {
            assert!(server.ask().unwrap().0 <= generation);
        }
    }
    server.stop();
}

pub fn a_broken_reload_leaves_the_old_workers_serving() {
    let mut server = Server::start(Setup::default(), |start, writer| match start.place.generation {
        0 | 2 => serve(start, writer, |_, _| {}),
        _ => {
            start.inbox.send(Message::BootFailed, None).unwrap();
            1
        }
    });
    server.expect(&["ready after", "2 workers"]);
    server.signal(Signal::Hangup);
    server.expect(&["reload given up", "still serving: 2 workers"]);
    assert_eq!(server.ask().unwrap().0, 0);
    server.signal(Signal::Hangup);
    server.expect(&["reloaded in"]);
    server.stop();
}

pub fn workers_are_added_and_taken_away() {
    let mut server = good(1);
    server.expect(&["ready after"]);
    server.signal(Signal::TtyIn);
    server.expect(&["from now on 2 workers"]);
    server.expect(&["slot 1", "serves"]);
    server.signal(Signal::TtyOut);
    server.expect(&["slot 0 drained"]);
    server.expect(&["worker 1 (pid ", "exited with code 0"]);
    server.stop();
}

/// A worker hands a connection to its peer, which never reads it and dies.
pub fn connections_sent_to_a_dead_worker_reach_another() {
    let mut server = Server::start(Setup::default(), |start, writer| {
        let terminate = Signals::catch(&[Signal::Terminate]).unwrap();
        become_ready(&start, writer);
        if start.place.slot == 1 {
            hang();
        }
        let client = accept_one(&start);
        let (_, peer) = start.peers.iter().find(|(slot, _)| *slot == 1).unwrap();
        peer.send(Message::Adopt { listener: 0 }, Some(client.as_fd())).unwrap();
        drop(client);
        say(writer, "handed over");
        obey(start, &terminate, writer, |_, _| {})
    });
    let deaf = server.expect(&["slot 1", "serves"]);
    let mut client = TcpStream::connect(server.address.unwrap()).unwrap();
    server.expect(&["handed over"]);
    process::send_signal(pid_of(&deaf), Signal::Kill).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("0 "), "{answer}");
    server.expect(&["slot 1", "serves"]);
    for words in ["stopping: ", "stopping at once", "killed by SIGKILL"] {
        server.signal(Signal::Terminate);
        server.expect(&[words]);
    }
    assert_eq!(server.end().0, Status::Exited(0));
}

pub fn a_worker_begins_with_clean_signals() {
    let setup = Setup { workers: 1, ..Setup::default() };
    let mut server = Server::start(setup, |start, writer| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let masks = status.lines().filter(|line| line.starts_with("Sig"));
        say(writer, &format!("signals: {}", masks.collect::<Vec<_>>().join(" ")));
        serve(start, writer, |_, _| {})
    });
    if cfg!(target_os = "linux") {
        let line = server.expect(&["signals:"]);
        let [blocked, ignored, caught] =
            ["SigBlk:\t", "SigIgn:\t", "SigCgt:\t"].map(|name| mask(&line, name));
        let set = |signals: &[Signal]| signals.iter().map(|signal| bit(signal.number())).sum::<u64>();
        assert_eq!(blocked, 0, "{line}");
        assert_eq!(ignored & set(&Signal::CATCHABLE), 0, "{line}");
        let quiet = [Signal::Interrupt, Signal::Quit, Signal::Hangup, Signal::User1, Signal::User2];
        assert_eq!(caught & set(&Signal::CATCHABLE), set(&quiet), "{line}");
    }
    let line = server.expect(&["slot 0", "serves"]);
    for signal in [Signal::Interrupt, Signal::Quit, Signal::Hangup, Signal::User1] {
        process::send_signal(pid_of(&line), signal).unwrap();
    }
    assert_eq!(server.ask().unwrap().1, pid_of(&line).as_raw());
    process::send_signal(pid_of(&line), Signal::Terminate).unwrap();
    server.expect(&["worker 1", "exited with code 0 unasked"]);
    server.expect(&["slot 0", "serves"]);
    server.stop();
}

fn mask(line: &str, name: &str) -> u64 {
    u64::from_str_radix(&line.split(name).nth(1).unwrap()[..16], 16).unwrap()
}

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

pub fn strangers_are_reaped() {
    let setup = Setup { strangers: true, workers: 1, ..Setup::default() };
    let mut server = Server::start(setup, |start, writer| serve(start, writer, |_, _| {}));
    server.expect(&["ready after", ": 1 worker"]);
    server.expect_ever("a stranger, exited with code 0");
    server.stop();
}

pub fn a_panic_ends_the_worker_and_not_more() {
    let mut server = Server::start(Setup { workers: 1, ..Setup::default() }, |start, writer| {
        if start.place.generation == 1 {
            std::panic::resume_unwind(Box::new("without a message"));
        }
        serve(start, writer, |_, _| {})
    });
    server.expect(&["ready after"]);
    server.signal(Signal::Hangup);
    server.expect(&["exited with code 70 while it loaded the application"]);
    server.expect(&["reload given up"]);
    server.ask().unwrap();
    server.stop();
}
