//! A client's connection as bytes, whatever carries it.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tapster_sys::poll;
use tokio::io::{AsyncWrite, AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::cache::Capture;
use crate::http2::Exchange;
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
    /// A stream of HTTP/2.
    Http2(Box<Exchange>),
    /// No client at all: the answer is for the cache.
    Captured(Box<Capture>),
}

/// The same call on the socket of any, and what those do in its place that have none.
macro_rules! either {
    ($stream:expr, $socket:ident => $call:expr, $exchange:ident => $other:expr) => {
        match $stream {
            Stream::Tcp($socket) => $call,
            Stream::Unix($socket) => $call,
            Stream::Tls(secured) => {
                let $socket = &secured.socket;
                $call
            }
            Stream::Http2($exchange) => $other,
            Stream::Captured($exchange) => $other,
        }
    };
}

impl Stream {
    /// Appends what is there; 0 at the end. `WouldBlock` when nothing is there now.
    pub(crate) fn try_read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        if let Stream::Tls(secured) = self {
            return secured.try_read(into);
        }
        either!(self, socket => {
            into.reserve(READ);
            let room = into.capacity() - into.len();
            let count = socket.try_read_buf(into)?;
            if (1..room).contains(&count) {
                // It has no more: the event loop says when it does, and nobody need ask in vain before that.
                let _empty = socket.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            }
            Ok(count)
        }, exchange => exchange.try_read(into))
    }

    /// Whether there is nothing to read and no end, by the system's own word: what the event loop knows may be older.
    /// A stream of HTTP/2 is not asked: links to upstreams are sockets.
    pub(crate) fn is_silent(&self) -> bool {
        let fd = either!(self, socket => socket.as_fd(), _exchange => return false);
        poll::wait(&[(fd, poll::Interest::Readable)], Some(Duration::ZERO)).is_ok_and(|ready| !ready[0])
    }

    /// The same, but the system is asked only where the event loop has had word of something: what came since it last looked is
    /// not seen. For who can be wrong about it.
    pub(crate) fn seems_silent(&self) -> bool {
        let asked = || if self.is_silent() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) };
        either!(self, socket => socket.try_io(Interest::READABLE, asked).is_err(), _exchange => false)
    }

    /// Waits until there may be something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        either!(self, socket => socket.readable().await, exchange => exchange.readable().await)
    }

    /// The same for who polls. A stream of HTTP/2 is not polled.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_read_ready(context), _exchange => Poll::Ready(Ok(())))
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
        either!(self, socket => socket.try_write_vectored(parts), exchange => exchange.try_write(parts))
    }

    /// Sends a piece of a file (sendfile(2)), what there is room for. `WouldBlock` when there is none, and
    /// `Unsupported` where more has to be done with the bytes.
    pub(crate) fn try_send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        if let Stream::Tls(_) = self {
            return Err(io::ErrorKind::Unsupported.into());
        }
        either!(self, socket => socket.try_io(Interest::WRITABLE, || {
            tapster_sys::file::send(socket.as_fd(), file.as_fd(), offset, count)
        }), _exchange => Err(io::ErrorKind::Unsupported.into()))
    }

    /// Waits until there may be room.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        either!(self, socket => socket.writable().await, exchange => exchange.writable().await)
    }

    /// The same for who polls. A stream of HTTP/2 is not polled.
    pub(crate) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, socket => socket.poll_write_ready(context), _exchange => Poll::Ready(Ok(())))
    }

    /// Waits until the client is known to be gone: it reset the connection. One that only ended its own direction still
    /// reads. A unix client that closes is noticed when something is written to it.
    pub(crate) async fn gone(&self) {
        let ready = either!(self, socket => socket.ready(Interest::ERROR).await.map(drop), exchange => {
            exchange.gone().await;
            Ok(())
        });
        if ready.is_err() {
            std::future::pending().await
        }
    }

    /// Whether there is no client: what goes to clients is not to be changed yet.
    pub(crate) fn is_captured(&self) -> bool {
        matches!(self, Stream::Captured(_))
    }

    /// Whether it is a stream of HTTP/2 that is to carry another protocol (RFC 8441).
    pub(crate) fn is_tunnel(&self) -> bool {
        matches!(self, Stream::Http2(exchange) if exchange.is_tunnel())
    }

    /// Whether what it carries is encrypted here.
    pub(crate) fn is_encrypted(&self) -> bool {
        match self {
            Stream::Tls(_) => true,
            Stream::Http2(exchange) => exchange.is_encrypted(),
            Stream::Captured(capture) => capture.is_encrypted(),
            Stream::Tcp(_) | Stream::Unix(_) => false,
        }
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
            Stream::Http2(exchange) => {
                exchange.end();
                Ok(())
            }
            Stream::Captured(_) => Ok(()),
        };
    }

    /// The same for who polls.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Stream::Unix(socket) => Pin::new(socket).poll_shutdown(context),
            Stream::Tls(secured) => {
                secured.say_end();
                Pin::new(&mut secured.socket).poll_shutdown(context)
            }
            Stream::Http2(_) | Stream::Captured(_) => Poll::Ready(Ok(())),
        }
    }
}
