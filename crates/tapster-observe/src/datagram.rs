//! Lines as datagrams: to a syslog on this host or on another one, or to whoever reads a unix socket. A line is one of them,
//! so none is ever torn, and whoever listens may come and go.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use crate::output::Progress;
use crate::timestamp::Timestamp;

/// "daemon", "informational" (RFC 5424 §6.2.1).
const PRIORITY: &str = "<30>";

/// Where datagrams go.
#[derive(Debug)]
pub struct Datagrams {
    way: Way,
    framing: Framing,
    /// For the datagram at hand.
    memory: Mutex<Vec<u8>>,
}

#[derive(Debug)]
enum Way {
    /// By its path each time, so that a service that starts anew is found.
    Unix(UnixDatagram, PathBuf),
    Udp(UdpSocket),
}

#[derive(Debug)]
enum Framing {
    Plain,
    /// As C's own syslog, without the time, which the service knows better.
    Local,
    /// RFC 5424, from the host of this name.
    Network(String),
}

impl Datagrams {
    /// Datagrams that are nothing but lines, without newlines.
    ///
    /// # Errors
    /// What the system says; that nobody listens is none.
    pub fn plain(path: PathBuf) -> io::Result<Datagrams> {
        Ok(Datagrams::new(unix(path)?, Framing::Plain))
    }

    /// To the syslog of this host, which listens at `path`.
    ///
    /// # Errors
    /// As [`Datagrams::plain`].
    pub fn syslog(path: PathBuf) -> io::Result<Datagrams> {
        Ok(Datagrams::new(unix(path)?, Framing::Local))
    }

    /// To a syslog by UDP (RFC 5426); its name is looked up once, now.
    ///
    /// # Errors
    /// When the name is not known, and what the system says.
    pub fn udp(address: &str) -> io::Result<Datagrams> {
        let to = address.to_socket_addrs()?.next();
        let to = to.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "the name has no address"))?;
        let from = match to {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(from)?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Datagrams::new(Way::Udp(socket), Framing::Network(host)))
    }

    fn new(way: Way, framing: Framing) -> Datagrams {
        Datagrams { way, framing, memory: Mutex::default() }
    }

    /// Sends the first of the lines.
    pub(crate) fn send_first(&self, lines: &[u8]) -> Progress {
        let line = lines.split(|byte| *byte == b'\n').next().unwrap_or_default();
        // Taken only in a child that was forked in the middle of a line.
        let Ok(mut memory) = self.memory.try_lock() else { return Progress::Blocked };
        memory.clear();
        self.framing.write(&mut memory);
        memory.extend_from_slice(line);
        let sent = match &self.way {
            Way::Unix(socket, path) => socket.send_to(&memory, path),
            Way::Udp(socket) => socket.send(&memory),
        };
        match sent {
            Ok(_) => Progress::Wrote((line.len() + 1).min(lines.len())),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Progress::Blocked
            }
            Err(_) => Progress::Failed,
        }
    }
}

impl Framing {
    fn write(&self, out: &mut Vec<u8>) {
        let pid = std::process::id();
        match self {
            Framing::Plain => {}
            Framing::Local => out.extend_from_slice(format!("{PRIORITY}tapster[{pid}]: ").as_bytes()),
            Framing::Network(host) => {
                out.extend_from_slice(format!("{PRIORITY}1 ").as_bytes());
                Timestamp::of(SystemTime::now()).write_iso(out);
                out.extend_from_slice(format!(" {host} tapster {pid} access - ").as_bytes());
            }
        }
    }
}

fn unix(path: PathBuf) -> io::Result<Way> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(Way::Unix(socket, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UdpSocket) -> String {
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn a_syslog_on_the_network_gets_a_message_a_line() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let way = Datagrams::udp(&server.local_addr().unwrap().to_string()).unwrap();
        assert_eq!(way.send_first(b"one\ntwo\n"), Progress::Wrote(4));
        let message = received(&server);
        assert!(message.starts_with("<30>1 2") && message.contains("Z "), "{message}");
        assert!(message.ends_with(&format!(" tapster {} access - one", std::process::id())), "{message}");
    }

    #[test]
    fn a_socket_may_come_and_go() {
        let path = std::env::temp_dir().join(format!("tapster-datagram-{}", std::process::id()));
        let _stale = std::fs::remove_file(&path);
        let way = Datagrams::syslog(path.clone()).unwrap();
        assert_eq!(way.send_first(b"lost\n"), Progress::Failed);
        for _ in 0..2 {
            let server = UnixDatagram::bind(&path).unwrap();
            assert_eq!(way.send_first(b"heard\n"), Progress::Wrote(6));
            let mut bytes = [0; 100];
            let length = server.recv(&mut bytes).unwrap();
            let expected = format!("<30>tapster[{}]: heard", std::process::id());
            assert_eq!(std::str::from_utf8(&bytes[..length]).unwrap(), expected);
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn one_that_reads_nothing_blocks_and_loses_nothing() {
        let path = std::env::temp_dir().join(format!("tapster-datagram-full-{}", std::process::id()));
        let _stale = std::fs::remove_file(&path);
        let server = UnixDatagram::bind(&path).unwrap();
        let way = Datagrams::plain(path.clone()).unwrap();
        let mut sent = 0;
        while way.send_first(b"x\n") == Progress::Wrote(2) {
            sent += 1;
        }
        assert_eq!(way.send_first(b"x\n"), Progress::Blocked);
        server.set_nonblocking(true).unwrap();
        let read = (0..).take_while(|_| server.recv(&mut [0; 8]).is_ok()).count();
        assert_eq!(read, sent);
        std::fs::remove_file(&path).unwrap();
    }
}
