//! A client's connection as bytes, whatever carries it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;

use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::tls::Secured;

/// Bytes of room that a read has at least.
pub(crate) const READ: usize = 16 * 1024;

/// One connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Internet.
    Tcp(TcpStream),
    /// A unix socket.
    Unix(UnixStream),
    /// Internet, encrypted.
    Tls(Box<Secured>),
}

/// The same call on the socket of any.
macro_rules! either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            Stream::Tcp($inner) => $call,
            Stream::Unix($inner) => $call,
            Stream::Tls(secured) => {
                let $inner = &secured.socket;
                $call
            }
        }
    };
}

impl Stream {
    /// Appends what is there; 0 at the end. `WouldBlock` when nothing is there now.
    pub(crate) fn try_read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        if let Stream::Tls(secured) = self {
            return secured.try_read(into);
        }
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
        if let Stream::Tls(secured) = self {
            return secured.try_write(parts);
        }
        either!(self, stream => stream.try_write_vectored(parts))
    }

    /// Sends a piece of a file (sendfile(2)), what there is room for. `WouldBlock` when there is none, and
    /// `Unsupported` where it has to be encrypted first.
    pub(crate) fn try_send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        if self.is_encrypted() {
            return Err(io::ErrorKind::Unsupported.into());
        }
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

    /// Whether what it carries is encrypted here.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// Says that nothing more follows.
    pub(crate) async fn end(&mut self) {
        // A client that is gone needs no word.
        let _gone = match self {
            Stream::Tcp(socket) => socket.shutdown().await,
            Stream::Unix(socket) => socket.shutdown().await,
            Stream::Tls(secured) => {
                secured.say_end();
                secured.socket.shutdown().await
            }
        };
    }
}
