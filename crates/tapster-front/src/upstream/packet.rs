//! A request as a uwsgi peer gets it: the head that an HTTP upstream would get, turned into variables as for an application
//! of our own.

use std::net::IpAddr;

use tapster_gateway::{Connection, Name, Scheme, Variable, Vars, forwarded, from_http};
use tapster_http1::{Head, Limits};
use tapster_uwsgi::REQUEST;

use crate::client::Client;
use crate::policy::{Belief, Policy};
use crate::receive::Request;
use crate::refuse::Refused;

/// What a head was checked against when it came, and a little for what was added to it.
const LIMITS: Limits = Limits { request_line: usize::MAX, head: usize::MAX, fields: usize::MAX };

/// The packet for a head that [`fields::head`](super::fields::head) wrote.
///
/// # Errors
/// 431 for more than a packet can hold.
pub(super) fn packet(
    policy: &Policy,
    client: &Client,
    request: &Request,
    text: &[u8],
) -> Result<Vec<u8>, Refused> {
    let wrong = |status, why: &dyn std::fmt::Display| Refused::new(status, why).for_head(request.is_head());
    let mut head = Head::default();
    head.parse(text, &LIMITS).map_err(|refusal| wrong(refusal.status(), &refusal))?;
    let ends = client.ends();
    let connection = Connection::new(ends.local.clone(), ends.peer.clone());
    let mut vars = Vars::default();
    from_http::fill(&mut vars, &head, text, &connection)
        .map_err(|refusal| wrong(refusal.status(), &refusal))?;
    vars.set(Name::Known(Variable::ServerProtocol), client.protocol(request).as_bytes());
    // A uwsgi peer believes what it is told, so it is told what is believed here. Of the fields there is nothing else left.
    let trusts = |address| policy.is_proxy(address);
    let is_named = policy.belief(ends) == Belief::All;
    let said = forwarded::apply(&mut vars, is_named.then_some(&trusts as &dyn Fn(IpAddr) -> bool));
    let scheme = said.unwrap_or(if ends.is_tls { Scheme::Https } else { Scheme::Http });
    vars.set(Name::Known(Variable::RequestScheme), scheme.as_str().as_bytes());
    if scheme == Scheme::Https {
        vars.set(Name::Known(Variable::Https), b"on");
    }
    let mut packet = Vec::with_capacity(text.len() + 256);
    let variables = vars.iter().map(|(name, value)| (name.as_bytes(), value));
    // RAW_URI is our own word for REQUEST_URI, and packets are small.
    let variables = variables.filter(|(name, _)| *name != b"RAW_URI");
    tapster_uwsgi::encode(&mut packet, REQUEST, 0, variables).map_err(|error| wrong(431, &error))?;
    Ok(packet)
}
