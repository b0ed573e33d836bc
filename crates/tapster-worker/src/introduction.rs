//! The PROXY header at the front of a connection: a proxy that passes TCP on introduces its client. Read once, before
//! the first byte decides about the protocol; run by whoever reads.

use tapster_gateway::proxy_header::{self, ProxyHeader};

use crate::connection::Connection;
use crate::policy::Policy;
use crate::receive::{Parsed, Refused};

/// Whether a connection begins with a PROXY header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Introduction {
    /// It does not: on other listeners the header is never looked for.
    None,
    /// It has to, and has not yet.
    Awaited,
    /// It did, and what it says is believed. Whoever read it keeps the connection.
    Made,
}

/// Takes the header at the front of `input`; what is behind it stays.
pub(crate) fn read(connection: &mut Connection, input: &[u8], policy: &Policy) -> (usize, Parsed) {
    let refuse =
        |status, reason: &dyn std::fmt::Display| (input.len(), Parsed::Refused(Refused::new(status, reason)));
    if !policy.may_introduce(connection.facts.connection.peer()) {
        return refuse(
            403,
            &"a peer that may not speak for others (--proxy-allow-from lists those that may)",
        );
    }
    match proxy_header::parse(input, policy.proxy_versions) {
        Ok(None) => (0, Parsed::More),
        Ok(Some(ProxyHeader { length, ends, tls })) => {
            policy.introduce(&mut connection.facts, ends, tls);
            (length, Parsed::Introduced)
        }
        Err(error) => refuse(400, &error),
    }
}
