//! A request's body, whole before an upstream is asked: in memory, or in an unlinked file where it is larger. So a slow client
//! holds no upstream, and a request can be sent again.

use std::io;

use tapster_http1::BodyLength;

use super::Upstreams;
use crate::body::Incoming;
use crate::client::Client;
use crate::flow::Flow;
use crate::front::Front;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::spool::SpoolFile;

/// The whole body of a request.
pub(super) enum Held {
    /// It has none.
    None,
    Memory(Vec<u8>),
    File(Spooled),
    /// Who sends the rest reads it of the client; its length where it is known.
    Flowing(Option<u64>),
}

/// What came of a body.
pub(super) enum Taken {
    Whole(Held),
    /// Not all of it, and nothing is waited for.
    Flowing(Flow),
}

/// A body in a file.
pub(super) struct Spooled {
    file: SpoolFile,
    length: u64,
}

impl Held {
    /// Bytes of it, if that is known; none where there is no body.
    pub(super) fn announced(&self) -> Option<Option<u64>> {
        match self {
            Held::None => None,
            Held::Memory(data) => Some(Some(data.len() as u64)),
            Held::File(spooled) => Some(Some(spooled.length)),
            Held::Flowing(length) => Some(*length),
        }
    }
}

/// Reads the body of a request; `streams` if nothing is to be waited for.
///
/// # Errors
/// As [`Incoming::read`]; 503 when there is no room for it on the disk.
pub(super) async fn collect(
    front: &Front,
    upstreams: &Upstreams,
    client: &mut Client,
    request: &Request,
    streams: bool,
) -> Result<Taken, Refused> {
    let mut incoming = Incoming::announced(front, client, request)?;
    if request.framing.body == BodyLength::None {
        return Ok(Taken::Whole(Held::None));
    }
    let (mut data, mut spooled) = (Vec::new(), None::<Spooled>);
    while !incoming.is_over() {
        if streams && client.input.is_empty() && spooled.is_none() {
            let length = match request.framing.body {
                BodyLength::Length(length) => Some(length),
                BodyLength::None | BodyLength::Chunked => None,
            };
            return Ok(Taken::Flowing(Flow { data, incoming, length }));
        }
        incoming
            .read(front, &client.stream, &mut client.input, &mut data)
            .await
            .map_err(|refused| refused.for_head(request.is_head()))?;
        if data.len() > front.policy.body_memory {
            let spooled = spooled.get_or_insert_with(|| Spooled::new(upstreams));
            let piece = std::mem::take(&mut data);
            spooled.append(upstreams, piece).await.map_err(|error| no_room(&error, request))?;
        }
    }
    let Some(mut spooled) = spooled else { return Ok(Taken::Whole(Held::Memory(data))) };
    spooled.append(upstreams, data).await.map_err(|error| no_room(&error, request))?;
    Ok(Taken::Whole(Held::File(spooled)))
}

fn no_room(error: &io::Error, request: &Request) -> Refused {
    let reason =
        format_args!("the request body cannot be put into a file (--temp-dir, --spool-max): {error}");
    Refused::new(503, reason).for_head(request.is_head())
}

impl Spooled {
    fn new(upstreams: &Upstreams) -> Spooled {
        Spooled { file: SpoolFile::new(&upstreams.spool), length: 0 }
    }

    /// Bytes of it.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes behind what is there.
    async fn append(&mut self, upstreams: &Upstreams, data: Vec<u8>) -> io::Result<()> {
        let count = data.len() as u64;
        self.file.write(data.into(), self.length, upstreams.spool.most()).await?;
        self.length += count;
        Ok(())
    }

    /// A piece of it, of which `buffer` holds the last.
    pub(super) async fn read(&self, offset: u64, most: usize, buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        let count = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(most).min(most);
        self.file.read(offset, count, buffer).await
    }
}
