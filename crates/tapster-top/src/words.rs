//! Numbers as people read them: as short as they can be told apart.

/// A number with its noun.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A long time, in its two largest units.
pub fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

/// How long something has run, to tenths of a second while that is short.
pub fn elapsed(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { duration(seconds) }
}

/// How long a request took, in three digits; a dash where there was none.
pub fn time(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "-".to_owned() };
    match seconds {
        short if short < 0.000_999_5 => format!("{:.0} µs", short * 1e6),
        short if short < 0.999_5 => format!("{} ms", digits(short * 1e3)),
        long if long < 99.95 => format!("{} s", digits(long)),
        long => duration(long),
    }
}

/// So many a second.
pub fn rate(per_second: f64) -> String {
    match per_second {
        few if few < 9_999.5 => digits(few),
        many if many < 999_500.0 => format!("{}k", digits(many / 1e3)),
        many => format!("{}M", digits(many / 1e6)),
    }
}

/// Bytes, in three digits.
pub fn bytes(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes as f64;
    let mut name = "B";
    for unit in units {
        if scaled < 999.5 {
            break;
        }
        (scaled, name) = (scaled / 1024.0, unit);
    }
    format!("{} {name}", digits(scaled))
}

/// Percent, of which there may be more than a hundred; a dash where nobody knows.
pub fn percent(percent: Option<f64>) -> String {
    percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.0} %"))
}

/// Whole from ten on.
fn digits(number: f64) -> String {
    let tenths = (number * 10.0).round();
    if tenths < 100.0 && tenths % 10.0 != 0.0 { format!("{number:.1}") } else { format!("{number:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_or_so() {
        assert_eq!(
            [0.000_05, 0.001, 0.009_96, 0.25, 0.999_9, 12.34, 99.99].map(|seconds| time(Some(seconds))),
            ["50 µs", "1 ms", "10 ms", "250 ms", "1 s", "12 s", "1 min 39 s"]
        );
        assert_eq!(time(None), "-");
        let rates = [0.0, 0.25, 9.94, 9.97, 1234.5, 12_345.0, 1_250_000.0].map(rate);
        assert_eq!(rates, ["0", "0.2", "9.9", "10", "1234", "12k", "1.2M"]);
        let sizes = [0, 999, 1000, 1 << 20, 150 << 20, (3 << 30) / 2].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "1 KiB", "1 MiB", "150 MiB", "1.5 GiB"]);
        assert_eq!([percent(Some(12.6)), percent(None)], ["13 %", "-"]);
    }

    #[test]
    fn long_times_have_two_units() {
        let long = [59.0, 61.0, 7_260.0, 200_000.0].map(duration);
        assert_eq!(long, ["59 s", "1 min 1 s", "2 h 1 min", "2 d 7 h"]);
        assert_eq!([elapsed(3.44), elapsed(75.0)], ["3.4 s", "1 min 15 s"]);
    }
}
