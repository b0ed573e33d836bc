//! One question to name servers: by UDP, by TCP where the answer is too long for that (RFC 7766), and to the next server where
//! one does not answer.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use aws_lc_rs::rand;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::config::Config;
use super::message::{Answer, Kind, Reply, question, reply};

/// Bytes of a datagram that are read. A server sends at most 512 to who does not offer more (RFC 1035 §4.2.1).
const DATAGRAM: usize = 4096;

/// A question as it is sent.
struct Query<'n> {
    id: u16,
    name: &'n str,
    kind: Kind,
    bytes: Vec<u8>,
}

/// Asks one server after the other until one answers.
///
/// # Errors
/// When none answers in time. `InvalidData` where the last one said that it cannot answer.
pub(super) async fn ask(config: &Config, name: &str, kind: Kind) -> io::Result<Answer> {
    let count = config.servers.len();
    let first = if config.rotates { random()? as usize % count } else { 0 };
    let mut failed = io::Error::from(io::ErrorKind::TimedOut);
    for server in (0..config.attempts * count).map(|turn| config.servers[(first + turn) % count]) {
        // Whoever forges an answer has to guess its number, and the port of its own socket.
        let query = Query::new(random()?, name, kind)?;
        let asked = timeout(config.timeout, query.ask(server, config.is_stream));
        let silent =
            || io::Error::new(io::ErrorKind::TimedOut, format!("the name server {server} does not answer"));
        match asked.await.unwrap_or_else(|_| Err(silent())) {
            Ok(Reply::Answer(answer)) => return Ok(answer),
            Ok(Reply::Failure(code)) => {
                failed = io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the name server {server} says {code:?}"),
                );
            }
            Ok(Reply::Truncated) => failed = unreadable(server),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

impl<'n> Query<'n> {
    fn new(id: u16, name: &'n str, kind: Kind) -> io::Result<Query<'n>> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "it is too long for a name");
        Ok(Query { id, name, kind, bytes: question(id, name, kind).ok_or_else(invalid)? })
    }

    async fn ask(&self, server: SocketAddr, is_stream: bool) -> io::Result<Reply> {
        let reply = if is_stream { Reply::Truncated } else { self.by_udp(server).await? };
        match reply {
            Reply::Truncated => self.by_tcp(server).await,
            reply => Ok(reply),
        }
    }

    async fn by_udp(&self, server: SocketAddr) -> io::Result<Reply> {
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        // From here on the system drops what comes from anywhere else, and tells that nobody listens there.
        socket.connect(server).await.map_err(|error| unreachable(server, &error))?;
        socket.send(&self.bytes).await.map_err(|error| unreachable(server, &error))?;
        let mut buffer = vec![0; DATAGRAM];
        loop {
            let count = socket.recv(&mut buffer).await.map_err(|error| unreachable(server, &error))?;
            if let Some(reply) = self.read(&buffer[..count]) {
                return Ok(reply);
            }
        }
    }

    async fn by_tcp(&self, server: SocketAddr) -> io::Result<Reply> {
        let connected = TcpStream::connect(server).await;
        let mut stream = connected.map_err(|error| unreachable(server, &error))?;
        let length = u16::try_from(self.bytes.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), self.bytes.as_slice()].concat()).await?;
        let length = stream.read_u16().await?;
        let mut buffer = vec![0; length.into()];
        stream.read_exact(&mut buffer).await?;
        self.read(&buffer).ok_or_else(|| unreadable(server))
    }

    fn read(&self, bytes: &[u8]) -> Option<Reply> {
        reply(bytes, self.id, self.name, self.kind)
    }
}

fn unreachable(server: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("the name server {server} cannot be asked: {error}"))
}

fn unreadable(server: SocketAddr) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the name server {server} answers what is no answer"))
}

fn random() -> io::Result<u16> {
    let mut bytes = [0; 2];
    rand::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u16::from_be_bytes(bytes))
}
