//! A worker on a listener of its own, with plain threads as its pool. Ends with the test, in a bounded time.

use std::fs::File;
use std::io::{self, PipeWriter, Read};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tapster_config::Settings;
use tapster_gateway::{App, Request, Respond};
use tapster_observe::{
    AccessFilter, AccessMode, Level, Log, LogOptions, Output, Scoreboard, WorkerBoard, words_needed,
};
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::socket::{Access, Address, Listener, Place};
use tapster_worker::{Peers, Worker, WorkerParts};

use crate::app::{Closure, PATIENCE};
use crate::client::Client;

/// What a thread of the pool does around its work.
pub type Around = Arc<dyn Fn(&dyn Fn()) + Send + Sync>;

/// What a test wants of its worker.
pub struct Wanted {
    pub settings: Settings,
    pub lanes: usize,
    pub unix: bool,
    pub peers: Peers,
    /// Where the scoreboard slot comes from, if it is shared with peers.
    pub board: Option<WorkerBoard>,
    pub listener: Option<Listener>,
    /// The supervisor's end and the worker's, if peers know the inbox too.
    pub inbox: Option<(Inbox, Inbox)>,
    /// Where the interpreter would tell of signals.
    pub signals: Option<OwnedFd>,
    /// Where the end is told.
    pub ended: Option<OwnedFd>,
    pub around: Around,
}

impl Wanted {
    /// A worker with the default settings and so many threads, in one lane unless TAPSTER_LANES says otherwise: the whole
    /// suite can be run with several.
    pub fn threads(threads: usize) -> Wanted {
        let mut settings = tapster_config::defaults().unwrap();
        settings.threads = threads;
        Wanted {
            settings,
            lanes: std::env::var("TAPSTER_LANES").map_or(1, |lanes| lanes.parse().unwrap()),
            unix: false,
            peers: Peers::default(),
            board: None,
            listener: None,
            inbox: None,
            signals: None,
            ended: None,
            around: Arc::new(|serve| serve()),
        }
    }

    pub fn unix(mut self) -> Wanted {
        self.unix = true;
        self
    }

    /// So many threads can run at the same moment.
    pub fn lanes(mut self, lanes: usize) -> Wanted {
        self.lanes = lanes;
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Settings)) -> Wanted {
        change(&mut self.settings);
        self
    }

    pub fn serve(self, app: impl Fn(&mut Request, &mut dyn Respond) + Send + Sync + 'static) -> Server {
        self.serve_app(Arc::new(Closure(app)))
    }

    pub fn serve_app(self, app: Arc<dyn App>) -> Server {
        Server::start(self, app)
    }
}

/// A scoreboard in plain memory.
pub fn scoreboard(workers: usize, threads: usize) -> Scoreboard {
    struct Words(Vec<AtomicU64>);
    impl Deref for Words {
        type Target = [AtomicU64];
        fn deref(&self) -> &[AtomicU64] {
            &self.0
        }
    }
    let words = (0..words_needed(workers, threads)).map(|_| AtomicU64::new(0)).collect();
    Scoreboard::new(Arc::new(Words(words)), workers, threads).unwrap()
}

/// A running worker and the supervisor's side of it.
pub struct Server {
    pub worker: Worker,
    /// The supervisor's end of the inbox.
    pub inbox: Inbox,
    /// The end of the pipe that lives as long as the supervisor.
    pub alive: Option<PipeWriter>,
    pub board: WorkerBoard,
    pub address: Address,
    /// Keeps the listener as the supervisor does.
    pub listener: Listener,
    threads: Vec<JoinHandle<()>>,
    log: Arc<Mutex<File>>,
    unix: Option<PathBuf>,
    _watchdog: Sender<()>,
}

impl Server {
    fn start(wanted: Wanted, app: Arc<dyn App>) -> Server {
        let Wanted { settings, lanes, unix, peers, board, listener, inbox, signals, ended, around } = wanted;
        let listener = listener.unwrap_or_else(|| open(unix));
        let address = listener.address().clone();
        let (inbox, own) = inbox.unwrap_or_else(|| Inbox::pair().unwrap());
        let (alive, writer) = io::pipe().unwrap();
        let (log, log_file) = log();
        let board = board.unwrap_or_else(|| scoreboard(1, settings.threads).worker(0));
        let parts = WorkerParts {
            app,
            listeners: vec![listener.try_clone().unwrap()],
            inbox: own,
            peers,
            alive: Some(alive.into()),
            signals,
            ended,
            board: board.clone(),
            log,
            lanes,
        };
        let worker = Worker::new(&settings, parts).unwrap();
        worker.start_monitors(|| {}).unwrap();
        let threads = (0..settings.threads)
            .map(|index| {
                let (worker, around) = (worker.clone(), around.clone());
                std::thread::spawn(move || around(&|| worker.serve(index)))
            })
            .collect();
        let unix = match &address {
            Address::Unix(path) => Some(path.clone()),
            Address::Inet(_) => None,
        };
        let log = Arc::new(Mutex::new(log_file));
        let alive = Some(writer);
        Server { worker, inbox, alive, board, address, listener, threads, log, unix, _watchdog: watchdog() }
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(&self.address)
    }

    /// Tells the worker something as the supervisor does.
    pub fn tell(&self, message: Message) {
        self.inbox.send(message, None).unwrap();
    }

    pub fn drain(&self, timeout: Duration) {
        self.tell(Message::Drain { timeout_ms: timeout.as_millis() as u32 });
    }

    /// Waits until every thread has left, and says how long that took.
    pub fn wait(&self) -> Duration {
        let start = Instant::now();
        assert!(self.worker.wait(PATIENCE), "the worker did not end");
        start.elapsed()
    }

    /// What was logged so far.
    pub fn log(&self) -> String {
        use std::io::Seek;
        let mut text = String::new();
        let mut file = self.log.lock().unwrap();
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A worker that is gone already reads no message.
        let _gone = self.inbox.send(Message::Stop, None);
        let ended = self.worker.wait(PATIENCE);
        if let Some(path) = &self.unix {
            let _gone = std::fs::remove_file(path);
        }
        if std::thread::panicking() {
            let log = self.log();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("log of the worker, last line first:\n{}", last.join("\n"));
            return;
        }
        assert!(ended, "the worker did not end");
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// A listener on a port or path of the system's choice.
pub fn open(unix: bool) -> Listener {
    let place = if unix {
        let directory = tempfile::tempdir().unwrap().keep();
        Place::Unix(directory.join("socket"), Access::mode(0o600))
    } else {
        Place::Inet("127.0.0.1:0".parse().unwrap())
    };
    Listener::open(&place, None).unwrap().remove(0)
}

fn log() -> (Log, File) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let append = File::options().append(true).open(file.path()).unwrap();
    let options = LogOptions {
        level: Level::Debug,
        access: AccessFilter::new(AccessMode::Off),
        messages: Output::Descriptor(Arc::new(OwnedFd::from(append))),
        ..LogOptions::default()
    };
    (Log::new(options), file.into_file())
}

/// Ends the whole run if a test takes far too long: a hanging test must fail, and say which it is.
fn watchdog() -> Sender<()> {
    let (alive, watch) = mpsc::channel();
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    std::thread::spawn(move || {
        if watch.recv_timeout(PATIENCE * 4) == Err(RecvTimeoutError::Timeout) {
            eprintln!("test {name} hangs");
            std::process::abort();
        }
    });
    alive
}
