//! Bytes both ways between a client and an upstream that agreed on another protocol, until both have said all. What one does not
//! read is not read of the other: no more than one read is held for each direction.

use std::io::{self, IoSlice};
use std::time::Duration;

use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use crate::client::Client;
use crate::stream::Stream;

/// Reads that one direction may have before the other has its turn.
const TURN: usize = 8;

/// How long nothing may move.
pub(super) struct Limits {
    /// While both may speak.
    pub(super) idle: Duration,
    /// When one has said all.
    pub(super) half: Duration,
}

/// One direction.
#[derive(Default)]
struct Flow {
    bytes: Vec<u8>,
    /// How many of them were written.
    used: usize,
    /// No more comes.
    is_over: bool,
    /// And the other side was told so.
    is_told: bool,
    /// Bytes written.
    moved: u64,
}

/// Passes bytes on until both sides are through; `input` came of the upstream already. `sent` is how many went to the client.
///
/// # Errors
/// When one side is gone, or neither says anything for too long.
pub(super) async fn run(
    client: &mut Client,
    mut upstream: Stream,
    input: Vec<u8>,
    limits: &Limits,
    sent: &mut u64,
) -> io::Result<()> {
    let mut up = Flow { bytes: std::mem::take(&mut client.input), ..Flow::default() };
    let mut down = Flow { bytes: input, ..Flow::default() };
    while !(up.is_told && down.is_told) {
        let has_moved = up.step(&client.stream, &upstream)? | down.step(&upstream, &client.stream)?;
        *sent = down.moved;
        if up.is_to_tell() {
            upstream.end().await;
        }
        if down.is_to_tell() {
            client.stream.end().await;
        }
        if has_moved {
            consume_budget().await;
        } else if !(up.is_told && down.is_told) {
            let limit = if up.is_told || down.is_told { limits.half.min(limits.idle) } else { limits.idle };
            let moves = wait(&client.stream, &upstream, &up, &down);
            let silent = || io::Error::new(io::ErrorKind::TimedOut, "nothing moved (--tunnel-timeout)");
            timeout(limit, moves).await.map_err(|_| silent())??;
        }
    }
    Ok(())
}

/// Waits until something may move.
async fn wait(client: &Stream, upstream: &Stream, up: &Flow, down: &Flow) -> io::Result<()> {
    tokio::select! {
        ready = client.readable(), if up.is_to_read() => ready,
        ready = upstream.writable(), if up.is_to_write() => ready,
        ready = upstream.readable(), if down.is_to_read() => ready,
        ready = client.writable(), if down.is_to_write() => ready,
    }
}

impl Flow {
    fn is_to_read(&self) -> bool {
        !self.is_to_write() && !self.is_over
    }

    fn is_to_write(&self) -> bool {
        self.used < self.bytes.len()
    }

    /// Whether the other side is to be told now that no more comes; once.
    fn is_to_tell(&mut self) -> bool {
        let is_due = self.is_over && !self.is_to_write() && !self.is_told;
        self.is_told |= is_due;
        is_due
    }

    /// Moves what can be moved now; false if that is nothing.
    fn step(&mut self, from: &Stream, to: &Stream) -> io::Result<bool> {
        let mut has_moved = false;
        for _ in 0..TURN {
            let moved = if self.is_to_read() {
                self.read(from)
            } else if self.is_to_write() {
                self.write(to)
            } else {
                return Ok(has_moved);
            };
            match moved {
                Ok(()) => has_moved = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(has_moved),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn read(&mut self, from: &Stream) -> io::Result<()> {
        let read = from.try_read(&mut self.bytes);
        if read.is_err() {
            // A connection that rests holds no buffer.
            self.bytes = Vec::new();
        }
        self.is_over = read? == 0;
        Ok(())
    }

    fn write(&mut self, to: &Stream) -> io::Result<()> {
        let count = to.try_write(&[IoSlice::new(&self.bytes[self.used..])])?;
        self.used += count;
        self.moved += count as u64;
        if !self.is_to_write() {
            self.bytes.clear();
            self.used = 0;
        }
        Ok(())
    }
}
