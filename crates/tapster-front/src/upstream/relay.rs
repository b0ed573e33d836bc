//! The body of an upstream's answer on its way to the client: decoded and framed anew, piece by piece.

use std::io;
use std::time::Duration;

use tapster_http1::encode::{self, BodyField};
use tapster_http1::{ChunkedDecoder, ResponseBody};

use super::link::Link;
use crate::client::Client;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::write::write;

/// How the client gets the body.
pub(super) struct Framing {
    pub(super) field: BodyField,
    is_chunked: bool,
    /// The client's connection stays.
    pub(super) keep: bool,
    /// How long the upstream may be silent.
    limit: Duration,
    /// Bytes of the body that came.
    pub(super) sent: u64,
    /// Something was sent to the client.
    pub(super) has_begun: bool,
}

impl Framing {
    pub(super) fn of(front: &Front, request: &Request, body: ResponseBody, limit: Duration) -> Framing {
        let has_end = matches!(body, ResponseBody::Length(_));
        let is_chunked = !has_end && !request.is_http10();
        Framing {
            field: if is_chunked { BodyField::Chunked } else { BodyField::None },
            is_chunked,
            keep: (has_end || is_chunked)
                && request.framing.keep_alive
                && front.policy.keeps_alive()
                && !front.drain.has_begun(),
            limit,
            sent: 0,
            has_begun: false,
        }
    }
}

/// Sends the head in `out` and the body behind it; counts the bytes of the body.
///
/// # Errors
/// When either side is gone before the end, or the client too slow. `ConnectionReset` if it was the client.
pub(super) async fn relay(
    front: &Front,
    client: &Client,
    link: &mut Link,
    body: ResponseBody,
    framing: &mut Framing,
    mut out: Vec<u8>,
    pace: &mut Pace,
) -> io::Result<()> {
    let mut progress = match body {
        ResponseBody::Length(length) => Progress::Length(length),
        ResponseBody::Chunked => Progress::Chunked(ChunkedDecoder::default()),
        ResponseBody::UntilClose => Progress::UntilClose,
    };
    let mut data = Vec::new();
    loop {
        let is_over = progress.take(&mut link.input, &mut data)?;
        framing.sent += data.len() as u64;
        if framing.is_chunked && !data.is_empty() {
            encode::chunk_header(&mut out, data.len());
        }
        if framing.is_chunked && is_over {
            data.extend_from_slice(if data.is_empty() { b"" } else { encode::CHUNK_END });
            data.extend_from_slice(encode::LAST_CHUNK);
        } else if framing.is_chunked && !data.is_empty() {
            data.extend_from_slice(encode::CHUNK_END);
        }
        framing.has_begun = true;
        write(&client.stream, pace, &front.policy.pace, &out, &data)
            .await
            .map_err(|_| io::ErrorKind::ConnectionReset)?;
        out.clear();
        if is_over {
            return Ok(());
        }
        let count = tokio::select! {
            biased;
            read = link.read(framing.limit) => read.map_err(of_upstream)?,
            () = client.stream.gone() => return Err(io::ErrorKind::ConnectionReset.into()),
        };
        if count == 0 {
            progress.ends()?;
        }
    }
}

/// That it was the upstream which reset the connection.
fn of_upstream(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset => io::Error::other("the upstream reset the connection"),
        _ => error,
    }
}

/// What is missing of a body.
enum Progress {
    Length(u64),
    Chunked(ChunkedDecoder),
    UntilClose,
    Over,
}

impl Progress {
    /// Takes what is there of the body. True at its end.
    fn take(&mut self, input: &mut Vec<u8>, data: &mut Vec<u8>) -> io::Result<bool> {
        data.clear();
        match self {
            Progress::Length(missing) => {
                let count = usize::try_from(*missing).unwrap_or(usize::MAX);
                if input.len() <= count {
                    std::mem::swap(input, data);
                } else {
                    data.extend(input.drain(..count));
                }
                *missing -= data.len() as u64;
                Ok(*missing == 0)
            }
            Progress::Chunked(decoder) => {
                let decoded = decoder.decode(input, data).map_err(io::Error::other);
                let (used, is_over) = decoded?;
                input.drain(..used);
                Ok(is_over)
            }
            Progress::UntilClose => {
                std::mem::swap(input, data);
                Ok(false)
            }
            Progress::Over => Ok(true),
        }
    }

    /// The upstream closed.
    fn ends(&mut self) -> io::Result<()> {
        match self {
            Progress::UntilClose => {
                *self = Progress::Over;
                Ok(())
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}
