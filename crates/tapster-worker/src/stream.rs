//! A client's socket, TCP or unix, non-blocking. Shared between the thread that answers and the loop that flushes.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

/// A connected socket.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Takes over a socket. It is made non-blocking: one that is not would stop the loop.
    pub(crate) fn new(fd: OwnedFd, unix: bool) -> io::Result<Stream> {
        if unix {
            let stream = std::os::unix::net::UnixStream::from(fd);
            stream.set_nonblocking(true)?;
            Ok(Stream::Unix(UnixStream::from_std(stream)))
        } else {
            let stream = std::net::TcpStream::from(fd);
            stream.set_nonblocking(true)?;
            Ok(Stream::Tcp(TcpStream::from_std(stream)))
        }
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry(|| match self {
            Stream::Tcp(stream) => (&*stream).read(buffer),
            Stream::Unix(stream) => (&*stream).read(buffer),
        })
    }

    /// Writes what fits; `WouldBlock` if nothing does.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry(|| match self {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        })
    }

    /// Writes what fits of several parts in one call.
    pub(crate) fn write_parts(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        retry(|| match self {
            Stream::Tcp(stream) => (&*stream).write_vectored(parts),
            Stream::Unix(stream) => (&*stream).write_vectored(parts),
        })
    }

    /// Says that nothing more follows. Errors mean that the peer is gone already.
    pub(crate) fn shutdown(&self, how: Shutdown) {
        let _gone = match self {
            Stream::Tcp(stream) => stream.shutdown(how),
            Stream::Unix(stream) => stream.shutdown(how),
        };
    }

    /// Bytes written that the peer's system has not acknowledged; 0 where the system does not tell.
    pub(crate) fn unacknowledged(&self) -> u64 {
        tapster_sys::connected::unacknowledged(self.as_fd()).unwrap_or(0)
    }

    /// Has the connection end with a reset, and the system forget at once what the peer did not take.
    pub(crate) fn reset_on_close(&self) {
        // It matters for what the peer sees, not for this end.
        let _gone = tapster_sys::connected::reset_on_close(self.as_fd());
    }

    /// Starts watching: once for the connection's life, edge-triggered.
    pub(crate) fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        self.source(|source| source.register(registry, token, Interest::READABLE))
    }

    /// Watches for room to write too, or no longer.
    pub(crate) fn watch_writes(&self, registry: &Registry, token: Token, writes: bool) -> io::Result<()> {
        let interest = if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.source(|source| source.reregister(registry, token, interest))
    }

    /// Stops watching: the socket goes to another process.
    pub(crate) fn deregister(&self, registry: &Registry) -> io::Result<()> {
        self.source(|source| source.deregister(registry))
    }

    fn source(&self, act: impl FnOnce(&mut mio::unix::SourceFd<'_>) -> io::Result<()>) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let fd = self.as_fd().as_raw_fd();
        act(&mut mio::unix::SourceFd(&fd))
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
