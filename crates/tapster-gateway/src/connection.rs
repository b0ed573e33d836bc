//! The connection-level variables: who is at its two ends.

use std::io::Write;
use std::net::IpAddr;

use tapster_http1::encode::decimal;

use crate::vars::{Name, Vars};
use crate::{Endpoint, Variable};

/// The two ends of the connection that a request came by.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Our end: what the listener is bound to, or the address the client reached.
    pub local: &'a Endpoint,
    /// The client's end.
    pub peer: &'a Endpoint,
}

/// Sets SERVER_NAME, SERVER_PORT, REMOTE_ADDR and REMOTE_PORT where they are absent.
///
/// SERVER_NAME is the address, an IPv6 one in brackets (RFC 3875 §4.1.14), so that it can stand in a URL. On a unix
/// socket, and for a wildcard address, it comes from Host, else it is `localhost`; PEP 3333 lets neither it nor
/// SERVER_PORT be empty. A unix peer has no address: REMOTE_ADDR is there, as RFC 3875 wants it, and empty, as
/// gunicorn sets it; REMOTE_PORT is absent.
pub(crate) fn fill(vars: &mut Vars, connection: &Connection<'_>) {
    if vars.get(Variable::ServerName).is_none_or(<[u8]>::is_empty) {
        server_name(vars, connection.local);
    }
    if vars.get(Variable::ServerPort).is_none_or(<[u8]>::is_empty) {
        server_port(vars, connection.local);
    }
    if vars.get(Variable::RemoteAddr).is_none() {
        remote(vars, connection.peer);
    }
}

fn server_name(vars: &mut Vars, local: &Endpoint) {
    let name = Name::Known(Variable::ServerName);
    match local {
        Endpoint::Inet(address, _) if !address.is_unspecified() => match address.to_canonical() {
            address @ IpAddr::V4(_) => set_address(vars, name, address),
            IpAddr::V6(address) => vars.set(name, format!("[{address}]").as_bytes()),
        },
        Endpoint::Inet(..) | Endpoint::Unix(_) => match host(vars).map(|(host, _)| host) {
            Some(host) => vars.alias(name, Variable::HttpHost, host),
            None => vars.set(name, b"localhost"),
        },
    }
}

fn server_port(vars: &mut Vars, local: &Endpoint) {
    let name = Name::Known(Variable::ServerPort);
    match local {
        Endpoint::Inet(_, port) => vars.set_with(name, |out| decimal(out, u64::from(*port))),
        Endpoint::Unix(_) => match host(vars).map(|(_, port)| port).filter(|port| !port.is_empty()) {
            Some(port) => vars.alias(name, Variable::HttpHost, port),
            None => vars.set(name, b"80"),
        },
    }
}

fn remote(vars: &mut Vars, peer: &Endpoint) {
    match peer {
        Endpoint::Inet(address, port) => {
            set_address(vars, Name::Known(Variable::RemoteAddr), *address);
            vars.set_with(Name::Known(Variable::RemotePort), |out| decimal(out, u64::from(*port)));
        }
        Endpoint::Unix(_) => vars.set(Name::Known(Variable::RemoteAddr), b""),
    }
}

/// Where name and port lie in HTTP_HOST, if it has a name.
fn host(vars: &Vars) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let host = vars.get(Variable::HttpHost)?;
    // The colons of an IPv6 address are inside brackets.
    let after_address = host.iter().rposition(|&byte| byte == b']').map_or(0, |bracket| bracket + 1);
    let colon =
        host.iter().skip(after_address).position(|&byte| byte == b':').map(|found| found + after_address);
    let name = 0..colon.unwrap_or(host.len());
    let port = colon.map_or(host.len(), |colon| colon + 1)..host.len();
    (!name.is_empty()).then_some((name, port))
}

/// Sets a variable to an address; an IPv4 client of an IPv6 listener keeps its IPv4 spelling.
pub(crate) fn set_address(vars: &mut Vars, name: Name<'_>, address: IpAddr) {
    vars.set_with(name, |out| write_address(out, address.to_canonical()));
}

fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let mut text = [0; 16];
            let mut end = 0;
            for octet in address.octets() {
                let (digits, length) = OCTETS[usize::from(octet)];
                text[end..end + 4].copy_from_slice(&digits);
                end += usize::from(length);
            }
            out.extend_from_slice(&text[..end - 1]);
        }
        IpAddr::V6(address) => {
            // Writing to memory cannot fail.
            let _ = write!(out, "{address}");
        }
    }
}

/// Each octet in decimal with a dot behind it, and the length of that.
static OCTETS: [([u8; 4], u8); 256] = {
    let mut table = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8];
        let count = if octet > 99 {
            3
        } else if octet > 9 {
            2
        } else {
            1
        };
        let mut index = 0;
        while index < count {
            table[octet].0[index] = digits[3 - count + index];
            index += 1;
        }
        table[octet].1 = count as u8 + 1;
        octet += 1;
    }
    table
};
