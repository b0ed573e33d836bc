//! What `/-/metrics` says: every number that the server has of itself, as families of samples. Read from the scoreboard, the
//! fleet and the system when somebody asks; no worker notices.

mod front;
mod processes;
mod requests;
mod uwsgi;

use std::fmt::Display;
use std::time::SystemTime;

use tapster_observe::exposition::{Family, Kind, Labels, Value};

use tapster_config::MetricNames;

use super::Scene;
use super::history::History;
use super::protocol::Health;
use super::statistics::document::document;

/// What is asked for, and what does not change.
pub struct Subject<'a> {
    /// The other parts of the supervisor.
    pub scene: &'a Scene<'a>,
    /// What has happened so far.
    pub history: &'a History,
    /// How the server is.
    pub health: Health,
    /// When the supervisor started.
    pub started: SystemTime,
}

/// All metrics under these names.
pub fn named(subject: &Subject<'_>, names: MetricNames) -> Vec<Family> {
    let own = || families(subject);
    let uwsgi = || uwsgi::families(&document(subject.scene, subject.started));
    match names {
        MetricNames::Tapster => own(),
        MetricNames::Uwsgi => uwsgi(),
        MetricNames::Both => own().into_iter().chain(uwsgi()).collect(),
    }
}

/// All metrics under our own names, always in the same order.
pub fn families(subject: &Subject<'_>) -> Vec<Family> {
    let mut families = processes::server(subject);
    families.extend(requests::families(subject.scene));
    families.extend(processes::workers(subject));
    families.extend(processes::listeners(subject.scene));
    families.extend(front::families(subject.scene));
    families
}

fn counter(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Counter, name, help)
}

fn gauge(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Gauge, name, help)
}

fn histogram(name: &'static str, help: &'static str) -> Family {
    Family::new(Kind::Histogram, name, help)
}

/// A sample that needs no label.
fn plain(family: Family, count: u64) -> Family {
    family.with(Labels::new(), Value::Count(count))
}

fn label(name: &'static str, value: impl Display) -> Labels {
    vec![(name, value.to_string())]
}

/// A phrase of the log as a label's value: one word.
fn word(phrase: &str) -> String {
    phrase.replace([' ', '-'], "_")
}
