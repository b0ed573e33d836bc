//! Answers of the front's own: a status, fields and a short text, and whether the connection goes on.

use http::StatusCode;
use tapster_http1::encode::{self, BodyField, Connection, ServerFields};

use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::write::write;
use crate::{access, body, overrides, request_id};

/// Answers a request whose body is of no interest. `fields` are lines with their ends; the text of a status that has a body is
/// its name where `text` is empty.
pub(crate) async fn respond(
    front: &Front,
    client: &mut Client,
    request: &Request,
    status: u16,
    fields: &[u8],
    text: &str,
) -> After {
    let is_read = body::discard(front, client, request).await;
    let keep =
        is_read && request.framing.keep_alive && front.policy.keeps_alive() && !front.drain.has_begun();
    let has_body = !matches!(status, 204 | 304);
    let phrase =
        StatusCode::from_u16(status).ok().and_then(|known| known.canonical_reason()).unwrap_or_default();
    let body = match (has_body, text) {
        (false, _) => String::new(),
        (true, "") => format!("{status} {phrase}\n"),
        (true, text) => format!("{text}\n"),
    };
    let mut lines = format!("{status} {phrase}\r\n").into_bytes();
    if has_body {
        lines.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\n");
    }
    lines.extend_from_slice(fields);
    lines.extend_from_slice(client.hsts(front));
    request_id::write(&mut lines, front, client, request);
    let server = ServerFields {
        date: Some(&front.date()),
        server: front.policy.server_header,
        body: if has_body { BodyField::Length(body.len() as u64) } else { BodyField::None },
        connection: match (keep, request.is_http10()) {
            (true, false) => Connection::Default,
            (true, true) => Connection::KeepAlive,
            (false, _) => Connection::Close,
        },
        lines: b"",
    };
    let mut head = Vec::new();
    encode::response_head(&mut head, &lines, &server);
    let page = overrides::page(front, Some(request), status).filter(|_| text.is_empty());
    page.iter().for_each(|page| page.describe(&mut head));
    overrides::amend(front, client, Some(request), &mut head);
    access::keep_head(front, client, &head);
    let body = page.as_ref().map_or(body.as_bytes(), |page| &page.body);
    let body = if request.is_head() { &[] } else { body };
    let written = write(&client.stream, &mut Pace::default(), &front.policy.pace, &head, body).await;
    access::note(front, client, request, status, body.len() as u64);
    match (written, keep) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(_), _) => After::Close,
    }
}
