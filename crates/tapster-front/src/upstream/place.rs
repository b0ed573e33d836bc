//! Where a host is, and how it is spoken to.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use tapster_config::{Upstream, UpstreamPlace, UpstreamProtocol};

/// One address of an upstream.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) protocol: UpstreamProtocol,
    pub(super) address: Address,
    /// Its URL, and the address behind it where a name may have several.
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Inet(SocketAddr),
    Unix(PathBuf),
}

impl Place {
    pub(super) fn new(upstream: &Upstream, address: Address) -> Place {
        let name = match (&address, &upstream.place) {
            (Address::Inet(address), UpstreamPlace::Host(..)) => format!("{upstream} ({address})"),
            _ => upstream.to_string(),
        };
        Place { protocol: upstream.protocol, address, name }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}
