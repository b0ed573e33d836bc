//! What a running server shows of itself: the scoreboard (counters in shared memory), the log and the access log.
//! Used by the supervisor and by every worker; knows neither sockets nor Python, and has no unsafe code.

#![forbid(unsafe_code)]

mod about;
pub mod access;
mod datagram;
mod direct;
mod drain;
mod entry;
mod escape;
pub mod exposition;
mod front_board;
mod hand;
mod histogram;
mod incident;
mod level;
mod line;
pub mod log;
mod meter;
mod meters;
mod method;
mod object;
mod output;
pub mod recent;
mod refusals;
mod relay;
mod repeats;
pub mod scoreboard;
mod spans;
mod subject;
mod tally;
mod timestamp;
mod worker_board;

pub use about::{AboutRequest, about_request, name_thread};
pub use access::{
    AccessEvent, AccessFilter, AccessFormat, AccessMode, Details, FieldName, FormatError, Needs, NoDetails,
};
pub use datagram::Datagrams;
pub use entry::{Entry, Kind};
pub use front_board::{FrontBoard, FrontCounter, FrontGauge, HostBoard, HostState, HostView, Present};
pub use histogram::{BOUNDS_MICROS, BUCKETS, Histogram};
pub use incident::{AREAS, Area, Incident};
pub use level::Level;
pub use log::{Log, LogOptions};
pub use meter::{Answered, Meter, Reading, Status};
pub use meters::WorkerMeters;
pub use method::Method;
pub use output::Output;
pub use recent::Recent;
pub use relay::Relay;
pub use scoreboard::{Scoreboard, ScoreboardError, front_words, meter_words, span_words, words_needed};
pub use spans::{SpanRecord, SpanRing, Spans, Texts};
pub use subject::Subject;
pub use tally::LogCounts;
pub use worker_board::{Lost, WorkerBoard, WorkerState};
