//! Metrics as programs read them: families of samples, and their texts in the two formats of Prometheus. Pure: whoever has the
//! numbers puts them in.

use std::fmt::Write;

use crate::histogram::{BOUNDS_MICROS, Histogram};

/// Which text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Prometheus' text format 0.0.4, which every reader knows.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that an `Accept` field asks for: OpenMetrics for those who name it, unless they like plain text better.
    pub fn accepted(accept: Option<&[u8]>) -> Format {
        let accept = accept.and_then(|accept| std::str::from_utf8(accept).ok()).unwrap_or_default();
        let weights = |wanted: fn(&str) -> bool| {
            accept.split(',').filter_map(move |range| {
                let mut parts = range.split(';').map(str::trim);
                let kind = parts.next()?.to_ascii_lowercase();
                let mut weight = 1.0;
                for part in parts {
                    if let Some(text) = part.strip_prefix("q=") {
                        weight = text.parse().unwrap_or(0.0);
                    }
                }
                wanted(&kind).then_some(weight)
            })
        };
        let best = |wanted| weights(wanted).fold(0.0_f64, f64::max);
        let open = best(|kind| kind == "application/openmetrics-text");
        match open > 0.0 && open >= best(|kind| kind == "text/plain") {
            true => Format::OpenMetrics,
            false => Format::Prometheus,
        }
    }

    /// The media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// What only grows, until the server starts anew.
    Counter,
    /// What is now.
    Gauge,
    /// Times in buckets.
    Histogram,
    /// What does not change, in labels.
    Info,
}

/// The value of a sample.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// A whole number.
    Count(u64),
    /// Another number.
    Number(f64),
    /// A histogram of times, in seconds.
    Times(Box<Histogram>),
}

/// Names and values that tell the samples of a family apart.
pub type Labels = Vec<(&'static str, String)>;

/// One sample.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample {
    /// What it is about.
    pub labels: Labels,
    /// The value.
    pub value: Value,
}

/// A metric with all its samples.
#[derive(Clone, PartialEq, Debug)]
pub struct Family {
    /// Its name, without `_total` or `_info`: the formats add them.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// What it is, for programs.
    pub kind: Kind,
    /// Its samples; a family may have none.
    pub samples: Vec<Sample>,
}

impl Family {
    /// A family without samples.
    pub fn new(kind: Kind, name: &'static str, help: &'static str) -> Family {
        Family { name, help, kind, samples: Vec::new() }
    }

    /// The same with one sample more.
    #[must_use]
    pub fn with(mut self, labels: Labels, value: Value) -> Family {
        self.samples.push(Sample { labels, value });
        self
    }

    /// The same with these counts.
    #[must_use]
    pub fn with_all(mut self, samples: impl IntoIterator<Item = (Labels, Value)>) -> Family {
        self.samples.extend(samples.into_iter().map(|(labels, value)| Sample { labels, value }));
        self
    }

    /// The unit, which by the rules of the formats is the last word of the name.
    fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes"]
            .into_iter()
            .find(|unit| self.name.strip_suffix(unit).is_some_and(|before| before.ends_with('_')))
    }

    fn ending(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        }
    }

    fn write(&self, out: &mut String, format: Format) {
        let open = format == Format::OpenMetrics;
        let ending = self.ending();
        let family = if open { "" } else { ending };
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Histogram => "histogram",
            Kind::Info if open => "info",
            Kind::Gauge | Kind::Info => "gauge",
        };
        // Writing to memory does not fail; nor do the others of this file.
        let _ =
            writeln!(out, "# HELP {}{family} {}\n# TYPE {}{family} {kind}", self.name, self.help, self.name);
        if let Some(unit) = self.unit().filter(|_| open) {
            let _ = writeln!(out, "# UNIT {} {unit}", self.name);
        }
        for Sample { labels, value } in &self.samples {
            if let Value::Times(times) = value {
                self.write_times(out, labels, times, open);
                continue;
            }
            let _ = write!(out, "{}{ending}", self.name);
            write_labels(out, labels, None);
            let _ = match value {
                Value::Number(number) => writeln!(out, " {number}"),
                Value::Count(count) => writeln!(out, " {count}"),
                Value::Times(_) => Ok(()),
            };
        }
    }

    fn write_times(&self, out: &mut String, labels: &Labels, times: &Histogram, open: bool) {
        let mut sum = 0;
        for (place, count) in times.buckets.iter().enumerate() {
            sum += count;
            let bound = BOUNDS_MICROS.get(place).map_or("+Inf".to_owned(), |micros| bound(*micros, open));
            let _ = write!(out, "{}_bucket", self.name);
            write_labels(out, labels, Some(&bound));
            let _ = writeln!(out, " {sum}");
        }
        let _ = write!(out, "{}_sum", self.name);
        write_labels(out, labels, None);
        let _ = write!(out, " {}\n{}_count", times.seconds(), self.name);
        write_labels(out, labels, None);
        let _ = writeln!(out, " {sum}");
    }
}

/// A bound in seconds. OpenMetrics wants to see that it is no integer.
fn bound(micros: u64, open: bool) -> String {
    let seconds = micros as f64 / 1e6;
    if open && micros.is_multiple_of(1_000_000) { format!("{seconds:.1}") } else { format!("{seconds}") }
}

fn write_labels(out: &mut String, labels: &Labels, bound: Option<&str>) {
    let labels = labels.iter().map(|(name, value)| (*name, value.as_str()));
    let mut before = '{';
    for (name, value) in labels.chain(bound.map(|bound| ("le", bound))) {
        let _ = write!(out, "{before}{name}=\"");
        for letter in value.chars() {
            match letter {
                '\\' => out.push_str("\\\\"),
                '"' => out.push_str("\\\""),
                '\n' => out.push_str("\\n"),
                other => out.push(other),
            }
        }
        out.push('"');
        before = ',';
    }
    if before == ',' {
        out.push('}');
    }
}

/// The whole text.
pub fn text(families: &[Family], format: Format) -> String {
    let mut out = String::with_capacity(16 * 1024);
    families.iter().for_each(|family| family.write(&mut out, format));
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn families() -> Vec<Family> {
        let times = Histogram { nanos: 1_500_000_000, ..Histogram::default() };
        let mut times = Box::new(times);
        (times.buckets[12], times.buckets[19]) = (2, 1);
        vec![
            Family::new(Kind::Counter, "a_bytes", "Bytes.")
                .with(vec![("x", "1".to_owned())], Value::Count(3)),
            Family::new(Kind::Info, "a_build", "Build.").with(vec![("v", "2".to_owned())], Value::Count(1)),
            Family::new(Kind::Histogram, "a_seconds", "Times.").with(Vec::new(), Value::Times(times)),
        ]
    }

    #[test]
    fn prometheus_names_counters_by_their_samples() {
        let text = text(&families(), Format::Prometheus);
        for line in [
            "# HELP a_bytes_total Bytes.\n# TYPE a_bytes_total counter\na_bytes_total{x=\"1\"} 3\n",
            "# TYPE a_build_info gauge\na_build_info{v=\"2\"} 1\n",
            "a_seconds_bucket{le=\"0.5\"} 0\na_seconds_bucket{le=\"1\"} 2\n",
            "a_seconds_bucket{le=\"+Inf\"} 3\na_seconds_sum 1.5\na_seconds_count 3\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn openmetrics_names_families_and_units() {
        let text = text(&families(), Format::OpenMetrics);
        for line in [
            "# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total{x=\"1\"} 3\n",
            "# TYPE a_build info\na_build_info{v=\"2\"} 1\n",
            "a_seconds_bucket{le=\"1.0\"} 2\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_reader_gets_what_it_asks_for() {
        let accepted = |text: &str| Format::accepted(Some(text.as_bytes()));
        assert_eq!(Format::accepted(None), Format::Prometheus);
        assert_eq!(accepted("*/*"), Format::Prometheus);
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(accepted(prometheus), Format::OpenMetrics);
        assert_eq!(accepted("text/plain, application/openmetrics-text;q=0.1"), Format::Prometheus);
        assert_eq!(accepted("application/openmetrics-text;q=0"), Format::Prometheus);
    }

    proptest! {
        #[test]
        fn a_label_is_one_line_and_can_be_read_back(value in ".{0,30}") {
            let mut out = String::new();
            write_labels(&mut out, &vec![("a", value.clone())], None);
            prop_assert_eq!(out.lines().count(), 1);
            let inner = out.strip_prefix("{a=\"").and_then(|rest| rest.strip_suffix("\"}")).unwrap();
            let mut read = String::new();
            let mut letters = inner.chars();
            while let Some(letter) = letters.next() {
                read.push(match letter {
                    '\\' => if letters.clone().next() == Some('n') { letters.next(); '\n' } else { letters.next().unwrap() },
                    other => other,
                });
            }
            prop_assert_eq!(read, value);
        }

        #[test]
        fn any_accept_field_is_answered(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _some = Format::accepted(Some(&bytes));
        }
    }
}
