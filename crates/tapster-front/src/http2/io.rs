//! A client's connection as tokio's traits have it, which `h2` reads and writes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop;

use super::gauge::Gauge;
use crate::stream::Stream;

/// One connection, and what came of it already.
pub(super) struct Io {
    stream: Stream,
    gauge: Rc<Gauge>,
    input: Vec<u8>,
    used: usize,
}

impl Io {
    pub(super) fn new(stream: Stream, input: Vec<u8>, gauge: Rc<Gauge>) -> Io {
        gauge.read(&input);
        Io { stream, gauge, input, used: 0 }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Io { stream, gauge, input, used } = &mut *self;
        // Others have their turn, also while one sends faster than it is read.
        let turn = ready!(coop::poll_proceed(context));
        loop {
            if let rest @ [_, ..] = &input[*used..] {
                let count = rest.len().min(into.remaining());
                into.put_slice(&rest[..count]);
                *used += count;
                turn.made_progress();
                return Poll::Ready(Ok(()));
            }
            if gauge.is_flooded() {
                // Whoever looks after the connection ends it: nothing more is read.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            input.clear();
            *used = 0;
            match stream.try_read(input) {
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(_) => gauge.read(input),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A connection that rests holds no buffer.
                    *input = Vec::new();
                    ready!(stream.poll_readable(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            match self.stream.try_write(&[IoSlice::new(bytes)]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.gauge.is_stuck();
                    ready!(self.stream.poll_writable(context))?;
                }
                Ok(count) => {
                    self.gauge.wrote(&bytes[..count]);
                    return Poll::Ready(Ok(count));
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written has left.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_end(context)
    }
}
