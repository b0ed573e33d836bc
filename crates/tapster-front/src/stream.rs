//! A client's connection as bytes, whatever carries it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};

/// Bytes of room that a read has at least.
pub(crate) const READ: usize = 16 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Internet.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
}

/// The same call on either.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
        }
    };
}

impl Stream {
    /// Appends what is there; 0 at the end. `WouldBlock` when nothing is there now.
    pub(crate) fn try_read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        into.reserve(READ);
        either!(self, stream => stream.try_read_buf(into))
    }

    /// Waits until there may be something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        either!(self, stream => stream.readable().await)
    }

    /// Appends what comes next; 0 at the end.
    pub(crate) async fn read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match self.try_read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable().await?,
                result => return result,
            }
        }
    }

    /// Writes what there is room for. `WouldBlock` when there is none.
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.try_write_vectored(parts))
    }

    /// Sends a piece of a file (sendfile(2)), what there is room for. `WouldBlock` when there is none.
    pub(crate) fn try_send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        either!(self, stream => stream.try_io(Interest::WRITABLE, || {
            tapster_sys::file::send(stream.as_fd(), file.as_fd(), offset, count)
        }))
    }

    /// Waits until there may be room.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        either!(self, stream => stream.writable().await)
    }

    /// Waits until the client is known to be gone: it reset the connection. One that only ended its own direction still
    /// reads. A unix client that closes is noticed when something is written to it.
    pub(crate) async fn gone(&self) {
        let ready = either!(self, stream => stream.ready(Interest::ERROR).await);
        if ready.is_err() {
            std::future::pending().await
        }
    }

    /// Says that nothing more follows.
    pub(crate) async fn end(&mut self) {
        // A client that is gone needs no word.
        let _gone = either!(self, stream => stream.shutdown().await);
    }
}
