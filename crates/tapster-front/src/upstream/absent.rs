//! The answer where there are files alone and the path is none of them.

use tapster_http1::encode::{self, BodyField, Connection, ServerFields};

use crate::access;
use crate::body;
use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::write::write;

const HEAD: &[u8] = b"404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n";
const TEXT: &[u8] = b"404 Not Found\n";

/// Says so.
pub(super) async fn not_found(front: &Front, client: &mut Client, request: &Request) -> After {
    let is_read = body::discard(front, client, request).await;
    let keep =
        is_read && request.framing.keep_alive && front.policy.keeps_alive() && !front.drain.has_begun();
    let fields = ServerFields {
        date: Some(&front.date()),
        server: front.policy.server_header,
        body: BodyField::Length(TEXT.len() as u64),
        connection: match (keep, request.is_http10()) {
            (true, false) => Connection::Default,
            (true, true) => Connection::KeepAlive,
            (false, _) => Connection::Close,
        },
    };
    let mut head = Vec::new();
    encode::response_head(&mut head, HEAD, &fields);
    let text = if request.is_head() { &[] } else { TEXT };
    let written = write(&client.stream, &mut Pace::default(), &front.policy.pace, &head, text).await;
    access::note(&front.log, client, request, 404, text.len() as u64);
    match (written, keep) {
        (Ok(()), true) => After::Next,
        (Ok(()), false) => After::Linger,
        (Err(_), _) => After::Close,
    }
}
