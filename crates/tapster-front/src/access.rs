//! The access log of what the front answers by itself. Workers log what they answer.

use tapster_gateway::Endpoint;
use tapster_observe::{AccessEvent, Log};

use crate::client::Client;
use crate::receive::{Request, took};

/// Writes a line about an answered request, if one is wanted.
pub(crate) fn note(log: &Log, client: &Client, request: &Request, status: u16, bytes: u64) {
    let duration = took(request);
    if !log.wants_access(status, duration) {
        return;
    }
    let peer = match client.peer() {
        Endpoint::Inet(address, _) => address.to_string(),
        Endpoint::Unix(_) => String::new(),
    };
    log.access(&AccessEvent {
        peer: peer.as_bytes(),
        method: request.method(),
        target: request.head.target.of(&request.bytes),
        protocol: request.head.version.as_str().as_bytes(),
        status,
        bytes,
        duration,
        referer: request.field("referer"),
        user_agent: request.field("user-agent"),
    });
}
