//! A request's body, whole before an upstream is asked: in memory, or in an unlinked file where it is larger. So a slow client
//! holds no upstream, and a request can be sent again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tapster_http1::BodyLength;
use tapster_observe::WorkerBoard;
use tokio::task::spawn_blocking;

use super::Upstreams;
use crate::body::Incoming;
use crate::client::Client;
use crate::front::Front;
use crate::receive::Request;
use crate::refuse::Refused;

/// The whole body of a request.
pub(super) enum Held {
    /// It has none.
    None,
    Memory(Vec<u8>),
    File(Spooled),
}

/// A body in a file.
pub(super) struct Spooled {
    file: Arc<File>,
    length: u64,
    board: Option<WorkerBoard>,
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
            let spooled = match &mut spooled {
                Some(spooled) => spooled,
                None => spooled.insert(Spooled::new(upstreams).map_err(|error| no_room(&error, request))?),
            };
            data = spooled.append(upstreams, data).await.map_err(|error| no_room(&error, request))?;
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
    fn new(upstreams: &Upstreams) -> io::Result<Spooled> {
        let file = Arc::new(tempfile::tempfile_in(&upstreams.rules.temp_dir)?);
        Ok(Spooled { file, length: 0, board: upstreams.board.clone() })
    }

    /// Writes behind what is there; gives the buffer back, empty.
    async fn append(&mut self, upstreams: &Upstreams, data: Vec<u8>) -> io::Result<Vec<u8>> {
        let count = data.len() as u64;
        let held = self.board.as_ref().map_or(0, WorkerBoard::spooled);
        if held.saturating_add(count) > upstreams.rules.spool_max {
            return Err(io::Error::other("too much is held already"));
        }
        self.board.iter().for_each(|board| board.spooled_more(count));
        let (file, offset) = (self.file.clone(), self.length);
        self.length += count;
        let written = spawn_blocking(move || {
            file.write_all_at(&data, offset)?;
            Ok::<_, io::Error>(data)
        });
        let mut data = written.await??;
        data.clear();
        Ok(data)
    }

    /// A piece of it, of which `buffer` holds the last.
    pub(super) async fn read(&self, offset: u64, most: usize, buffer: Vec<u8>) -> io::Result<Vec<u8>> {
        let count = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(most).min(most);
        let (file, mut buffer) = (self.file.clone(), buffer);
        let read = spawn_blocking(move || {
            buffer.resize(count, 0);
            file.read_exact_at(&mut buffer, offset)?;
            Ok::<_, io::Error>(buffer)
        });
        read.await?
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        self.board.iter().for_each(|board| board.spooled_less(self.length));
    }
}
