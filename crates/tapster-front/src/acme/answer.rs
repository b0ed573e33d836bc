//! The answer to an authority that asks for a proof by HTTP (HTTP-01, RFC 8555 §8.3), on whichever listener it comes.

use std::rc::Rc;

use tapster_http1::encode::{self, BodyField, Connection, ServerFields};

use super::Acme;
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::write::write;
use crate::{access, body};

/// What the paths begin with.
const PREFIX: &[u8] = b"/.well-known/acme-challenge/";

/// Answers, if this is about something that an authority was told to ask for.
pub(crate) async fn answer(
    front: &Front,
    acme: &Rc<Acme>,
    client: &mut Client,
    request: &Request,
) -> Option<After> {
    let token = request.head.parts.path.of(&request.bytes).strip_prefix(PREFIX)?;
    let proof = acme.store().http_proof(std::str::from_utf8(token).ok()?)?;
    if !matches!(request.method(), b"GET" | b"HEAD") {
        return None;
    }
    let stays = body::discard(front, client, request).await;
    let keep = stays && request.framing.keep_alive && front.policy.keeps_alive() && !front.drain.has_begun();
    let date = front.date();
    let fields = ServerFields {
        date: Some(&date),
        server: front.policy.server_header,
        body: BodyField::Length(proof.len() as u64),
        connection: match (keep, request.is_http10()) {
            (true, false) => Connection::Default,
            (true, true) => Connection::KeepAlive,
            (false, _) => Connection::Close,
        },
        lines: b"",
    };
    let mut out = Vec::new();
    encode::response_head(&mut out, b"200 OK\r\nContent-Type: application/octet-stream\r\n", &fields);
    let sent = if request.is_head() { &[][..] } else { &proof };
    access::note(front, client, request, 200, sent.len() as u64);
    let written = write(&client.stream, &mut Pace::default(), &front.policy.pace, &out, sent).await;
    Some(match (written, keep) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(_), _) => After::Close,
    })
}
