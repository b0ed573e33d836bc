//! Times as the log writes them, in UTC: the log of a server must mean the same on every machine and in every season.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

const DAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];

/// Bytes of a time in the common log format, until the year 10000.
pub(crate) const COMMON_LENGTH: usize = 26;

/// A time split into the parts that people read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timestamp {
    year: u32,
    /// 1 to 12.
    month: u32,
    /// 1 to 31.
    day: u32,
    second_of_day: u32,
    millis: u32,
    /// Days since 1970-01-01, a Thursday.
    days: u32,
}

impl Timestamp {
    /// A time before 1970 shows as 1970.
    pub(crate) fn of(time: SystemTime) -> Timestamp {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let days = (since.as_secs() / 86_400) as u32;
        let (year, month, day) = civil_date(days);
        let second_of_day = (since.as_secs() % 86_400) as u32;
        Timestamp { year, month, day, second_of_day, millis: since.subsec_millis(), days }
    }

    /// `2026-11-22 07:30:00.123 +0000`
    pub(crate) fn write_full(self, out: &mut Vec<u8>) {
        self.write_date(out);
        out.push(b' ');
        self.write_clock(out);
        out.push(b'.');
        digits::<3>(out, self.millis);
        out.extend_from_slice(b" +0000");
    }

    /// `2026-11-22T07:30:00.123Z` (RFC 3339)
    pub(crate) fn write_iso(self, out: &mut Vec<u8>) {
        self.write_date(out);
        out.push(b'T');
        self.write_clock(out);
        out.push(b'.');
        digits::<3>(out, self.millis);
        out.push(b'Z');
    }

    /// `Sun Nov 22 07:30:00 2026`, as C writes it.
    pub(crate) fn write_ctime(self, out: &mut Vec<u8>) {
        out.extend_from_slice(DAYS[self.days as usize % 7]);
        out.push(b' ');
        self.write_month_to_second(out);
        out.push(b' ');
        digits::<4>(out, self.year);
    }

    /// `Nov 22 07:30:00`, with a space before a day of one digit.
    fn write_month_to_second(self, out: &mut Vec<u8>) {
        out.extend_from_slice(MONTHS[self.month as usize - 1]);
        out.push(b' ');
        if self.day < 10 {
            out.push(b' ');
            digits::<1>(out, self.day);
        } else {
            digits::<2>(out, self.day);
        }
        out.push(b' ');
        self.write_clock(out);
    }

    fn write_date(self, out: &mut Vec<u8>) {
        digits::<4>(out, self.year);
        out.push(b'-');
        digits::<2>(out, self.month);
        out.push(b'-');
        digits::<2>(out, self.day);
    }

    /// `22/Nov/2026:07:30:00 +0000`, as the common log format of web servers has it.
    pub(crate) fn write_common(self, out: &mut Vec<u8>) {
        digits::<2>(out, self.day);
        out.push(b'/');
        out.extend_from_slice(MONTHS[self.month as usize - 1]);
        out.push(b'/');
        digits::<4>(out, self.year);
        out.push(b':');
        self.write_clock(out);
        out.extend_from_slice(b" +0000");
    }

    /// `07:30:00`
    pub(crate) fn write_clock(self, out: &mut Vec<u8>) {
        digits::<2>(out, self.second_of_day / 3600);
        out.push(b':');
        digits::<2>(out, self.second_of_day / 60 % 60);
        out.push(b':');
        digits::<2>(out, self.second_of_day % 60);
    }
}

/// Year, month and day of a number of days since 1970-01-01. Counts in years that begin in March, so that a leap day
/// is the last day of its year, and in eras of 400 years, which are all of one length.
fn civil_date(days: u32) -> (u32, u32, u32) {
    const ERA_DAYS: u32 = 146_097;
    let days = days + 719_468;
    let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2), month, day)
}

fn digits<const COUNT: usize>(out: &mut Vec<u8>, mut number: u32) {
    let mut text = [b'0'; COUNT];
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(seconds: u64, write: impl FnOnce(Timestamp, &mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(Timestamp::of(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7)), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_times_are_written_right() {
        let full = |seconds| text(seconds, Timestamp::write_full);
        assert_eq!(full(0), "1970-01-01 00:00:00.007 +0000");
        assert_eq!(full(951_782_399), "2000-02-28 23:59:59.007 +0000");
        assert_eq!(full(951_782_400), "2000-02-29 00:00:00.007 +0000");
        assert_eq!(full(1_795_332_600), "2026-11-22 07:30:00.007 +0000");
        assert_eq!(full(4_107_542_399), "2100-02-28 23:59:59.007 +0000");
        assert_eq!(full(4_107_542_400), "2100-03-01 00:00:00.007 +0000");
        assert_eq!(text(1_795_332_600, Timestamp::write_common), "22/Nov/2026:07:30:00 +0000");
        assert_eq!(text(1_795_332_600, Timestamp::write_common).len(), COMMON_LENGTH);
        assert_eq!(text(1_795_332_600, Timestamp::write_clock), "07:30:00");
        assert_eq!(text(1_795_332_600, Timestamp::write_iso), "2026-11-22T07:30:00.007Z");
        assert_eq!(text(1_795_332_600, Timestamp::write_ctime), "Sun Nov 22 07:30:00 2026");
        assert_eq!(text(0, Timestamp::write_ctime), "Thu Jan  1 00:00:00 1970");
    }

    #[test]
    fn every_day_of_four_centuries_follows_the_day_before() {
        let length = |year: u32, month: u32| match month {
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let mut expected = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(civil_date(days), expected, "day {days}");
            let (year, month, day) = expected;
            expected = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                _ if day == length(year, month) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn a_clock_before_1970_is_not_a_failure() {
        assert_eq!(Timestamp::of(UNIX_EPOCH - Duration::from_secs(5)), Timestamp::of(UNIX_EPOCH));
    }
}
