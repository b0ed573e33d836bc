//! The answer to a request that may not be served. A client that behaves may go on with its connection.

use std::time::Duration;

use tapster_http1::BodyLength;
use tapster_http1::encode::{self, BodyField, Connection, ServerFields, reason_phrase};

use crate::client::Client;
use crate::connection::After;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::request_id;
use crate::write::write;
use crate::{access, overrides};

/// Why a request is not served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// A list says so.
    NotAllowed,
    /// It may come again after this time.
    TooMany(Duration),
    /// The client has too many requests at once.
    TooManyAtOnce,
}

impl Refusal {
    fn status(self) -> u16 {
        match self {
            Refusal::NotAllowed => 403,
            Refusal::TooMany(_) | Refusal::TooManyAtOnce => 429,
        }
    }

    /// Seconds until it is worth another try (RFC 6585 §4).
    fn retry_after(self) -> Option<u64> {
        match self {
            Refusal::NotAllowed => None,
            Refusal::TooMany(wait) => Some(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)),
            Refusal::TooManyAtOnce => Some(1),
        }
    }

    fn text(self) -> String {
        let (status, phrase) = (self.status(), reason_phrase(self.status()));
        match self {
            Refusal::NotAllowed => format!("{status} {phrase}\n"),
            Refusal::TooMany(_) => format!("{status} {phrase}: this client asks too often\n"),
            Refusal::TooManyAtOnce => {
                format!("{status} {phrase}: this client has too many requests at once\n")
            }
        }
    }

    /// Sends it.
    pub(crate) async fn answer(self, front: &Front, client: &mut Client, request: &Request) -> After {
        // Nobody reads a body for this.
        let keep = request.framing.body == BodyLength::None
            && request.framing.keep_alive
            && front.policy.keeps_alive()
            && !front.drain.has_begun();
        let (status, text) = (self.status(), self.text());
        let mut lines = format!("{status} {}\r\n", reason_phrase(status));
        if let Some(seconds) = self.retry_after() {
            lines.push_str(&format!("Retry-After: {seconds}\r\n"));
        }
        lines.push_str("Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n");
        let mut named = Vec::new();
        request_id::write(&mut named, front, client, request);
        let fields = ServerFields {
            date: Some(&front.date()),
            server: front.policy.server_header,
            body: BodyField::Length(text.len() as u64),
            connection: match (keep, request.is_http10()) {
                (true, false) => Connection::Default,
                (true, true) => Connection::KeepAlive,
                (false, _) => Connection::Close,
            },
            lines: &named,
        };
        let mut head = Vec::new();
        encode::response_head(&mut head, lines.as_bytes(), &fields);
        let page = overrides::page(front, Some(request), status);
        page.iter().for_each(|page| page.describe(&mut head));
        overrides::amend(front, client, Some(request), &mut head);
        access::keep_head(front, client, &head);
        let text = page.as_ref().map_or(text.as_bytes(), |page| &page.body);
        let text = if request.is_head() { &[] } else { text };
        let written = write(&client.stream, &mut Pace::default(), &front.policy.pace, &head, text).await;
        front.board.refused(status);
        access::note(front, client, request, status, text.len() as u64);
        match (written, keep) {
            (Ok(()), true) => After::Next,
            (Ok(()), false) => After::Linger,
            (Err(_), _) => After::Close,
        }
    }
}
