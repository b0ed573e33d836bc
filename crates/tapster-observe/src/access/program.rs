//! A format at work: the pieces of a line, one after the other, and nothing that they do not ask for.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::field::{Field, Metric};
use super::format::{AccessFormat, Piece, Shape};
use super::{AccessEvent, Details, FieldName, json};
use crate::WorkerBoard;
use crate::escape::quoted;
use crate::line::MAX_LINE;
use crate::timestamp::{COMMON_LENGTH, Timestamp};

/// The most bytes of a request target that a line shows, escapes counted. With five other fields of [`FIELD`] bytes
/// and the numbers, a line stays within what a pipe takes in one piece.
const TARGET: usize = 2048;
/// The most bytes of any other field that a line shows.
const FIELD: usize = 384;

/// What has to be kept of a request while it runs, so that a line can show it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// The head of the answer.
    pub response_head: bool,
    /// What the application says of the request for the log.
    pub log_variables: bool,
    /// Variables that the application may have changed.
    pub variables: Vec<String>,
}

/// Where a line is written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    pub(crate) pid: u32,
    /// The number of the worker, from 1; none elsewhere.
    pub(crate) worker: Option<usize>,
    pub(crate) board: Option<&'a WorkerBoard>,
}

impl AccessFormat {
    /// What has to be kept for it.
    pub(crate) fn needs(&self) -> Needs {
        let pieces = match &self.0 {
            Shape::Json => return Needs { log_variables: true, ..Needs::default() },
            Shape::Auto => return Needs::default(),
            Shape::Pieces(pieces) => pieces,
        };
        let mut needs = Needs::default();
        for piece in pieces {
            match piece {
                Piece::ResponseField(_)
                | Piece::Field(Field::HeadBytes | Field::AllBytes | Field::HeadFields) => {
                    needs.response_head = true;
                }
                Piece::LogVariable(_) => needs.log_variables = true,
                Piece::Variable(name) => needs.variables.push(name.clone()),
                Piece::Field(Field::User) => needs.variables.push("REMOTE_USER".to_owned()),
                Piece::Text(_) | Piece::Field(_) | Piece::Metric(_) | Piece::RequestField(_) => {}
            }
        }
        needs
    }

    /// Appends the line without its end, which is never longer than a line may be.
    pub(crate) fn write(&self, out: &mut Vec<u8>, event: &AccessEvent<'_>, place: Place<'_>) {
        let start = out.len();
        match &self.0 {
            Shape::Json => json::write(out, event, place),
            Shape::Pieces(pieces) => pieces.iter().for_each(|piece| piece.write(out, event, place)),
            Shape::Auto => {}
        }
        if out.len() - start >= MAX_LINE {
            out.truncate(start + MAX_LINE - 4);
            out.extend_from_slice(b"...");
        }
    }
}

impl Piece {
    fn write(&self, out: &mut Vec<u8>, event: &AccessEvent<'_>, place: Place<'_>) {
        let details = event.details;
        match self {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Field(field) => field.write(out, event, place),
            Piece::Metric(metric) => write_or_dash(out, place.board.map(|board| metric.of(board))),
            Piece::RequestField(name) => value(out, details.request_field(name).as_deref()),
            Piece::ResponseField(name) => value(out, field_of(details.response_head(), name)),
            Piece::Variable(name) => value(out, details.variable(name).as_deref()),
            Piece::LogVariable(name) => {
                let said = details.log_variables().iter().rev().find(|(known, _)| known == name);
                value(out, said.map(|(_, said)| said.as_slice()));
            }
        }
    }
}

impl Field {
    fn write(self, out: &mut Vec<u8>, event: &AccessEvent<'_>, place: Place<'_>) {
        let duration = event.duration;
        match self {
            Field::Nobody => out.push(b'-'),
            Field::Client => value(out, Some(event.peer)),
            Field::User => user(out, event.details),
            Field::Request => request(out, event),
            Field::Method => value(out, Some(event.method)),
            Field::Target => limited(out, Some(event.target), TARGET),
            Field::Path => limited(out, Some(split_target(event.target).0), TARGET),
            // gunicorn leaves it empty.
            Field::Query => quoted(out, split_target(event.target).1, TARGET),
            Field::Protocol => value(out, Some(event.protocol)),
            Field::Host => value(out, event.details.request_field(&HOST).as_deref()),
            Field::RequestBytes => value(out, event.details.request_field(&CONTENT_LENGTH).as_deref()),
            Field::Status => number(out, event.status.into()),
            Field::Bytes => number(out, event.bytes),
            Field::BytesOrDash => write_or_dash(out, Some(event.bytes).filter(|bytes| *bytes > 0)),
            Field::HeadBytes => number(out, event.details.response_head().len() as u64),
            Field::AllBytes => number(out, event.details.response_head().len() as u64 + event.bytes),
            Field::HeadFields => number(out, fields(event.details.response_head()).count() as u64),
            Field::Variables => number(out, event.details.variable_count() as u64),
            Field::Referer => value(out, event.referer),
            Field::UserAgent => value(out, event.user_agent),
            Field::RequestId => value(out, event.request_id),
            Field::Seconds => number(out, duration.as_secs()),
            Field::Millis => number(out, micros(duration) / 1000),
            Field::Micros => number(out, micros(duration)),
            Field::Duration => seconds(out, duration),
            Field::Tenths => {
                number(out, micros(duration) / 1000);
                out.extend_from_slice(&[b'.', b'0' + (micros(duration) / 100 % 10) as u8]);
            }
            Field::Queued => seconds(out, event.queued),
            Field::Application => match event.application {
                Some(time) => seconds(out, time),
                None => out.push(b'-'),
            },
            Field::Pid => number(out, place.pid.into()),
            Field::BracketedPid => {
                out.push(b'<');
                number(out, place.pid.into());
                out.push(b'>');
            }
            Field::Worker => write_or_dash(out, place.worker.map(|worker| worker as u64)),
            Field::Thread => write_or_dash(out, event.thread.map(|thread| thread as u64)),
            Field::Core => write_or_dash(out, event.thread.map(|thread| thread as u64 - 1)),
            _ => self.write_time(out, event.ended, duration),
        }
    }

    fn write_time(self, out: &mut Vec<u8>, now: SystemTime, duration: Duration) {
        let since = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let began = || since(now).saturating_sub(duration);
        match self {
            Field::BracketedTime => {
                out.push(b'[');
                common_time(out, now);
                out.push(b']');
            }
            Field::CommonTime => common_time(out, now),
            Field::IsoTime => Timestamp::of(now).write_iso(out),
            Field::CTime => Timestamp::of(now).write_ctime(out),
            Field::Clock => {
                Timestamp::of(now).write_clock(out);
                out.push(b'Z');
            }
            Field::Epoch => number(out, since(now).as_secs()),
            Field::BeganMillis => number(out, began().as_millis() as u64),
            Field::BeganMicros => number(out, began().as_micros() as u64),
            _ => number(out, began().as_secs()),
        }
    }
}

impl Metric {
    fn of(self, board: &WorkerBoard) -> u64 {
        match self {
            Metric::Requests => board.requests_total(),
            Metric::Refusals => board.refusals(),
            Metric::Connections => board.connections(),
            Metric::Waiting => board.waiting(),
            Metric::Busy => board.busy_threads() as u64,
            Metric::Restarts => board.restarts(),
            Metric::LinesDropped => board.lines_dropped(),
        }
    }
}

static HOST: LazyLock<FieldName> = LazyLock::new(|| FieldName::new("host"));
static CONTENT_LENGTH: LazyLock<FieldName> = LazyLock::new(|| FieldName::new("content-length"));
static AUTHORIZATION: LazyLock<FieldName> = LazyLock::new(|| FieldName::new("authorization"));

/// Who the application or the server before it says it is, else who the request says.
fn user(out: &mut Vec<u8>, details: &dyn Details) {
    match details.variable("REMOTE_USER").filter(|user| !user.is_empty()) {
        Some(user) => value(out, Some(&user)),
        None => {
            value(out, details.request_field(&AUTHORIZATION).and_then(|said| basic_user(&said)).as_deref())
        }
    }
}

/// The user of Basic credentials (RFC 7617 §2), which nobody here has checked. The password is not looked at.
fn basic_user(credentials: &[u8]) -> Option<Vec<u8>> {
    const SCHEME: &[u8] = b"basic ";
    let (scheme, text) = credentials.split_at_checked(SCHEME.len())?;
    let text = text.trim_ascii();
    // As much as a line shows and more, in whole groups of digits.
    let text = &text[..text.len().min(4 * FIELD)];
    let decoded = scheme.eq_ignore_ascii_case(SCHEME).then(|| STANDARD.decode(text).ok()).flatten()?;
    let end = decoded.iter().position(|byte| *byte == b':')?;
    Some(decoded[..end].to_vec())
}

/// A second's text serves all requests of that second.
fn common_time(out: &mut Vec<u8>, now: SystemTime) {
    thread_local! {
        static LAST: Cell<(u64, [u8; COMMON_LENGTH])> = const { Cell::new((u64::MAX, [0; COMMON_LENGTH])) };
    }
    let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let last = LAST.try_with(Cell::get).ok().filter(|(of, _)| *of == second);
    if let Some((_, text)) = last {
        return out.extend_from_slice(&text);
    }
    let start = out.len();
    Timestamp::of(now).write_common(out);
    if let Some(text) = out[start..].first_chunk() {
        // A thread that ends remembers nothing.
        let _gone = LAST.try_with(|last| last.set((second, *text)));
    }
}

fn request(out: &mut Vec<u8>, event: &AccessEvent<'_>) {
    value(out, Some(event.method));
    for (field, limit) in [(event.target, TARGET), (event.protocol, FIELD)] {
        if !field.is_empty() {
            out.push(b' ');
            quoted(out, field, limit);
        }
    }
}

fn value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    limited(out, value, FIELD);
}

fn limited(out: &mut Vec<u8>, value: Option<&[u8]>, limit: usize) {
    match value {
        None | Some([]) => out.push(b'-'),
        Some(value) => quoted(out, value, limit),
    }
}

fn write_or_dash(out: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(value) => number(out, value),
        None => out.push(b'-'),
    }
}

pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `0.000812`
pub(super) fn seconds(out: &mut Vec<u8>, duration: Duration) {
    number(out, duration.as_secs());
    out.push(b'.');
    let mut digits = *b"000000";
    let mut rest = duration.subsec_micros();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Path and query of a target.
fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    match target.iter().position(|byte| *byte == b'?') {
        Some(mark) => (&target[..mark], &target[mark + 1..]),
        None => (target, b""),
    }
}

/// The fields of a head, as lines.
fn fields(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line)).filter(|line| !line.is_empty())
}

/// The value of the first field of this name.
fn field_of<'h>(head: &'h [u8], name: &str) -> Option<&'h [u8]> {
    fields(head).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::super::format::tests::event;
    use super::*;

    fn line(format: &str, event: &AccessEvent<'_>) -> String {
        let mut out = Vec::new();
        let format = match format {
            "terminal" => AccessFormat::default().decide(true),
            "file" => AccessFormat::default().decide(false),
            format => AccessFormat::parse(format).unwrap(),
        };
        format.write(&mut out, event, Place { pid: 42, worker: Some(2), board: None });
        String::from_utf8(out).unwrap()
    }

    struct Told;

    impl Details for Told {
        fn request_field(&self, name: &FieldName) -> Option<Cow<'_, [u8]>> {
            (name.variable == "HTTP_X_TENANT").then_some(Cow::Borrowed(b"acme\n"))
        }

        fn variable(&self, name: &str) -> Option<Cow<'_, [u8]>> {
            (name == "REMOTE_USER").then_some(Cow::Borrowed(b"ann"))
        }

        fn response_head(&self) -> &[u8] {
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Kind:  a  \r\n\r\n"
        }

        fn log_variables(&self) -> &[(String, Vec<u8>)] {
            static SAID: LazyLock<[(String, Vec<u8>); 1]> =
                LazyLock::new(|| [("tenant".to_owned(), b"42".to_vec())]);
            &*SAID
        }
    }

    #[test]
    fn a_line_is_the_combined_format_and_the_seconds() {
        let line = line("file", &event(b"/a?b=1", Some(b"curl/8 \"\x1b")));
        assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
        let rest = r#" +0000] "GET /a?b=1 HTTP/1.1" 200 12 "-" "curl/8 \x22\x1b" 0.000812"#;
        assert!(line.ends_with(rest), "{line}");
    }

    #[test]
    fn a_terminal_shows_what_matters() {
        let line = line("terminal", &event(b"/", None));
        assert!(line.ends_with(r#"Z 127.0.0.1 "GET / HTTP/1.1" 200 12 0.8ms"#), "{line}");
    }

    #[test]
    fn a_request_nobody_could_read_still_has_a_line() {
        let refused = AccessEvent { peer: b"", method: b"", target: b"", protocol: b"", ..event(b"", None) };
        assert!(line("file", &refused).contains(r#"- - - ["#));
        assert!(line("file", &refused).contains(r#"] "-" 200"#));
    }

    #[test]
    fn every_dialect_shows_what_it_names() {
        let event = AccessEvent { details: &Told, request_id: Some(b"abc"), ..event(b"/a/b?c=%20", None) };
        for (format, expected) in [
            ("%(h)s %(l)s %(u)s %(m)s %(U)s %(q)s %(H)s", "127.0.0.1 - ann GET /a/b c=%20 HTTP/1.1"),
            ("%(s)s %(B)s %(b)s %(f)s %(a)s", "200 12 12 - -"),
            ("%(T)s %(M)s %(D)s %(L)s %(p)s", "0 0 812 0.000812 <42>"),
            ("%({X-Tenant}i)s %({x-kind}o)s %({REMOTE_USER}e)s", r"acme\n a ann"),
            ("%(addr) %(method) %(uri) %(proto) %(status)", "127.0.0.1 GET /a/b?c=%20 HTTP/1.1 200"),
            ("%(rsize) %(hsize) %(size) %(headers)", "12 59 71 2"),
            ("%(msecs) %(micros) %(secs) %(pid) %(wid) %(core) %(thread)", "0 812 0 42 2 2 3"),
            ("%(queued) %(application) %(request_id) %(tenant)", "0.000012 0.000800 abc 42"),
            ("%(var.HTTP_X_TENANT) %(metric.requests) %(unset_by_all)", r"acme\n - -"),
        ] {
            assert_eq!(line(format, &event), expected, "{format}");
        }
    }

    struct Asked(&'static [u8]);

    impl Details for Asked {
        fn request_field(&self, name: &FieldName) -> Option<Cow<'_, [u8]>> {
            (name.variable == "HTTP_AUTHORIZATION").then_some(Cow::Borrowed(self.0))
        }
    }

    #[test]
    fn a_user_who_nobody_names_is_that_of_basic_credentials() {
        for (said, expected) in [
            (&b"Basic YW5uOnNlY3JldDpvbmU="[..], "ann"),
            (b"basic  YW5uOg==", "ann"),
            (b"Basic YSJiCjpj", r"a\x22b\n"),
            (b"Basic OnNlY3JldA==", "-"),
            (b"Basic YW5u", "-"),
            (b"Basic !", "-"),
            (b"Basic", "-"),
            (b"Bearer YW5uOnNlY3JldA==", "-"),
        ] {
            assert_eq!(line("%(u)s", &AccessEvent { details: &Asked(said), ..event(b"/", None) }), expected);
        }
        assert_eq!(line("%(u)s", &AccessEvent { details: &Told, ..event(b"/", None) }), "ann");
    }

    #[test]
    fn only_what_is_asked_for_is_kept() {
        let needs = |format: &str| AccessFormat::parse(format).unwrap().needs();
        assert_eq!(needs("%(h)s %({x}i)s %(D)s"), Needs::default());
        assert!(needs("%(hsize)").response_head && needs("%({x}o)s").response_head);
        assert!(needs("%(tenant)").log_variables && needs("json").log_variables);
        assert_eq!(needs("%({a.b}e)s %(u)s").variables, ["a.b", "REMOTE_USER"]);
        assert_eq!(AccessFormat::default().decide(false).needs(), Needs::default());
    }

    proptest! {
        #[test]
        fn any_request_fits_one_line(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
            let bytes = bytes.as_slice();
            let mut event = event(bytes, Some(bytes));
            (event.referer, event.request_id) = (Some(bytes), Some(bytes));
            (event.method, event.protocol, event.peer) = (bytes, bytes, bytes);
            let many = "%(uri) %(uri) %(uri)";
            for format in ["terminal", "file", "common", "combined", "json", many] {
                let line = line(format, &event);
                prop_assert!(line.len() < MAX_LINE && line.chars().all(|shown| !shown.is_control()));
            }
        }
    }
}
