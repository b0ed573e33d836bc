//! HTTP/2 (RFC 9113): one connection, many streams. Each stream is a client with a request of its own, which goes through the
//! same pipeline as one of HTTP/1: its head is written out as HTTP/1 ([`request`]) and read by the same strict reader, and what
//! a handler writes is turned into frames ([`exchange`]).

mod budget;
mod exchange;
mod frames;
mod gauge;
mod io;
mod request;

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use tapster_gateway::hop;
use tapster_http1::syntax;
use tapster_observe::{FrontCounter, FrontGauge, Incident};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::Client;
use crate::connection::{self, After};
use crate::front::Front;
use crate::receive;
use crate::refuse::{Refused, refuse};
use crate::stream::Stream;
use budget::Budget;
pub(crate) use exchange::Exchange;
use exchange::Form;
use gauge::Gauge;
use io::Io;

/// What a client sends before all else (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams of one connection at once.
const STREAMS: u32 = 100;

/// Bytes of all fields of a request, decoded (RFC 9113 §6.5.2).
const FIELDS: u32 = 64 * 1024;

/// Bytes that a client may send ahead: on one stream, and on all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// Bytes of answers that are held for a stream that the client does not read.
const SEND_BUFFER: usize = 64 * 1024;

/// Requests that were taken back before anybody looked at them.
const PENDING_RESETS: usize = 20;

/// Requests that may be taken back at once, and how many more in each second: who does it again and again has the work done
/// for nothing.
const RESETS: u32 = 100;
const RESET_RATE: u32 = 1;

/// Streams of one connection that its client may have us reset by what it sends.
const OWN_RESETS: usize = 500;

/// How long a connection without streams that was told to end is waited for.
const LEAVE: Duration = Duration::from_secs(1);

/// One connection as its streams see it.
struct Shared {
    ends: hop::Client,
    is_encrypted: bool,
    /// Streams that are being answered.
    open: Cell<usize>,
    /// When the last one was over.
    rests: Cell<Instant>,
    resets: Budget,
    gauge: Rc<Gauge>,
}

impl Shared {
    /// What the client did too often, if it did.
    fn excess(&self) -> Option<&'static str> {
        match self.gauge.is_flooded() {
            true => Some("a flood of frames that carry nothing"),
            false => self.resets.is_spent().then_some("too many requests were taken back"),
        }
    }

    /// Waits until the client does too much. Looked at whenever the connection is.
    async fn exceeded(&self) {
        poll_fn(|_| if self.excess().is_some() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Waits until the client has read nothing for too long.
    async fn stalled(&self, front: &Front) {
        let limits = &front.policy.pace;
        let deadline = poll_fn(|_| self.gauge.deadline(limits).map_or(Poll::Pending, Poll::Ready));
        sleep_until(deadline.await.into()).await;
    }

    fn has_stalled(&self, front: &Front) -> bool {
        let deadline = self.gauge.deadline(&front.policy.pace);
        deadline.is_some_and(|deadline| deadline <= Instant::now().into_std())
    }
}

/// Serves a connection until it ends.
pub(crate) async fn serve(front: Rc<Front>, mut client: Client) {
    let _counted = client.counted.take();
    let peer = client.peer().clone();
    let _present = front.board.enter(FrontGauge::Http2Connections);
    front.board.count(FrontCounter::Http2Connections);
    let (stream, ends, input) = client.into_parts();
    let shared = Rc::new(Shared {
        ends: hop::Client { speaks_http2: true, ..ends },
        is_encrypted: stream.is_encrypted(),
        open: Cell::new(0),
        rests: Cell::new(Instant::now()),
        resets: Budget::new(RESETS, RESET_RATE),
        gauge: Rc::new(Gauge::new()),
    });
    let io = Io::new(stream, input, shared.gauge.clone());
    let begun = timeout(front.policy.head_timeout, settings(&front).handshake(io));
    let ended = match begun.await {
        Ok(Ok(connection)) => streams(&front, &shared, connection).await,
        Ok(Err(error)) => Err(Error::other(error)),
        Err(_) => return,
    };
    if let Err(error) = ended {
        front.log.debug(format_args!("{peer}: HTTP/2 ended: {error}"));
    }
}

fn settings(front: &Front) -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(FIELDS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(Some(OWN_RESETS));
    if front.routes.has_upstreams() {
        // WebSocket (RFC 8441 §3).
        builder.enable_connect_protocol();
    }
    builder
}

/// Takes streams, and does what the connection needs meanwhile.
async fn streams(
    front: &Rc<Front>,
    shared: &Rc<Shared>,
    mut connection: Connection<Io, Bytes>,
) -> Result<(), Error> {
    let (mut is_leaving, mut is_drained, mut is_over) = (false, false, false);
    let mut limit = front.policy.head_timeout;
    let mut sending = Duration::ZERO;
    loop {
        if let Some(excess) = shared.excess().filter(|_| !is_over) {
            is_over = true;
            front
                .log
                .report(Incident::HTTP2_ENDED, format_args!("{}: HTTP/2 ended: {excess}", shared.ends.peer));
            connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
        let now = Instant::now();
        // While there are streams, they have time-outs of their own.
        let since = if shared.open.get() == 0 { shared.rests.get() } else { now };
        tokio::select! {
            biased;
            () = front.drain.begun(), if !is_drained => {
                (is_drained, is_leaving, limit) = (true, true, LEAVE);
                shared.rests.set(now);
                connection.graceful_shutdown();
            }
            () = shared.exceeded(), if !is_over => {}
            accepted = connection.accept() => match accepted {
                None => return Ok(()),
                Some(stream) => {
                    let (request, respond) = stream.map_err(Error::other)?;
                    limit = if is_leaving { LEAVE } else { front.policy.keep_alive };
                    begin(&front.newest(), shared, request, respond);
                }
            },
            () = shared.stalled(front) => {
                if shared.has_stalled(front) {
                    return Err(Error::new(ErrorKind::TimedOut, "the client reads too slowly"));
                }
            }
            () = sleep_until(since + limit) => match shared.open.get() {
                // What is still being sent may take as long as any answer.
                0 if is_leaving && connection.has_streams() && sending < front.policy.pace.silence => {
                    sending += LEAVE;
                    shared.rests.set(Instant::now());
                }
                0 if is_leaving => return Ok(()),
                0 if shared.rests.get() + limit <= Instant::now() => {
                    is_leaving = true;
                    shared.rests.set(Instant::now());
                    limit = LEAVE;
                    connection.graceful_shutdown();
                }
                _ => {}
            },
        }
    }
}

/// Has a request answered beside the others.
fn begin(
    front: &Rc<Front>,
    shared: &Rc<Shared>,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let (front, shared) = (front.clone(), shared.clone());
    shared.open.set(shared.open.get() + 1);
    front.board.count(FrontCounter::Http2Streams);
    let present = front.board.enter(FrontGauge::Http2Streams);
    spawn_local(async move {
        let _present = present;
        let (parts, body) = request.into_parts();
        let head = request::head(&parts, !body.is_end_stream(), front.policy.http.fields);
        let length = parts.headers.get(http::header::CONTENT_LENGTH);
        // What is no number is refused with the head.
        let length = length.map(|length| syntax::decimal(length.as_bytes()).unwrap_or(u64::MAX));
        let is_head = parts.method == http::Method::HEAD;
        let form = match request::is_tunnel(&parts) {
            true => Form::Tunnel,
            false => Form::Message { length, is_head },
        };
        drop(parts);
        let exchange = Exchange::new(body, respond, form, shared.is_encrypted);
        let client = Client::on(Stream::Http2(Box::new(exchange)), shared.ends.clone());
        if !answer(&front, client, head, is_head).await {
            shared.resets.spend();
        }
        shared.open.set(shared.open.get() - 1);
        shared.rests.set(Instant::now());
    });
}

/// Answers one request. False if the client took it back.
async fn answer(
    front: &Rc<Front>,
    mut client: Client,
    head: Result<Vec<u8>, Refused>,
    is_head: bool,
) -> bool {
    let request = match head.and_then(|head| receive::whole(front, head)) {
        Ok(request) => request,
        Err(refused) => {
            refuse(front, client, None, refused.for_head(is_head)).await;
            return true;
        }
    };
    match is_over(front, &client).await {
        Some(true) => {}
        Some(false) => return false,
        None => {
            let reason = "the end of a request without a body did not arrive in time (--head-timeout)";
            refuse(front, client, Some(&request), Refused::new(408, reason).for_head(is_head)).await;
            return true;
        }
    }
    let after = connection::handle(front, &mut client, &request).await;
    let Stream::Http2(exchange) = &client.stream else { return true };
    if exchange.is_taken_back() {
        return false;
    }
    match after {
        After::Next | After::Linger => exchange.end(),
        After::Close => exchange.cut(),
        After::Refused(refused) => refuse(front, client, Some(&request), refused).await,
    }
    true
}

/// Whether a request that announced an empty body has none, which its head need not say: false if more came than that. None if
/// nothing came for too long.
async fn is_over(front: &Front, client: &Client) -> Option<bool> {
    match &client.stream {
        Stream::Http2(exchange) if exchange.may_be_too_long() => {
            timeout(front.policy.head_timeout, exchange.readable()).await.ok().map(|ended| ended.is_ok())
        }
        _ => Some(true),
    }
}
