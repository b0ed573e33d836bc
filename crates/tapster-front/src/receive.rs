//! From bytes to a request head: who the client is, which protocol it speaks, the head and what it says of its body.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tapster_config::BindProtocol;
use tapster_gateway::proxy_header::{self, Ends};
use tapster_http1::{Field, Framing, Head, Refusal, Version, framing};
use tokio::time::timeout_at;

use crate::admission;
use crate::client::Client;
use crate::front::Front;
use crate::http2::PREFACE;
use crate::overrides::Overrides;
use crate::refuse::Refused;
use crate::rest::rest;
use crate::uwsgi::{self, Taken, Verbatim};

/// A request without its body.
pub(crate) struct Request {
    /// The head, as it came.
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: Head,
    pub(crate) framing: Framing,
    /// When it was there.
    pub(crate) since: Instant,
    /// What names it, if somebody wanted to know.
    pub(crate) id: OnceCell<String>,
    /// What is changed of it and of its answer, if anything is.
    pub(crate) overrides: OnceCell<Rc<Overrides>>,
    /// The packet that it came as, if its client speaks uwsgi.
    pub(crate) packet: Option<Box<Verbatim>>,
}

impl Request {
    pub(crate) fn method(&self) -> &[u8] {
        self.head.method.of(&self.bytes)
    }

    pub(crate) fn is_head(&self) -> bool {
        self.method() == b"HEAD"
    }

    pub(crate) fn field(&self, name: &str) -> Option<&[u8]> {
        self.head.field(&self.bytes, name)
    }

    /// All values of a field in one list (RFC 9110 §5.3).
    pub(crate) fn list(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let fields = self.head.fields.iter();
        let mut values = fields
            .filter(|field| field.name.of(&self.bytes).eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value.of(&self.bytes));
        let first = Cow::Borrowed(values.next()?);
        Some(values.fold(first, |list, value| Cow::Owned([&list, b", ".as_slice(), value].concat())))
    }

    /// Whether it asks for less than the whole, or under a condition.
    pub(crate) fn has_conditions(&self) -> bool {
        self.head.fields.iter().any(|field| {
            let name = field.name.of(&self.bytes);
            matches!(name, [b'i' | b'I', b'f' | b'F', b'-', ..]) || name.eq_ignore_ascii_case(b"range")
        })
    }

    /// The values of a field, in order.
    pub(crate) fn values<'r>(&'r self, name: &'static str) -> impl Iterator<Item = &'r [u8]> + Clone {
        let named = move |field: &&Field| field.name.of(&self.bytes).eq_ignore_ascii_case(name.as_bytes());
        self.head.fields.iter().filter(named).map(|field| field.value.of(&self.bytes))
    }

    pub(crate) fn is_http10(&self) -> bool {
        self.head.version == Version::Http10
    }
}

/// What a connection brought.
pub(crate) enum Next {
    Request(Request),
    /// It speaks HTTP/2, as it knew beforehand (RFC 9113 §3.3).
    Http2,
    /// A ping of the uwsgi protocol.
    Ping,
    /// Nothing more comes: the connection is to be closed.
    Closed,
    Refused(Refused),
}

/// Waits for the next request of a connection.
pub(crate) async fn next(front: &Front, client: &mut Client) -> Next {
    if client.input.is_empty() && !rest(front, client).await {
        return Next::Closed;
    }
    let mut head = std::mem::take(&mut client.spare.1);
    // Most heads come in one piece.
    if let Some(looked) = look(front, client, &mut head) {
        return looked.next(client, head);
    }
    let limit = tokio::time::Instant::now() + front.policy.head_timeout;
    let read = timeout_at(limit, read_head(front, client, head)).await;
    read.unwrap_or_else(|_| {
        let refused = Refused::new(408, "the request head did not arrive in time (--head-timeout)");
        Next::Refused(refused.for_head(is_head(&client.input)))
    })
}

/// What is at the front of what came.
enum Looked {
    Head,
    Packet(Box<Request>),
    Ping,
    Http2,
    Refused(Refused),
}

impl Looked {
    fn next(self, client: &mut Client, head: Head) -> Next {
        match self {
            Looked::Head => taken(client, head),
            Looked::Packet(request) => Next::Request(*request),
            Looked::Ping => Next::Ping,
            Looked::Http2 => Next::Http2,
            Looked::Refused(refused) => Next::Refused(refused),
        }
    }
}

/// Looks for it; none if there must be more to know.
fn look(front: &Front, client: &mut Client, head: &mut Head) -> Option<Looked> {
    match parse(front, client, head) {
        Ok(true) => Some(Looked::Head),
        Ok(false) if speaks_uwsgi(client) => match uwsgi::take(front, client) {
            Ok(Taken::Request(request)) => Some(Looked::Packet(request)),
            Ok(Taken::Ping) => Some(Looked::Ping),
            Ok(Taken::Nothing) => None,
            Err(refused) => Some(Looked::Refused(refused)),
        },
        Ok(false) if client.input.starts_with(PREFACE) => Some(Looked::Http2),
        Ok(false) => None,
        Err(refused) => Some(Looked::Refused(refused)),
    }
}

async fn read_head(front: &Front, client: &mut Client, mut head: Head) -> Next {
    loop {
        if !matches!(client.fill().await, Ok(1..)) {
            if !client.input.is_empty() {
                let peer = client.peer();
                front.log.info(format_args!("{peer}: the client closed in the middle of a request head"));
            }
            return Next::Closed;
        }
        if let Some(looked) = look(front, client, &mut head) {
            return looked.next(client, head);
        }
    }
}

/// Takes a whole head from what came.
fn taken(client: &mut Client, head: Head) -> Next {
    match framing(&head, &client.input) {
        Ok(framing) => {
            // The head goes, with its memory; what follows it stays.
            let mut rest = std::mem::take(&mut client.spare.0);
            rest.clear();
            rest.extend_from_slice(&client.input[head.length..]);
            let mut bytes = std::mem::replace(&mut client.input, rest);
            bytes.truncate(head.length);
            let (since, id, overrides) = (Instant::now(), OnceCell::new(), OnceCell::new());
            Next::Request(Request { bytes, head, framing, since, id, overrides, packet: None })
        }
        Err(refusal) => Next::Refused(refuse(client, refusal)),
    }
}

/// Looks for a whole head at the front of what came. False if there is none yet.
fn parse(front: &Front, client: &mut Client, head: &mut Head) -> Result<bool, Refused> {
    if client.is_proxied && !introduce(front, client)? {
        return Ok(false);
    }
    let Some(&first) = client.input.first() else { return Ok(false) };
    if client.served == 0 {
        check_protocol(first, front.policy.bind_protocol)?;
        if speaks_uwsgi(client) || begins_http2(front, client) {
            return Ok(false);
        }
    }
    head.parse(&client.input, &front.policy.http).map_err(|refusal| refuse(client, refusal))
}

/// Whether what came is the beginning of HTTP/2, and may be.
fn begins_http2(front: &Front, client: &Client) -> bool {
    let length = client.input.len().min(PREFACE.len());
    front.policy.http2 && !client.is_redirected && client.input[..length] == PREFACE[..length]
}

/// A request whose head came another way than by HTTP/1, written out as if it had.
///
/// # Errors
/// As for any head.
pub(crate) fn whole(front: &Front, bytes: Vec<u8>) -> Result<Request, Refused> {
    let mut head = Head::default();
    let refused = |refusal: Refusal| Refused::new(refusal.status(), refusal);
    // It is whole, so there is no more to wait for.
    if !head.parse(&bytes, &front.policy.http).map_err(refused)? {
        return Err(Refused::new(400, "a request head without an end"));
    }
    let framing = framing(&head, &bytes).map_err(refused)?;
    let (since, id, overrides) = (Instant::now(), OnceCell::new(), OnceCell::new());
    Ok(Request { bytes, head, framing, since, id, overrides, packet: None })
}

fn refuse(client: &Client, refusal: Refusal) -> Refused {
    Refused::new(refusal.status(), refusal).for_head(is_head(&client.input))
}

/// Whether the bytes of a head, not all of which need be there, begin a HEAD request.
fn is_head(buffer: &[u8]) -> bool {
    buffer.trim_ascii_start().starts_with(b"HEAD ")
}

/// Takes the PROXY header that the connection begins with. False if it is not all there.
pub(crate) fn introduce(front: &Front, client: &mut Client) -> Result<bool, Refused> {
    if client.input.is_empty() {
        return Ok(false);
    }
    if !front.policy.may_introduce(client.peer()) {
        let reason = "a peer that may not speak for others (--proxy-allow-from lists those that may)";
        return Err(Refused::new(403, reason));
    }
    match proxy_header::parse(&client.input, front.policy.proxy_versions) {
        Ok(None) => Ok(false),
        Ok(Some(header)) => {
            client.input.drain(..header.length);
            let ends = header.ends.map(|Ends { source, destination }| (destination, source));
            client.introduced(ends, header.tls);
            admission::enter(front, client)?;
            Ok(true)
        }
        Err(error) => Err(Refused::new(400, error)),
    }
}

/// Whether the first byte is that of a uwsgi packet, with which the first request of a connection may begin.
fn speaks_uwsgi(client: &Client) -> bool {
    client.served == 0 && !client.is_proxied && matches!(client.input.first(), Some(0 | 30 | 100))
}

/// As in a worker: 0, 30 and 100 are uwsgi modifiers, CR, LF and token characters begin HTTP, 0x16 begins TLS.
fn check_protocol(first: u8, allowed: BindProtocol) -> Result<(), Refused> {
    let reason = match first {
        0 | 30 | 100 if allowed == BindProtocol::Http => {
            "uwsgi packet on a listener for HTTP only (--bind-protocol http)"
        }
        0 | 30 | 100 => return Ok(()),
        b'\r' | b'\n' | 0x21..=0x7e if allowed == BindProtocol::Uwsgi => {
            "HTTP on a listener for uwsgi only (--bind-protocol uwsgi)"
        }
        b'\r' | b'\n' | 0x21..=0x7e => return Ok(()),
        0x16 => {
            "TLS hello on a plain port: use http://, or give the server a certificate (--tls-certificate)"
        }
        other => {
            let reason = format_args!(
                "first byte {other:#04x} is neither HTTP nor a uwsgi packet with modifier 0, 30 or 100"
            );
            return Err(Refused::new(400, reason));
        }
    };
    Err(Refused::new(400, reason))
}

/// How long until now.
pub(crate) fn took(request: &Request) -> Duration {
    request.since.elapsed()
}
