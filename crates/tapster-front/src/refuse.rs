//! Requests that are not served: an answer, a line in the log, and the end of the connection.

use std::fmt;

use tapster_http1::encode::{self, RefusalFields};
use tapster_observe::{Incident, about_request};

use crate::client::Client;
use crate::front::Front;
use crate::pace::{Pace, PaceLimits, Slow};
use crate::receive::Request;
use crate::request_id;
use crate::write::write;
use crate::{access, overrides};

/// Why a request is not served.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    reason: String,
    /// The answer goes without its body (RFC 9110 §9.3.2).
    head_only: bool,
    /// There is no answer, and somebody else has said in the log why.
    is_silent: bool,
}

impl Refused {
    pub(crate) fn new(status: u16, reason: impl fmt::Display) -> Refused {
        Refused { status, reason: reason.to_string(), head_only: false, is_silent: false }
    }

    /// The end of a connection without a word.
    pub(crate) fn silently() -> Refused {
        Refused { is_silent: true, ..Refused::new(403, "") }
    }

    /// Says whether the request is HEAD.
    pub(crate) fn for_head(self, head_only: bool) -> Refused {
        Refused { head_only, ..self }
    }
}

/// A client that sends its body too slowly.
pub(crate) fn too_slow(slow: Slow, limits: &PaceLimits) -> Refused {
    match slow {
        Slow::Silent => Refused::new(408, "the request body stopped arriving (--io-timeout)"),
        Slow::BelowRate => {
            let rate = limits.rate;
            let reason = format!("the request body came at less than {rate} bytes a second (--min-rate)");
            Refused::new(408, reason)
        }
    }
}

/// A body beyond the bound.
pub(crate) fn too_large(limit: u64) -> Refused {
    Refused::new(413, format_args!("request body over {limit} bytes (--max-body)"))
}

/// Answers, logs why, and closes so that the answer still arrives. `request` is none where it was not understood.
pub(crate) async fn refuse(front: &Front, client: Client, request: Option<&Request>, refused: Refused) {
    let Refused { status, reason, head_only, is_silent } = refused;
    if is_silent {
        return;
    }
    let id = request.and_then(|request| request_id::named(front, &client, request));
    let about = id.map(|id| about_request(id.as_bytes()));
    front.log.report(
        Incident::REQUEST_REFUSED,
        format_args!("{}: refused with {status}: {reason}", client.peer()),
    );
    drop(about);
    let mut out = Vec::new();
    // What is the server's own trouble is for the log only: it may name paths.
    let told = if status < 500 { reason.as_str() } else { "" };
    let date = front.date();
    let mut lines = Vec::new();
    if let Some(request) = request {
        request_id::write(&mut lines, front, &client, request);
    }
    let fields = RefusalFields { date: Some(&date), server: front.policy.server_header, lines: &lines };
    encode::refusal_response(&mut out, status, told, &fields);
    let mut body = out.split_off(memchr::memmem::find(&out, b"\r\n\r\n").map_or(out.len(), |end| end + 4));
    if let Some(page) = overrides::page(front, request, status) {
        page.describe(&mut out);
        body.clear();
        body.extend_from_slice(&page.body);
    }
    overrides::amend(front, &client, request, &mut out);
    access::keep_head(front, &client, &out);
    if head_only {
        body.clear();
    }
    front.board.refused(status);
    access::note_refusal(front, &client, request, status, body.len() as u64);
    let limits = &front.policy.pace;
    if write(&client.stream, &mut Pace::default(), limits, &out, &body).await.is_ok() {
        client.linger().await;
    }
}
