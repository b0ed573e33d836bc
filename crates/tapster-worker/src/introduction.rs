//! Who the client is where it is not the peer: a proxy that passes TCP on introduces it by a PROXY header, read once,
//! before the first byte decides about the protocol; the front by a field of each request. Run by whoever reads.

use tapster_gateway::hop;
use tapster_gateway::proxy_header::{self, Ends, ProxyHeader};
use tapster_http1::{Head, Refusal};

use crate::connection::{Connection, Facts};
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
    /// Each of its requests says whose it is: it is the front's.
    Each,
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

/// Takes the front's word of the client out of a head. The request is then what it would be had the client come here.
///
/// # Errors
/// 400 without it: the front sends it with every request.
pub(crate) fn take(
    facts: &mut Facts,
    head: &mut Head,
    buffer: &[u8],
    policy: &Policy,
) -> Result<(), Refusal> {
    let Some(first) = head.fields.first().copied().filter(|field| hop::is_name(field.name.of(buffer))) else {
        return Err(Refusal::FieldName);
    };
    head.fields.remove(0);
    let said = first.value.of(buffer);
    if *facts.said == *said {
        return Ok(());
    }
    let hop::Client { local, peer, is_tls, was_introduced, speaks_http2, variables } =
        hop::read(said).ok_or(Refusal::FieldValue)?;
    *facts = policy.facts(local.clone(), peer.clone(), Introduction::Each);
    if was_introduced {
        policy.introduce(facts, Some(Ends { source: peer, destination: local }), is_tls);
    }
    facts.introduction = Introduction::Each;
    facts.is_tls = is_tls;
    facts.speaks_http2 = speaks_http2;
    facts.variables = variables;
    facts.said = said.into();
    Ok(())
}
