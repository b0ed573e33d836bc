//! Ending.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tapster_sys::signal::Signal;
use tapster_sys::wait::Status;

use crate::server::{Server, Setup};
use crate::worker::{become_ready, hang, say, serve};

pub fn a_worker_that_does_not_finish_is_killed() {
    let setup = Setup { workers: 1, graceful_timeout: Duration::from_millis(50), ..Setup::default() };
    let mut server = Server::start(setup, |start, writer| {
        start.board.worker(start.place.slot).begin(0, 1);
        become_ready(&start, writer);
        hang()
    });
    server.expect(&["ready after"]);
    server.signal(Signal::Quit);
    server.expect(&["worker 1 (pid ", "did not finish its requests", "killed; 1 request(s) still running"]);
    assert_eq!(server.end().0, Status::Exited(0));
}

pub fn a_second_signal_stops_at_once() {
    let mut server = Server::start(Setup { workers: 1, ..Setup::default() }, |start, writer| {
        become_ready(&start, writer);
        hang()
    });
    server.expect(&["ready after"]);
    let start = Instant::now();
    server.signal(Signal::Interrupt);
    server.expect(&["stopping: "]);
    server.signal(Signal::Interrupt);
    let (status, log) = server.end();
    assert_eq!(status, Status::Exited(0));
    assert!(log.contains("stopping at once") && log.contains("did not exit within"), "{log}");
    assert!(start.elapsed() < Duration::from_secs(15));
}

pub fn a_stop_does_not_wait_for_a_boot() {
    let mut server = Server::start(Setup::default(), |_, writer| {
        say(writer, "importing");
        hang()
    });
    server.expect(&["importing"]);
    server.signal(Signal::Terminate);
    let (status, log) = server.end();
    assert_eq!(status, Status::Exited(0));
    assert!(log.contains("was killed by SIGTERM"), "{log}");
}

/// The supervisor still waits for a slow worker; new clients must not wait with it.
pub fn clients_are_refused_as_soon_as_the_last_worker_has_gone() {
    let mut server = Server::start(Setup { workers: 1, ..Setup::default() }, |mut start, writer| {
        become_ready(&start, writer);
        hang_until_told(&start);
        start.listeners.clear();
        say(writer, "listeners closed");
        hang()
    });
    server.expect(&["ready after"]);
    server.signal(Signal::Terminate);
    server.expect(&["listeners closed"]);
    let refused = TcpStream::connect(server.address.unwrap()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    for words in ["stopping at once", "killed by SIGKILL"] {
        server.signal(Signal::Terminate);
        server.expect(&[words]);
    }
    assert_eq!(server.end().0, Status::Exited(0));
}

fn hang_until_told(start: &tapster_supervisor::WorkerStart) {
    use std::os::fd::AsFd;
    use tapster_sys::poll::{self, Interest};
    poll::wait(&[(start.inbox.as_fd(), Interest::Readable)], None).unwrap();
}

pub fn workers_do_not_outlive_a_killed_supervisor() {
    let mut server = Server::start(Setup::default(), |start, writer| serve(start, writer, |_, _| {}));
    server.expect(&["ready after", "2 workers"]);
    server.signal(Signal::Kill);
    let (status, log) = server.end();
    assert_eq!(status, Status::Signaled { signal: Signal::Kill.number(), core: false });
    assert_eq!(log.matches("lost its supervisor").count() + log.matches("drained").count(), 2, "{log}");
}
