//! A client that says exactly what it is told and reads answers whole.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tapster_sys::socket::Address;

use crate::app::PATIENCE;

/// A connection to a worker.
pub struct Client {
    stream: Stream,
    /// Bytes read and not yet used.
    held: Vec<u8>,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// An answer with its body decoded.
pub struct Answer {
    pub status: u16,
    /// The status line and the fields.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a field, if it is there.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n{} bytes", self.head, self.body.len())
    }
}

impl Client {
    pub fn connect(address: &Address) -> Client {
        let stream = match address {
            Address::Inet(address) => Stream::Tcp(TcpStream::connect(address).unwrap()),
            Address::Unix(path) => Stream::Unix(UnixStream::connect(path).unwrap()),
        };
        let client = Client { stream, held: Vec::new() };
        client.set_read_timeout(PATIENCE);
        client
    }

    /// A client on one end of a socket pair, and the other end.
    pub fn pair() -> (Client, OwnedFd) {
        let (one, other) = UnixStream::pair().unwrap();
        other.set_nonblocking(true).unwrap();
        let client = Client { stream: Stream::Unix(one), held: Vec::new() };
        client.set_read_timeout(PATIENCE);
        (client, other.into())
    }

    /// Two handles of one connection, to read and to write at the same time.
    pub fn split(self) -> (Client, Client) {
        let stream = match &self.stream {
            Stream::Tcp(stream) => Stream::Tcp(stream.try_clone().unwrap()),
            Stream::Unix(stream) => Stream::Unix(stream.try_clone().unwrap()),
        };
        (self, Client { stream, held: Vec::new() })
    }

    pub fn set_read_timeout(&self, timeout: Duration) {
        match &self.stream {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(timeout)).unwrap(),
            Stream::Unix(stream) => stream.set_read_timeout(Some(timeout)).unwrap(),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes.as_ref()),
            Stream::Unix(stream) => stream.write_all(bytes.as_ref()),
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) {
        match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write).unwrap(),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write).unwrap(),
        }
    }

    /// Sends a GET in HTTP/1.1.
    pub fn ask(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n"));
    }

    /// Sends a GET and reads its answer.
    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(path);
        self.answer()
    }

    /// Sends a POST with Content-Length and reads its answer.
    pub fn post(&mut self, path: &str, body: &[u8]) -> Answer {
        self.send(format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()));
        self.send(body);
        self.answer()
    }

    /// Reads one answer to a request that was not HEAD.
    pub fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        let bodiless = matches!(answer.status, 100..=199 | 204 | 304);
        answer.body = if bodiless {
            Vec::new()
        } else if let Some(length) = answer.field("Content-Length") {
            let length = length.parse().unwrap();
            self.exactly(length)
        } else if answer.field("Transfer-Encoding") == Some("chunked") {
            self.chunks()
        } else {
            self.rest()
        };
        answer
    }

    /// Reads the head of an answer, and nothing behind it.
    pub fn head(&mut self) -> Answer {
        let head = String::from_utf8(self.until(b"\r\n\r\n")).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect(&head);
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        Answer { status, head, body: Vec::new() }
    }

    /// Reads one chunk of a chunked body; empty at its end.
    pub fn chunk(&mut self) -> Vec<u8> {
        let line = String::from_utf8(self.until(b"\r\n")).unwrap();
        let length = usize::from_str_radix(line.trim_end(), 16).expect(&line);
        let data = self.exactly(length);
        assert_eq!(self.exactly(2), b"\r\n");
        data
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk();
            if chunk.is_empty() {
                return body;
            }
            body.extend(chunk);
        }
    }

    /// Reads up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        self.try_rest().unwrap()
    }

    /// Ends the connection with a reset.
    pub fn reset(self) {
        tapster_sys::connected::reset_on_close(self.as_fd()).unwrap();
    }

    /// Reads up to the end of the connection, or an error such as a reset.
    pub fn try_rest(&mut self) -> io::Result<Vec<u8>> {
        while self.more()? > 0 {}
        Ok(std::mem::take(&mut self.held))
    }

    /// Whether the server ends the connection in order, with nothing more sent.
    pub fn is_ended(&mut self) -> bool {
        self.rest().is_empty()
    }

    /// Whether nothing comes for a moment and the connection stays.
    pub fn is_quiet(&mut self) -> bool {
        self.set_read_timeout(Duration::from_millis(50));
        let quiet = self.held.is_empty()
            && self
                .more()
                .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        self.set_read_timeout(PATIENCE);
        quiet
    }

    pub fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.held.len() < length {
            assert_ne!(
                self.more().unwrap(),
                0,
                "the connection ended after {} of {length} bytes",
                self.held.len()
            );
        }
        let rest = self.held.split_off(length);
        std::mem::replace(&mut self.held, rest)
    }

    /// Reads one byte and no more from the socket, as a slow client does.
    pub fn trickle(&mut self) {
        let mut byte = [0];
        let read = match &mut self.stream {
            Stream::Tcp(stream) => stream.read(&mut byte),
            Stream::Unix(stream) => stream.read(&mut byte),
        };
        self.held.extend_from_slice(&byte[..read.unwrap_or(0)]);
    }

    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut from = 0;
        loop {
            let found = self.held[from..].windows(end.len()).position(|window| window == end);
            if let Some(place) = found {
                return self.exactly(from + place + end.len());
            }
            from = self.held.len().saturating_sub(end.len());
            let seen = String::from_utf8_lossy(&self.held).into_owned();
            assert_ne!(self.more().unwrap(), 0, "the connection ended after {seen:?}");
        }
    }

    fn more(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 64 * 1024];
        let count = match &mut self.stream {
            Stream::Tcp(stream) => stream.read(&mut bytes)?,
            Stream::Unix(stream) => stream.read(&mut bytes)?,
        };
        self.held.extend_from_slice(&bytes[..count]);
        Ok(count)
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Tcp(stream) => stream.as_fd(),
            Stream::Unix(stream) => stream.as_fd(),
        }
    }
}
