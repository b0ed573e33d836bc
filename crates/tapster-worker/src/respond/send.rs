//! The bytes of an answer on their way: to the socket in as few writes as they fit, and into the connection's
//! [`Outbound`] what it does not take at once. Runs on the thread that calls the application.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tapster_gateway::{Chunk, Flush, Kept, WriteError};
use tapster_http1::encode;

use crate::backing::Backing;
use crate::burst;
use crate::file::FileBody;
use crate::outbound::{Flushed, Outbound};

use super::Responder;
use super::framing::Framing;

/// Body parts up to this size are copied behind the head: one write beats a saved copy.
const COPY_BELOW: usize = 16 * 1024;
impl Responder<'_> {
    pub(super) fn put(&mut self, chunk: &dyn Chunk, count: usize) {
        let chunked = self.framing == Framing::Chunked;
        if chunked {
            encode::chunk_header(self.out, count);
        }
        if count <= COPY_BELOW {
            self.out.extend_from_slice(&chunk.bytes()[..count]);
        } else {
            self.send_with(chunk, count);
        }
        if chunked {
            self.out.extend_from_slice(encode::CHUNK_END);
        }
        self.bytes += count as u64;
    }

    /// Sends what is gathered.
    pub(super) fn send(&mut self) {
        if self.out.is_empty() || self.gone {
            self.out.clear();
            return;
        }
        self.left = true;
        let sent = match self.pending() {
            Some(_) => 0,
            None => self.took(self.connection.stream.write(self.out)),
        };
        if sent < self.out.len() && !self.gone {
            let rest = self.out[sent..].to_vec();
            self.queue(Box::new(rest), 0);
        }
        self.out.clear();
    }

    /// Sends what is gathered and `count` bytes of a large part, without copying the part.
    pub(super) fn send_with(&mut self, chunk: &dyn Chunk, count: usize) {
        if self.gone {
            return;
        }
        self.left = true;
        let bytes = &chunk.bytes()[..count];
        let sent = match self.pending() {
            Some(_) => 0,
            None => {
                let parts = [IoSlice::new(self.out), IoSlice::new(bytes)];
                self.took(self.connection.stream.write_parts(&parts))
            }
        };
        if self.gone {
            return;
        }
        let gathered = self.out.len();
        if sent < gathered {
            let rest = self.out[sent..].to_vec();
            self.queue(Box::new(rest), 0);
        }
        let sent = sent.saturating_sub(gathered);
        if sent < count {
            let kept = if count == chunk.bytes().len() { chunk.keep() } else { Box::new(bytes.to_vec()) };
            self.queue(kept, sent);
        }
        self.out.clear();
    }

    /// Takes a whole small answer to be written with others; none if that is not to be.
    pub(super) fn take_whole(&mut self) -> Option<Vec<u8>> {
        let burst = self.burst.as_mut()?;
        let is_whole = !self.left && !self.gone && !matches!(self.framing, Framing::Length(1..));
        let goes_on = self.exchange.keep_alive && self.framing != Framing::UntilClose;
        if !is_whole || !goes_on || !burst::is_small(self.out.len()) || !self.connection.only_waits() {
            return None;
        }
        self.left = true;
        Some(burst.take(self.out))
    }

    /// Leaves a whole answer to the end of the call, or to the monitor if that is long in coming: the application may be
    /// at work behind its last byte, or close what it gave.
    pub(super) fn entrust(&mut self) -> bool {
        let Some(bytes) = self.take_whole() else { return false };
        let lane = &self.shared.lane;
        match lane.burst.entrust(self.connection.stream.clone(), bytes) {
            Err(bytes) => *self.out = bytes,
            Ok(()) if self.burst.as_mut().is_some_and(|burst| burst.still_leads(&lane.token)) => return true,
            // The next leader may have looked before it was there.
            Ok(()) => {
                lane.burst.give_back(self.connection);
                *self.out = std::mem::take(&mut self.connection.unsent);
            }
        }
        false
    }

    pub(super) fn took(&mut self, written: io::Result<usize>) -> usize {
        match written {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(_) => {
                self.gone = true;
                0
            }
        }
    }

    /// The queue, if it holds anything: what comes next must wait behind it.
    pub(super) fn pending(&mut self) -> Option<u64> {
        let queued = self.connection.outbound.as_ref()?.queued();
        if queued.is_none() {
            self.gone = true;
        }
        queued.filter(|&bytes| bytes > 0)
    }

    /// The queue; made at the first byte that the socket did not take, and from then on flushed by the loop too.
    pub(super) fn outbound(&mut self) -> Arc<Outbound> {
        if let Some(outbound) = &self.connection.outbound {
            return outbound.clone();
        }
        if let Some(incoming) = &self.connection.incoming {
            incoming.begin_answer();
        }
        let backing = Backing::of(self.shared, self.connection.key);
        let outbound = Outbound::new(self.connection.stream.clone(), self.bytes, backing);
        self.connection.outbound = Some(outbound.clone());
        self.shared.lane.core().share_outbound(self.connection.key, outbound.clone());
        outbound
    }

    /// Leaves bytes that the socket did not take to the loop.
    pub(super) fn queue(&mut self, part: Box<dyn Kept>, sent: usize) {
        let outbound = self.outbound();
        if outbound.push(part, sent) {
            match outbound.flush() {
                Flushed::Empty => {}
                Flushed::Gone => self.gone = true,
                Flushed::Progress | Flushed::Stuck => self.watch_writes(),
            }
        }
    }

    /// Leaves a part of a file to the file thread, behind what was gathered.
    pub(super) fn queue_file(&mut self, file: File, offset: u64, count: u64) {
        let chunked = self.framing == Framing::Chunked;
        if chunked {
            encode::chunk_header(self.out, usize::try_from(count).unwrap_or(usize::MAX));
        }
        self.send();
        let outbound = self.outbound();
        self.watch_writes();
        if self.gone {
            return;
        }
        self.left = true;
        let subject = self.connection.facts.connection.peer().to_string();
        self.gone |= outbound.push_file(FileBody { file, subject }, offset, count) == Flushed::Gone;
        self.bytes += count;
        if chunked {
            self.out.extend_from_slice(encode::CHUNK_END);
        }
    }

    /// Reads a small part of a file and writes it. A file that is shorter ends the body early, which `finish` then shows.
    pub(super) fn write_file(&mut self, file: &File, offset: u64, length: u64) -> Result<(), WriteError> {
        let mut bytes = vec![0; length as usize];
        let mut read = 0;
        self.app.unlocked(&mut || {
            while let Ok(count @ 1..) = file.read_at(&mut bytes[read..], offset + read as u64) {
                read += count;
            }
        });
        bytes.truncate(read);
        if bytes.is_empty() { Ok(()) } else { self.put_chunk(&bytes, Flush::Later) }
    }

    /// Asks the poller for room to write.
    pub(super) fn watch_writes(&mut self) {
        self.gone |= self.connection.watch_writes(&self.shared.lane.registry).is_err();
    }

    /// Makes an application that streams faster than its client reads wait, without the interpreter's lock.
    pub(super) fn hold_back(&mut self) {
        let Some(outbound) = self.connection.outbound.clone() else { return };
        if outbound.has_room() {
            return;
        }
        let mut room = false;
        self.app.unlocked(&mut || room = outbound.wait_for_room(&self.policy.pace));
        if !room {
            self.gone = true;
            outbound.give_up();
        }
    }
}
