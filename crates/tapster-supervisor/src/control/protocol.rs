//! What operators and supervisors say to each other on the control socket: one JSON object a line, in both directions.
//!
//! A request names its command: `{"command":"scale","workers":3}`. An answer has `ok`; a failure says why in `error`,
//! in words for people. Answers come in the order of the requests of a connection. Unknown members of an answer are
//! to be passed over, so that an older program understands a newer server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tapster_config::Shown;

/// The longest line of a request, in bytes.
pub const LONGEST_REQUEST: usize = 4096;

/// What an operator wants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who is there. Answered with [`Identity`].
    Version,
    /// Everything that is known. Answered with [`Status`].
    Status,
    /// Everything that is known, and what a screen shows that follows the server. Answered with
    /// [`Reading`](super::live::Reading).
    Live,
    /// Whether it lives and serves. Answered with [`Health`].
    Health,
    /// Replace the workers by ones with the application as it is now. Answered with [`Reloaded`] when that has ended.
    Reload,
    /// Finish requests and end; a second time at once. Answered with [`Identity`] at once; the connection ends with
    /// the server.
    Stop,
    /// Have this many workers. Answered with [`Scaled`].
    Scale {
        /// How many.
        workers: usize,
    },
    /// Replace one worker. Answered with [`Recycling`] when the order is given.
    Recycle {
        /// The number of a worker, or its process id.
        worker: u32,
    },
    /// Forget stored answers. Answered with [`Purging`] when the order is given.
    Purge {
        /// A URL, a target beginning with `/` on every host, either with a `*` at its end for all that begin so, or `*` alone.
        what: String,
    },
    /// Say what every thread does. Answered with [`Collected`] texts for people.
    Stacks,
    /// Say what the threads do over some time. Answered with [`Collected`] texts in JSON when that is over.
    Profile {
        /// How long: at least 1, at most an hour.
        seconds: u16,
        /// How often a second every thread is looked at: 1 to 1000.
        rate: u16,
        /// Whether the time on a CPU counts, and not all that passes.
        #[serde(default)]
        cpu: bool,
        /// Whether the application's own threads count too, and not only those in requests.
        #[serde(default)]
        all_threads: bool,
    },
}

impl Request {
    /// Whether the server is to do something that changes it.
    pub const fn is_an_order(&self) -> bool {
        match self {
            Request::Version | Request::Status | Request::Live | Request::Health => false,
            Request::Stacks | Request::Profile { .. } => false,
            Request::Reload | Request::Stop | Request::Scale { .. } | Request::Recycle { .. } => true,
            Request::Purge { .. } => true,
        }
    }
}

/// An answer: `ok` and what belongs to it, or `error`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer<T> {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The process of the server that has taken over from this one, where that is why not: it is to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<u32>,
    /// What was asked for; members beside `ok`.
    #[serde(flatten)]
    pub body: Option<T>,
}

/// Which server this is.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// The version of Tapster.
    pub version: String,
    /// The supervisor's process id.
    pub pid: u32,
    /// The application as it was named at the start; empty when none was named.
    pub app: String,
    /// Where it listens.
    pub listeners: Vec<String>,
}

/// Whether a server lives and serves.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// Whether a worker serves, and nobody has asked the server to stop.
    pub ready: bool,
    /// Whether a worker has served since the start.
    pub started: bool,
}

/// The end of a reload.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloaded {
    /// Seconds from the order to the end.
    pub seconds: f64,
}

/// The number of workers after it was set.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Scaled {
    /// Workers wanted.
    pub workers: usize,
}

/// A worker that is being replaced.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Recycling {
    /// Its number.
    pub worker: usize,
    /// Its process id.
    pub pid: u32,
}

/// Stored answers that are being forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Purging {
    /// Fronts that were told.
    pub fronts: usize,
}

/// What every worker was asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Collected {
    /// Each worker with its text.
    pub workers: Vec<WorkerText>,
}

/// What one worker says.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerText {
    /// Its number.
    pub worker: usize,
    /// Its process id.
    pub pid: u32,
    /// The stacks of all its threads, or its profile.
    pub text: String,
    /// Whether it wrote everything in its time.
    pub complete: bool,
}

/// Everything that is known of a server.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Which server this is.
    #[serde(flatten)]
    pub identity: Identity,
    /// `starting`, `serving`, `reloading` or `stopping`.
    pub state: String,
    /// Seconds since its start.
    pub uptime: f64,
    /// Whether it is [ready](Health::ready).
    pub ready: bool,
    /// Workers wanted.
    pub wanted: usize,
    /// Threads of each worker.
    pub threads: usize,
    /// Its workers.
    pub workers: Vec<WorkerStatus>,
    /// The sockets of [`Identity::listeners`], in the same order.
    pub sockets: Vec<SocketStatus>,
    /// Counters of all workers since the start.
    pub totals: Totals,
    /// What stands before the workers, or alone; none where clients come to workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<FrontStatus>,
    /// How many reloads ended, and how.
    pub reloads: Reloads,
    /// How the last reload ended.
    pub last_reload: Option<LastReload>,
    /// Workers that ended unasked or were replaced for a reason of their own, by reason.
    pub restarts: BTreeMap<String, u64>,
}

/// One worker.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerStatus {
    /// Its number, as the log has it.
    pub worker: usize,
    /// Its process; none while there is none.
    pub pid: Option<u32>,
    /// `waiting`, `booting`, `failing`, `ready`, `standing in` (for development), `draining` or `ending`.
    pub state: String,
    /// How many reloads were ordered before it was started.
    pub generation: u64,
    /// Seconds since it was started.
    pub age: f64,
    /// Requests that the application answered in this process.
    pub requests: u64,
    /// Threads in a request.
    pub busy: usize,
    /// Requests that wait for a thread of it, now.
    pub waiting: u64,
    /// Open connections.
    pub connections: u64,
    /// Bytes of physical memory, shared ones too.
    pub rss: Option<u64>,
    /// Seconds that the process has run on a CPU, in user and system mode.
    pub cpu: Option<f64>,
    /// Processes that there were before under this number.
    pub restarts: u64,
}

/// One listening socket.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketStatus {
    /// How many connections wait at most for a worker.
    pub backlog: u32,
    /// How many wait now; none where the system does not tell.
    pub queued: Option<u32>,
    /// Connections that the system dropped because as many waited, ever; none where it does not tell.
    pub overflows: Option<u32>,
}

/// Counters of all workers since the start.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Requests that the application answered.
    pub requests: u64,
    /// Answers without the application: 400, 408, 503 and others.
    pub refused: u64,
    /// Requests that the application did not answer within `--request-timeout`.
    pub timed_out: u64,
    /// Requests that waited for a thread for longer than `--queue-timeout`.
    pub queued_too_long: u64,
    /// Requests that were not run because their client was gone.
    pub abandoned: u64,
    /// All answers by class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub statuses: BTreeMap<String, u64>,
    /// Threads of the workers that serve, now.
    pub threads: u64,
    /// Threads in a request, now.
    pub busy: u64,
    /// Requests that wait for a thread, now.
    pub waiting: u64,
    /// Open connections.
    pub connections: u64,
    /// Bytes in temporary files.
    pub spooled: u64,
    /// Lines that the log lost, because nobody read it or its disk was full. The supervisor's too.
    pub log_lines_dropped: u64,
    /// Errors in the log, those too that were only counted because they repeat.
    #[serde(default)]
    pub log_errors: u64,
    /// Warnings in the log, in the same way.
    #[serde(default)]
    pub log_warnings: u64,
    /// Of both, those that were only counted.
    #[serde(default)]
    pub log_repeats_suppressed: u64,
    /// Panics, of the server or of extensions written in Rust, that ended one request each.
    pub panics: u64,
}

/// What the front does, in all its processes, since the start.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct FrontStatus {
    /// Whether it takes clients, and has somebody to serve them.
    pub ready: bool,
    /// Open connections of clients.
    pub connections: u64,
    /// Answers, whoever gave them.
    pub requests: u64,
    /// These by class: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub statuses: BTreeMap<String, u64>,
    /// Bytes of the bodies of answers.
    pub bytes: u64,
    /// What it refused by itself, by status; `other` for statuses that are seldom.
    pub refused: BTreeMap<String, u64>,
    /// Requests that wait for a worker or for a slot of an upstream, now.
    pub waiting: u64,
    /// Requests that wait until a worker or an upstream can be reached, now.
    pub holding: u64,
    /// Requests that waited for that, ever.
    pub held: u64,
    /// Requests that were sent once more, ever.
    pub retries: u64,
    /// Times that the name of an upstream was looked up and not found.
    pub names_not_found: u64,
    /// Clients that speak TLS by then.
    pub tls_handshakes: u64,
    /// Clients of a port for TLS that did not get that far.
    pub tls_failures: u64,
    /// Connections that speak HTTP/2, now and ever.
    pub http2_connections: [u64; 2],
    /// Their streams, now and ever.
    pub http2_streams: [u64; 2],
    /// What the cache does; none without `--cache`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheStatus>,
    /// The hosts that requests are passed to; at most 64 of each process.
    pub upstreams: Vec<HostStatus>,
}

/// What the cache of the front does. Each request counts in one of the first five.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheStatus {
    /// Requests that were answered with a kept answer that was fresh.
    pub hits: u64,
    /// Requests that were passed on because no kept answer could be given.
    pub misses: u64,
    /// Requests that were answered with a kept answer that was no longer fresh.
    pub stale: u64,
    /// Requests that waited for the answer to another one, and got it.
    pub coalesced: u64,
    /// Requests that were none of the cache's business.
    pub bypassed: u64,
    /// Answers that were stored.
    pub stored: u64,
    /// Kept answers that were asked about and found to be right still.
    pub revalidated: u64,
    /// Targets whose answers went because the cache was full.
    pub evicted: u64,
    /// Targets whose answers were removed by an order, or because something was written there.
    pub purged: u64,
    /// Targets whose answers are kept, now.
    pub entries: u64,
    /// Bytes that this takes, now.
    pub bytes: u64,
    /// Bytes that it may take.
    pub size: u64,
}

/// One host that requests are passed to.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct HostStatus {
    /// Its group; empty where it has no name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Its URL.
    pub name: String,
    /// `healthy`, `slow start`, `unknown` (not checked yet), `ejected`, `refusing` (connections) or `unhealthy`; of several
    /// processes that of the one that thinks the least of it.
    pub state: String,
    /// Requests that it has now.
    pub active: u64,
    /// Requests that it was sent.
    pub requests: u64,
    /// How many of these had no answer, or 502, 503, 504.
    pub failures: u64,
}

/// How many reloads ended, and how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloads {
    /// Every worker was replaced.
    pub ok: u64,
    /// A new worker did not start; the old ones went on.
    pub failed: u64,
}

/// How the last reload ended.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct LastReload {
    /// Whether every worker was replaced.
    pub ok: bool,
    /// Why not, with the application's traceback where there is one.
    pub error: Option<String>,
    /// Seconds from the order to the end.
    pub seconds: f64,
    /// Seconds since the end.
    pub ago: f64,
}

/// One row of [`Configuration`].
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfiguredValue {
    /// The option, or the name of what stands in a table.
    pub name: String,
    /// Its value; what is secret is left out.
    pub value: String,
    /// Where it was written.
    pub origin: String,
    /// Whether nobody wrote it.
    pub default: bool,
}

/// What a server was told to do.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// Every value that holds.
    pub options: Vec<ConfiguredValue>,
}

/// The configuration as one line.
pub fn configuration(shown: &[Shown]) -> Vec<u8> {
    let value = |Shown { name, value, origin, is_default }| ConfiguredValue {
        name,
        value,
        origin,
        default: is_default,
    };
    success(Configuration { options: shown.iter().cloned().map(value).collect() })
}

/// One line that says yes.
pub fn success<T: Serialize>(body: T) -> Vec<u8> {
    line(&Answer { ok: true, error: None, successor: None, body: Some(body) })
}

/// One line that says why not.
pub fn failure(error: impl Into<String>) -> Vec<u8> {
    line(&Answer::<Identity> { ok: false, error: Some(error.into()), successor: None, body: None })
}

/// One line that says that another server is to be asked.
pub fn moved(successor: u32) -> Vec<u8> {
    let error = Some(format!("pid {successor} has taken over from this server"));
    line(&Answer::<Identity> { ok: false, error, successor: Some(successor), body: None })
}

/// Reads a line of a client.
///
/// # Errors
/// When it is no request, with what is wrong.
pub fn request(line: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(line).map_err(|error| format!("this is no request: {error}"))
}

fn line<T: Serialize>(answer: &Answer<T>) -> Vec<u8> {
    // These types have only texts for keys, which is all that could fail.
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_and_mistakes_named() {
        assert_eq!(request(br#"{"command":"status"}"#), Ok(Request::Status));
        assert_eq!(request(br#"{"command":"scale","workers":3}"#), Ok(Request::Scale { workers: 3 }));
        for wrong in [&b"status"[..], b"{}", br#"{"command":"explode"}"#, br#"{"command":"scale"}"#, b"\xff"]
        {
            assert!(request(wrong).unwrap_err().starts_with("this is no request: "));
        }
        assert!(request(br#"{"command":"scale","workers":-1}"#).is_err());
    }

    #[test]
    fn answers_are_one_line_with_ok_in_it() {
        assert_eq!(success(Scaled { workers: 3 }), b"{\"ok\":true,\"workers\":3}\n");
        assert_eq!(failure("a\nb"), b"{\"ok\":false,\"error\":\"a\\nb\"}\n");
        let answer: Answer<Scaled> = serde_json::from_slice(&failure("no")).unwrap();
        assert_eq!(answer.error.as_deref(), Some("no"));
        let newer: Answer<Scaled> =
            serde_json::from_slice(br#"{"ok":true,"workers":2,"mood":"good"}"#).unwrap();
        assert_eq!(newer.body, Some(Scaled { workers: 2 }));
    }
}
