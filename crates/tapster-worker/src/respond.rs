//! The answer to one request: what the application says of it, in order, and whose it is to give. How its end is told
//! stands in `framing.rs`, how it leaves in `send.rs`. Runs on the thread that calls the application.

mod framing;
mod send;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::time::Instant;

use tapster_gateway::{App, BodySize, Chunk, Flush, Respond, ResponseHead, WriteError};
use tapster_http1::encode::{self, RefusalFields, ServerFields};

use crate::burst::Pace;
use crate::connection::{Connection, Exchange};
use crate::ownership::{Owner, Reply, Stage};
use crate::policy::Policy;
use crate::running::Running;
use crate::worker::Shared;

use framing::Framing;

/// Files up to this size are read: one write with the head beats a hand-over to the file thread.
const READ_BELOW: u64 = 64 * 1024;

/// Bytes gathered before they are sent although more is at hand.
const SEND_FROM: usize = 64 * 1024;

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

/// What the server itself says in the head of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a> {
    /// The value of Date.
    pub(crate) date: &'a [u8],
    /// The line that names the request, or nothing.
    pub(crate) id: &'a [u8],
}

/// One answer being written.
pub(crate) struct Responder<'a> {
    connection: &'a mut Connection,
    out: &'a mut Vec<u8>,
    lines: Lines<'a>,
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
        lines: Lines<'a>,
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
            lines,
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
            running.note_part();
        }
        let Some(owner) = self.owner else { return };
        let stage = match self.progress {
            Progress::Finished | Progress::Aborted if has_left => Stage::Finished,
            _ if has_left || self.connection.outbound.is_some() => Stage::Started,
            _ => Stage::Nothing,
        };
        owner.go_on(stage, self.shared.micros(Instant::now()));
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

    /// The line that names the request, unless the application has said it.
    fn id_line(&self, head: &ResponseHead) -> &'a [u8] {
        match &self.policy.request_id {
            Some(field) if head.has(field.small_name()) => b"",
            _ => self.lines.id,
        }
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
            let fields = RefusalFields {
                date: Some(self.lines.date),
                server: self.policy.server_header,
                lines: self.lines.id,
            };
            refuse(self.out, status, &reason, &fields, self.exchange.head_only);
            self.keep_head(0);
        }
        self.progress = Progress::Aborted;
        self.send();
    }
}

impl Responder<'_> {
    /// Keeps the head that stands in `out` from there on, if the access log asks for it.
    fn keep_head(&mut self, start: usize) {
        if self.shared.log.access_needs().response_head {
            let head = &self.out[start..];
            let end =
                head.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(head.len(), |end| end + 4);
            self.connection.kept_head.clear();
            self.connection.kept_head.extend_from_slice(&head[..end]);
        }
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
            date: (!head.has_date()).then_some(self.lines.date),
            server: self.policy.server_header && !head.has_server(),
            body,
            connection: self.connection_field(),
            lines: self.id_line(head),
        };
        let start = self.out.len();
        encode::response_head(self.out, head.text(), &fields);
        self.keep_head(start);
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
