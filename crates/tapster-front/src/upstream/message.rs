//! A request as it is sent, to whichever upstream, as often as needed.

use std::cell::{Cell, OnceCell};
use std::io;
use std::time::Duration;

use tapster_config::UpstreamProtocol;
use tokio::time::timeout;

use super::body::Held;
use super::{fields, packet};
use crate::client::Client;
use crate::front::Front;
use crate::policy::Policy;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::route::Stripped;
use crate::stream::Stream;

/// Bytes of a body in a file that are read and sent at once.
const PIECE: usize = 256 * 1024;

/// One request.
pub(super) struct Message {
    http: Vec<u8>,
    uwsgi: OnceCell<Vec<u8>>,
    body: Held,
    /// It may be sent again when it is not known what became of it.
    pub(super) is_idempotent: bool,
}

impl Message {
    /// The message that carries a request.
    ///
    /// # Errors
    /// When no application could be given it.
    pub(super) fn new(
        front: &Front,
        client: &Client,
        request: &Request,
        stripped: Option<&Stripped>,
        body: Held,
        is_idempotent: bool,
    ) -> Result<Message, Refused> {
        let http = fields::head(front, client, request, stripped, body.announced())?;
        Ok(Message { http, uwsgi: OnceCell::new(), body, is_idempotent })
    }

    /// One without a body, ready for either protocol.
    pub(super) fn plain(http: Vec<u8>, packet: Vec<u8>) -> Message {
        Message { http, uwsgi: OnceCell::from(packet), body: Held::None, is_idempotent: true }
    }

    /// Prepares it for a protocol.
    ///
    /// # Errors
    /// When it does not fit into it.
    pub(super) fn prepare(
        &self,
        policy: &Policy,
        protocol: UpstreamProtocol,
        client: &Client,
        request: &Request,
    ) -> Result<(), Refused> {
        if protocol == UpstreamProtocol::Uwsgi && self.uwsgi.get().is_none() {
            let packet = packet::packet(policy, client, request, &self.http)?;
            let _was_empty = self.uwsgi.set(packet);
        }
        Ok(())
    }

    /// Whether uWSGI refuses it where nobody told it otherwise.
    pub(super) fn is_large_for_uwsgi(&self) -> bool {
        self.uwsgi.get().is_some_and(|packet| packet.len() > 4096)
    }

    /// What goes before the body.
    pub(super) fn head(&self, protocol: UpstreamProtocol) -> &[u8] {
        match protocol {
            UpstreamProtocol::Http => &self.http,
            UpstreamProtocol::Uwsgi => self.uwsgi.get().unwrap_or(&self.http),
        }
    }

    /// Sends all that is held of it; `sent` counts the bytes that were.
    ///
    /// # Errors
    /// When the upstream reads no more, or nothing for `limit`.
    pub(super) async fn send(
        &self,
        stream: &Stream,
        protocol: UpstreamProtocol,
        limit: Duration,
        sent: &Cell<u64>,
    ) -> io::Result<()> {
        let head = self.head(protocol);
        match &self.body {
            Held::None | Held::Flowing(_) => write(stream, head, &[], limit, sent).await,
            Held::Memory(data) => write(stream, head, data, limit, sent).await,
            Held::File(spooled) => {
                write(stream, head, &[], limit, sent).await?;
                let (mut offset, mut piece) = (0, Vec::new());
                while offset < spooled.length() {
                    piece = spooled.read(offset, PIECE, piece).await?;
                    write(stream, &piece, &[], limit, sent).await?;
                    offset += piece.len() as u64;
                }
                Ok(())
            }
        }
    }
}

/// Writes both parts.
///
/// # Errors
/// As [`Message::send`].
pub(super) async fn write(
    stream: &Stream,
    mut first: &[u8],
    mut second: &[u8],
    limit: Duration,
    sent: &Cell<u64>,
) -> io::Result<()> {
    while !(first.is_empty() && second.is_empty()) {
        match stream.try_write(&[io::IoSlice::new(first), io::IoSlice::new(second)]) {
            Ok(written) => {
                sent.set(sent.get() + written as u64);
                let of_first = written.min(first.len());
                first = &first[of_first..];
                second = &second[written - of_first..];
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                timeout(limit, stream.writable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
