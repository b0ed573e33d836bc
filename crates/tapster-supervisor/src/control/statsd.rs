//! Sends the metrics to a statsd server every few seconds (`--statsd`): from the supervisor, without waiting for anybody.

mod lines;

use std::io;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use tapster_config::{Statsd, StatsdAddress};
use tapster_observe::exposition::Family;
use tapster_observe::{Incident, Log};

use lines::Lines;

/// Time since the supervisor started.
type Time = Duration;

/// Bytes of a datagram: what an Ethernet frame holds, behind the heads of IPv6 and UDP.
const DATAGRAM: usize = 1432;

/// What sends.
#[derive(Debug)]
pub struct Pusher {
    socket: Socket,
    lines: Lines,
    interval: Duration,
    next: Time,
    /// Whether the last datagram could not be sent, which was told.
    is_failing: bool,
    log: Log,
}

#[derive(Debug)]
enum Socket {
    Inet(UdpSocket),
    /// Found anew for each datagram: the server behind it may be another one.
    Unix(UnixDatagram, PathBuf),
}

impl Pusher {
    /// None where nothing is to be sent, or nothing can be, which the log then says.
    pub fn new(settings: &Statsd, log: &Log) -> Option<Pusher> {
        let address = settings.address.as_ref()?;
        match Socket::open(address) {
            Ok(socket) => Some(Pusher {
                socket,
                lines: Lines::new(settings),
                interval: settings.interval,
                next: settings.interval,
                is_failing: false,
                log: log.clone(),
            }),
            Err(error) => {
                log.report(
                    Incident::METRICS_NOT_SENT,
                    format_args!("no metrics are sent to {address} (--statsd): {error}"),
                );
                None
            }
        }
    }

    /// When the next metrics are due.
    pub fn deadline(&self) -> Time {
        self.next
    }

    /// Sends what `families` gives, if it is time.
    pub fn push(&mut self, now: Time, families: impl FnOnce() -> Vec<Family>) {
        if now < self.next {
            return;
        }
        self.next = now + self.interval;
        let lines = self.lines.since_last(&families());
        let sent = packed(&lines).iter().try_for_each(|datagram| self.socket.send(datagram.as_bytes()));
        match sent {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                self.log.report(
                    Incident::METRICS_NOT_SENT,
                    format_args!("metrics cannot be sent (--statsd), and are dropped: {error}"),
                );
            }
            Err(_) => {}
        }
    }
}

impl Socket {
    fn open(address: &StatsdAddress) -> io::Result<Socket> {
        match address {
            StatsdAddress::Udp(host, port) => {
                let missing = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                let target = (host.as_str(), *port).to_socket_addrs()?.next().ok_or_else(missing)?;
                let own = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(own)?;
                socket.connect(target)?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Inet(socket))
            }
            StatsdAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_nonblocking(true)?;
                Ok(Socket::Unix(socket, path.clone()))
            }
        }
    }

    fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Socket::Inet(socket) => socket.send(datagram).map(drop),
            Socket::Unix(socket, path) => socket.send_to(datagram, path).map(drop),
        }
    }
}

/// As few datagrams as they fit in.
fn packed(lines: &[String]) -> Vec<String> {
    let mut datagrams: Vec<String> = Vec::new();
    for line in lines {
        match datagrams.last_mut() {
            Some(last) if last.len() + 1 + line.len() <= DATAGRAM => {
                last.push('\n');
                last.push_str(line);
            }
            _ => datagrams.push(line.clone()),
        }
    }
    datagrams
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_share_datagrams() {
        let lines = vec!["x".repeat(700), "y".repeat(700), "z".repeat(700), "w".repeat(2000)];
        let datagrams = packed(&lines);
        assert_eq!(datagrams.iter().map(String::len).collect::<Vec<_>>(), [1401, 700, 2000]);
        assert_eq!(packed(&[]), Vec::<String>::new());
    }
}
