//! What a trusted proxy says of the client: the scheme, and, where it was asked for, the address. From peers that
//! are not trusted these fields change nothing.

use std::net::{IpAddr, Ipv6Addr};

use tapster_http1::syntax;

use crate::vars::{Name, Vars};
use crate::{Scheme, Variable, connection};

/// Believes what the peer, a trusted proxy, says of its client: gives the scheme that X-Forwarded-Proto names, or
/// Forwarded where that is absent, if one does; and sets REMOTE_ADDR and REMOTE_PORT by X-Forwarded-For, or by
/// Forwarded where that is absent, if `proxies` (which addresses are trusted proxies) is given. Not to be called for a peer that is not trusted.
///
/// The nearest proxy's word, the right-most element, counts for the scheme. REMOTE_ADDR becomes the right-most
/// hop that is no trusted proxy, or the left-most if all are. An element that is no address ends the search: what
/// is left of it was not written by a proxy we know. REMOTE_PORT is removed where the hop names none.
pub fn apply(vars: &mut Vars, proxies: Option<&dyn Fn(IpAddr) -> bool>) -> Option<Scheme> {
    if let Some((address, port)) = proxies.and_then(|proxies| client_of(vars, proxies)) {
        connection::set_address(vars, Name::Known(Variable::RemoteAddr), address);
        match port {
            Some(port) => vars.set(Name::Known(Variable::RemotePort), port.to_string().as_bytes()),
            None => vars.remove(Name::Known(Variable::RemotePort)),
        }
    }
    forwarded_scheme(vars)
}

/// Whether a request says that it came through a proxy, believed or not.
pub fn is_claimed(vars: &Vars) -> bool {
    const SAY_SO: [Variable; 5] = [
        Variable::HttpXForwardedFor,
        Variable::HttpXForwardedProto,
        Variable::HttpXRealIp,
        Variable::HttpForwarded,
        Variable::HttpVia,
    ];
    SAY_SO.iter().any(|&variable| vars.get(variable).is_some())
}

fn forwarded_scheme(vars: &Vars) -> Option<Scheme> {
    match vars.get(Variable::HttpXForwardedProto) {
        Some(value) => syntax::list(value).next_back().and_then(named_scheme),
        None => scheme(vars.get(Variable::HttpForwarded)?),
    }
}

/// The scheme that a Forwarded field names: the nearest proxy's word.
pub fn scheme(forwarded: &[u8]) -> Option<Scheme> {
    parameter(elements(forwarded).last()?, b"proto").and_then(named_scheme)
}

/// The addresses of a Forwarded field as X-Forwarded-For lists them; what is no address is `unknown`.
pub fn addresses(forwarded: &[u8]) -> Vec<u8> {
    let address = |element| match parameter(element, b"for").and_then(parse_hop) {
        Some((address, _)) => address.to_string(),
        None => "unknown".to_owned(),
    };
    elements(forwarded).map(address).collect::<Vec<_>>().join(", ").into_bytes()
}

fn named_scheme(name: &[u8]) -> Option<Scheme> {
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    match name {
        _ if is("https") || is("wss") => Some(Scheme::Https),
        _ if is("http") || is("ws") => Some(Scheme::Http),
        _ => None,
    }
}

/// The elements of a Forwarded field, one for each proxy (RFC 7239 §4).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    split_outside_quotes(value, b',')
}

/// The value of a parameter of an element, without its quotes.
fn parameter<'v>(element: &'v [u8], wanted: &[u8]) -> Option<&'v [u8]> {
    split_outside_quotes(element, b';').find_map(|pair| {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = pair.split_at(equals);
        let value = syntax::trim_ows(value.get(1..)?);
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        syntax::trim_ows(name).eq_ignore_ascii_case(wanted).then_some(value)
    })
}

/// Splits where `separator` stands outside a quoted-string (RFC 9110 §5.6.4).
fn split_outside_quotes(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => return byte == separator && !quoted,
        }
        false
    })
}

/// The hops that the fields name, the nearest last; an empty one is no address.
fn hops<'v>(x_forwarded_for: Option<&'v [u8]>, forwarded: Option<&'v [u8]>) -> Option<Vec<&'v [u8]>> {
    match x_forwarded_for {
        Some(value) => Some(syntax::list(value).collect()),
        None => {
            let elements = elements(forwarded?);
            Some(elements.map(|element| parameter(element, b"for").unwrap_or_default()).collect())
        }
    }
}

/// The client by the variables.
fn client_of(vars: &Vars, proxies: &dyn Fn(IpAddr) -> bool) -> Option<(IpAddr, Option<u16>)> {
    let peer = vars.get(Variable::RemoteAddr).filter(|address| !address.is_empty());
    if peer.is_some_and(|peer| parse_address(peer).is_none()) {
        return None;
    }
    let fields = [Variable::HttpXForwardedFor, Variable::HttpForwarded].map(|variable| vars.get(variable));
    client(peer.and_then(parse_address), fields, proxies)
}

/// The client's address and port by X-Forwarded-For and Forwarded, each with all its values in one list, if the peer is a trusted
/// proxy (or a unix peer, which has no address); none where they say nothing that is believed. As for [`apply`].
pub fn client(
    peer: Option<IpAddr>,
    [x_forwarded_for, forwarded]: [Option<&[u8]>; 2],
    proxies: &dyn Fn(IpAddr) -> bool,
) -> Option<(IpAddr, Option<u16>)> {
    if peer.is_some_and(|peer| !proxies(peer)) {
        return None;
    }
    let mut client = None;
    for element in hops(x_forwarded_for, forwarded)?.into_iter().rev() {
        let Some((address, port)) = parse_hop(element) else { break };
        client = Some((address, port));
        if !proxies(address) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:8080`.
fn parse_hop(element: &[u8]) -> Option<(IpAddr, Option<u16>)> {
    if let Some(address) = parse_address(element) {
        return Some((address, None));
    }
    let text = std::str::from_utf8(element).ok()?;
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Some((address.parse::<Ipv6Addr>().map(IpAddr::from).ok()?.to_canonical(), None));
    }
    let hop: std::net::SocketAddr = text.parse().ok()?;
    Some((hop.ip().to_canonical(), Some(hop.port())))
}

fn parse_address(text: &[u8]) -> Option<IpAddr> {
    let address: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(address.to_canonical())
}
