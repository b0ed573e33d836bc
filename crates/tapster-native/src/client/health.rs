//! `tapster health`: for HEALTHCHECK and exec probes. Asks the control socket, or the admin listener where that is all
//! there is.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tapster_config::{BindPlace, ControlCommand, ControlSocket};
use tapster_supervisor::control::protocol::{Answer, Health, Request};

use super::{Said, ask_about, find};

/// Less than probes wait for, as a rule.
const PATIENCE: Duration = Duration::from_secs(3);
/// An answer has a few hundred bytes.
const LONGEST_ANSWER: u64 = 4096;

/// Says that all is well, or what is not.
pub(super) fn check(command: &ControlCommand, ready: bool) -> Said {
    let socket = match command.socket {
        ControlSocket::Off if !command.admin_bind.is_empty() => Err("there is no control socket".to_owned()),
        _ => find::server(command),
    };
    match (socket, command.admin_bind.first()) {
        (Ok(mut server), _) => {
            let line = ask_about(command, &mut server, &Request::Health, PATIENCE)?;
            let answer: Answer<Health> = serde_json::from_str(&line).map_err(|error| error.to_string())?;
            let health = answer.body.filter(|_| answer.ok).ok_or_else(|| answer.error.unwrap_or_default())?;
            match (ready, health.ready) {
                (true, false) => Err("not ready".to_owned()),
                _ if command.json => Ok(line),
                (true, true) => Ok("ready\n".to_owned()),
                (false, _) => Ok("live\n".to_owned()),
            }
        }
        (Err(_), Some(place)) => probe(place, if ready { "ready" } else { "live" }),
        (Err(error), None) => Err(error),
    }
}

/// Asks an admin listener.
fn probe(place: &BindPlace, what: &str) -> Said {
    let request = format!("GET /-/{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = match place {
        BindPlace::Unix(path) => UnixStream::connect(path).and_then(|mut stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(&mut stream, &request)
        }),
        _ => address(place).and_then(|address| {
            let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(&mut stream, &request)
        }),
    };
    let answer = answer.map_err(|error| format!("the admin listener {place} does not answer: {error}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim_end();
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(format!("{body}\n")),
        false => Err(body.to_owned()),
    }
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer)?;
    Ok(answer)
}

/// Where this machine reaches a place that was listened on.
fn address(place: &BindPlace) -> std::io::Result<SocketAddr> {
    let unreachable =
        || std::io::Error::new(std::io::ErrorKind::InvalidInput, "it has no address of its own");
    let mut address = match place {
        BindPlace::Inet(address) => *address,
        BindPlace::Any(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, *port)),
        BindPlace::Host(name, port) => {
            (name.as_str(), *port).to_socket_addrs()?.next().ok_or_else(unreachable)?
        }
        BindPlace::Unix(_) | BindPlace::Fd(_) | BindPlace::Named(_) => return Err(unreachable()),
    };
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    Ok(address)
}
