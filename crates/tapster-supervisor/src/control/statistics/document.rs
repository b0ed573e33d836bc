//! The document of uWSGI's statistics server, with the members that uWSGI 2.0 has. All numbers are whole: readers in Go want
//! them so.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tapster_observe::{Lost, Method, Reading, WorkerBoard, WorkerMeters};
use tapster_sys::socket::{Address, Listener};
use tapster_sys::{peer, resident};

use crate::control::Scene;
use crate::member::{Member, State};

/// All of it.
#[derive(Serialize)]
pub struct Document {
    pub version: String,
    pub listen_queue: u64,
    pub listen_queue_errors: u64,
    pub signal_queue: u64,
    pub load: u64,
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
    pub cwd: String,
    pub locks: [(); 0],
    pub sockets: Vec<Socket>,
    pub workers: Vec<Worker>,
}

/// A listening socket.
#[derive(Serialize)]
pub struct Socket {
    pub name: String,
    pub proto: &'static str,
    pub queue: u64,
    pub max_queue: u64,
    pub shared: u8,
    pub can_offload: u8,
}

/// A worker, or the place of one.
#[derive(Serialize)]
pub struct Worker {
    pub id: usize,
    pub pid: u32,
    pub accepting: u8,
    pub requests: u64,
    pub delta_requests: u64,
    pub exceptions: u64,
    pub harakiri_count: u64,
    pub signals: u64,
    pub signal_queue: u64,
    pub status: &'static str,
    pub rss: u64,
    pub vsz: u64,
    pub running_time: u64,
    pub last_spawn: u64,
    pub respawn_count: u64,
    pub tx: u64,
    pub avg_rt: u64,
    pub apps: Vec<App>,
    pub cores: Vec<Core>,
}

/// The application of a worker.
#[derive(Serialize)]
pub struct App {
    pub id: u8,
    pub modifier1: u8,
    pub mountpoint: &'static str,
    pub startup_time: u64,
    pub requests: u64,
    pub exceptions: u64,
    pub chdir: &'static str,
}

/// A thread of a worker.
#[derive(Serialize)]
pub struct Core {
    pub id: usize,
    pub requests: u64,
    pub static_requests: u64,
    pub routed_requests: u64,
    pub offloaded_requests: u64,
    pub write_errors: u64,
    pub read_errors: u64,
    pub in_request: u8,
    pub vars: Vec<String>,
    pub req_info: RequestInfo,
}

/// What is known of a request.
#[derive(Serialize, Default)]
pub struct RequestInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_start: Option<u64>,
}

/// How the server is now.
pub fn document(scene: &Scene<'_>, started: SystemTime) -> Document {
    let sockets: Vec<_> = scene.listeners.iter().map(socket).collect();
    let listen_queue = sockets.iter().map(|socket| socket.queue).sum();
    let user = peer::own_user();
    Document {
        version: format!("tapster-{}", env!("CARGO_PKG_VERSION")),
        listen_queue,
        listen_queue_errors: scene.listeners.iter().filter_map(Listener::overflows).map(u64::from).sum(),
        signal_queue: 0,
        load: listen_queue,
        pid: std::process::id(),
        uid: user,
        gid: peer::own_group(),
        cwd: std::env::current_dir().unwrap_or_default().display().to_string(),
        locks: [],
        sockets,
        workers: workers(scene, started),
    }
}

fn socket(listener: &Listener) -> Socket {
    let name = match listener.address() {
        Address::Inet(address) => address.to_string(),
        Address::Unix(path) => path.display().to_string(),
    };
    Socket {
        name,
        proto: "http",
        queue: listener.queued().unwrap_or(0).into(),
        max_queue: listener.backlog().granted.into(),
        shared: 0,
        can_offload: 0,
    }
}

/// Those that there are, and the places of those that there were: sums over all count every request.
fn workers(scene: &Scene<'_>, started: SystemTime) -> Vec<Worker> {
    let slots = (0..scene.board.workers()).filter_map(|slot| {
        let (member, board) = (scene.fleet.member(slot), scene.board.worker(slot));
        (member.is_some() || board.requests_total() > 0).then_some((slot, member, board))
    });
    slots.map(|(slot, member, board)| worker(scene, started, (slot, member, &board))).collect()
}

fn worker(
    scene: &Scene<'_>,
    started: SystemTime,
    (slot, member, board): (usize, Option<&Member>, &WorkerBoard),
) -> Worker {
    let process = scene.children.pid(slot);
    let reading = board.meters().map(WorkerMeters::read).unwrap_or_default();
    let (requests, exceptions) = (board.requests_total(), exceptions(&reading));
    let running_time = reading.app.nanos / 1000;
    let memory = process.and_then(|pid| resident::sizes(pid).ok()).unwrap_or_default();
    Worker {
        id: slot + 1,
        pid: process.map_or(0, |pid| pid.as_raw().cast_unsigned()),
        accepting: u8::from(member.is_some_and(Member::is_ready)),
        requests,
        delta_requests: board.requests(),
        exceptions,
        harakiri_count: board.lost(Lost::TimedOut),
        signals: 0,
        signal_queue: 0,
        status: match board.busy_threads() {
            _ if process.is_none() => "cheap",
            0 => "idle",
            _ => "busy",
        },
        rss: memory.resident,
        vsz: memory.mapped,
        running_time,
        last_spawn: member.map_or(0, |member| epoch_seconds(started, member.started)),
        respawn_count: board.restarts() + 1,
        tx: reading.sent,
        avg_rt: running_time.checked_div(requests).unwrap_or(0),
        apps: member.into_iter().filter_map(|member| app(member, requests, exceptions)).collect(),
        cores: (0..scene.board.threads()).filter_map(|thread| core(board, thread)).collect(),
    }
}

/// What the application failed to answer, as far as statuses tell.
fn exceptions(reading: &Reading) -> u64 {
    let failed = |status: u16, method: Method| status == 500 && method != Method::Unknown;
    reading
        .answers
        .iter()
        .filter(|((status, method), _)| failed(*status, *method))
        .map(|(_, count)| count)
        .sum()
}

fn epoch_seconds(started: SystemTime, after: Duration) -> u64 {
    (started + after).duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The application, once it is loaded.
fn app(member: &Member, requests: u64, exceptions: u64) -> Option<App> {
    let State::Ready { since } = member.state else { return None };
    let startup_time = since.saturating_sub(member.started).as_secs();
    Some(App { id: 0, modifier1: 0, mountpoint: "", startup_time, requests, exceptions, chdir: "" })
}

fn core(board: &WorkerBoard, thread: usize) -> Option<Core> {
    let meter = board.meter(thread)?;
    let began = board.started_micros(thread);
    let epoch = began.zip(board.began()).map(|(began, epoch)| began + epoch);
    let subject = began.and_then(|_| board.subject(thread)).unwrap_or_default();
    Some(Core {
        id: thread,
        requests: meter.read().requests(),
        static_requests: 0,
        routed_requests: 0,
        offloaded_requests: 0,
        write_errors: 0,
        read_errors: 0,
        in_request: u8::from(began.is_some()),
        vars: vars(&subject.text),
        req_info: RequestInfo { request_start: epoch.map(|micros| micros / 1_000_000) },
    })
}

/// What is known of a request, as variables of the uwsgi protocol.
fn vars(subject: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(subject);
    let Some((method, path)) = text.split_once(' ') else { return Vec::new() };
    vec![format!("REQUEST_METHOD={method}"), format!("REQUEST_URI={path}")]
}
