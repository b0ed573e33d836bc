//! A client that is none: a handler writes its answer here as to any other, and it goes to the [`Flight`] that wanted it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;

use tapster_http1::{Limits, ResponseHead};

use super::flight::Flight;
use crate::reply::{Body, Head};

/// The largest head of an answer: what workers and upstreams may send is bounded too.
const LIMITS: Limits = Limits { request_line: 64 * 1024, head: 1024 * 1024, fields: 10_000 };

/// What takes the place of a client's connection.
pub(crate) struct Capture {
    flight: Rc<Flight>,
    progress: RefCell<Progress>,
}

#[derive(Default)]
struct Progress {
    /// What came and is not used yet.
    input: Vec<u8>,
    data: Vec<u8>,
    body: Option<Body>,
    is_over: bool,
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Capture")
    }
}

impl Capture {
    pub(super) fn new(flight: Rc<Flight>) -> Capture {
        Capture { flight, progress: RefCell::default() }
    }

    /// Nobody sends anything here.
    pub(crate) fn try_read(&self, _into: &mut Vec<u8>) -> io::Result<usize> {
        Ok(0)
    }

    /// As [`try_read`](Capture::try_read): there is the end.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        Ok(())
    }

    /// As [`Stream::try_write`](crate::stream::Stream::try_write).
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.flight.has_room() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let progress = &mut *self.progress.borrow_mut();
        let mut count = 0;
        for part in parts {
            progress.input.extend_from_slice(part);
            count += part.len();
        }
        progress.take(&self.flight)?;
        Ok(count)
    }

    /// Waits for room.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.flight.room().await;
        Ok(())
    }

    /// Waits until nobody wants the answer any more.
    pub(crate) async fn gone(&self) {
        self.flight.unwanted().await;
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        false
    }
}

impl Progress {
    /// Takes the answer apart.
    fn take(&mut self, flight: &Rc<Flight>) -> io::Result<()> {
        while self.body.is_none() {
            let mut head = ResponseHead::default();
            let malformed = |_| io::Error::from(io::ErrorKind::InvalidData);
            if !head.parse(&self.input, &LIMITS).map_err(malformed)? {
                return Ok(());
            }
            if !head.is_interim() {
                let body = head.body(&self.input, false).map_err(malformed)?;
                flight.begin(end_to_end(&head, &self.input), body);
                self.body = Some(Body::new(body));
            }
            self.input.drain(..head.length);
        }
        let Some(body) = self.body.as_mut().filter(|_| !self.is_over) else { return Ok(()) };
        self.is_over = body.take(&mut self.input, &mut self.data)?;
        flight.put(&self.data, self.is_over)
    }
}

/// The head without what frames it.
fn end_to_end(head: &ResponseHead, input: &[u8]) -> Head {
    const OF_THE_CONNECTION: &[&[u8]] = &[b"connection", b"keep-alive", b"transfer-encoding"];
    let mut fields = Head::new(head.status, head.status_text.of(input), head.length);
    for field in &head.fields {
        let name = field.name.of(input);
        if !OF_THE_CONNECTION.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            fields.add(name, field.value.of(input));
        }
    }
    fields
}
