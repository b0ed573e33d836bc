//! What a server has counted since its start, and what it does right now.

use serde::{Deserialize, Serialize};
use tapster_observe::Histogram;

use crate::control::protocol::Status;

/// One look at a server. Everything that is counted only grows, whichever workers come and go, until the server ends.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// What `status` says as well.
    #[serde(flatten)]
    pub status: Status,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// What is measured of requests; none where nothing is.
    pub measured: Option<Measured>,
    /// The supervisor's process.
    pub supervisor: Usage,
    /// The front's process; none where none runs.
    pub front_process: Option<Usage>,
    /// What threads run, the longest first.
    pub running: Vec<Running>,
}

/// What is measured of the requests that the application answered, in all workers since the start, also in those that died.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Measured {
    /// Bytes of the bodies of requests.
    pub received: u64,
    /// Bytes of the bodies of answers.
    pub sent: u64,
    /// From the complete request to the end of its answer.
    pub duration: Histogram,
    /// From the complete request to the call of the application.
    pub queued: Histogram,
    /// From the call to the end of the answer.
    pub app: Histogram,
    /// Waits for the interpreter's lock, of threads that were woken by a client.
    pub lock: Histogram,
}

/// What a process uses.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Seconds that it has run on a CPU, in user and system mode; none where the system does not tell.
    pub cpu: Option<f64>,
    /// Bytes of physical memory, shared ones too.
    pub rss: Option<u64>,
}

/// A request that runs.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// The number of its worker.
    pub worker: usize,
    /// The number of its thread, from 1, as the access log has it.
    pub thread: usize,
    /// Its method; empty where it is not known.
    pub method: String,
    /// Its path without the query, cut where it is long; what is not printable is escaped.
    pub target: String,
    /// How long it has run, in seconds.
    pub seconds: f64,
    /// What names it, where requests have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
