//! What a worker runs ([`App`]), what it hands over ([`Request`]) and how the answer comes back ([`Respond`]).
//! Implemented by `tapster-wsgi` for Python callables, and by Rust closures in the tests of `tapster-worker`.

use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use crate::{Counted, ResponseHead, Sampler, Stacks, Vars};

/// An application: one call answers one request on the calling thread.
pub trait App: Send + Sync + 'static {
    /// Answers one request. Must call [`Respond::finish`] or [`Respond::abort`] before it returns; a return without
    /// either, and a panic, count as an abort.
    fn call(&self, request: &mut Request, respond: &mut dyn Respond);

    /// Runs `wait`, which may block, with the interpreter's lock released.
    fn unlocked(&self, wait: &mut dyn FnMut()) {
        wait();
    }

    /// Waits for the interpreter's lock, and lets it go. Called on a native thread of its own, to see whether that can be had.
    fn touch_lock(&self) {}

    /// Runs the application's own signal handlers, if any are due. Called on the main thread.
    fn run_signal_handlers(&self) {}

    /// What all threads of the application do now, also when one of them keeps the interpreter's lock. Called on a native
    /// thread of its own, without that lock; may take a second, and never longer.
    fn stacks(&self) -> Stacks {
        Stacks::default()
    }

    /// What counts from now on what the threads of the application do; none where there is nothing to see. Called on the
    /// thread that is to use it, without the interpreter's lock.
    fn sampler(&self, counted: Counted) -> Option<Box<dyn Sampler>> {
        let _ = counted;
        None
    }

    /// Ends what a thread does, named as in [`ThreadStack`](crate::ThreadStack), as far as that can be done: when the
    /// interpreter's lock is had, `claim` is called with what raises an exception there, and calls it if that is still
    /// due. Called on a native thread of its own; may wait for long.
    fn interrupt(&self, ident: u64, claim: &dyn Fn(&mut dyn FnMut())) {
        let _ = (ident, claim);
    }
}

/// Which protocol a request arrived by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    #[default]
    Http,
    /// The uwsgi protocol, one request a connection.
    Uwsgi,
}

/// `wsgi.url_scheme`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Scheme {
    /// `http`
    #[default]
    Http,
    /// `https`, by TLS, by a uwsgi variable or by a trusted proxy's word.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// One end of a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// An internet address and port.
    Inet(IpAddr, u16),
    /// A unix socket, by its path (empty for the unnamed end of a client).
    Unix(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Inet(IpAddr::V4(address), port) => write!(out, "{address}:{port}"),
            Endpoint::Inet(IpAddr::V6(address), port) => write!(out, "[{address}]:{port}"),
            Endpoint::Unix(path) => write!(out, "unix:{path}"),
        }
    }
}

/// One request: all variables, and the body or a reader for it.
#[derive(Default)]
pub struct Request {
    /// The CGI variables.
    pub vars: Vars,
    /// The body.
    pub body: Body,
    /// The scheme the client used.
    pub scheme: Scheme,
    /// The protocol it came by.
    pub protocol: Protocol,
    /// What the log is to show of it besides; empty unless somebody asked.
    pub notes: Notes,
}

/// What the access log shows of a request that only the application's side knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Notes {
    /// Variables as the application left them.
    pub variables: Vec<(String, Vec<u8>)>,
    /// What the application said for the log.
    pub said: Vec<(String, Vec<u8>)>,
}

/// A request body. All of it is there, unless the server was told to let the application read it while it arrives.
#[derive(Default)]
pub enum Body {
    /// No body, or an empty one.
    #[default]
    Empty,
    /// In memory.
    Memory(Vec<u8>),
    /// Elsewhere (a temporary file): a reader at its start, and how many bytes it gives.
    Reader(Box<dyn Read + Send>, u64),
    /// Still arriving: a reader that waits for it, and how many bytes it gives, if that is known. It fails for good when
    /// the client leaves, is too slow, or sends what is not a body: the end is seen only by a body that is whole.
    Stream(Box<dyn Read + Send>, Option<u64>),
}

impl Body {
    /// Length in bytes; none if only its end will tell.
    pub fn len(&self) -> Option<u64> {
        match self {
            Body::Empty => Some(0),
            Body::Memory(bytes) => Some(bytes.len() as u64),
            Body::Reader(_, length) => Some(*length),
            Body::Stream(_, length) => *length,
        }
    }

    /// Whether it is known that there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

/// What is known of the length of a response body when its head goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodySize {
    /// This many bytes will be written; becomes Content-Length if the application set none.
    Known(u64),
    /// Unknown: chunked on HTTP/1.1, until close elsewhere, unless the application set Content-Length.
    Unknown,
}

/// When body bytes should leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flush {
    /// Now: the application is streaming (PEP 3333 "Buffering and Streaming").
    Now,
    /// With [`Respond::finish`] or when the buffer is full: more is at hand.
    Later,
}

/// Body bytes that the application owns; what cannot be written at once is kept by reference, not copied.
pub trait Chunk {
    /// The bytes.
    fn bytes(&self) -> &[u8];
    /// A handle that keeps them alive after the call; dropped on any thread.
    fn keep(&self) -> Box<dyn Kept>;
}

/// Bytes that stay alive until the client has taken them.
pub trait Kept: Send {
    /// The bytes.
    fn bytes(&self) -> &[u8];
}

/// Plain memory as a chunk: keeping it copies it.
impl Chunk for &[u8] {
    fn bytes(&self) -> &[u8] {
        self
    }
    fn keep(&self) -> Box<dyn Kept> {
        Box::new(self.to_vec())
    }
}

impl Chunk for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
    fn keep(&self) -> Box<dyn Kept> {
        Box::new(self.clone())
    }
}

impl Kept for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }
}

/// Why a write was refused. The application's iterable is closed and not asked for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// The client is gone.
    Disconnected,
    /// More bytes than Content-Length announced: the rest was dropped (RFC 9110 §8.6).
    TooLong,
}

/// The way back to the client for one request; belongs to the thread that runs it.
///
/// Order of calls: `early_hints` any number of times, `start` once, `write`/`send_file` any number of times, then `finish`
/// or `abort`.
pub trait Respond {
    /// Sends a 103 (RFC 8297) at once, to a client that knows such a thing. For others (HTTP/1.0, uwsgi, what came
    /// through a proxy unless an option says otherwise) it does nothing.
    /// `false`, and nothing is sent, if the answer was started.
    fn early_hints(&mut self, head: &ResponseHead) -> bool;
    /// Takes the final head. The server adds `Date`, `Server`, framing and `Connection` fields. Nothing is
    /// sent before the first `write` that flushes, or `finish`.
    fn start(&mut self, head: &ResponseHead, size: BodySize);
    /// Whether something of the answer has left: it can no longer become a 500.
    fn has_left(&self) -> bool;
    /// Body bytes. May wait for a slow client (with the interpreter unlocked) when too much is queued.
    /// Bytes for a HEAD request, a 204 or a 304 are dropped.
    fn write(&mut self, chunk: &dyn Chunk, flush: Flush) -> Result<(), WriteError>;
    /// `length` bytes of a file from `offset`. Does not wait for them to be sent. A file that is shorter ends the body early.
    fn send_file(&mut self, file: OwnedFd, offset: u64, length: u64) -> Result<(), WriteError>;
    /// The answer is whole. A body shorter than its Content-Length ends the connection so that the client sees it.
    fn finish(&mut self);
    /// The answer failed. If something of it has left the connection ends without the chunked terminator, so that the
    /// truncation shows; if not, a plain 500 is sent, or what the failure of the request's body asks for.
    fn abort(&mut self);
    /// Whether the request took too long and was answered in the application's place: what is written now is dropped.
    fn is_lost(&self) -> bool {
        false
    }
    /// Whether the request took too long, be it after its answer.
    fn was_taken(&self) -> bool {
        false
    }
    /// The application's code has run, and nothing is raised in its thread from now on ([`App::interrupt`]). True if
    /// something was, which may not have arrived yet and is to be taken back. Called with the interpreter's lock held.
    fn end_call(&mut self) -> bool {
        false
    }
}
