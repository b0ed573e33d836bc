//! Metrics as statsd's lines. Counters are sent as what came since the last time, times as their number, mean and percentiles.

use std::collections::HashMap;

use tapster_config::Statsd;
use tapster_observe::Histogram;
use tapster_observe::exposition::{Family, Kind, Labels, Sample, Value};

/// The shares of requests whose longest time is sent.
const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)];

/// Makes the lines, and knows what was sent before.
#[derive(Debug)]
pub struct Lines {
    prefix: String,
    /// Tags of every line; none where the server knows no tags (plain statsd).
    tags: Option<String>,
    counts: HashMap<String, f64>,
    times: HashMap<String, Histogram>,
}

impl Lines {
    /// Nothing was sent yet.
    pub fn new(settings: &Statsd) -> Lines {
        Lines {
            prefix: settings.prefix.clone(),
            tags: settings.has_tags.then(|| settings.tags.join(",")),
            counts: HashMap::new(),
            times: HashMap::new(),
        }
    }

    /// The lines for what these say, and for what they say besides what they said the last time.
    pub fn since_last(&mut self, families: &[Family]) -> Vec<String> {
        let mut lines = Vec::new();
        for family in families {
            for Sample { labels, value } in &family.samples {
                self.add(&mut lines, family, labels, value);
            }
        }
        lines
    }

    fn add(&mut self, lines: &mut Vec<String>, family: &Family, labels: &Labels, value: &Value) {
        let own = family.name.strip_prefix("tapster_").unwrap_or(family.name);
        let key = self.line(own, labels, "");
        let number = match value {
            Value::Times(times) => return self.add_times(lines, own, labels, times),
            Value::Count(count) => *count as f64,
            Value::Number(number) => *number,
        };
        if family.kind != Kind::Counter {
            return lines.push(self.line(own, labels, &format!("{number}|g")));
        }
        let before = self.counts.insert(key, number).unwrap_or(0.0);
        // What is counted for a process is less when that is another one.
        let more = if number < before { number } else { number - before };
        if more > 0.0 {
            lines.push(self.line(own, labels, &format!("{more}|c")));
        }
    }

    fn add_times(&mut self, lines: &mut Vec<String>, own: &str, labels: &Labels, times: &Histogram) {
        let before = self.times.insert(self.line(own, labels, ""), *times).unwrap_or_default();
        let new = times.since(&before);
        let count = new.count();
        if count == 0 {
            return;
        }
        let name = own.strip_suffix("_seconds").unwrap_or(own);
        lines.push(self.line(&format!("{name}.count"), labels, &format!("{count}|c")));
        let millis = |seconds: f64| format!("{:.3}|g", seconds * 1e3);
        lines.push(self.line(&format!("{name}.mean"), labels, &millis(new.seconds() / count as f64)));
        for (part, share) in PERCENTILES {
            let seconds = new.quantile(share).unwrap_or(0.0);
            lines.push(self.line(&format!("{name}.{part}"), labels, &millis(seconds)));
        }
    }

    /// `prefix.name:value`, with the labels as tags, or as further parts of the name.
    fn line(&self, name: &str, labels: &Labels, value: &str) -> String {
        let dot = if self.prefix.is_empty() { "" } else { "." };
        let mut line = format!("{}{dot}{name}", self.prefix);
        let Some(common) = &self.tags else {
            labels.iter().for_each(|(_, value)| {
                line.push('.');
                line.push_str(&cleaned(value));
            });
            return format!("{line}:{value}");
        };
        let own = labels.iter().map(|(name, value)| format!("{name}:{}", cleaned(value)));
        let all: Vec<_> = own.chain((!common.is_empty()).then(|| common.clone())).collect();
        let tags = if all.is_empty() { String::new() } else { format!("|#{}", all.join(",")) };
        format!("{line}:{value}{tags}")
    }
}

/// Without what separates the parts of a line.
fn cleaned(value: &str) -> String {
    value
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(tags: Option<&[&str]>) -> Statsd {
        Statsd {
            prefix: "app".to_owned(),
            has_tags: tags.is_some(),
            tags: tags.unwrap_or_default().iter().map(|tag| (*tag).to_owned()).collect(),
            ..Statsd::default()
        }
    }

    fn counter(count: u64) -> Vec<Family> {
        let labels = vec![("status", "200".to_owned()), ("listener", "[::1]:80".to_owned())];
        vec![Family::new(Kind::Counter, "tapster_requests", "").with(labels, Value::Count(count))]
    }

    #[test]
    fn counters_are_what_came_since_the_last_time() {
        let mut lines = Lines::new(&settings(None));
        assert_eq!(lines.since_last(&counter(5)), ["app.requests.200.___1__80:5|c"]);
        assert_eq!(lines.since_last(&counter(7)), ["app.requests.200.___1__80:2|c"]);
        assert_eq!(lines.since_last(&counter(7)), Vec::<String>::new());
        assert_eq!(lines.since_last(&counter(1)), ["app.requests.200.___1__80:1|c"]);
    }

    #[test]
    fn labels_are_tags_where_there_are_any() {
        let mut lines = Lines::new(&settings(Some(&["env:test"])));
        assert_eq!(
            lines.since_last(&counter(5)),
            ["app.requests:5|c|#status:200,listener:___1__80,env:test"]
        );
        let gauge = [Family::new(Kind::Gauge, "tapster_ready", "").with(Vec::new(), Value::Count(1))];
        assert_eq!(Lines::new(&settings(Some(&[]))).since_last(&gauge), ["app.ready:1|g"]);
    }

    #[test]
    fn times_are_a_number_a_mean_and_percentiles() {
        let mut times = Histogram { nanos: 8_000_000, ..Histogram::default() };
        times.buckets[4] = 4;
        let family = |times: Histogram| {
            [Family::new(Kind::Histogram, "tapster_request_app_seconds", "")
                .with(Vec::new(), Value::Times(Box::new(times)))]
        };
        let mut lines = Lines::new(&settings(None));
        let found = lines.since_last(&family(times));
        assert_eq!(found[..2], ["app.request_app.count:4|c", "app.request_app.mean:2.000|g"]);
        assert!(found[2].starts_with("app.request_app.p50:1.7"), "{found:?}");
        assert_eq!(found.len(), 5);
        assert!(lines.since_last(&family(times)).is_empty());
    }
}
