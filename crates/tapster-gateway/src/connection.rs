//! The connection-level variables: who is at its two ends.

use std::io::Write;
use std::net::IpAddr;

use tapster_http1::encode::decimal;

use crate::vars::{Name, Vars};
use crate::{Endpoint, Variable};

/// The two ends of the connection that a request came by, and what they say in variables, which is written once for
/// all its requests.
#[derive(Clone, Debug)]
pub struct Connection {
    local: Endpoint,
    peer: Endpoint,
    /// SERVER_NAME, SERVER_PORT, REMOTE_ADDR and REMOTE_PORT, end to end, as far as they depend on nothing else.
    text: Box<[u8]>,
    /// Where in the text each of them ends; none where Host decides or there is none.
    parts: [Option<(u32, u32)>; 4],
}

const VARIABLES: [Variable; 4] =
    [Variable::ServerName, Variable::ServerPort, Variable::RemoteAddr, Variable::RemotePort];

impl Connection {
    /// A connection between our end (what the listener is bound to, or the address the client reached) and the
    /// client's.
    pub fn new(local: Endpoint, peer: Endpoint) -> Connection {
        let mut text = Vec::new();
        let mut part = |write: &dyn Fn(&mut Vec<u8>) -> bool| {
            let start = text.len() as u32;
            write(&mut text).then_some((start, text.len() as u32))
        };
        let parts = [
            part(&|out| server_name(out, &local)),
            part(&|out| server_port(out, &local)),
            part(&|out| remote_address(out, &peer)),
            part(&|out| remote_port(out, &peer)),
        ];
        Connection { text: text.into(), local, peer, parts }
    }

    /// Our end.
    pub fn local(&self) -> &Endpoint {
        &self.local
    }

    /// The client's end.
    pub fn peer(&self) -> &Endpoint {
        &self.peer
    }
}

/// Sets SERVER_NAME, SERVER_PORT, REMOTE_ADDR and REMOTE_PORT where they are absent.
///
/// SERVER_NAME is the address, an IPv6 one in brackets (RFC 3875 §4.1.14), so that it can stand in a URL. On a unix
/// socket, and for a wildcard address, it comes from Host, else it is `localhost`; PEP 3333 lets neither it nor
/// SERVER_PORT be empty. A unix peer has no address: REMOTE_ADDR is there, as RFC 3875 wants it, and empty, as
/// gunicorn sets it; REMOTE_PORT is absent.
pub(crate) fn fill(vars: &mut Vars, connection: &Connection) {
    let has_remote = vars.get(Variable::RemoteAddr).is_some();
    let base = vars.append(&connection.text);
    for (variable, part) in VARIABLES.into_iter().zip(connection.parts) {
        let is_there = match variable {
            Variable::RemoteAddr | Variable::RemotePort => has_remote,
            _ => vars.get(variable).is_some_and(|value| !value.is_empty()),
        };
        if !is_there {
            set(vars, variable, base, part);
        }
    }
}

/// As [`fill`], for variables of which none is there.
pub(crate) fn add(vars: &mut Vars, connection: &Connection) {
    let base = vars.append(&connection.text);
    for (variable, part) in VARIABLES.into_iter().zip(connection.parts) {
        set(vars, variable, base, part);
    }
}

#[inline]
fn set(vars: &mut Vars, variable: Variable, base: usize, part: Option<(u32, u32)>) {
    match (part, variable) {
        (Some((start, end)), _) => vars.set_part(variable, base, start, end),
        (None, Variable::ServerName) => name_by_host(vars),
        (None, Variable::ServerPort) => port_by_host(vars),
        (None, _) => {}
    }
}

fn server_name(out: &mut Vec<u8>, local: &Endpoint) -> bool {
    match local {
        Endpoint::Inet(address, _) if !address.is_unspecified() => match address.to_canonical() {
            address @ IpAddr::V4(_) => write_address(out, address),
            // Writing to memory cannot fail.
            IpAddr::V6(address) => drop(write!(out, "[{address}]")),
        },
        Endpoint::Inet(..) | Endpoint::Unix(_) => return false,
    }
    true
}

fn server_port(out: &mut Vec<u8>, local: &Endpoint) -> bool {
    match local {
        Endpoint::Inet(_, port) => decimal(out, u64::from(*port)),
        Endpoint::Unix(_) => return false,
    }
    true
}

fn remote_address(out: &mut Vec<u8>, peer: &Endpoint) -> bool {
    if let Endpoint::Inet(address, _) = peer {
        write_address(out, address.to_canonical());
    }
    true
}

fn remote_port(out: &mut Vec<u8>, peer: &Endpoint) -> bool {
    match peer {
        Endpoint::Inet(_, port) => decimal(out, u64::from(*port)),
        Endpoint::Unix(_) => return false,
    }
    true
}

fn name_by_host(vars: &mut Vars) {
    let name = Name::Known(Variable::ServerName);
    match host(vars).map(|(host, _)| host) {
        Some(host) => vars.alias(name, Variable::HttpHost, host),
        None => vars.set(name, b"localhost"),
    }
}

fn port_by_host(vars: &mut Vars) {
    let name = Name::Known(Variable::ServerPort);
    match host(vars).map(|(_, port)| port).filter(|port| !port.is_empty()) {
        Some(port) => vars.alias(name, Variable::HttpHost, port),
        None => vars.set(name, b"80"),
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
