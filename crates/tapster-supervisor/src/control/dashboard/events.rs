//! Server-sent events (WHATWG HTML §9.2), and what stands in them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tapster_observe::recent::Entry;

use crate::control::history::ReloadEnd;
use crate::control::live::{Reading, Sample};

/// Requests that are listed.
const MOST_RUNNING: usize = 50;

/// How long readers that come again by themselves wait before.
pub fn retry() -> Vec<u8> {
    b"retry: 1000\n\n".to_vec()
}

/// Appends one event. JSON has no line feeds, so its data is one line.
pub fn write(out: &mut Vec<u8>, name: &str, id: Option<&str>, data: &str) {
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}

/// A value of these types, whose keys are texts, which is all that could fail.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// What is drawn.
pub struct Points<I> {
    /// Whether only what was missed is sent.
    pub resumed: bool,
    /// Each encoded.
    pub points: I,
}

impl<'a, I: Iterator<Item = &'a str>> Points<I> {
    pub fn json(self) -> String {
        let points: Vec<&str> = self.points.collect();
        format!("{{\"resumed\":{},\"points\":[{}]}}", self.resumed, points.join(","))
    }
}

/// How the server is now.
#[derive(Serialize)]
pub struct Now<'a> {
    reading: Reading,
    sample: &'a Sample,
    /// Whether orders can be given.
    orders: bool,
}

impl<'a> Now<'a> {
    pub fn new(reading: &Reading, sample: &'a Sample, orders: bool) -> Now<'a> {
        let mut reading = reading.clone();
        // What is told elsewhere, and would be told every second.
        (reading.measured, reading.status.last_reload) = (None, None);
        reading.running.truncate(MOST_RUNNING);
        Now { reading, sample, orders }
    }

    /// With the point that is drawn, which is encoded already.
    pub fn json(&self, point: &str) -> String {
        let text = json(self);
        let rest = text.strip_prefix('{').unwrap_or_default();
        format!("{{\"point\":{point},{rest}")
    }
}

/// Messages, or slow requests.
#[derive(Serialize)]
pub struct Entries {
    /// Whether these are all that there are.
    all: bool,
    entries: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    /// Counts those of its kind in this server.
    number: u64,
    /// When, in seconds since the epoch.
    time: f64,
    level: &'static str,
    worker: Option<usize>,
    pid: u32,
    text: String,
}

impl Entries {
    pub fn new(all: bool, entries: impl Iterator<Item = Entry>) -> Entries {
        let message = |Entry { number, time, pid, worker, level, text }| Message {
            number,
            time: seconds(time),
            level: tapster_observe::Level::as_str(level),
            worker,
            pid,
            text,
        };
        Entries { all, entries: entries.map(message).collect() }
    }
}

/// A reload that ended.
#[derive(Serialize)]
pub struct ReloadEntry {
    /// When, in seconds since the epoch.
    time: f64,
    /// From the order to the end.
    seconds: f64,
    /// Why it failed.
    error: Option<String>,
}

impl ReloadEntry {
    pub fn new(end: &ReloadEnd, started: SystemTime) -> ReloadEntry {
        let ReloadEnd { error, took, at } = end.clone();
        ReloadEntry { time: seconds(started + at), seconds: took.as_secs_f64(), error }
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
