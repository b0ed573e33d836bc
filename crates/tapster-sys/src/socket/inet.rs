//! Internet listeners: one address, all addresses of a name, or every address of the machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use rustix::io::Errno;
use rustix::net::{AddressFamily, sockopt};

use super::{Address, Cause, Listener, Opening, stream_socket};

/// One address, of its own family only.
pub fn open(opening: &mut Opening<'_>, address: SocketAddr) -> Result<Listener, Cause> {
    open_socket(opening, address, false)
}

/// Every address of a name, all on one port. What the machine does not have (`::1` without IPv6) is left out as
/// long as one is left.
pub fn open_host(opening: &mut Opening<'_>, name: &str, port: u16) -> Result<Vec<Listener>, Cause> {
    let found = (name, port).to_socket_addrs().map_err(|error| Cause::NotFound(error.to_string()))?;
    let mut listeners: Vec<Listener> = Vec::new();
    let mut missing = None;
    for mut address in found {
        // Port 0: the second address takes the port that the system chose for the first.
        if let Some(Address::Inet(first)) = listeners.first().map(Listener::address) {
            address.set_port(first.port());
        }
        if listeners.iter().any(|listener| *listener.address() == Address::Inet(address)) {
            continue;
        }
        match open(opening, address) {
            Ok(listener) => listeners.push(listener),
            Err(cause) if is_missing(&cause) => missing = Some(cause),
            Err(cause) => return Err(cause),
        }
    }
    match missing {
        Some(cause) if listeners.is_empty() => Err(cause),
        None if listeners.is_empty() => Err(Cause::NotFound("an empty answer".to_owned())),
        _ => Ok(listeners),
    }
}

/// Every IPv4 and IPv6 address: one socket for both, IPv4 alone where IPv6 is switched off, two sockets where one
/// cannot serve both.
pub fn open_any(opening: &mut Opening<'_>, port: u16) -> Result<Vec<Listener>, Cause> {
    let everything = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
    let first = match open_socket(opening, everything, true) {
        Ok(listener) => listener,
        Err(cause) if is_missing(&cause) => {
            let everything = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            return open(opening, everything).map(|one| vec![one]);
        }
        Err(cause) => return Err(cause),
    };
    let Address::Inet(address) = first.address else { return Ok(vec![first]) };
    if first.dual_stack {
        return Ok(vec![first]);
    }
    let second = open(opening, SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port()))?;
    Ok(vec![first, second])
}

/// Whether the machine lacks the address or its whole family.
fn is_missing(cause: &Cause) -> bool {
    let Cause::System(error) = cause else { return false };
    let missing = [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL];
    missing.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn open_socket(opening: &mut Opening<'_>, address: SocketAddr, dual_stack: bool) -> Result<Listener, Cause> {
    if let Some(handed) = opening.take(&Address::Inet(address), dual_stack)? {
        return Ok(handed);
    }
    let backlog = opening.backlog;
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = stream_socket(family)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    if address.is_ipv6() && sockopt::set_ipv6_v6only(&socket, !dual_stack).is_err() && !dual_stack {
        return Err(Errno::AFNOSUPPORT.into());
    }
    // With SO_REUSEADDR the clash may show only in `listen`.
    rustix::net::bind(&socket, &address)
        .and_then(|()| rustix::net::listen(&socket, backlog.as_raw()))
        .map_err(|error| in_use(error, address))?;
    let dual_stack = address.is_ipv6() && !sockopt::ipv6_v6only(&socket)?;
    let address = SocketAddr::try_from(rustix::net::getsockname(&socket)?)?;
    Ok(Listener { own: true, ..Listener::new(socket, Address::Inet(address), dual_stack, backlog) })
}

fn in_use(error: Errno, address: SocketAddr) -> Cause {
    match error {
        Errno::ADDRINUSE => Cause::InUse(crate::port_holder::of_tcp(address)),
        other => other.into(),
    }
}
