//! Listeners as the loop polls them. All workers share the sockets: each new connection wakes one worker.

use std::fmt;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use mio::net::{TcpListener, UnixListener};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use tapster_gateway::Endpoint;
use tapster_sys::log_file;
use tapster_sys::socket::{Address, Listener};

use crate::stream::Stream;

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A new connection and both its ends.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) local: Endpoint,
    pub(crate) peer: Endpoint,
}

impl Accepted {
    /// A connection that the front made: a socket pair, whose ends have no names.
    pub(crate) fn hop(fd: OwnedFd) -> io::Result<Accepted> {
        let stream = Stream::new(std::os::unix::net::UnixStream::from(fd).into())?;
        Ok(Accepted { stream, local: unnamed(), peer: unnamed() })
    }
}

/// One shared listener.
pub(crate) struct Acceptor {
    socket: Socket,
    address: Address,
    /// Each connection begins with a PROXY header.
    pub(crate) is_proxied: bool,
    token: Token,
    /// Whether the poller has it; whoever changes that holds the lock.
    watched: Mutex<bool>,
}

impl Acceptor {
    /// Takes its own handle of a shared listener; events carry `token`.
    pub(crate) fn new(listener: &Listener, token: Token) -> io::Result<Acceptor> {
        let fd = listener.as_fd().try_clone_to_owned()?;
        let socket = if listener.is_unix() {
            Socket::Unix(UnixListener::from_std(fd.into()))
        } else {
            Socket::Tcp(TcpListener::from_std(fd.into()))
        };
        let address = listener.address().clone();
        let is_proxied = listener.is_proxied();
        Ok(Acceptor { socket, address, is_proxied, token, watched: Mutex::new(false) })
    }

    /// Starts listening for connections, so that one of the processes that do is woken for each.
    pub(crate) fn watch(&self, poll: BorrowedFd<'_>, registry: &Registry) -> io::Result<()> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if *watched {
            return Ok(());
        }
        let result = match tapster_sys::poll::add_exclusive(poll, self.fd(), self.token.0 as u64) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                registry.register(&mut SourceFd(&self.fd().as_raw_fd()), self.token, Interest::READABLE)
            }
            result => result,
        };
        *watched = result.is_ok();
        result
    }

    /// Leaves new connections to the other processes.
    pub(crate) fn leave(&self, poll: BorrowedFd<'_>, registry: &Registry) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut *watched) {
            return;
        }
        let left = match tapster_sys::poll::remove(poll, self.fd()) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                registry.deregister(&mut SourceFd(&self.fd().as_raw_fd()))
            }
            result => result,
        };
        // Not registered any more is what was wanted.
        let _already = left;
    }

    /// Gives the listener up, so that it is gone once all processes have: of a worker without a supervisor, whose port the
    /// next server wants. To be called when it was left for good.
    pub(crate) fn close(&self) -> io::Result<()> {
        // The number goes on to be somebody's.
        log_file::replace(self.fd(), File::open("/dev/null")?.as_fd())
    }

    /// The next connection; `WouldBlock` when there is none.
    pub(crate) fn accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                let local = self.local(|| stream.local_addr());
                Ok(Accepted { local, peer: inet(peer), stream: Stream::accepted(stream.into()) })
            }
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok(Accepted { local: self.unix(), peer: unnamed(), stream: Stream::accepted(stream.into()) })
            }
        }
    }

    /// A connection that a peer process accepted on this listener.
    pub(crate) fn adopt(&self, fd: OwnedFd) -> io::Result<Accepted> {
        match &self.socket {
            Socket::Tcp(_) => {
                let tcp = std::net::TcpStream::from(fd);
                let (local, peer) = (self.local(|| tcp.local_addr()), inet(tcp.peer_addr()?));
                Ok(Accepted { local, peer, stream: Stream::new(tcp.into())? })
            }
            Socket::Unix(_) => {
                let unix = std::os::unix::net::UnixStream::from(fd);
                unix.peer_addr()?;
                Ok(Accepted { local: self.unix(), peer: unnamed(), stream: Stream::new(unix.into())? })
            }
        }
    }

    /// The address that the client connected to: the listener's, unless that stands for many.
    fn local(&self, ask: impl FnOnce() -> io::Result<SocketAddr>) -> Endpoint {
        match &self.address {
            Address::Inet(address) if !address.ip().is_unspecified() => inet(*address),
            Address::Inet(address) => inet(ask().unwrap_or(*address)),
            Address::Unix(_) => self.unix(),
        }
    }

    fn unix(&self) -> Endpoint {
        match &self.address {
            Address::Unix(path) => Endpoint::Unix(text(path)),
            Address::Inet(address) => inet(*address),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener) => listener.as_fd(),
        }
    }
}

impl fmt::Display for Acceptor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(out)
    }
}

fn inet(address: SocketAddr) -> Endpoint {
    Endpoint::Inet(address.ip().to_canonical(), address.port())
}

fn unnamed() -> Endpoint {
    Endpoint::Unix(String::new())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
