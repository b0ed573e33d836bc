//! An encrypted connection as bytes: what [`Stream`](crate::stream::Stream) offers, over a TCP connection.
//!
//! A write counts when what was encrypted has left, not when it was encrypted: what is written stays owed until then, and
//! the next call, which begins with the same bytes, goes on. So whoever has written all has sent all.

use std::cell::RefCell;
use std::io::{self, BufRead, IoSlice, Read, Write};

use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use tokio::net::TcpStream;

/// Bytes that one write encrypts at most: four records.
const PIECE: usize = 64 * 1024;

/// One connection.
pub(crate) struct Secured {
    pub(crate) socket: TcpStream,
    session: RefCell<Session>,
}

struct Session {
    tls: ServerConnection,
    /// What came before TLS began.
    early: Vec<u8>,
    out: Outbound,
}

/// What is encrypted and has not left.
#[derive(Default)]
struct Outbound {
    bytes: Vec<u8>,
    sent: usize,
    /// Bytes at the front of what the writer offers that are encrypted already.
    owed: usize,
}

impl std::fmt::Debug for Secured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secured").field(&self.socket).finish()
    }
}

impl Secured {
    /// A connection before its handshake, of which these bytes came already.
    pub(crate) fn new(socket: TcpStream, mut tls: ServerConnection, early: Vec<u8>) -> Secured {
        // What is encrypted at once is bounded below.
        tls.set_buffer_limit(None);
        Secured { socket, session: RefCell::new(Session { tls, early, out: Outbound::default() }) }
    }

    /// Goes on with the handshake. False while the client has to say more.
    ///
    /// # Errors
    /// `WouldBlock` while there is no room for what it is to hear. `InvalidData` for what no TLS client says, or is refused:
    /// it was told so. `UnexpectedEof` when it left.
    pub(crate) fn shake(&self) -> io::Result<bool> {
        let session = &mut *self.session.borrow_mut();
        loop {
            session.flush(&self.socket)?;
            if !session.tls.is_handshaking() {
                return Ok(true);
            }
            match session.fill(&self.socket) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// As [`Stream::try_read`](crate::stream::Stream::try_read). A client that ends without saying so has ended all the
    /// same: where a message ends is known from itself.
    pub(crate) fn try_read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        let session = &mut *self.session.borrow_mut();
        loop {
            if let Some(count) = session.take(into)? {
                return Ok(count);
            }
            if session.fill(&self.socket)? == 0 {
                return Ok(session.take(into)?.unwrap_or(0));
            }
            // The answer to a change of keys; what has no room goes with the next write.
            let _later = session.flush(&self.socket);
        }
    }

    /// As [`Stream::try_write`](crate::stream::Stream::try_write).
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let session = &mut *self.session.borrow_mut();
        if session.out.owed == 0 {
            for part in parts {
                let count = part.len().min(PIECE - session.out.owed);
                session.tls.writer().write_all(&part[..count])?;
                session.out.owed += count;
            }
        }
        match session.flush(&self.socket) {
            Ok(()) => Ok(std::mem::take(&mut session.out.owed)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => session.out.paid().ok_or(error),
            Err(error) => Err(error),
        }
    }

    /// Says that nothing more follows, as far as there is room.
    pub(crate) fn say_end(&self) {
        let session = &mut *self.session.borrow_mut();
        session.tls.send_close_notify();
        // Who does not read will not miss it.
        let _best = session.flush(&self.socket);
    }

    /// Asks the session something.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&ServerConnection) -> T) -> T {
        question(&self.session.borrow().tls)
    }
}

impl Session {
    /// Appends what is decrypted. None if that is nothing; 0 at the end.
    fn take(&mut self, into: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let mut reader = self.tls.reader();
        let before = into.len();
        loop {
            match reader.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    let count = bytes.len();
                    into.extend_from_slice(bytes);
                    reader.consume(count);
                }
                Err(_) if into.len() > before => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(Some(0)),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(into.len() - before))
    }

    /// Reads and decrypts once; 0 at the end.
    fn fill(&mut self, socket: &TcpStream) -> io::Result<usize> {
        let count = if self.early.is_empty() {
            self.tls.read_tls(&mut Source(socket))?
        } else {
            let count = self.tls.read_tls(&mut self.early.as_slice())?;
            self.early.drain(..count);
            count
        };
        if let Err(error) = self.tls.process_new_packets() {
            // The alert that says why.
            let _told = self.flush(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// Sends what is encrypted.
    fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        let out = &mut self.out;
        loop {
            while self.tls.wants_write() {
                self.tls.write_tls(&mut out.bytes)?;
            }
            if !out.is_pending() {
                out.sent = 0;
                out.bytes.clear();
                // An idle connection holds no large buffer.
                if out.bytes.capacity() > PIECE / 4 {
                    out.bytes = Vec::new();
                }
                return Ok(());
            }
            out.sent += socket.try_write(&out.bytes[out.sent..])?;
        }
    }
}

impl Outbound {
    fn is_pending(&self) -> bool {
        self.sent < self.bytes.len()
    }

    /// How much of what is owed has surely left, if any.
    fn paid(&mut self) -> Option<usize> {
        let paid = self.owed.saturating_sub(self.bytes.len() - self.sent);
        self.owed -= paid;
        (paid > 0).then_some(paid)
    }
}

/// Reads without waiting.
struct Source<'s>(&'s TcpStream);

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(into)
    }
}

/// What the two sides agreed on, for the application: protocol, cipher suite, and the name that the client asked for, as
/// Apache's mod_ssl calls them.
pub(crate) fn variables(tls: &ServerConnection) -> Vec<(&'static str, Vec<u8>)> {
    let protocol = match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLSv1.3",
    };
    let mut variables = vec![("SSL_PROTOCOL", protocol.into())];
    if let Some(suite) = tls.negotiated_cipher_suite() {
        let name = suite.suite().as_str().unwrap_or_default().replacen("TLS13_", "TLS_", 1);
        variables.push(("SSL_CIPHER", name.into_bytes()));
    }
    if let Some(name) = tls.server_name() {
        variables.push(("SSL_TLS_SNI", name.as_bytes().to_vec()));
    }
    let resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
    variables.push(("SSL_SESSION_RESUMED", if resumed { "Resumed" } else { "Initial" }.into()));
    variables
}
