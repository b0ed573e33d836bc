//! Request bodies: held until they are whole, read piece by piece for a worker that takes them as they come, or dropped.

use std::io;

use tapster_http1::encode::CONTINUE;
use tapster_http1::{BodyLength, ChunkedDecoder};

use crate::client::Client;
use crate::flow::Flow;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::refuse::{Refused, too_large, too_slow};
use crate::stream::Stream;
use crate::write::write;

/// The most of a body that is dropped for the sake of keeping the connection.
const DISCARD: u64 = 256 * 1024;

/// The body of one request on its way in.
pub(crate) struct Incoming {
    progress: Progress,
    /// The client waits for a word before it sends.
    wants_continue: bool,
    /// Data bytes that it may still have.
    left: u64,
    limit: u64,
    pace: Pace,
}

/// How the end is known.
enum Progress {
    /// This many bytes are missing.
    Length(u64),
    Chunked(ChunkedDecoder),
}

/// What a worker gets.
pub(crate) enum Body {
    /// All of it, decoded; none where the request has none.
    Whole(Option<Vec<u8>>),
    /// Some, and the rest as it comes.
    Flowing(Flow),
}

impl Incoming {
    /// The body that a head announces.
    ///
    /// # Errors
    /// 413 if it says that it is too large.
    pub(crate) fn announced(front: &Front, client: &Client, request: &Request) -> Result<Incoming, Refused> {
        let limit = front.policy.max_body;
        let progress = match request.framing.body {
            BodyLength::None => Progress::Length(0),
            BodyLength::Length(length) if length > limit => {
                return Err(too_large(limit).for_head(request.is_head()));
            }
            BodyLength::Length(length) => Progress::Length(length),
            BodyLength::Chunked => Progress::Chunked(ChunkedDecoder::default()),
        };
        let wants_continue = request.framing.expect_continue && client.input.is_empty();
        Ok(Incoming { progress, wants_continue, left: limit, limit, pace: Pace::default() })
    }

    /// Whether all of it was read.
    pub(crate) fn is_over(&self) -> bool {
        match &self.progress {
            Progress::Length(missing) => *missing == 0,
            Progress::Chunked(decoder) => decoder.is_finished(),
        }
    }

    /// Appends the data that is there, in `input` or else in the client's `stream`, waiting for some if there is none. Nothing is appended at the end, and when
    /// chunks had no data.
    ///
    /// # Errors
    /// 400 for a malformed body and a client that left, 408 for one that is too slow, 413 for too much.
    pub(crate) async fn read(
        &mut self,
        front: &Front,
        stream: &Stream,
        input: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        if self.is_over() {
            return Ok(());
        }
        if input.is_empty() {
            self.fill(front, stream, input).await?;
        }
        let before = out.len();
        let used = match &mut self.progress {
            Progress::Length(missing) => {
                let count = input.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                out.extend_from_slice(&input[..count]);
                *missing -= count as u64;
                count
            }
            Progress::Chunked(decoder) => {
                let decoded = decoder.decode(input, out);
                decoded.map_err(|refusal| Refused::new(refusal.status(), refusal))?.0
            }
        };
        if used == input.len() {
            input.clear();
        } else {
            input.drain(..used);
        }
        let count = (out.len() - before) as u64;
        self.left = self.left.checked_sub(count).ok_or_else(|| too_large(self.limit))?;
        Ok(())
    }

    async fn fill(&mut self, front: &Front, stream: &Stream, input: &mut Vec<u8>) -> Result<(), Refused> {
        let limits = &front.policy.pace;
        if std::mem::take(&mut self.wants_continue) {
            // One that is gone is noticed below.
            let _gone = write(stream, &mut self.pace, limits, CONTINUE, &[]).await;
        }
        let read = match stream.try_read(input) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let waited = self.pace.wait(limits, stream.read(input)).await;
                waited.map_err(|slow| too_slow(slow, limits))?
            }
            read => read,
        };
        match read {
            Ok(count @ 1..) => {
                self.pace.moved(count);
                Ok(())
            }
            Ok(0) | Err(_) => Err(Refused::new(400, "the client closed in the middle of a request body")),
        }
    }
}

/// Reads the body of a request: all of it where it is small enough, else what is there when that is known. With
/// `--stream-body` nothing is waited for.
///
/// # Errors
/// As [`Incoming::read`].
pub(crate) async fn read(front: &Front, client: &mut Client, request: &Request) -> Result<Body, Refused> {
    let mut incoming = Incoming::announced(front, client, request)?;
    let length = match request.framing.body {
        BodyLength::None => return Ok(Body::Whole(None)),
        BodyLength::Length(length) => Some(length),
        BodyLength::Chunked => None,
    };
    let held = front.policy.body_memory;
    let mut data = Vec::new();
    if length.is_some_and(|length| length > held as u64) {
        return Ok(Body::Flowing(Flow { data, incoming, length }));
    }
    while !incoming.is_over() {
        if front.policy.stream_body && client.input.is_empty() {
            return Ok(Body::Flowing(Flow { data, incoming, length }));
        }
        incoming
            .read(front, &client.stream, &mut client.input, &mut data)
            .await
            .map_err(|refused| refused.for_head(request.is_head()))?;
        if data.len() > held {
            return Ok(Body::Flowing(Flow { data, incoming, length }));
        }
    }
    Ok(Body::Whole(Some(data)))
}

/// Drops the body of a request that is answered without it. False if that is not worth it: the connection must end.
pub(crate) async fn discard(front: &Front, client: &mut Client, request: &Request) -> bool {
    if request.framing.body == BodyLength::None {
        return true;
    }
    let Ok(mut incoming) = Incoming::announced(front, client, request) else { return false };
    let is_long = matches!(incoming.progress, Progress::Length(missing) if missing > DISCARD);
    if incoming.wants_continue || is_long {
        return false;
    }
    let (mut dropped, mut data) = (0, Vec::new());
    while !incoming.is_over() && dropped <= DISCARD {
        data.clear();
        if incoming.read(front, &client.stream, &mut client.input, &mut data).await.is_err() {
            return false;
        }
        dropped += data.len() as u64;
    }
    incoming.is_over()
}
