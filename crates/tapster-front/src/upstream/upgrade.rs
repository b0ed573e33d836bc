//! WebSocket (RFC 6455): a client that wants another protocol on its connection, and an upstream that agrees. Bytes that the
//! client sends before that go nowhere. Other protocols are not passed on: the field is ignored (RFC 9110 §7.8).

use std::io;
use std::rc::Rc;

use tapster_http1::{BodyLength, ResponseHead, encode, syntax};

use super::answer::{cut, fields};
use super::link::Link;
use super::{Ticket, tunnel};
use crate::access;
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::websocket;
use crate::write::write;

/// What is passed on.
const PROTOCOL: &[u8] = b"websocket";

/// The fields of a head that asks for it, and of one that agrees.
pub(super) const FIELDS: [(&[u8], &[u8]); 2] = [(b"Connection", b"Upgrade"), (b"Upgrade", PROTOCOL)];

/// Whether a request asks for it.
pub(super) fn is_wanted(request: &Request) -> bool {
    request.method() == b"GET"
        && !request.is_http10()
        && request.framing.body == BodyLength::None
        && is_said(
            request
                .head
                .fields
                .iter()
                .map(|field| (field.name.of(&request.bytes), field.value.of(&request.bytes))),
        )
}

/// Whether an answer, 101, agrees to it. A client of HTTP/1 looks itself whether its key was understood.
pub(super) fn is_agreed(client: &Client, request: &Request, head: &ResponseHead, input: &[u8]) -> bool {
    let mut fields = head.fields.iter().map(|field| (field.name.of(input), field.value.of(input)));
    if !is_said(fields.clone()) {
        return false;
    }
    let key = request.field("sec-websocket-key").unwrap_or_default();
    !client.stream.is_tunnel()
        || fields.any(|(name, value)| {
            syntax::is_lower_case_of(b"sec-websocket-accept", name)
                && value == websocket::answer(key).as_bytes()
        })
}

/// Whether both fields are there, and name WebSocket alone.
fn is_said<'f>(fields: impl Iterator<Item = (&'f [u8], &'f [u8])>) -> bool {
    let (mut is_nominated, mut protocol) = (false, None);
    for (name, value) in fields {
        if syntax::is_lower_case_of(b"connection", name) {
            is_nominated |= syntax::list(value).any(|option| option.eq_ignore_ascii_case(b"upgrade"));
        } else if syntax::is_lower_case_of(b"upgrade", name) && protocol.replace(value).is_some() {
            return false;
        }
    }
    is_nominated && protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case(PROTOCOL))
}

/// Tells the client that the upstream agreed, and passes on what both say from then on.
pub(super) async fn switch(
    front: &Rc<Front>,
    client: &mut Client,
    request: &Request,
    link: Link,
    ticket: &Ticket,
) -> After {
    let mut sent = 0;
    let ended = match agree(front, client, &link).await {
        Ok(()) => {
            let Some((stream, input)) = link.into_parts() else { return After::Close };
            let limits = tunnel::Limits {
                idle: ticket.upstreams.rules.tunnel_timeout,
                half: front.policy.pace.silence,
            };
            tunnel::run(client, stream, input, &limits, &mut sent).await
        }
        Err(error) => Err(error),
    };
    // What the client saw.
    let status = if client.stream.is_tunnel() { 200 } else { 101 };
    access::note(front, client, request, status, sent);
    ticket.upstreams.board.iter().for_each(|board| board.end(0, status));
    match ended {
        Ok(()) => After::Linger,
        Err(error) => cut(front, client, &error),
    }
}

/// Sends the upstream's 101.
async fn agree(front: &Front, client: &Client, link: &Link) -> io::Result<()> {
    let (mut head, mut out) = (fields(link), Vec::new());
    FIELDS.into_iter().for_each(|(name, value)| head.add(name, value));
    encode::interim_head(&mut out, head.text());
    write(&client.stream, &mut Pace::default(), &front.policy.pace, &out, &[]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_fields_have_to_say_it() {
        let said = |fields: &[(&'static [u8], &'static [u8])]| is_said(fields.iter().copied());
        assert!(said(&FIELDS));
        assert!(said(&[(b"UPGRADE", b"WebSocket"), (b"connection", b"keep-alive, upgrade")]));
        assert!(!said(&FIELDS[..1]));
        assert!(!said(&FIELDS[1..]));
        assert!(!said(&[FIELDS[0], FIELDS[1], FIELDS[1]]));
        assert!(!said(&[FIELDS[0], (b"Upgrade", b"h2c")]));
        assert!(!said(&[FIELDS[0], (b"Upgrade", b"websocket, h2c")]));
    }
}
