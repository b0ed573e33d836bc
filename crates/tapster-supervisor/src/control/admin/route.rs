//! What is where on the admin listeners, for whom, and by which method.

use tapster_http1::{BodyLength, Head};
use tapster_observe::exposition::Format;

use crate::control::protocol::{LONGEST_REQUEST, Request, request};

use super::access::{Access, Visit};
use super::reply::{GUARDED, Reply};
use super::{Sources, assets};

/// Where orders are given, the only requests with a body.
pub const ORDERS: &[u8] = b"/-/control";

/// What a request asks for.
#[derive(Debug)]
pub enum Asked {
    /// Nothing more than this.
    Nothing(Reply),
    /// To follow what happens, after these events.
    Events(Vec<u8>),
    /// What is done by others.
    Order(Request),
}

/// What is at the path of a request, whose head is all right.
pub fn route(
    head: &Head,
    bytes: &[u8],
    body: BodyLength,
    is_local: bool,
    sources: &Sources<'_>,
    access: &Access,
) -> Asked {
    let visit = Visit { head, bytes, is_local };
    let path = head.parts.path.of(bytes);
    let method = head.method.of(bytes);
    if path == ORDERS {
        let body = match body {
            BodyLength::None => Some(&b""[..]),
            BodyLength::Length(length) if length <= LONGEST_REQUEST as u64 => {
                bytes.get(head.length..head.length + length as usize)
            }
            BodyLength::Length(_) | BodyLength::Chunked => None,
        };
        return order(method, body, &visit, access).unwrap_or_else(Asked::Nothing);
    }
    if !matches!(body, BodyLength::None | BodyLength::Length(0)) {
        return Asked::Nothing(Reply::new(413, "only an order has a body"));
    }
    if method != b"GET" && method != b"HEAD" {
        return Asked::Nothing(Reply::new(405, "only GET and HEAD").with("Allow: GET, HEAD\r\n"));
    }
    probe(path, head, bytes, sources).map_or_else(
        || dashboard(path, method, &visit, sources, access).unwrap_or_else(Asked::Nothing),
        Asked::Nothing,
    )
}

/// Health checks and metrics: for everybody, under every name.
fn probe(path: &[u8], head: &Head, bytes: &[u8], sources: &Sources<'_>) -> Option<Reply> {
    let probe = |good: bool, yes: &str, no: &str| match good {
        true => Reply::new(200, yes),
        false => Reply::new(503, no),
    };
    Some(match path {
        b"/-/live" => Reply::new(200, "live"),
        b"/-/ready" => probe(sources.health.ready, "ready", "not ready"),
        b"/-/startup" => probe(sources.health.started, "started", "starting"),
        b"/-/metrics" => {
            let format = Format::accepted(head.field(bytes, "accept"));
            match (sources.metrics)(format) {
                Some(text) => Reply::text(format.content_type(), text).with("Vary: Accept\r\n"),
                None => Reply::new(503, ANOTHER),
            }
        }
        _ => return None,
    })
}

const ANOTHER: &str = "another server has taken over: ask again";

/// The page and what it reads.
fn dashboard(
    path: &[u8],
    method: &[u8],
    visit: &Visit<'_>,
    sources: &Sources<'_>,
    access: &Access,
) -> Result<Asked, Reply> {
    let views = || {
        access.may_look(visit)?;
        sources.views.ok_or_else(|| Reply::new(503, ANOTHER))
    };
    let field = |name: &str| visit.head.field(visit.bytes, name);
    Ok(match path {
        b"/-/events" => {
            let last = field("last-event-id").and_then(|id| std::str::from_utf8(id).ok());
            Asked::Events((views()?.events)(last))
        }
        b"/-/configuration" => Asked::Nothing(Reply::json((views()?.configuration)())),
        b"/-/stacks" => {
            views()?;
            match method {
                b"HEAD" => Asked::Nothing(Reply::json(Vec::new())),
                _ => Asked::Order(Request::Stacks),
            }
        }
        b"/-" => Asked::Nothing(Reply::new(308, "the dashboard is at /-/").with("Location: /-/\r\n")),
        _ => match assets::at(path, field("if-none-match")) {
            Some(reply) => {
                access.may_see_page(visit)?;
                Asked::Nothing(reply)
            }
            None => {
                Asked::Nothing(Reply::new(404, "there are /-/, /-/live, /-/ready, /-/startup and /-/metrics"))
            }
        },
    })
}

/// A request of the control socket, but those that are for people on the machine.
fn order(method: &[u8], body: Option<&[u8]>, visit: &Visit<'_>, access: &Access) -> Result<Asked, Reply> {
    if method != b"POST" {
        return Err(Reply::new(405, "orders are given by POST").with("Allow: POST\r\n"));
    }
    access.may_order(visit).map_err(|reply| reply.with(GUARDED))?;
    let body = body.ok_or_else(|| Reply::new(413, "an order has at most 4096 bytes, and their number"))?;
    match request(body) {
        Ok(Request::Stop) => Err(Reply::new(403, "a server is stopped by tapster stop, or by a signal")),
        Ok(request) => Ok(Asked::Order(request)),
        Err(error) => Err(Reply::new(400, &error)),
    }
}
