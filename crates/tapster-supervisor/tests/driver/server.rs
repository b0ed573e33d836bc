//! The operator's side: a supervisor in a child process, whose log and whose workers' words come out of one pipe.

use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::templates::Late;
use tapster_config::ControlSocket;
use tapster_observe::{Level, Log, LogOptions, Output, Scoreboard, words_needed};
use tapster_supervisor::{Strength, Succession, Supervision, WorkerStart, slots_for};
use tapster_sys::fork::{Forked, SingleThreaded, fork};
use tapster_sys::memory::SharedWords;
use tapster_sys::poll::{self, Interest};
use tapster_sys::privileges::Privileges;
use tapster_sys::process::{self, Pid, send_signal};
use tapster_sys::signal::Signal;
use tapster_sys::socket::{Access, Address, Listener, Place};
use tapster_sys::wait::{self, Status};

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What differs between servers.
pub struct Setup {
    pub workers: usize,
    pub graceful_timeout: Duration,
    pub unix: Option<PathBuf>,
    /// Forks a process nobody knows beside each worker.
    pub strangers: bool,
    /// Has a template fork the workers; all but the first are born this much later.
    pub late: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            workers: 2,
            graceful_timeout: Duration::from_secs(25),
            unix: None,
            strangers: false,
            late: None,
        }
    }
}

pub struct Server {
    pub pid: Pid,
    pub address: Option<SocketAddr>,
    words: File,
    unread: String,
    read: String,
    reaped: bool,
}

impl Server {
    /// Starts a supervisor whose workers run `worker`; what they write to the pipe can be waited for.
    pub fn start(setup: Setup, worker: impl Fn(WorkerStart, &PipeWriter) -> i32) -> Server {
        let place = match &setup.unix {
            Some(path) => Place::Unix(path.clone(), Access::mode(0o660)),
            None => Place::Inet("127.0.0.1:0".parse().unwrap()),
        };
        let (reader, writer) = io::pipe().unwrap();
        // The file of a unix socket belongs to the process that opens it: the supervisor.
        let listeners = if setup.unix.is_none() { Listener::open(&place, None).unwrap() } else { Vec::new() };
        let address = listeners.first().map(|listener| match listener.address() {
            Address::Inet(address) => *address,
            Address::Unix(_) => unreachable!(),
        });
        let pid = match fork(SingleThreaded::prove().unwrap()).unwrap() {
            Forked::Parent(pid) => pid,
            Forked::Child => {
                drop(reader);
                let listeners =
                    if setup.unix.is_some() { Listener::open(&place, None).unwrap() } else { listeners };
                process::exit_now(supervise(&setup, listeners, &writer, &worker))
            }
        };
        let words = File::from(OwnedFd::from(reader));
        Server { pid, address, words, unread: String::new(), read: String::new(), reaped: false }
    }

    /// The next line that contains all these texts.
    pub fn expect(&mut self, texts: &[&str]) -> String {
        self.expect_within(texts, PATIENCE)
            .unwrap_or_else(|| panic!("no line with {texts:?} in:\n{}{}", self.read, self.unread))
    }

    /// Waits for a line that may have been passed over already.
    pub fn expect_ever(&mut self, text: &str) {
        if !self.read.contains(text) {
            self.expect(&[text]);
        }
    }

    pub fn expect_within(&mut self, texts: &[&str], patience: Duration) -> Option<String> {
        let start = Instant::now();
        loop {
            while let Some(end) = self.unread.find('\n') {
                let line: String = self.unread.drain(..=end).collect();
                self.read.push_str(&line);
                if texts.iter().all(|text| line.contains(text)) {
                    return Some(line);
                }
            }
            let left = patience.saturating_sub(start.elapsed());
            let found = poll::wait(&[(self.words.as_fd(), Interest::Readable)], Some(left)).unwrap();
            let more = if found[0] { self.read_more() } else { !left.is_zero() };
            if !more {
                return None;
            }
        }
    }

    fn read_more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        let read = self.words.read(&mut bytes).unwrap();
        self.unread.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        read > 0
    }

    pub fn signal(&self, signal: Signal) {
        send_signal(self.pid, signal).unwrap();
    }

    /// Waits for the end of all processes, and tells how the supervisor ended.
    pub fn end(mut self) -> (Status, String) {
        // The pipe ends when the last process has gone.
        assert_eq!(self.expect_within(&["\0"], PATIENCE), None);
        let all_gone = poll::wait(&[(self.words.as_fd(), Interest::Readable)], Some(Duration::ZERO)).unwrap();
        assert!(all_gone[0], "still running:\n{}", self.read);
        (self.reap(), std::mem::take(&mut self.read))
    }

    /// Waits for the end of the supervisor alone.
    pub fn reap(&mut self) -> Status {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = wait::reap(self.pid).unwrap() {
                self.reaped = true;
                return status;
            }
            std::thread::yield_now();
        }
        panic!("the supervisor does not end:\n{}", self.read)
    }

    /// Stops it and sees that it ends well.
    pub fn stop(self) -> String {
        self.signal(Signal::Terminate);
        let (status, log) = self.end();
        assert_eq!(status, Status::Exited(0), "{log}");
        log
    }

    /// Which worker answers a new connection: its generation and process.
    pub fn ask(&self) -> io::Result<(u64, i32)> {
        let mut answer = String::new();
        TcpStream::connect(self.address.expect("a TCP server"))?.read_to_string(&mut answer)?;
        let (generation, pid) = answer.split_once(' ').ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((generation.parse().unwrap(), pid.parse().unwrap()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.reaped {
            send_signal(self.pid, Signal::Kill).unwrap();
        }
    }
}

fn supervise(
    setup: &Setup,
    listeners: Vec<Listener>,
    writer: &PipeWriter,
    worker: &dyn Fn(WorkerStart, &PipeWriter) -> i32,
) -> i32 {
    let slots = slots_for(setup.workers);
    let words = SharedWords::create("driver-test", words_needed(slots, 1)).unwrap();
    let board = Scoreboard::new(Arc::new(words), slots, 1).unwrap();
    let output = Output::Descriptor(Arc::new(writer.try_clone().unwrap().into()));
    let log = Log::new(LogOptions { level: Level::Debug, messages: output, ..LogOptions::default() });
    let mut settings = tapster_config::defaults().unwrap();
    settings.graceful_timeout = setup.graceful_timeout;
    settings.control_socket = ControlSocket::Off;
    settings.preload = setup.late.is_some();
    let supervision = Supervision {
        settings: &settings,
        workers: Strength::fixed(setup.workers),
        listeners,
        admin: Vec::new(),
        stats: Vec::new(),
        board,
        log,
        privileges: Privileges::default(),
        succession: Succession::default(),
        front: None,
        renewal: None,
        configuration: &Vec::new,
        watcher: None,
        exporter: None,
        observer: Box::new(|_, _| {}),
    };
    let mut forking = || {
        if setup.strangers && fork(SingleThreaded::prove()?)? == Forked::Child {
            process::exit_now(0);
        }
        fork(SingleThreaded::prove()?)
    };
    let mut roles = Late { worker, writer, by: setup.late.unwrap_or_default() };
    supervision.run(&mut forking, &mut roles).unwrap().exit_code()
}
