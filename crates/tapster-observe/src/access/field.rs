//! What a line can show, by all its names: gunicorn's atoms, uWSGI's variables, and words for what neither has.

/// One thing that is known of every request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// Always `-`: the name by which a client's host would know its user (RFC 1413).
    Nobody,
    Client,
    User,
    /// `GET /path HTTP/1.1`
    Request,
    Method,
    Target,
    Path,
    Query,
    Protocol,
    Host,
    Status,
    Bytes,
    /// The same, with `-` for none.
    BytesOrDash,
    HeadBytes,
    AllBytes,
    RequestBytes,
    HeadFields,
    Variables,
    Referer,
    UserAgent,
    RequestId,
    /// `[22/Nov/2026:07:30:00 +0000]`
    BracketedTime,
    /// The same without brackets.
    CommonTime,
    /// `2026-11-22T07:30:00.123Z`
    IsoTime,
    /// `Sun Nov 22 07:30:00 2026`
    CTime,
    /// `07:30:00Z`
    Clock,
    /// Seconds since 1970 when the line is written.
    Epoch,
    /// The same when the request was there.
    Began,
    BeganMillis,
    BeganMicros,
    Seconds,
    Millis,
    Micros,
    /// `0.000812`
    Duration,
    /// Milliseconds with one decimal.
    Tenths,
    /// In seconds, as [`Field::Duration`].
    Queued,
    Application,
    Pid,
    /// `<4242>`, as gunicorn writes it.
    BracketedPid,
    Worker,
    Thread,
    /// Counted from 0.
    Core,
}

/// gunicorn's atoms of one letter.
pub(crate) const ATOMS: &[(&str, Field)] = &[
    ("h", Field::Client),
    ("l", Field::Nobody),
    ("u", Field::User),
    ("t", Field::BracketedTime),
    ("r", Field::Request),
    ("m", Field::Method),
    ("U", Field::Path),
    ("q", Field::Query),
    ("H", Field::Protocol),
    ("s", Field::Status),
    ("B", Field::Bytes),
    ("b", Field::BytesOrDash),
    ("f", Field::Referer),
    ("a", Field::UserAgent),
    ("T", Field::Seconds),
    ("M", Field::Millis),
    ("D", Field::Micros),
    ("L", Field::Duration),
    ("p", Field::BracketedPid),
];

/// uWSGI's variables, and words of our own where it has none.
pub(crate) const WORDS: &[(&str, Field)] = &[
    ("addr", Field::Client),
    ("client", Field::Client),
    ("user", Field::User),
    ("method", Field::Method),
    ("uri", Field::Target),
    ("target", Field::Target),
    ("path", Field::Path),
    ("query", Field::Query),
    ("request", Field::Request),
    ("proto", Field::Protocol),
    ("protocol", Field::Protocol),
    ("host", Field::Host),
    ("status", Field::Status),
    ("rsize", Field::Bytes),
    ("bytes", Field::Bytes),
    ("hsize", Field::HeadBytes),
    ("size", Field::AllBytes),
    ("cl", Field::RequestBytes),
    ("headers", Field::HeadFields),
    ("vars", Field::Variables),
    ("referer", Field::Referer),
    ("uagent", Field::UserAgent),
    ("user_agent", Field::UserAgent),
    ("request_id", Field::RequestId),
    ("time", Field::Began),
    ("tmsecs", Field::BeganMillis),
    ("tmicros", Field::BeganMicros),
    ("epoch", Field::Epoch),
    ("ltime", Field::CommonTime),
    ("ftime", Field::CommonTime),
    ("ctime", Field::CTime),
    ("iso", Field::IsoTime),
    ("clock", Field::Clock),
    ("secs", Field::Seconds),
    ("msecs", Field::Millis),
    ("micros", Field::Micros),
    ("duration", Field::Duration),
    ("tenths", Field::Tenths),
    ("queued", Field::Queued),
    ("application", Field::Application),
    ("pid", Field::Pid),
    ("wid", Field::Worker),
    ("worker", Field::Worker),
    ("core", Field::Core),
    ("thread", Field::Thread),
];

/// What uWSGI has and this server cannot know.
pub(crate) const ELSEWHERE: &[&str] =
    &["switches", "pktsize", "modifier1", "modifier2", "rss", "rssM", "vsz", "vszM", "werr", "rerr", "ioerr"];

/// A field of a request by both its names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldName {
    /// `x-tenant`
    pub name: String,
    /// `HTTP_X_TENANT`
    pub variable: String,
}

impl FieldName {
    pub(crate) fn new(name: &str) -> FieldName {
        let name = name.to_ascii_lowercase();
        let upper = name.to_ascii_uppercase().replace('-', "_");
        let variable = match upper.as_str() {
            // CGI spells them so (RFC 3875 §4.1.2, §4.1.3).
            "CONTENT_TYPE" | "CONTENT_LENGTH" => upper,
            _ => format!("HTTP_{upper}"),
        };
        FieldName { name, variable }
    }
}

/// A number of the worker's that answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Metric {
    Requests,
    Refusals,
    Connections,
    Waiting,
    Busy,
    Restarts,
    LinesDropped,
}

/// `%(metric.requests)` and the others.
pub(crate) const METRICS: &[(&str, Metric)] = &[
    ("metric.requests", Metric::Requests),
    ("metric.refusals", Metric::Refusals),
    ("metric.connections", Metric::Connections),
    ("metric.waiting", Metric::Waiting),
    ("metric.busy", Metric::Busy),
    ("metric.restarts", Metric::Restarts),
    ("metric.lines_dropped", Metric::LinesDropped),
];
