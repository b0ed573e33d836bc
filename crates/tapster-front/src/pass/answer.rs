//! A worker's answer on its way to the client.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use tapster_http1::{ResponseBody, syntax};

use crate::client::Client;
use crate::connection::After;
use crate::files::{Wanted, answer_wanted};
use crate::flow::Sent;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::reply::{Body, Head, Reply};
use crate::workers::Permit;
use crate::workers::hop::{self, Hop};
use crate::write::write;

/// Sends the answer whose head `hop` has read, and what follows it. If not all of the
/// request was sent when the answer begins, nothing can follow on this connection.
pub(crate) async fn forward(
    front: &Rc<Front>,
    client: &Client,
    request: &Request,
    mut hop: Hop,
    mut permit: Permit,
    sent: &Cell<Sent>,
) -> After {
    let pace = &mut Pace::default();
    while hop.head.is_interim() {
        if let Err(error) = interim(front, client, request, &hop, pace).await {
            return cut(front, client, &error);
        }
        let next = tokio::select! {
            biased;
            next = hop.next_head() => next,
            // The worker sees that its client is gone.
            () = client.stream.gone() => return After::Close,
        };
        if let Err(lost) = next {
            return super::lost_in(&permit, lost, request);
        }
    }
    let Ok(to_get) = hop.head.body(&hop.input, false) else {
        return super::lost_in(&permit, hop::Lost::Malformed, request);
    };
    let body = if request.is_head() { ResponseBody::Length(0) } else { to_get };
    permit.answered();
    let is_read = sent.get() == Sent::Whole;
    let may_stay = sent.get().may_stay(front, hop.head.status);
    if let Some(wanted) = Wanted::by(front, request, &hop.head, &hop.input) {
        if is_read {
            hop.give_back(front, body);
        }
        drop(permit);
        return answer_wanted(front, client, request, &wanted, is_read).await;
    }
    let status = hop.head.status;
    let stays =
        request.packet.is_none() && hop.head.keeps_alive(&hop.input) && body != ResponseBody::UntilClose;
    // What a worker refused ends the connection here as it does there.
    let is_refusal = !stays && hop.head.status >= 400;
    let may_keep = may_stay && !is_refusal && body != ResponseBody::UntilClose;
    let mut reply = Reply::new(front, client, request, head(&hop), to_get, may_keep);
    hop.input.drain(..hop.head.length);
    let relayed = relay(&mut hop, Body::new(body), &mut reply).await;
    // The worker has logged it; what is for the cache is counted when somebody gets it.
    if !client.stream.is_captured() {
        front.board.answered(status, reply.sent());
    }
    if let Err(error) = relayed {
        return cut(front, client, &error);
    }
    let keep = reply.keeps();
    if stays && hop.input.is_empty() && sent.get() == Sent::Whole {
        front.workers.keep(hop);
    }
    if keep && sent.get() == Sent::Whole { After::Next } else { After::Linger }
}

impl Hop {
    /// Keeps the connection for the next request, if the body of an answer that nobody wants is all there. Otherwise the worker
    /// sees that its client is gone.
    fn give_back(mut self, front: &Front, body: ResponseBody) {
        let whole = match body {
            ResponseBody::Length(length) => {
                usize::try_from(length).ok().and_then(|length| length.checked_add(self.head.length))
            }
            ResponseBody::Chunked | ResponseBody::UntilClose => None,
        };
        if whole == Some(self.input.len()) && self.head.keeps_alive(&self.input) {
            self.input.clear();
            front.workers.keep(self);
        }
    }
}

/// What was begun cannot be finished.
fn cut(front: &Front, client: &Client, error: &io::Error) -> After {
    front.log.debug(format_args!("{}: an answer was not sent to its end: {error}", client.peer()));
    After::Close
}

/// Passes an interim answer on. Clients of HTTP/1.0 know none (RFC 9110 §15.2), and who waited for 100 had it already.
async fn interim(
    front: &Front,
    client: &Client,
    request: &Request,
    hop: &Hop,
    pace: &mut Pace,
) -> io::Result<()> {
    if hop.head.status == 100 || request.is_http10() {
        return Ok(());
    }
    let bytes = hop.input.get(..hop.head.length).unwrap_or_default();
    write(&client.stream, pace, &front.policy.pace, bytes, &[]).await
}

/// The head without what belongs to the hop.
fn head(hop: &Hop) -> Head {
    let input = &hop.input;
    let mut head = Head::new(hop.head.status, hop.head.status_text.of(input), hop.head.length);
    for field in &hop.head.fields {
        let name = field.name.of(input);
        let is_its_own = match name.len() {
            10 => {
                syntax::is_lower_case_of(b"connection", name) || syntax::is_lower_case_of(b"keep-alive", name)
            }
            17 => syntax::is_lower_case_of(b"transfer-encoding", name),
            _ => false,
        };
        if !is_its_own {
            head.add(name, field.value.of(input));
        }
    }
    head
}

/// Sends the body.
///
/// # Errors
/// When either side is gone before the end, or the client too slow.
async fn relay(hop: &mut Hop, mut body: Body, reply: &mut Reply<'_>) -> io::Result<()> {
    let mut data = Vec::new();
    loop {
        let is_over = body.take(&mut hop.input, &mut data)?;
        reply.send(&data, is_over).await?;
        if is_over {
            return Ok(());
        }
        let count = reply.wait(hop::read(&hop.stream, &mut hop.input)).await?;
        if count == 0 {
            body.ends()?;
        }
    }
}
