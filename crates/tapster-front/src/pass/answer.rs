//! A worker's answer on its way to the client: framed anew for this connection, and no faster than the client reads.

use std::io;
use std::rc::Rc;

use tapster_http1::encode::{self, BodyField, Connection, ServerFields};
use tapster_http1::{ChunkedDecoder, ResponseBody, syntax};

use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::workers::Permit;
use crate::workers::hop::{self, Hop};
use crate::write::write;

/// Sends the answer whose head `hop` has read, and what follows it. `is_read` says that the request's body is over: if not,
/// nothing can follow on this connection.
pub(crate) async fn forward(
    front: &Rc<Front>,
    client: &mut Client,
    request: &Request,
    mut hop: Hop,
    mut permit: Permit,
    is_read: bool,
) -> After {
    let pace = &mut Pace::default();
    while hop.head.is_interim() {
        if let Err(error) = interim(front, client, request, &hop, pace).await {
            return cut(front, client, &error);
        }
        if let Err(lost) = hop.next_head().await {
            return super::lost_in(&permit, lost, request);
        }
    }
    let Ok(body) = hop.head.body(&hop.input, request.is_head()) else {
        return super::lost_in(&permit, hop::Lost::Malformed, request);
    };
    permit.answered();
    let stays = hop.head.keeps_alive(&hop.input) && body != ResponseBody::UntilClose;
    // What a worker refused ends the connection here as it does there.
    let is_refusal = !stays && hop.head.status >= 400;
    let keep = is_read
        && !is_refusal
        && body != ResponseBody::UntilClose
        && request.framing.keep_alive
        && front.policy.keeps_alive()
        && !front.drain.has_begun();
    let mut out = Vec::with_capacity(4096);
    head(&mut out, &hop, request, keep, client.hsts(front));
    hop.input.drain(..hop.head.length);
    if let Err(error) = relay(front, client, &mut hop, body, &mut out, pace).await {
        return cut(front, client, &error);
    }
    if stays && hop.input.is_empty() {
        front.workers.keep(hop);
    }
    if keep { After::Next } else { After::Linger }
}

/// What was begun cannot be finished.
fn cut(front: &Front, client: &Client, error: &io::Error) -> After {
    front.log.debug(format_args!("{}: an answer was not sent to its end: {error}", client.peer()));
    After::Close
}

/// Passes an interim answer on. Clients of HTTP/1.0 know none (RFC 9110 §15.2), and who waited for 100 had it already.
async fn interim(
    front: &Front,
    client: &Client,
    request: &Request,
    hop: &Hop,
    pace: &mut Pace,
) -> io::Result<()> {
    if hop.head.status == 100 || request.is_http10() {
        return Ok(());
    }
    let bytes = hop.input.get(..hop.head.length).unwrap_or_default();
    write(&client.stream, pace, &front.policy.pace, bytes, &[]).await
}

/// The head as the client gets it.
/// `hsts` is added unless the application says it itself.
fn head(out: &mut Vec<u8>, hop: &Hop, request: &Request, keep: bool, mut hsts: &[u8]) {
    let (head, input) = (&hop.head, &hop.input);
    let mut text = Vec::with_capacity(head.length);
    text.extend_from_slice(head.status_text.of(input));
    text.extend_from_slice(b"\r\n");
    let mut body = BodyField::None;
    for field in &head.fields {
        let (name, value) = (field.name.of(input), field.value.of(input));
        match name.len() {
            10 if syntax::is_lower_case_of(b"connection", name)
                || syntax::is_lower_case_of(b"keep-alive", name) => {}
            17 if syntax::is_lower_case_of(b"transfer-encoding", name) => body = BodyField::Chunked,
            length => {
                if length == 25 && syntax::is_lower_case_of(b"strict-transport-security", name) {
                    hsts = b"";
                }
                text.extend_from_slice(name);
                text.extend_from_slice(b": ");
                text.extend_from_slice(value);
                text.extend_from_slice(b"\r\n");
            }
        }
    }
    text.extend_from_slice(hsts);
    let connection = match (keep, request.is_http10()) {
        (true, false) => Connection::Default,
        (true, true) => Connection::KeepAlive,
        (false, _) => Connection::Close,
    };
    // Date and Server are the worker's.
    encode::response_head(out, &text, &ServerFields { date: None, server: false, body, connection });
}

/// Sends the head in `out` and the body behind it.
///
/// # Errors
/// When either side is gone before the end, or the client too slow.
async fn relay(
    front: &Front,
    client: &Client,
    hop: &mut Hop,
    body: ResponseBody,
    out: &mut Vec<u8>,
    pace: &mut Pace,
) -> io::Result<()> {
    let mut progress = match body {
        ResponseBody::Length(length) => Progress::Length(length),
        ResponseBody::Chunked => Progress::Chunked(ChunkedDecoder::default(), Vec::new()),
        ResponseBody::UntilClose => Progress::UntilClose,
    };
    loop {
        let is_over = progress.take(&mut hop.input, out)?;
        if !out.is_empty() {
            write(&client.stream, pace, &front.policy.pace, out, &[]).await?;
            out.clear();
        }
        if is_over {
            return Ok(());
        }
        let count = tokio::select! {
            biased;
            read = hop::read(&hop.stream, &mut hop.input) => read?,
            () = client.stream.gone() => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        match (count, &progress) {
            (0, Progress::UntilClose) => return Ok(()),
            (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
    }
}

/// What is missing of a body.
enum Progress {
    Length(u64),
    Chunked(ChunkedDecoder, Vec<u8>),
    UntilClose,
}

impl Progress {
    /// Takes what is there of the body, as the client is to have it. True at its end.
    fn take(&mut self, input: &mut Vec<u8>, out: &mut Vec<u8>) -> io::Result<bool> {
        match self {
            Progress::Length(missing) => {
                let count = input.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                out.extend_from_slice(&input[..count]);
                input.drain(..count);
                *missing -= count as u64;
                Ok(*missing == 0)
            }
            Progress::Chunked(decoder, data) => {
                data.clear();
                let decoded = decoder.decode(input, data).map_err(|_| io::ErrorKind::InvalidData);
                let (used, is_over) = decoded?;
                input.drain(..used);
                super::request::piece(out, data, true, is_over);
                Ok(is_over)
            }
            Progress::UntilClose => {
                out.append(input);
                Ok(false)
            }
        }
    }
}
