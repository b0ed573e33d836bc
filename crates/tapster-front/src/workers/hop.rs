//! A connection to an own worker: one end of a socket pair, the other is sent to the worker's inbox. HTTP/1.1, kept from
//! request to request.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as Pair;
use std::rc::Rc;
use std::time::Duration;

use tapster_http1::{Limits, ResponseHead};
use tapster_sys::inbox::{Inbox, Message};
use tapster_sys::poll;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The largest head of an answer: what a worker takes from an application is bounded too.
const LIMITS: Limits = Limits { request_line: 64 * 1024, head: 1024 * 1024, fields: 10_000 };

/// Bytes of room that a read has at least.
const READ: usize = 64 * 1024;

/// One connection, used by one request at a time.
pub(crate) struct Hop {
    pub(crate) stream: Rc<UnixStream>,
    /// What came and is not used yet; the head of the answer begins it.
    pub(crate) input: Vec<u8>,
    /// The last head that was read.
    pub(crate) head: ResponseHead,
    pub(crate) slot: usize,
    pub(crate) pid: u32,
}

/// How a request was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lost {
    /// The worker did not read all of it, so it cannot have begun: another may.
    Unread,
    /// The worker may have begun.
    Begun,
    /// The worker's answer is no HTTP.
    Malformed,
}

impl Hop {
    /// Makes a connection to the worker that reads this inbox.
    pub(crate) fn open(inbox: &Inbox, slot: usize, pid: u32) -> io::Result<Hop> {
        let (own, theirs) = Pair::pair()?;
        own.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        inbox.send(Message::Hop, Some(theirs.as_fd()))?;
        let stream = Rc::new(UnixStream::from_std(own)?);
        Ok(Hop { stream, input: Vec::new(), head: ResponseHead::default(), slot, pid })
    }

    /// Whether the worker still has it, as far as the event loop knows.
    pub(crate) fn seems_alive(&self) -> bool {
        let mut nothing = [0];
        self.stream.try_read(&mut nothing).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The same by the system's own word.
    pub(crate) fn is_alive(&self) -> bool {
        let socket = (self.stream.as_fd(), poll::Interest::Readable);
        poll::wait(&[socket], Some(Duration::ZERO)).is_ok_and(|ready| !ready[0])
    }

    /// Sends a request, and reads the head of the answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<(), Lost> {
        // A worker that answers early and closes has answered all the same.
        let sent = write(&self.stream, request).await;
        let read = read_head(&self.stream, &mut self.input, &mut self.head).await;
        read.map_err(|lost| if sent.is_err() && lost == Lost::Begun { Lost::Unread } else { lost })
    }

    /// Reads the first head, while or after somebody else sends the request.
    pub(crate) async fn first_head(&mut self) -> Result<(), Lost> {
        read_head(&self.stream, &mut self.input, &mut self.head).await
    }

    /// Reads the next head, after one that was interim.
    pub(crate) async fn next_head(&mut self) -> Result<(), Lost> {
        self.input.drain(..self.head.length);
        read_head(&self.stream, &mut self.input, &mut self.head).await
    }
}

/// Writes all of it.
pub(crate) async fn write(stream: &UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Appends what comes next; 0 at the end.
pub(crate) async fn read(stream: &UnixStream, input: &mut Vec<u8>) -> io::Result<usize> {
    loop {
        input.reserve(READ);
        let room = input.capacity() - input.len();
        match stream.try_read_buf(input) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Ok(count) if (1..room).contains(&count) => {
                // It has no more: the event loop says when it does, and nobody need ask in vain before that.
                let _empty =
                    stream.try_io(Interest::READABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
                return Ok(count);
            }
            result => return result,
        }
    }
}

/// Reads the head of an answer to the front of `input`.
pub(crate) async fn read_head(
    stream: &UnixStream,
    input: &mut Vec<u8>,
    head: &mut ResponseHead,
) -> Result<(), Lost> {
    loop {
        if !input.is_empty() && head.parse(input, &LIMITS).map_err(|_| Lost::Malformed)? {
            return Ok(());
        }
        match read(stream, input).await {
            Ok(1..) => {}
            // The kernel says so when a socket is closed with bytes in it that nobody read.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && input.is_empty() => {
                return Err(Lost::Unread);
            }
            Ok(0) | Err(_) => return Err(Lost::Begun),
        }
    }
}
