//! What the dashboard shows, as server-sent events: the last quarter of an hour at once, then what happens second by second. Made
//! by the supervisor in its own loop, only where there is an admin listener; what is sent is made only if somebody follows.

mod events;
mod point;

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tapster_observe::recent::Topic;
use tapster_observe::{Log, Recent};

use super::history::History;
use super::live::{Reading, Sample};

use events::{Entries, Now, Points, ReloadEntry};
use point::Point;

/// Time since the supervisor started.
type Time = Duration;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);
/// Seconds that are kept: a quarter of an hour.
const KEPT: usize = 15 * 60;

/// What was seen.
#[derive(Debug)]
pub struct Dashboard {
    /// What the ids of events of this server begin with.
    name: String,
    started: SystemTime,
    recent: Option<Recent>,
    /// Whether orders can be given.
    takes_orders: bool,
    next: Time,
    last: Option<Reading>,
    sample: Option<Sample>,
    /// What is drawn, encoded, with its number; the oldest first.
    points: VecDeque<(u64, String)>,
    number: u64,
    /// What was sent to those who follow: messages, slow requests and reloads.
    told: [u64; 3],
}

impl Dashboard {
    /// Has seen nothing yet.
    pub fn new(started: SystemTime, log: &Log, takes_orders: bool) -> Dashboard {
        let micros = started.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Dashboard {
            name: format!("{micros:x}"),
            started,
            recent: log.recent().cloned(),
            takes_orders,
            next: Time::ZERO,
            last: None,
            sample: None,
            points: VecDeque::new(),
            number: 0,
            told: [0; 3],
        }
    }

    /// When it is to look again.
    pub fn next(&self) -> Time {
        self.next
    }

    /// Looks, if it is time. Says whether it did.
    pub fn look(&mut self, now: Time, reading: impl FnOnce() -> Reading) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + INTERVAL;
        let reading = reading();
        let sample = self.last.as_ref().and_then(|before| Sample::between(before, &reading));
        self.last = Some(reading);
        let Some(sample) = sample else { return false };
        self.number += 1;
        if self.points.len() == KEPT {
            self.points.pop_front();
        }
        self.points.push_back((self.number, events::json(&Point::of(&sample))));
        self.sample = Some(sample);
        true
    }

    /// What has come since the last time that this was called, for those who follow.
    pub fn news(&mut self, history: &History) -> Vec<u8> {
        let before = self.told;
        let mut out = self.lists(history, before, false);
        self.told = self.counts(history);
        self.write_now(&mut out);
        out
    }

    /// The first events for somebody who had the one with this id last.
    pub fn opening(&self, history: &History, last_id: Option<&str>) -> Vec<u8> {
        let mut out = events::retry();
        let number = last_id.and_then(|id| id.strip_prefix(&self.name)?.strip_prefix('-')?.parse().ok());
        let known: u64 = number.unwrap_or(0);
        let lines = self.points.iter().filter(|(number, _)| *number > known).map(|(_, line)| line.as_str());
        let points = Points { resumed: number.is_some(), points: lines };
        events::write(&mut out, "history", Some(&self.id()), &points.json());
        out.extend(self.lists(history, [0; 3], true));
        self.write_now(&mut out);
        out
    }

    fn id(&self) -> String {
        format!("{}-{}", self.name, self.number)
    }

    fn counts(&self, history: &History) -> [u64; 3] {
        let noted = |topic| self.recent.as_ref().map_or(0, |recent| recent.noted(topic));
        let reloads = history.reloads + history.failed_reloads;
        [noted(Topic::Messages), noted(Topic::SlowRequests), reloads]
    }

    /// Of each list what is new since it had so many entries, or all.
    fn lists(&self, history: &History, told: [u64; 3], all: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let counts = self.counts(history);
        for (place, name, topic) in [(0, "messages", Topic::Messages), (1, "slow", Topic::SlowRequests)] {
            if all || counts[place] > told[place] {
                let entries = self.recent.as_ref().map_or_else(Vec::new, |recent| recent.read(topic));
                let entries = Entries::new(all, entries.into_iter().filter(|one| one.number >= told[place]));
                events::write(&mut out, name, None, &events::json(&entries));
            }
        }
        if all || counts[2] > told[2] {
            let entries = history.ended_reloads.iter().rev().map(|end| ReloadEntry::new(end, self.started));
            events::write(&mut out, "reloads", None, &events::json(&entries.collect::<Vec<_>>()));
        }
        out
    }

    fn write_now(&self, out: &mut Vec<u8>) {
        let (Some(reading), Some(sample), Some((_, point))) = (&self.last, &self.sample, self.points.back())
        else {
            return;
        };
        let now = Now::new(reading, sample, self.takes_orders);
        events::write(out, "second", Some(&self.id()), &now.json(point));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log::new(tapster_observe::LogOptions::default())
    }

    fn reading(seconds: u64, requests: u64) -> Reading {
        let mut reading = Reading { time: seconds as f64, ..Reading::default() };
        reading.status.uptime = seconds as f64;
        reading.status.totals.requests = requests;
        reading.status.totals.statuses.insert("2xx".to_owned(), requests);
        reading
    }

    fn second(number: u64) -> Time {
        Duration::from_secs(number)
    }

    fn watch(seconds: u64) -> Dashboard {
        let mut dashboard = Dashboard::new(UNIX_EPOCH + second(16), &log(), false);
        for number in 0..=seconds {
            assert_eq!(dashboard.look(second(number), || reading(number, number * 3)), number > 0);
        }
        dashboard
    }

    /// The points of the first event.
    fn points(events: &[u8]) -> Vec<serde_json::Value> {
        let text = std::str::from_utf8(events).unwrap();
        let data =
            text.split("event: history\n").nth(1).unwrap().lines().find_map(|l| l.strip_prefix("data: "));
        let mut history: serde_json::Value = serde_json::from_str(data.unwrap()).unwrap();
        serde_json::from_value(history["points"].take()).unwrap()
    }

    #[test]
    fn a_look_is_taken_every_second() {
        let mut dashboard = watch(2);
        assert_eq!(dashboard.next(), second(3));
        assert!(!dashboard.look(Duration::from_millis(2500), || unreachable!()));
    }

    #[test]
    fn a_quarter_of_an_hour_is_kept() {
        let all = points(&watch(1000).opening(&History::default(), None));
        assert_eq!(
            (all.len(), all[0]["t"].as_f64(), all[899]["t"].as_f64()),
            (900, Some(101.0), Some(1000.0))
        );
        assert_eq!(all[0]["r"].as_f64(), Some(3.0));
    }

    #[test]
    fn who_comes_again_gets_what_it_missed() {
        let mut dashboard = watch(10);
        let id = dashboard.id();
        assert_eq!(id, "f42400-10");
        for number in 11..=13 {
            dashboard.look(second(number), || reading(number, 0));
        }
        assert_eq!(points(&dashboard.opening(&History::default(), Some(&id))).len(), 3);
        for other in ["", "abc-10", "f42400-", "f42400-x", "f42400"] {
            assert_eq!(points(&dashboard.opening(&History::default(), Some(other))).len(), 13, "{other}");
        }
        assert_eq!(points(&dashboard.opening(&History::default(), Some("f42400-99"))).len(), 0);
    }

    #[test]
    fn news_are_told_once() {
        use crate::Report;
        let mut dashboard = watch(3);
        let mut history = History::default();
        let told = |events: Vec<u8>| String::from_utf8(events).unwrap().matches("event: reloads").count();
        assert_eq!(told(dashboard.news(&history)), 0);
        history.note(&Report::Reloading, second(1));
        history.note(&Report::Reloaded(second(0)), second(2));
        assert_eq!(told(dashboard.news(&history)), 1);
        assert_eq!(told(dashboard.news(&history)), 0);
        assert_eq!(told(dashboard.opening(&history, None)), 1);
    }
}
