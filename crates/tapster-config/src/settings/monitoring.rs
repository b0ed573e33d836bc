//! Who reads what the server measures.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::BindPlace;

/// Where metrics go besides the admin listeners.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Monitoring {
    /// Where uWSGI's statistics are answered.
    pub stats: Vec<BindPlace>,
    /// Whether an HTTP head stands before them.
    pub stats_http: bool,
    /// The names of the metrics on the admin listeners.
    pub names: MetricNames,
    /// The statsd server that gets them.
    pub statsd: Statsd,
    /// The collector of OpenTelemetry that gets them, and spans.
    pub otlp: Otlp,
}

/// What is sent to a collector of OpenTelemetry, by OTLP over HTTP.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Otlp {
    /// Whether anything is to be; none where that depends on there being an endpoint.
    pub asked: Option<bool>,
    /// Where the collector is: a URL without the paths of signals; none where the environment says it.
    pub endpoint: Option<String>,
    /// Header fields of every request to it.
    pub headers: Vec<(String, String)>,
    /// Which requests have spans; none where the environment says it.
    pub sampler: Option<OtlpSampler>,
    /// Whether requests have spans.
    pub spans: bool,
    /// Whether metrics are sent.
    pub metrics: bool,
    /// How often.
    pub interval: Duration,
}

impl Otlp {
    /// Whether anything is sent.
    pub fn is_on(&self) -> bool {
        self.asked.unwrap_or(self.endpoint.is_some())
    }

    /// Whether spans are recorded.
    pub fn has_spans(&self) -> bool {
        self.is_on() && self.spans
    }

    /// Whether metrics are sent.
    pub fn has_metrics(&self) -> bool {
        self.is_on() && self.metrics
    }
}

/// Which requests have spans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OtlpSampler {
    /// Whether those that are part of a trace follow what it says.
    pub by_parent: bool,
    /// How many of a million others have.
    pub millionths: u32,
}

/// Whose names metrics have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MetricNames {
    /// Our own.
    #[default]
    Tapster,
    /// Those of uwsgi_exporter.
    Uwsgi,
    /// Both.
    Both,
}

/// What is sent to a statsd server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Statsd {
    /// Where it is; none where nothing is sent.
    pub address: Option<StatsdAddress>,
    /// What every name begins with.
    pub prefix: String,
    /// How often.
    pub interval: Duration,
    /// Whether it takes tags, as dogstatsd does.
    pub has_tags: bool,
    /// Tags of every line, each `name:value`.
    pub tags: Vec<String>,
}

/// Where a statsd server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StatsdAddress {
    /// A host and a port, by UDP.
    Udp(String, u16),
    /// The path of a unix datagram socket.
    Unix(PathBuf),
}

impl fmt::Display for StatsdAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StatsdAddress::Udp(host, port) if host.contains(':') => write!(out, "udp://[{host}]:{port}"),
            StatsdAddress::Udp(host, port) => write!(out, "udp://{host}:{port}"),
            StatsdAddress::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

/// Who may do what on the admin listeners.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct AdminAccess {
    /// Who has it may give orders.
    pub token: Option<String>,
    /// Where it stands.
    pub token_file: Option<PathBuf>,
    /// Names that browsers may have for listeners on this machine, in small letters.
    pub hosts: Vec<String>,
}

impl fmt::Debug for AdminAccess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AdminAccess").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
