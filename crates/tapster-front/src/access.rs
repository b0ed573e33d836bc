//! What becomes of each answer besides being sent: it is counted, and a line in the access log tells of what the front
//! answered by itself. Workers log what they answer.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use tapster_observe::{AccessEvent, Details, FieldName, NoDetails};

use crate::client::Client;
use crate::front::Front;
use crate::policy::address;
use crate::receive::{Request, took};
use crate::request_id;

/// Counts an answer, and writes a line about it if one is wanted.
pub(crate) fn note(front: &Front, client: &Client, request: &Request, status: u16, bytes: u64) {
    front.board.answered(status, bytes);
    let head = client.kept_head.take();
    let duration = took(request);
    if !front.log.wants_access(status, duration) {
        return;
    }
    front.log.access(&AccessEvent {
        peer: client_of(front, client, request).as_bytes(),
        method: request.method(),
        target: request.head.target.of(&request.bytes),
        protocol: client.protocol(request).as_bytes(),
        status,
        bytes,
        ended: SystemTime::now(),
        duration,
        queued: Duration::ZERO,
        application: None,
        thread: None,
        request_id: request_id::named(front, client, request).map(str::as_bytes),
        referer: request.field("referer"),
        user_agent: request.field("user-agent"),
        details: &Known { request, head: &head },
    });
}

/// The same for a refusal, of which the log tells why. A second line is for who asks for such answers.
pub(crate) fn note_refusal(
    front: &Front,
    client: &Client,
    request: Option<&Request>,
    status: u16,
    bytes: u64,
) {
    if front.log.wants_refusal(status)
        && let Some(request) = request
    {
        return note(front, client, request, status, bytes);
    }
    front.board.answered(status, bytes);
    if front.log.wants_refusal(status) {
        front.log.access(&AccessEvent {
            peer: text(address(client.peer())).as_bytes(),
            method: b"",
            target: b"",
            protocol: b"",
            status,
            bytes,
            ended: SystemTime::now(),
            duration: Duration::ZERO,
            queued: Duration::ZERO,
            application: None,
            thread: None,
            request_id: None,
            referer: None,
            user_agent: None,
            details: &NoDetails,
        });
    }
}

/// Keeps the head of the answer that is about to be sent, if the access log asks for it.
pub(crate) fn keep_head(front: &Front, client: &Client, head: &[u8]) {
    if front.log.access_needs().response_head {
        client.kept_head.replace(head.to_vec());
    }
}

/// Where a line finds what only some formats show.
struct Known<'a> {
    request: &'a Request,
    head: &'a [u8],
}

impl Details for Known<'_> {
    fn request_field(&self, name: &FieldName) -> Option<Cow<'_, [u8]>> {
        self.request.list(&name.name)
    }

    fn variable_count(&self) -> usize {
        self.request.head.fields.len()
    }

    fn response_head(&self) -> &[u8] {
        self.head
    }
}

/// Who is logged: as in a worker, the client that a proxy names which is believed.
fn client_of(front: &Front, client: &Client, request: &Request) -> String {
    text(front.policy.address(client.ends(), request))
}

fn text(address: Option<IpAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
}
