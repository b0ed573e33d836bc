//! Requests in both protocols, turned into variables.

use std::net::IpAddr;

use tapster_gateway::{Connection, Endpoint, Vars, from_http, from_uwsgi};
use tapster_http1::{Head, Limits};
use tapster_uwsgi::Decoded;

/// A TCP endpoint.
pub fn inet(address: &str, port: u16) -> Endpoint {
    Endpoint::Inet(address.parse::<IpAddr>().unwrap_or_else(|error| panic!("{address}: {error}")), port)
}

/// A unix socket's endpoint.
pub fn unix(path: &str) -> Endpoint {
    Endpoint::Unix(path.to_owned())
}

/// The variables of an HTTP request between two TCP endpoints.
pub fn http(bytes: &[u8]) -> Result<Vars, tapster_http1::Refusal> {
    let (local, peer) = (inet("192.0.2.1", 8000), inet("198.51.100.7", 54321));
    http_between(bytes, &Connection::new(local.clone(), peer.clone()))
}

/// The variables of an HTTP request on a connection. The rest of the buffer is another request's.
pub fn http_between(bytes: &[u8], connection: &Connection) -> Result<Vars, tapster_http1::Refusal> {
    let buffer = [bytes, b"GET /next HTTP/1.1\r\n"].concat();
    let mut head = Head::default();
    assert_eq!(head.parse(&buffer, &Limits::default()), Ok(true), "{:?}", String::from_utf8_lossy(bytes));
    let mut vars = Vars::default();
    vars.set(tapster_gateway::Name::Other(b"LEFT_OVER"), b"from the request before");
    from_http::fill(&mut vars, &head, &buffer, connection)?;
    Ok(vars)
}

/// The variables of a uwsgi request that came over a unix socket, and the length of its body.
pub fn uwsgi(modifier1: u8, given: &[(&str, &str)]) -> Result<(Vars, u64), tapster_uwsgi::Refusal> {
    let (local, peer) = (unix("/run/app.sock"), unix(""));
    let mut bytes = Vec::new();
    let given = given.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    assert_eq!(tapster_uwsgi::encode(&mut bytes, modifier1, 0, given), Ok(()));
    let Ok(Decoded::Packet(packet)) = tapster_uwsgi::decode(&bytes, &tapster_uwsgi::Limits::default()) else {
        panic!("a packet");
    };
    let mut vars = Vars::default();
    vars.set(tapster_gateway::Name::Other(b"LEFT_OVER"), b"from the request before");
    let length = from_uwsgi::fill(&mut vars, &packet, &Connection::new(local.clone(), peer.clone()))?;
    Ok((vars, length))
}

/// A variable as text, one character a byte.
pub fn value(vars: &Vars, name: &str) -> Option<String> {
    vars.get_named(name.as_bytes()).map(|value| value.iter().map(|&byte| char::from(byte)).collect())
}

/// Checks variables; `None` is one that must be absent.
#[track_caller]
pub fn check(vars: &Vars, expected: &[(&str, Option<&str>)]) {
    for (name, expected) in expected {
        assert_eq!(value(vars, name).as_deref(), *expected, "{name}");
    }
}

/// All names, sorted.
pub fn names(vars: &Vars) -> Vec<String> {
    let mut names: Vec<String> =
        vars.iter().map(|(name, _)| String::from_utf8_lossy(name.as_bytes()).into()).collect();
    names.sort();
    names
}
