//! The access log: which requests are written, and what a line of it looks like.

use std::io::Write;
use std::time::{Duration, SystemTime};

use crate::escape::quoted;
use crate::line::{Record, Style};
use crate::timestamp::Timestamp;

/// A request that took this long is written even where only failures are.
pub const SLOW: Duration = Duration::from_secs(30);

/// The most bytes of a request target that a line shows, escapes counted. With five other fields of [`FIELD`] bytes
/// and the numbers, a line stays within what a pipe takes in one piece.
const TARGET: usize = 2048;
/// The most bytes of any other field that a line shows.
const FIELD: usize = 384;

/// Which requests `--access-log` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AccessMode {
    /// All on a terminal; elsewhere 5xx and slow ones.
    #[default]
    Auto,
    /// All.
    On,
    /// None.
    Off,
}

/// Decides which requests are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AccessPolicy {
    /// All.
    All,
    /// Those with a status of 500 or more, and those that took [`SLOW`] or longer.
    FailedAndSlow,
    /// None.
    None,
}

impl AccessPolicy {
    /// What a mode means for an output that a person reads, or not.
    pub const fn new(mode: AccessMode, terminal: bool) -> AccessPolicy {
        match (mode, terminal) {
            (AccessMode::On, _) | (AccessMode::Auto, true) => AccessPolicy::All,
            (AccessMode::Auto, false) => AccessPolicy::FailedAndSlow,
            (AccessMode::Off, _) => AccessPolicy::None,
        }
    }

    /// Whether a request with this status that took this long is written.
    pub fn wants(self, status: u16, duration: Duration) -> bool {
        match self {
            AccessPolicy::All => true,
            AccessPolicy::FailedAndSlow => status >= 500 || duration >= SLOW,
            AccessPolicy::None => false,
        }
    }
}

/// One answered request. What came from the client is given as it came: the line escapes it.
#[derive(Clone, Copy, Debug)]
pub struct AccessEvent<'a> {
    /// The client's address; empty for a unix socket.
    pub peer: &'a [u8],
    /// The method; empty when the request was refused before it was known.
    pub method: &'a [u8],
    /// The request target (path and query) as the client sent it.
    pub target: &'a [u8],
    /// `HTTP/1.1`.
    pub protocol: &'a [u8],
    /// The status of the answer.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// From the complete request to the answer.
    pub duration: Duration,
    /// What names the request, where requests have names.
    pub request_id: Option<&'a [u8]>,
    /// The `Referer` field.
    pub referer: Option<&'a [u8]>,
    /// The `User-Agent` field.
    pub user_agent: Option<&'a [u8]>,
}

impl AccessEvent<'_> {
    /// Appends the line: the combined format of Apache and nginx and, after it, the duration in seconds. At a
    /// terminal it is time, client, request, status, bytes and milliseconds.
    pub(crate) fn write(&self, record: &mut Record, style: Style) {
        match style {
            Style::Full => self.write_combined(record),
            Style::Short => self.write_short(record),
        }
    }

    fn write_combined(&self, record: &mut Record) {
        self.write_peer(record);
        record.raw().extend_from_slice(b" - - [");
        Timestamp::of(SystemTime::now()).write_common(record.raw());
        record.raw().extend_from_slice(b"] ");
        self.write_request(record);
        write_number(record, format_args!(" {} {} ", self.status, self.bytes));
        write_field(record, self.referer);
        record.raw().push(b' ');
        write_field(record, self.user_agent);
        write_number(record, format_args!(" {:.6}", self.duration.as_secs_f64()));
    }

    fn write_short(&self, record: &mut Record) {
        Timestamp::of(SystemTime::now()).write_clock(record.raw());
        record.raw().extend_from_slice(b"Z ");
        self.write_peer(record);
        record.raw().push(b' ');
        self.write_request(record);
        let millis = self.duration.as_secs_f64() * 1000.0;
        write_number(record, format_args!(" {} {} {millis:.1}ms", self.status, self.bytes));
    }

    fn write_peer(&self, record: &mut Record) {
        quoted(record, if self.peer.is_empty() { b"-" } else { self.peer }, FIELD);
    }

    fn write_request(&self, record: &mut Record) {
        record.raw().push(b'"');
        quoted(record, if self.method.is_empty() { b"-" } else { self.method }, FIELD);
        for (field, limit) in [(self.target, TARGET), (self.protocol, FIELD)] {
            if !field.is_empty() {
                record.raw().push(b' ');
                quoted(record, field, limit);
            }
        }
        record.raw().push(b'"');
    }
}

fn write_field(record: &mut Record, field: Option<&[u8]>) {
    record.raw().push(b'"');
    quoted(record, field.filter(|field| !field.is_empty()).unwrap_or(b"-"), FIELD);
    record.raw().push(b'"');
}

fn write_number(record: &mut Record, number: std::fmt::Arguments<'_>) {
    // Writing to memory does not fail.
    let _ = record.raw().write_fmt(number);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::line::MAX_LINE;

    fn event<'a>(target: &'a [u8], user_agent: Option<&'a [u8]>) -> AccessEvent<'a> {
        AccessEvent {
            peer: b"127.0.0.1",
            method: b"GET",
            target,
            protocol: b"HTTP/1.1",
            status: 200,
            bytes: 12,
            duration: Duration::from_micros(812),
            request_id: None,
            referer: None,
            user_agent,
        }
    }

    fn line(event: &AccessEvent<'_>, style: Style) -> String {
        let mut record = Record::default();
        event.write(&mut record, style);
        String::from_utf8(record.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_line_is_the_combined_format_and_the_seconds() {
        let line = line(&event(b"/a?b=1", Some(b"curl/8 \"\x1b")), Style::Full);
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        let rest = r#" +0000] "GET /a?b=1 HTTP/1.1" 200 12 "-" "curl/8 \x22\x1b" 0.000812"#;
        assert!(line.ends_with(rest), "{line}");
    }

    #[test]
    fn a_terminal_shows_what_matters() {
        let line = line(&event(b"/", None), Style::Short);
        assert!(line.ends_with(r#"Z 127.0.0.1 "GET / HTTP/1.1" 200 12 0.8ms"#), "{line}");
    }

    #[test]
    fn a_request_nobody_could_read_still_has_a_line() {
        let refused = AccessEvent { peer: b"", method: b"", target: b"", protocol: b"", ..event(b"", None) };
        assert!(line(&refused, Style::Full).contains(r#"- - - ["#));
        assert!(line(&refused, Style::Full).contains(r#"] "-" 200"#));
    }

    #[test]
    fn auto_shows_all_at_a_terminal_and_failures_elsewhere() {
        let fast = Duration::from_millis(1);
        assert!(AccessPolicy::new(AccessMode::Auto, true).wants(200, fast));
        let quiet = AccessPolicy::new(AccessMode::Auto, false);
        assert!(!quiet.wants(404, fast) && quiet.wants(500, fast) && quiet.wants(200, SLOW));
        assert!(AccessPolicy::new(AccessMode::On, false).wants(200, fast));
        assert!(!AccessPolicy::new(AccessMode::Off, true).wants(500, SLOW));
    }

    proptest! {
        #[test]
        fn any_request_fits_one_line(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
            let mut event = event(&bytes, Some(&bytes));
            event.referer = Some(&bytes);
            (event.method, event.protocol, event.peer) = (&bytes, &bytes, &bytes);
            for style in [Style::Full, Style::Short] {
                let line = line(&event, style);
                prop_assert!(line.len() < MAX_LINE && !line.contains('\n'));
            }
        }
    }
}
