//! One stream as bytes of HTTP/1: what a handler reads is the request's body as its head announced it, what it writes is an
//! answer, which becomes frames.
//!
//! A write takes as many bytes as the client's windows have room for, so a handler is as slow as its client, and the time-outs
//! of [`pace`](crate::pace) hold: a window that opens by a byte now and then is too slow.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use tapster_http1::{ChunkedDecoder, Limits, ResponseBody, ResponseHead, encode};

/// Bytes that one frame has at most here.
const PIECE: usize = 16 * 1024;

/// The largest head of an answer: what a worker takes from an application is bounded too.
const LIMITS: Limits = Limits { request_line: 64 * 1024, head: 1024 * 1024, fields: 10_000 };

/// One request and its answer.
pub(crate) struct Exchange {
    is_encrypted: bool,
    is_tunnel: bool,
    request: RefCell<Request>,
    answer: RefCell<Answer>,
}

/// What a stream is for.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// A request, whose length may have been announced, and its answer.
    Message { length: Option<u64>, is_head: bool },
    /// Another protocol, from an upstream's 101 on. As HTTP/1 has it; the client sees 200 (RFC 8441 §5).
    Tunnel,
}

/// The body that comes.
struct Request {
    body: RecvStream,
    expected: Expected,
    /// What came and was not read.
    input: Vec<u8>,
    is_over: bool,
}

/// What is still to come, and how a handler reads it.
enum Expected {
    /// What is missing of the length that was announced.
    Length(u64),
    /// Chunks, since none was.
    Chunks,
    /// What a tunnel carries, as it is.
    Bytes,
}

/// The answer that goes.
struct Answer {
    is_head: bool,
    is_tunnel: bool,
    respond: SendResponse<Bytes>,
    /// What was written of a head.
    head: Vec<u8>,
    body: Option<Body>,
    is_over: bool,
}

struct Body {
    stream: SendStream<Bytes>,
    progress: Progress,
}

/// What is missing of a body.
enum Progress {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exchange")
    }
}

impl Exchange {
    pub(super) fn new(
        body: RecvStream,
        respond: SendResponse<Bytes>,
        form: Form,
        is_encrypted: bool,
    ) -> Exchange {
        let is_over = body.is_end_stream();
        let (is_tunnel, expected, is_head) = match form {
            Form::Message { length: Some(length), is_head } => (false, Expected::Length(length), is_head),
            Form::Message { length: None, is_head } => (false, Expected::Chunks, is_head),
            Form::Tunnel => (true, Expected::Bytes, false),
        };
        Exchange {
            is_encrypted,
            is_tunnel,
            request: RefCell::new(Request { body, expected, input: Vec::new(), is_over }),
            answer: RefCell::new(Answer {
                is_head,
                is_tunnel,
                respond,
                head: Vec::new(),
                body: None,
                is_over: false,
            }),
        }
    }

    /// Whether it is to carry another protocol.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.is_tunnel
    }

    /// Whether its connection is encrypted here.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// As [`Stream::try_read`](crate::stream::Stream::try_read).
    pub(crate) fn try_read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        let request = &mut *self.request.borrow_mut();
        match request.input.len() {
            0 if request.is_over => Ok(0),
            count if count == 0 || request.may_be_too_long() => Err(io::ErrorKind::WouldBlock.into()),
            count => {
                into.append(&mut request.input);
                Ok(count)
            }
        }
    }

    /// Whether all of the body that was announced is there, and not the word that it was all: of a request without a body
    /// already at its head.
    pub(super) fn may_be_too_long(&self) -> bool {
        self.request.borrow().may_be_too_long()
    }

    /// Waits for more of the body. Its last bytes are there when the client has said that they are the last: a request whose body
    /// is longer than it announced is malformed (RFC 9113 §8.1.1), and nobody is to have begun with it.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|context| self.request.borrow_mut().poll(context)).await
    }

    /// As [`Stream::try_write`](crate::stream::Stream::try_write).
    pub(crate) fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let answer = &mut *self.answer.borrow_mut();
        let mut count = 0;
        for part in parts {
            let taken = answer.take(part)?;
            count += taken;
            if taken < part.len() {
                break;
            }
        }
        let is_nothing = count == 0 && parts.iter().any(|part| !part.is_empty());
        if is_nothing { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
    }

    /// Waits for room.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        poll_fn(|context| match &mut self.answer.borrow_mut().body {
            None => Poll::Ready(Ok(())),
            Some(body) => match ready!(body.stream.poll_capacity(context)) {
                Some(Ok(_)) => Poll::Ready(Ok(())),
                Some(Err(_)) | None => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            },
        })
        .await
    }

    /// Waits until the client has taken the request back, or is gone.
    pub(crate) async fn gone(&self) {
        poll_fn(|context| {
            let answer = &mut *self.answer.borrow_mut();
            match &mut answer.body {
                _ if answer.is_over => Poll::Pending,
                None => answer.respond.poll_reset(context).map(drop),
                Some(body) => body.stream.poll_reset(context).map(drop),
            }
        })
        .await;
    }

    /// Whether the client took the request back, or did with its stream what no client may. A tunnel may end so.
    pub(super) fn is_taken_back(&self) -> bool {
        if self.is_tunnel && self.answer.borrow().body.is_some() {
            return false;
        }
        let gone = pin!(self.gone());
        gone.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// Says that an answer cannot be finished.
    pub(super) fn cut(&self) {
        let answer = &mut *self.answer.borrow_mut();
        if !std::mem::replace(&mut answer.is_over, true) {
            let reason = if self.is_tunnel { Reason::CANCEL } else { Reason::INTERNAL_ERROR };
            match &mut answer.body {
                Some(body) => body.stream.send_reset(reason),
                None => answer.respond.send_reset(reason),
            }
        }
    }

    /// Says that nothing more follows. Whoever speaks through a tunnel may still be listened to.
    pub(crate) fn end(&self) {
        if !self.is_tunnel {
            self.request.borrow_mut().is_over = true;
        }
        if let Answer { is_over: is_over @ false, body: Some(body), .. } = &mut *self.answer.borrow_mut()
            && let Progress::UntilClose = body.progress
        {
            *is_over = true;
            // One that is gone needs no word.
            let _gone = body.stream.send_data(Bytes::new(), true);
        }
        self.cut();
    }
}

impl Request {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let reset = |_| io::Error::from(io::ErrorKind::ConnectionReset);
        while !self.is_over && (self.input.is_empty() || self.may_be_too_long()) {
            match ready!(self.body.poll_data(context)) {
                Some(data) => {
                    let data = data.map_err(reset)?;
                    self.body.flow_control().release_capacity(data.len()).map_err(reset)?;
                    self.put(&data);
                }
                None => {
                    self.is_over = true;
                    if let Expected::Chunks = self.expected {
                        self.input.extend_from_slice(encode::LAST_CHUNK);
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn may_be_too_long(&self) -> bool {
        matches!(self.expected, Expected::Length(0)) && !self.is_over
    }

    fn put(&mut self, data: &[u8]) {
        if let Expected::Length(missing) = &mut self.expected {
            // More than was announced is none of it: `h2` has reset the stream.
            *missing = missing.saturating_sub(data.len() as u64);
        }
        if matches!(self.expected, Expected::Chunks) && !data.is_empty() {
            encode::chunk_header(&mut self.input, data.len());
            self.input.extend_from_slice(data);
            self.input.extend_from_slice(encode::CHUNK_END);
        } else {
            self.input.extend_from_slice(data);
        }
    }
}

impl Answer {
    /// Takes what there is room for of the next bytes of an answer, and says how many.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            let count = match &mut self.body {
                // What follows the end says nothing.
                _ if self.is_over => rest.len(),
                None => self.take_head(rest)?,
                Some(body) => {
                    let (count, is_over) = body.take(rest)?;
                    self.is_over = is_over;
                    count
                }
            };
            if count == 0 {
                break;
            }
            used += count;
        }
        Ok(used)
    }

    /// Tells the client that an upstream agreed to a tunnel.
    fn open(&mut self, head: &ResponseHead, text: &[u8]) -> io::Result<()> {
        let mut response = response(head, text)?;
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().remove("sec-websocket-accept");
        let stream =
            self.respond.send_response(response, false).map_err(|_| io::ErrorKind::ConnectionReset)?;
        self.body = Some(Body { stream, progress: Progress::UntilClose });
        Ok(())
    }

    /// Takes the bytes of a head, and sends it when it is whole.
    fn take_head(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        let mut head = ResponseHead::default();
        let malformed = |_| io::Error::from(io::ErrorKind::InvalidData);
        if !head.parse(&self.head, &LIMITS).map_err(malformed)? {
            return Ok(bytes.len());
        }
        let text = std::mem::take(&mut self.head);
        if self.is_tunnel && head.status == 101 {
            self.open(&head, &text)?;
            return Ok(head.length - before);
        }
        if head.status == 101 || self.is_tunnel && matches!(head.status, 200..=299) {
            // There is nothing to switch to (RFC 9113 §8.6), or whoever answers has not agreed to it.
            return Err(io::ErrorKind::InvalidData.into());
        }
        let body = head.body(&text, self.is_head).map_err(malformed)?;
        let reset = |_| io::Error::from(io::ErrorKind::ConnectionReset);
        let response = response(&head, &text)?;
        if head.is_interim() {
            self.respond.send_informational(response).map_err(reset)?;
        } else {
            self.is_over = body == ResponseBody::Length(0);
            let stream = self.respond.send_response(response, self.is_over).map_err(reset)?;
            let progress = match body {
                ResponseBody::Length(length) => Progress::Length(length),
                ResponseBody::Chunked => Progress::Chunked(ChunkedDecoder::default()),
                ResponseBody::UntilClose => Progress::UntilClose,
            };
            self.body = Some(Body { stream, progress });
        }
        Ok(head.length - before)
    }
}

/// Status and fields, without those that frame HTTP/1.
fn response(head: &ResponseHead, text: &[u8]) -> io::Result<Response<()>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).map_err(|_| invalid())?;
    for field in &head.fields {
        let name = HeaderName::from_bytes(field.name.of(text)).map_err(|_| invalid())?;
        if ![CONNECTION, TRANSFER_ENCODING].contains(&name) && name != "keep-alive" && name != "upgrade" {
            let value = HeaderValue::from_bytes(field.value.of(text)).map_err(|_| invalid())?;
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

impl Body {
    /// Sends what there is room for; how many bytes that were, and whether it was the end.
    fn take(&mut self, bytes: &[u8]) -> io::Result<(usize, bool)> {
        let mut wanted = bytes.len().min(PIECE);
        if let Progress::Length(missing) = self.progress {
            wanted = wanted.min(usize::try_from(missing).unwrap_or(usize::MAX));
        }
        self.stream.reserve_capacity(wanted);
        let count = wanted.min(self.stream.capacity());
        if count == 0 {
            return Ok((0, false));
        }
        let (data, count, is_over) = match &mut self.progress {
            Progress::Length(missing) => {
                *missing -= count as u64;
                (Bytes::copy_from_slice(&bytes[..count]), count, *missing == 0)
            }
            Progress::UntilClose => (Bytes::copy_from_slice(&bytes[..count]), count, false),
            Progress::Chunked(decoder) => {
                let mut data = Vec::with_capacity(count);
                let decoded = decoder.decode(&bytes[..count], &mut data);
                let (used, is_over) = decoded.map_err(|_| io::ErrorKind::InvalidData)?;
                (data.into(), used, is_over)
            }
        };
        if is_over || !data.is_empty() {
            let sent = self.stream.send_data(data, is_over);
            sent.map_err(|_| io::ErrorKind::ConnectionReset)?;
        }
        Ok((count, is_over))
    }
}
