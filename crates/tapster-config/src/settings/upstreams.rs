//! The servers that a front alone passes requests to.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A server that requests are passed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Upstream {
    /// How it is spoken to.
    pub protocol: UpstreamProtocol,
    /// Where it listens.
    pub place: UpstreamPlace,
    /// Its share beside the others', at least 1.
    pub weight: u32,
    /// Requests that it gets at once at most; none means what holds for all.
    pub slots: Option<usize>,
}

/// How an upstream is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    Http,
    /// uwsgi, one request a connection.
    Uwsgi,
}

/// Where an upstream listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamPlace {
    /// An address and a port.
    Inet(SocketAddr),
    /// A name, which may stand for several addresses and for others later, and a port.
    Host(String, u16),
    /// A unix socket.
    Unix(PathBuf),
}

/// Which upstream gets a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Balance {
    /// Of two drawn at random, the one with fewer requests.
    LeastRequest,
    /// Of two drawn at random, the one that is expected to answer sooner.
    Latency,
    /// One after the other.
    RoundRobin,
    /// The same for the same key.
    Hash,
    /// The one that a cookie names, which the first answer sets.
    Sticky,
}

/// What requests must have in common to get the same upstream, with [`Balance::Hash`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BalanceKey {
    /// The client's address.
    Client,
    /// The value of this field, in small letters.
    Header(String),
    /// The value of this cookie.
    Cookie(String),
}

/// How requests are passed to upstreams.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passing {
    /// Name servers that are asked for the names of upstreams in this order; none means the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Which upstream gets a request.
    pub balance: Balance,
    /// What is hashed for it.
    pub key: BalanceKey,
    /// The cookie that names an upstream.
    pub sticky_cookie: String,
    /// What its value is made with besides the upstream's address.
    pub sticky_secret: Option<String>,
    /// A request with `Idempotency-Key` may be sent again, whatever its method.
    pub retry_idempotency_key: bool,
    /// Requests at once for each upstream that says nothing else; 0 is no bound.
    pub slots: usize,
    /// How long a request waits while no upstream accepts connections.
    pub hold: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take after the request was sent, and each piece of the answer.
    pub answer_timeout: Duration,
    /// How long a WebSocket connection may be silent.
    pub tunnel_timeout: Duration,
    /// How long an idle connection to an upstream is kept; zero is not at all.
    pub keep_alive: Duration,
    /// The path that upstreams are asked for to see whether they serve; none means that they are not asked.
    pub health_path: Option<String>,
    /// How often.
    pub health_interval: Duration,
}
