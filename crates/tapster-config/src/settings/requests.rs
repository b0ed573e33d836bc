//! What one request may bring and what becomes of it; how often clients may come.

use std::path::PathBuf;
use std::time::Duration;

use super::{Network, Peers};

/// What becomes of a request field whose name has an underscore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderMap {
    /// The application does not see it.
    Drop,
    /// The request is answered with 400.
    Refuse,
}

/// Whether the application's early hints (103) are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EarlyHints {
    /// Unless the request came through a proxy.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Bounds on what one client may send; each has an answer of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of the request line; 414 beyond.
    pub request_line: usize,
    /// Bytes of the whole head; 431 beyond.
    pub head: usize,
    /// Number of request fields; 431 beyond.
    pub fields: usize,
    /// Bytes of a request body; 413 beyond.
    pub body: u64,
    /// Bytes of a body held in memory; the rest goes to a temporary file.
    pub body_memory: usize,
}

/// How many requests a client may make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestLimit {
    /// The paths that it holds for begin with this, which has no slash at its end; none is all.
    pub prefix: Option<String>,
    /// So many.
    pub requests: u32,
    /// In this time.
    pub per: Duration,
    /// So many at once.
    pub burst: u32,
}

/// A list of clients.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessRule {
    /// The paths that it holds for begin with this, which has no slash at its end; none is all.
    pub prefix: Option<String>,
    /// Clients of unix sockets, as far as nobody says who they are.
    pub unix: bool,
    /// Address ranges.
    pub networks: Vec<Network>,
    /// Files with an address range on each line.
    pub files: Vec<PathBuf>,
}

/// How often clients may come, and who may.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Protection {
    /// Requests; each holds by itself.
    pub requests: Vec<RequestLimit>,
    /// Connections of a client at once; 0 is no limit.
    pub connections: u32,
    /// Leading bits of an IPv4 address that make a client.
    pub ipv4_prefix: u8,
    /// The same for IPv6.
    pub ipv6_prefix: u8,
    /// Clients without limits.
    pub exempt: Peers,
    /// Limits are told of and do nothing.
    pub dry_run: bool,
    /// Who is served; nobody is refused by an empty list.
    pub allow: Vec<AccessRule>,
    /// Who is not.
    pub deny: Vec<AccessRule>,
}
