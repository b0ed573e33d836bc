//! A request's body, whole before an upstream is asked: in memory, or in an unlinked file where it is larger. So a slow client
//! holds no upstream, and a request can be sent again.

use std::io;

use tapster_http1::BodyLength;

use super::Upstreams;
use crate::body::Incoming;
use crate::client::Client;
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
}

/// A body in a file.
pub(super) struct Spooled {
    file: SpoolFile,
    length: u64,
}

impl Held {
    /// Bytes of it; none where there is no body.
    pub(super) fn length(&self) -> Option<u64> {
        match self {
            Held::None => None,
            Held::Memory(data) => Some(data.len() as u64),
            Held::File(spooled) => Some(spooled.length),
        }
    }
}

/// Reads the body of a request.
///
/// # Errors
/// As [`Incoming::read`]; 503 when there is no room for it on the disk.
pub(super) async fn collect(
    front: &Front,
    upstreams: &Upstreams,
    client: &mut Client,
    request: &Request,
) -> Result<Held, Refused> {
    let mut incoming = Incoming::announced(front, client, request)?;
    if request.framing.body == BodyLength::None {
        return Ok(Held::None);
    }
    let (mut data, mut spooled) = (Vec::new(), None);
    while !incoming.is_over() {
        incoming
            .read(front, client, &mut data)
            .await
            .map_err(|refused| refused.for_head(request.is_head()))?;
        if data.len() > front.policy.body_memory {
            let spooled = spooled.get_or_insert_with(|| Spooled::new(upstreams));
            let piece = std::mem::take(&mut data);
            spooled.append(upstreams, piece).await.map_err(|error| no_room(&error, request))?;
        }
    }
    let Some(mut spooled) = spooled else { return Ok(Held::Memory(data)) };
    spooled.append(upstreams, data).await.map_err(|error| no_room(&error, request))?;
    Ok(Held::File(spooled))
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
