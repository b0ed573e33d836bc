//! A client's socket, TCP or unix, non-blocking. Shared between the thread that answers and the loop that flushes.
//! Reads and writes are system calls without the C library, whose cancellation points cost more than these calls need.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{self, RecvFlags, SendAncillaryBuffer, SendFlags};

pub(crate) use rustix::net::Shutdown;

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Stream(OwnedFd);

impl Stream {
    /// Takes over a socket. It is made non-blocking: one that is not would stop the loop.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Stream> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Stream(fd))
    }

    /// A socket that the listener made non-blocking.
    pub(crate) fn accepted(fd: OwnedFd) -> Stream {
        Stream(fd)
    }

    /// Reads what is there; `WouldBlock` if nothing is.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let received: Result<(usize, usize), Errno> =
            retry_on_intr(|| net::recv(&self.0, &mut *buffer, RecvFlags::empty()));
        Ok(received?.0)
    }

    /// Writes what fits; `WouldBlock` if nothing does.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Ok(retry_on_intr(|| net::send(&self.0, bytes, SendFlags::NOSIGNAL))?)
    }

    /// Writes what fits of several parts in one call.
    pub(crate) fn write_parts(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let send = || net::sendmsg(&self.0, parts, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL);
        Ok(retry_on_intr(send)?)
    }

    /// Says that nothing more follows in one direction or both. Errors mean that the peer is gone already.
    pub(crate) fn shutdown(&self, how: Shutdown) {
        let _gone = net::shutdown(&self.0, how);
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
    pub(crate) fn register(&self, registry: &Registry, token: Token, writes: bool) -> io::Result<()> {
        let interest = if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        SourceFd(&self.0.as_raw_fd()).register(registry, token, interest)
    }

    /// Watches for room to write too.
    pub(crate) fn watch_writes(&self, registry: &Registry, token: Token) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).reregister(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether there are bytes to read.
    pub(crate) fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.0).is_ok_and(|count| count > 0)
    }

    /// Stops watching: the socket goes to another process.
    pub(crate) fn deregister(&self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.0.as_raw_fd()).deregister(registry)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
