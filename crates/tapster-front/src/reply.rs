//! An answer that comes from somebody else, on its way to the client: the one place where its fields may be changed, where it is
//! compressed and framed for the client's connection, and written no faster than the client reads. Handlers bring the head and
//! the body.

mod body;
mod head;

use std::future::{Future, ready};
use std::io;
use std::rc::Rc;

use tapster_http1::ResponseBody;
use tapster_http1::encode::{self, BodyField, Connection, ServerFields};

use crate::access;
use crate::client::Client;
use crate::compress::{Encoder, PIECE};
use crate::front::Front;
use crate::overrides::{self, Page};
use crate::pace::Pace;
use crate::receive::Request;
use crate::request_id;
use crate::write::write_all;

pub(crate) use body::Body;
pub(crate) use head::Head;

/// A body up to this size goes behind its head in one piece.
const SMALL: usize = 8 * 1024;

/// One answer.
pub(crate) struct Reply<'a> {
    front: &'a Front,
    client: &'a Client,
    encoder: Option<Encoder>,
    /// What is sent in the place of the body.
    page: Option<Rc<Page>>,
    /// That was done.
    is_replaced: bool,
    is_chunked: bool,
    /// The client's connection stays.
    keep: bool,
    pace: Pace,
    /// What goes before the next piece: the head, at first.
    out: Vec<u8>,
    /// Bytes of the body that the client was sent.
    sent: u64,
}

impl<'a> Reply<'a> {
    /// Begins with a head; nothing is sent yet. `body` is how the body is delimited, or would be if the request were GET.
    /// `may_keep` says that the handler knows of no reason why the client's connection should end.
    pub(crate) fn new(
        front: &'a Front,
        client: &'a Client,
        request: &Request,
        mut head: Head,
        mut body: ResponseBody,
        may_keep: bool,
    ) -> Reply<'a> {
        let Change { encoder, page } = change(front, client, request, &mut head, &mut body);
        let has_none = matches!(head.status, 204 | 304);
        let has_end = has_none || request.is_head() || matches!(body, ResponseBody::Length(_));
        let is_chunked = !has_end && !request.is_http10();
        let says_chunked = is_chunked
            || request.is_head() && !has_none && body == ResponseBody::Chunked && !request.is_http10();
        let keep = may_keep
            && (has_end || is_chunked)
            && request.framing.keep_alive
            && front.policy.keeps_alive()
            && !front.drain.has_begun();
        // Server is for who made the answer to say; Date is to be there (RFC 9110 §6.6.1).
        let date = (!head.has(b"date")).then(|| front.date());
        let fields = ServerFields {
            date: date.as_ref().map(|date| date.as_slice()),
            server: false,
            body: if says_chunked { BodyField::Chunked } else { BodyField::None },
            connection: match (keep, request.is_http10()) {
                // With uwsgi it always ends.
                _ if request.packet.is_some() => Connection::Default,
                (true, false) => Connection::Default,
                (true, true) => Connection::KeepAlive,
                (false, _) => Connection::Close,
            },
            lines: b"",
        };
        let mut out = Vec::with_capacity(head.text().len() + 256);
        encode::response_head(&mut out, head.text(), &fields);
        access::keep_head(front, client, &out);
        Reply {
            front,
            client,
            encoder,
            page: page.filter(|_| !request.is_head()),
            is_replaced: false,
            is_chunked,
            keep,
            pace: Pace::default(),
            out,
            sent: 0,
        }
    }

    /// Whether another request may follow on the client's connection.
    pub(crate) fn keeps(&self) -> bool {
        self.keep
    }

    /// Bytes of the body that the client was sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends a piece of the body, which may be empty, and the head before the first. Nothing follows the last one.
    ///
    /// # Errors
    /// When the client is gone or too slow.
    pub(crate) async fn send(&mut self, data: &[u8], is_last: bool) -> io::Result<()> {
        if self.is_replaced {
            return Ok(());
        }
        let page = self.page.take();
        self.is_replaced = page.is_some();
        let (data, is_last) = page.as_ref().map_or((data, is_last), |page| (&page.body[..], true));
        let Some(mut encoder) = self.encoder.take() else { return self.write(data, is_last).await };
        let mut coded = Vec::new();
        let mut pieces = data.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            encoder.put(piece, &mut coded)?;
            if pieces.peek().is_some() {
                self.write(&coded, false).await?;
                coded.clear();
                // Others have their turn.
                tokio::task::yield_now().await;
            }
        }
        if is_last {
            encoder.finish(&mut coded)?;
        } else {
            self.encoder = Some(encoder);
        }
        self.write(&coded, is_last).await
    }

    /// Waits for more of the body; the client gets before that what was held back for the sake of better compression.
    ///
    /// # Errors
    /// As `reading`, and `ConnectionReset` when the client is gone or too slow.
    pub(crate) async fn wait(
        &mut self,
        reading: impl Future<Output = io::Result<usize>>,
    ) -> io::Result<usize> {
        tokio::pin!(reading);
        if self.encoder.as_ref().is_some_and(Encoder::holds) {
            tokio::select! {
                biased;
                // What is there already goes with it.
                read = &mut reading => return read,
                () = ready(()) => self.flush().await.map_err(|_| io::ErrorKind::ConnectionReset)?,
            }
        }
        tokio::select! {
            biased;
            read = reading => read,
            () = self.client.stream.gone() => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }

    /// Sends what was held back.
    async fn flush(&mut self) -> io::Result<()> {
        let mut coded = Vec::new();
        if let Some(encoder) = &mut self.encoder {
            encoder.flush(&mut coded)?;
        }
        self.write(&coded, false).await
    }

    /// Writes a piece of the body as it is.
    async fn write(&mut self, data: &[u8], is_last: bool) -> io::Result<()> {
        self.sent += data.len() as u64;
        let mut end: &[u8] = b"";
        if self.is_chunked {
            if !data.is_empty() {
                encode::chunk_header(&mut self.out, data.len());
            }
            end = match (data.is_empty(), is_last) {
                (true, true) => encode::LAST_CHUNK,
                (true, false) => b"",
                (false, true) => b"\r\n0\r\n\r\n",
                (false, false) => encode::CHUNK_END,
            };
        }
        let (stream, limits) = (&self.client.stream, &self.front.policy.pace);
        if data.len() <= SMALL {
            self.out.extend_from_slice(data);
            self.out.extend_from_slice(end);
            write_all(stream, &mut self.pace, limits, [&self.out, &[], &[]]).await?;
        } else {
            write_all(stream, &mut self.pace, limits, [&self.out, data, end]).await?;
        }
        self.out.clear();
        Ok(())
    }
}

/// What becomes of the body of an answer.
#[derive(Default)]
struct Change {
    encoder: Option<Encoder>,
    /// What is sent in its place.
    page: Option<Rc<Page>>,
}

/// Changes what is to be changed of every answer that is passed on.
fn change(
    front: &Front,
    client: &Client,
    request: &Request,
    head: &mut Head,
    body: &mut ResponseBody,
) -> Change {
    if let Some(cache) = &front.cache {
        cache.passed(client, request, head);
    }
    if let Some(field) = &front.policy.request_id {
        if client.stream.is_captured() {
            // Whoever gets it from the cache has another.
            head.remove(field.small_name());
        } else if !head.has(field.small_name()) {
            head.add(field.name(), request_id::of(front, client, request).as_bytes());
        }
    }
    if client.stream.is_captured() {
        return Change::default();
    }
    let hsts = client.hsts(front);
    // The application may say it itself.
    if !hsts.is_empty() && !head.has(b"strict-transport-security") {
        head.add_lines(hsts);
    }
    let page = overrides::intercept(request, head, body);
    if let Some(overrides) = request.overrides.get() {
        overrides.change_answer(front, client, request, head);
    }
    let encoder = front.compression.as_ref().and_then(|rules| rules.begin(request, head, body));
    Change { encoder, page }
}
