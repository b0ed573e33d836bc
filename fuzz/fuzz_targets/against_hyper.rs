//! HTTP requests against hyper, head and body: what both accept they read alike, and one refuses what the other accepts
//! for a listed reason only.

#![no_main]

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use libfuzzer_sys::fuzz_target;
use tapster_http1::{BodyLength, ChunkedDecoder, Head, Limits, Refusal, framing};

fuzz_target!(|input: (u8, &[u8])| {
    let (step, bytes) = (usize::from(input.0).max(1), input.1);
    match (ours(bytes, step), theirs(bytes, step)) {
        (Ok(Some(ours)), Some(Ok(theirs))) => assert_eq!(ours, theirs),
        (Ok(None), Some(Ok(theirs))) => panic!("hyper has a whole request and we wait: {theirs:?}"),
        (Ok(Some(ours)), None | Some(Err(()))) => {
            assert!(only_hyper_refuses(bytes), "hyper refuses {ours:?}")
        }
        (Err(refusal), Some(Ok(theirs))) => {
            assert!(only_we_refuse(refusal, &theirs, bytes), "we refuse ({refusal}) {theirs:?}");
        }
        (Ok(None) | Err(_), None | Some(Err(()))) => {}
    }
});

/// A request as both say it.
#[derive(PartialEq, Eq)]
struct Message {
    method: Vec<u8>,
    path: Vec<u8>,
    query: Vec<u8>,
    /// In the order of the wire, but sorted by name: hyper keeps no order between names.
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// What we make of it: `None` if it is not whole.
fn ours(bytes: &[u8], step: usize) -> Result<Option<Message>, Refusal> {
    let mut head = Head::default();
    if !head.parse(bytes, &Limits::default())? {
        return Ok(None);
    }
    let rest = &bytes[head.length..];
    let body = match framing(&head, bytes)?.body {
        BodyLength::None => Vec::new(),
        BodyLength::Length(length) => {
            match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
                Some(body) => body.to_vec(),
                None => return Ok(None),
            }
        }
        BodyLength::Chunked => {
            let (mut decoder, mut body) = (ChunkedDecoder::default(), Vec::new());
            for piece in rest.chunks(step) {
                decoder.decode(piece, &mut body)?;
            }
            if !decoder.is_finished() {
                return Ok(None);
            }
            body
        }
    };
    let path = head.parts.path.of(bytes);
    let fields = head.fields.iter();
    Ok(Some(Message {
        method: head.method.of(bytes).to_vec(),
        path: if path.is_empty() { b"/" } else { path }.to_vec(),
        query: head.parts.query.of(bytes).to_vec(),
        fields: sorted(fields.map(|field| (field.name.of(bytes), field.value.of(bytes)))),
        body,
    }))
}

/// What hyper makes of it: `None` if its service saw no request, an error if it saw one whose body failed.
fn theirs(bytes: &[u8], step: usize) -> Option<Result<Message, ()>> {
    let seen = RefCell::new(None);
    let service = service_fn(async |request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        seen.replace(Some(Err(())));
        if let Ok(body) = body.collect().await {
            let fields = parts.headers.iter();
            seen.replace(Some(Ok(Message {
                method: parts.method.as_str().as_bytes().to_vec(),
                path: parts.uri.path().as_bytes().to_vec(),
                query: parts.uri.query().unwrap_or_default().as_bytes().to_vec(),
                fields: sorted(fields.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))),
                body: body.to_bytes().to_vec(),
            })));
        }
        Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
    });
    {
        let mut connection = pin!(
            http1::Builder::new()
                .keep_alive(false)
                .half_close(true)
                .serve_connection(Wire { bytes, step }, service)
        );
        let mut context = Context::from_waker(Waker::noop());
        // All input is at hand, so each poll goes on; the bound is against a loop of our own making.
        let mut polls = 0;
        while connection.as_mut().poll(&mut context).is_pending() {
            polls += 1;
            assert!(polls < 100_000, "hyper never ends");
        }
    }
    seen.into_inner()
}

fn sorted<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut fields: Vec<_> =
        fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_vec())).collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
}

/// Whether hyper may refuse a head that we accept: its URI type knows fewer bytes in a path than clients send, and no
/// escapes in a host.
fn only_hyper_refuses(bytes: &[u8]) -> bool {
    let mut head = Head::default();
    let parsed = head.parse(bytes, &Limits::default());
    parsed == Ok(true) && hyper::Uri::try_from(head.target.of(bytes)).is_err()
}

/// Whether we may refuse what hyper accepts: where two recipients could differ we are stricter on purpose.
fn only_we_refuse(refusal: Refusal, message: &Message, bytes: &[u8]) -> bool {
    let value = |name: &[u8]| message.fields.iter().find(|field| field.0 == name).map(|field| &field.1[..]);
    match refusal {
        // Line ends and lines before the request (RFC 9112 §2.2).
        Refusal::BareLf | Refusal::LeadingLines => true,
        // Forms of the target and Host (RFC 9112 §3.2).
        Refusal::Target | Refusal::TargetForm | Refusal::Authority | Refusal::Connect => true,
        Refusal::HostMissing | Refusal::HostRepeated | Refusal::HostMalformed => true,
        // Framing that could be repaired (RFC 9112 §6.3).
        Refusal::LengthAndEncoding | Refusal::EncodingUnknown | Refusal::EncodingMalformed => true,
        Refusal::ContentLengthRepeated => true,
        Refusal::ContentLengthMalformed => {
            value(b"content-length").is_some_and(|value| value.contains(&b','))
        }
        // What a chunk may carry besides data (RFC 9112 §7.1).
        Refusal::ChunkExtension | Refusal::ChunkExtensionTooLong | Refusal::ChunkLineEnd => true,
        Refusal::ChunkSize => has_padded_size(bytes),
        Refusal::TrailerMalformed | Refusal::TrailerForbidden | Refusal::TrailersTooLarge => true,
        Refusal::Expectation => value(b"expect").is_some(),
        _ => false,
    }
}

/// Whether a chunk size may have a blank behind it, or zeros before it, beyond the sixteen digits that we take.
fn has_padded_size(bytes: &[u8]) -> bool {
    let follows = |pair: &[u8]| pair[0].is_ascii_hexdigit() && matches!(pair[1], b' ' | b'\t');
    bytes.windows(2).any(follows) || bytes.windows(17).any(|run| run.iter().all(u8::is_ascii_hexdigit))
}

/// A connection on which `bytes` come in pieces, and then the end; what is written is forgotten.
struct Wire<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Wire<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.step.min(self.bytes.len()).min(buffer.remaining());
        let (piece, rest) = self.bytes.split_at(count);
        buffer.put_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire<'_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        let fields = self.fields.iter().map(|(name, value)| format!("{}: {}", text(name), text(value)));
        write!(out, "{} {}?{} ", text(&self.method), text(&self.path), text(&self.query))?;
        write!(out, "{:?} {}", fields.collect::<Vec<_>>(), text(&self.body))
    }
}
