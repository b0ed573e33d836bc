//! The options of `tapster top`.

use std::time::Duration;

use lexopt::{Parser, ValueExt};

use crate::error::ConfigError;
use crate::values;

/// The shortest and the longest time between two looks.
const INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3600)];

/// What `tapster top` shows, and how often.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopOptions {
    /// From one look to the next: 0.1 s to 1 h.
    pub interval: Duration,
    /// Which workers come first.
    pub order: TopOrder,
    /// How often text is printed; none where it is not said.
    pub count: Option<u32>,
    /// Whether text is printed on a terminal too.
    pub plain: bool,
}

/// By what workers are ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TopOrder {
    /// By their numbers.
    Worker,
    /// Those first that answer most requests.
    Requests,
    /// Those first that compute most.
    Cpu,
    /// The largest first.
    Memory,
    /// Those first of which most threads are in requests.
    Busy,
}

impl Default for TopOptions {
    fn default() -> TopOptions {
        TopOptions { interval: Duration::from_secs(1), order: TopOrder::Worker, count: None, plain: false }
    }
}

/// Whether this is the name of one of them.
pub(super) fn is_flag(name: &str) -> bool {
    matches!(name, "interval" | "sort" | "count" | "once" | "plain")
}

/// How they are written, and what they do.
pub(crate) const HELP: [(&str, &str); 5] = [
    ("    --interval TIME", "From one look to the next, 0.1 s to 1 h [default: 1 s]"),
    ("    --sort COLUMN", "Order workers by worker, requests, cpu, memory or busy [default: worker]"),
    ("    --once", "Print text once, also on a terminal"),
    ("    --count NUMBER", "Print text so many times, an interval apart"),
    ("    --plain", "Print text and not a screen, as is done where the output is no terminal"),
];

impl TopOptions {
    /// Takes one of them from the command line, with its value where it has one.
    pub(super) fn set(&mut self, name: &str, parser: &mut Parser) -> Result<(), ConfigError> {
        let flag = format!("--{name}");
        let value = |parser: &mut Parser| {
            let text = parser.value().and_then(|value| value.string());
            text.map_err(|_| ConfigError::new(format!("{flag} needs a value")))
        };
        match name {
            "interval" => self.interval = interval(&value(parser)?)?,
            "sort" => self.order = order(&value(parser)?)?,
            "count" => self.count = Some(count(&value(parser)?)?),
            "once" => self.count = Some(1),
            _ => self.plain = true,
        }
        Ok(())
    }

    /// Whether text is asked for.
    pub fn is_plain(&self) -> bool {
        self.plain || self.count.is_some()
    }
}

fn wrong(flag: &str, text: &str, expected: &str) -> ConfigError {
    ConfigError::new(format!("{flag}: {text:?} is not {expected}"))
        .hint("tapster top --help lists what there is")
}

fn interval(text: &str) -> Result<Duration, ConfigError> {
    let found = values::duration(text).ok().filter(|time| (INTERVALS[0]..=INTERVALS[1]).contains(time));
    found.ok_or_else(|| wrong("--interval", text, "a time from 0.1s to 1h"))
}

fn count(text: &str) -> Result<u32, ConfigError> {
    let found = text.parse().ok().filter(|count| *count > 0);
    found.ok_or_else(|| wrong("--count", text, "a number of 1 or more"))
}

fn order(text: &str) -> Result<TopOrder, ConfigError> {
    Ok(match text {
        "worker" => TopOrder::Worker,
        "requests" => TopOrder::Requests,
        "cpu" => TopOrder::Cpu,
        "memory" => TopOrder::Memory,
        "busy" => TopOrder::Busy,
        _ => return Err(wrong("--sort", text, "worker, requests, cpu, memory or busy")),
    })
}
