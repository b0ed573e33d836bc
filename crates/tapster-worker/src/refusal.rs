//! A request that is not served: its answer, what the logs say of it, and the end of its connection. Run by whoever drives the
//! connection.

use std::time::Duration;

use tapster_gateway::{Endpoint, Request, Variable};
use tapster_http1::encode::RefusalFields;
use tapster_observe::{AccessEvent, Incident, about_request};

use crate::access::Known;
use crate::connection::{Connection, State};
use crate::drive::close;
use crate::receive::Refused;
use crate::respond::refuse;
use crate::serve::Context;
use crate::worker::Shared;

/// Answers a request that is not served, logs why, and closes so that the answer still arrives.
pub(crate) fn refuse_and_close(
    shared: &Shared,
    context: &mut Context,
    mut connection: Box<Connection>,
    refused: &Refused,
) -> Option<Box<Connection>> {
    let id = id(shared, context, &connection, refused);
    let about = about_request(&id);
    shared.log.report(
        Incident::REQUEST_REFUSED,
        format_args!(
            "{}: refused with {}: {}",
            connection.facts.connection.peer(),
            refused.status,
            refused.reason
        ),
    );
    drop(about);
    shared.board.refused(refused.status);
    write(shared, context, refused, &id);
    note(shared, context, &connection, refused, &id);
    if !connection.send(&context.scratch.out, shared) {
        close(shared, connection, "the client went away before it was refused");
        return None;
    }
    connection.state = State::Flushing { keep_alive: false, linger: true };
    Some(connection)
}

/// What is known of the request, if its head was understood.
fn request<'a>(context: &'a Context, connection: &'a Connection, refused: &Refused) -> Option<&'a Request> {
    connection.request().or_else(|| refused.is_in_scratch.then_some(&context.scratch.request))
}

/// What names the request; one whose head was not understood gets a name all the same. Empty where requests have no names.
fn id(shared: &Shared, context: &mut Context, connection: &Connection, refused: &Refused) -> Vec<u8> {
    if shared.policy.request_id.is_none() {
        return Vec::new();
    }
    let known = request(context, connection, refused)
        .and_then(|request| request.vars.get(Variable::TapsterRequestId))
        .map(<[u8]>::to_vec);
    known.unwrap_or_else(|| context.scratch.ids.draw().to_vec())
}

/// The answer, into the scratch.
fn write(shared: &Shared, context: &mut Context, refused: &Refused, id: &[u8]) {
    let mut lines = Vec::new();
    if let Some(field) = &shared.policy.request_id {
        field.write(&mut lines, id);
    }
    let date = context.date.at(context.now);
    let out = &mut context.scratch.out;
    out.clear();
    // What is the server's own trouble is for the log only: it may name paths.
    let reason = if refused.status < 500 { refused.reason.as_str() } else { "" };
    let fields = RefusalFields { date: Some(date), server: shared.policy.server_header, lines: &lines };
    refuse(out, refused.status, reason, &fields, refused.head_only);
}

/// The line of the access log, for who wants one for every answer.
fn note(shared: &Shared, context: &mut Context, connection: &Connection, refused: &Refused, id: &[u8]) {
    if !shared.log.wants_refusal(refused.status) {
        return;
    }
    let ended = context.date.time(context.now);
    let out = &context.scratch.out;
    let head = out.windows(4).position(|bytes| bytes == b"\r\n\r\n").map_or(out.len(), |end| end + 4);
    let request = request(context, connection, refused);
    let of = |variable| request.and_then(|request| request.vars.get(variable));
    let peer = match connection.facts.connection.peer() {
        Endpoint::Inet(address, _) => address.to_string(),
        Endpoint::Unix(_) => String::new(),
    };
    shared.log.access(&AccessEvent {
        peer: of(Variable::RemoteAddr).unwrap_or(peer.as_bytes()),
        method: of(Variable::RequestMethod).unwrap_or_default(),
        target: of(Variable::RequestUri).unwrap_or_default(),
        protocol: of(Variable::ServerProtocol).unwrap_or_default(),
        status: refused.status,
        bytes: (out.len() - head) as u64,
        ended,
        duration: Duration::ZERO,
        queued: Duration::ZERO,
        application: None,
        thread: context.may_call().then_some(usize::from(context.holder) + 1),
        request_id: Some(id).filter(|id| !id.is_empty()),
        referer: of(Variable::HttpReferer),
        user_agent: of(Variable::HttpUserAgent),
        details: &Known { request, head: &out[..head] },
    });
}
