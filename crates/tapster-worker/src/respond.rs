//! The answer to one request: framing, the head and its body in as few writes as they fit, what the socket does
//! not take at once into the connection's [`Outbound`]. Runs on the thread that calls the application.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use tapster_config::EarlyHints;
use tapster_gateway::{App, BodySize, Chunk, Flush, Kept, Protocol, Respond, ResponseHead, WriteError};
use tapster_http1::encode::{self, BodyField, RefusalFields, ServerFields};

use crate::backing::Backing;
use crate::burst::{self, Pace};
use crate::connection::{Connection, Exchange};
use crate::file::FileBody;
use crate::outbound::{Flushed, Outbound};
use crate::ownership::{Owner, Reply, Stage};
use crate::policy::Policy;
use crate::running::Running;
use crate::worker::Shared;

/// Body parts up to this size are copied behind the head: one write beats a saved copy.
const COPY_BELOW: usize = 16 * 1024;

/// Files up to this size are read: one write with the head beats a hand-over to the file thread.
const READ_BELOW: u64 = 64 * 1024;

/// Bytes gathered before they are sent although more is at hand.
const SEND_FROM: usize = 64 * 1024;

/// How the client will know where the body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Framing {
    /// HEAD, 204, 304: there is none (RFC 9110 §6.4.1).
    NoBody,
    /// So many bytes are missing.
    Length(u64),
    Chunked,
    UntilClose,
}

/// Where the answer stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    NotStarted,
    Started,
    Finished,
    Aborted,
}

/// What the answer came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Body bytes handed to the socket or its queue.
    pub(crate) bytes: u64,
    pub(crate) keep_alive: bool,
    /// The application wrote less than it announced.
    pub(crate) short_by: Option<u64>,
}

/// Appends an answer of the server's own, which ends the connection.
pub(crate) fn refuse(
    out: &mut Vec<u8>,
    status: u16,
    reason: &str,
    fields: &RefusalFields<'_>,
    head_only: bool,
) {
    let start = out.len();
    encode::refusal_response(out, status, reason, fields);
    if head_only && let Some(end) = out[start..].windows(4).position(|window| window == b"\r\n\r\n") {
        out.truncate(start + end + 4);
    }
}

/// One answer being written.
pub(crate) struct Responder<'a> {
    connection: &'a mut Connection,
    out: &'a mut Vec<u8>,
    date: &'a [u8],
    app: &'a dyn App,
    shared: &'a Shared<'a>,
    policy: &'a Policy,
    exchange: Exchange,
    framing: Framing,
    progress: Progress,
    status: u16,
    bytes: u64,
    /// Whether something of the answer went to the socket or its queue.
    left: bool,
    gone: bool,
    /// The answer may be kept back, here.
    burst: Option<&'a mut Pace>,
    /// What others know of this request.
    running: Option<&'a Running>,
    /// Whose it is, if its time is limited.
    owner: Option<&'a Owner>,
}

impl<'a> Responder<'a> {
    pub(crate) fn new(
        connection: &'a mut Connection,
        out: &'a mut Vec<u8>,
        date: &'a [u8],
        shared: &'a Shared<'a>,
        exchange: Exchange,
        burst: Option<&'a mut Pace>,
        running: Option<&'a Running>,
    ) -> Responder<'a> {
        out.clear();
        let owner = running.map(|running| &running.owner).filter(|_| shared.policy.times.request.is_some());
        if let Some(owner) = owner {
            let (stream, incoming) = (connection.stream.clone(), connection.incoming.clone());
            let reply = Reply { stream, head_only: exchange.head_only, incoming };
            owner.begin(reply, shared.micros(Instant::now()));
        }
        Responder {
            connection,
            out,
            date,
            app: &*shared.app,
            shared,
            policy: &shared.policy,
            exchange,
            framing: Framing::NoBody,
            progress: Progress::NotStarted,
            status: 0,
            bytes: 0,
            left: false,
            gone: false,
            burst,
            running,
            owner,
        }
    }

    /// Ends the answer if the application did not, and says what came of it.
    pub(crate) fn end(mut self) -> Answer {
        let is_lost = self.owner.is_some_and(|owner| !owner.enter() && owner.is_lost());
        let answer = if is_lost { self.end_lost() } else { self.end_own() };
        if let Some(owner) = self.owner {
            owner.end();
        }
        answer
    }

    /// Somebody else has answered: what is left to say is dropped.
    fn end_lost(&mut self) -> Answer {
        self.out.clear();
        self.connection.unsent.clear();
        let status = if self.left { self.status } else { 504 };
        Answer { status, bytes: self.bytes, keep_alive: false, short_by: None }
    }

    fn end_own(&mut self) -> Answer {
        if matches!(self.progress, Progress::NotStarted | Progress::Started) {
            self.end_short();
        }
        let short_by = match self.framing {
            Framing::Length(missing) if missing > 0 && self.progress == Progress::Finished && !self.gone => {
                Some(missing)
            }
            _ => None,
        };
        let whole = self.progress == Progress::Finished && short_by.is_none() && !self.gone;
        let keep_alive = whole && self.exchange.keep_alive && self.framing != Framing::UntilClose;
        Answer { status: self.status, bytes: self.bytes, keep_alive, short_by }
    }

    /// Whether the answer is still this thread's to give; if so, it is until [`Responder::leave`].
    fn enter(&mut self) -> bool {
        let is_own = self.owner.is_none_or(Owner::enter);
        self.gone |= !is_own;
        is_own
    }

    /// The application goes on, and its time begins anew.
    fn leave(&self) {
        let has_left = self.left && self.connection.unsent.is_empty();
        if has_left && let Some(running) = self.running {
            running.note_start();
        }
        let Some(owner) = self.owner else { return };
        let stage = match self.progress {
            Progress::Finished | Progress::Aborted if has_left => Stage::Finished,
            _ if has_left || self.connection.outbound.is_some() => Stage::Started,
            _ => Stage::Nothing,
        };
        owner.go_on(stage, self.shared.micros(Instant::now()));
    }

    fn choose_framing(&mut self, head: &ResponseHead, size: BodySize) -> BodyField {
        let bodiless = matches!(head.status(), 204 | 304);
        let known = match size {
            BodySize::Known(length) => Some(length),
            BodySize::Unknown => None,
        };
        let has_no_body = bodiless || self.exchange.head_only;
        self.framing = match head.content_length().or(known) {
            _ if has_no_body => Framing::NoBody,
            Some(length) => Framing::Length(length),
            None if self.exchange.protocol == Protocol::Uwsgi || self.exchange.http10 => Framing::UntilClose,
            None => Framing::Chunked,
        };
        match (self.framing, known) {
            (Framing::Chunked, _) => BodyField::Chunked,
            // To HEAD an application may give no body at all: that says nothing of GET's (RFC 9110 §8.6).
            (_, Some(0)) if self.exchange.head_only => BodyField::None,
            (_, Some(length)) if head.content_length().is_none() && !bodiless => BodyField::Length(length),
            _ => BodyField::None,
        }
    }

    /// `Connection` where it differs from the version's default (RFC 9112 §9.3); uwsgi answers have none.
    fn connection_field(&mut self) -> encode::Connection {
        if self.framing == Framing::UntilClose {
            self.exchange.keep_alive = false;
        }
        match (self.exchange.keep_alive, self.exchange.http10) {
            _ if self.exchange.protocol == Protocol::Uwsgi => encode::Connection::Default,
            (false, _) => encode::Connection::Close,
            (true, true) => encode::Connection::KeepAlive,
            (true, false) => encode::Connection::Default,
        }
    }

    /// Whether whoever reads the answer knows what a 103 is. Many a proxy takes it for the answer, and waits for its body.
    fn may_hint(&self) -> bool {
        let Exchange { protocol, http10, proxied, .. } = self.exchange;
        protocol == Protocol::Http
            && !http10
            && match self.policy.early_hints {
                EarlyHints::On => true,
                EarlyHints::Auto => !proxied,
                EarlyHints::Off => false,
            }
    }

    /// How many of `wanted` bytes the framing has room for.
    fn admit(&mut self, wanted: u64) -> u64 {
        match &mut self.framing {
            Framing::NoBody => 0,
            Framing::Length(missing) => {
                let count = wanted.min(*missing);
                *missing -= count;
                count
            }
            Framing::Chunked | Framing::UntilClose => wanted,
        }
    }

    fn put(&mut self, chunk: &dyn Chunk, count: usize) {
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
    fn send(&mut self) {
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
    fn send_with(&mut self, chunk: &dyn Chunk, count: usize) {
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
    fn take_whole(&mut self) -> Option<Vec<u8>> {
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
    fn entrust(&mut self) -> bool {
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

    fn took(&mut self, written: io::Result<usize>) -> usize {
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
    fn pending(&mut self) -> Option<u64> {
        let queued = self.connection.outbound.as_ref()?.queued();
        if queued.is_none() {
            self.gone = true;
        }
        queued.filter(|&bytes| bytes > 0)
    }

    /// The queue; made at the first byte that the socket did not take, and from then on flushed by the loop too.
    fn outbound(&mut self) -> Arc<Outbound> {
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
    fn queue(&mut self, part: Box<dyn Kept>, sent: usize) {
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
    fn queue_file(&mut self, file: File, offset: u64, count: u64) {
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
    fn write_file(&mut self, file: &File, offset: u64, length: u64) -> Result<(), WriteError> {
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
    fn watch_writes(&mut self) {
        self.gone |= self.connection.watch_writes(&self.shared.lane.registry).is_err();
    }

    /// Makes an application that streams faster than its client reads wait, without the interpreter's lock.
    fn hold_back(&mut self) {
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

    /// Does what needs the answer to be this thread's; none if it is not.
    fn as_owner<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> Option<R> {
        if !self.enter() {
            return None;
        }
        let done = act(self);
        self.leave();
        Some(done)
    }

    fn put_chunk(&mut self, chunk: &dyn Chunk, flush: Flush) -> Result<(), WriteError> {
        let wanted = chunk.bytes().len();
        let count = self.admit(wanted as u64) as usize;
        if count > 0 {
            self.put(chunk, count);
        }
        if (flush == Flush::Now || self.out.len() >= SEND_FROM)
            && !(self.framing == Framing::Length(0) && self.entrust())
        {
            self.send();
        }
        if flush == Flush::Now {
            self.hold_back();
        }
        match self.framing {
            _ if self.gone => Err(WriteError::Disconnected),
            Framing::Length(_) if count < wanted => Err(WriteError::TooLong),
            _ => Ok(()),
        }
    }

    fn put_file(&mut self, file: File, offset: u64, length: u64) -> Result<(), WriteError> {
        if self.framing == Framing::NoBody {
            return Ok(());
        }
        if length <= READ_BELOW {
            return self.write_file(&file, offset, length);
        }
        let count = self.admit(length);
        if count > 0 {
            self.queue_file(file, offset, count);
        }
        match self.framing {
            _ if self.gone => Err(WriteError::Disconnected),
            Framing::Length(_) if count < length => Err(WriteError::TooLong),
            _ => Ok(()),
        }
    }

    fn end_whole(&mut self) {
        if self.progress == Progress::NotStarted {
            return self.end_short();
        }
        if self.framing == Framing::Chunked && self.progress == Progress::Started {
            self.out.extend_from_slice(encode::LAST_CHUNK);
        }
        self.progress = Progress::Finished;
        if !self.entrust() {
            self.send();
        }
    }

    fn end_short(&mut self) {
        if !self.left {
            let refused = self.connection.incoming.as_ref().and_then(|incoming| incoming.refusal());
            let (status, reason) =
                refused.map_or((500, String::new()), |refused| (refused.status, refused.reason));
            (self.status, self.bytes) = (status, 0);
            (self.framing, self.exchange.keep_alive) = (Framing::NoBody, false);
            self.out.clear();
            let fields = RefusalFields { date: Some(self.date), server: self.policy.server_header };
            refuse(self.out, status, &reason, &fields, self.exchange.head_only);
        }
        self.progress = Progress::Aborted;
        self.send();
    }
}

impl Respond for Responder<'_> {
    fn early_hints(&mut self, head: &ResponseHead) -> bool {
        if self.progress != Progress::NotStarted {
            return false;
        }
        if self.may_hint() && self.enter() {
            encode::interim_head(self.out, head.text());
            self.send();
            self.hold_back();
            self.left = false;
            self.leave();
        }
        true
    }

    fn start(&mut self, head: &ResponseHead, size: BodySize) {
        self.progress = Progress::Started;
        self.status = head.status();
        if let Some(incoming) = &self.connection.incoming {
            self.exchange.keep_alive &= incoming.begin_answer();
        }
        let body = self.choose_framing(head, size);
        let fields = ServerFields {
            date: (!head.has_date()).then_some(self.date),
            server: self.policy.server_header && !head.has_server(),
            body,
            connection: self.connection_field(),
        };
        encode::response_head(self.out, head.text(), &fields);
    }

    fn has_left(&self) -> bool {
        self.left
    }

    fn write(&mut self, chunk: &dyn Chunk, flush: Flush) -> Result<(), WriteError> {
        self.as_owner(|own| own.put_chunk(chunk, flush)).unwrap_or(Err(WriteError::Disconnected))
    }

    fn send_file(&mut self, file: OwnedFd, offset: u64, length: u64) -> Result<(), WriteError> {
        let file = File::from(file);
        self.as_owner(|own| own.put_file(file, offset, length)).unwrap_or(Err(WriteError::Disconnected))
    }

    fn finish(&mut self) {
        self.as_owner(Responder::end_whole);
    }

    fn abort(&mut self) {
        self.as_owner(Responder::end_short);
    }

    fn is_lost(&self) -> bool {
        self.owner.is_some_and(Owner::is_lost)
    }

    fn was_taken(&self) -> bool {
        self.owner.is_some_and(Owner::is_taken)
    }

    fn end_call(&mut self) -> bool {
        self.owner.is_some_and(Owner::end_call)
    }
}
