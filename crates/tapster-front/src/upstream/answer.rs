//! An upstream's answer on its way to the client: checked, and rid of what belongs to the upstream's connection.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tapster_http1::{ResponseBody, encode, syntax};

use super::Ticket;
use super::attempt::Failure;
use super::link::{Link, Lost};
use super::relay::{Source, relay};
use super::upgrade;
use crate::access;
use crate::balance::Ending;
use crate::client::Client;
use crate::connection::After;
use crate::files::{Wanted, answer_wanted};
use crate::flow::Sent;
use crate::forwarding::is_one_of;
use crate::front::Front;
use crate::pace::Pace;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::reply::{Body, Head, Reply};
use crate::write::write;

/// Fields of the upstream's connection (RFC 9110 §7.6.1); the body is framed anew.
const HOP_BY_HOP: &[&[u8]] =
    &[b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"];

/// Sends the answer whose head `link` has read, and what follows it. If not all of the request was `sent` when it begins, nothing can
/// follow on the client's connection.
///
/// # Errors
/// The connection, when the upstream agrees to the other protocol that the client asked for.
pub(super) async fn forward(
    front: &Rc<Front>,
    client: &Client,
    request: &Request,
    mut link: Link,
    mut ticket: Ticket,
    sent: &Cell<Sent>,
) -> Result<After, Box<(Link, Ticket)>> {
    let limit = ticket.upstreams.rules.answer_timeout;
    let pace = &mut Pace::default();
    while link.head.is_interim() {
        if let Err(error) = interim(front, client, request, &link, pace).await {
            return Ok(cut(front, client, &error));
        }
        let next = tokio::select! {
            biased;
            next = link.next_head(limit) => next,
            () = client.stream.gone() => return Ok(After::Close),
        };
        if let Err(lost) = next {
            ticket.ended(Ending::Bad);
            return Ok(unfinished(&ticket, lost, request));
        }
        if matches!(link.head.status, 502..=504) {
            ticket.ended(Ending::Bad);
        }
    }
    if link.head.status != 101 {
        return Ok(last(front, client, request, link, ticket, sent).await);
    }
    if upgrade::is_wanted(request) && upgrade::is_agreed(client, request, &link.head, &link.input) {
        return Err(Box::new((link, ticket)));
    }
    Ok(unexpected(&mut ticket, "it switches the protocol, which was not asked for", request))
}

/// Sends the final answer.
async fn last(
    front: &Rc<Front>,
    client: &Client,
    request: &Request,
    mut link: Link,
    mut ticket: Ticket,
    sent: &Cell<Sent>,
) -> After {
    if client.stream.is_tunnel() && matches!(link.head.status, 200..=299) {
        // To a client of HTTP/2 that would be an agreement.
        let reason =
            format_args!("{} answers a request for WebSocket with {}", ticket.place, link.head.status);
        return After::Refused(Refused::new(501, reason));
    }
    // The answer to HEAD is to be as unambiguous as that to GET.
    let to_get = match link.head.body(&link.input, false) {
        Ok(body) => body,
        Err(refusal) => return unexpected(&mut ticket, &refusal.to_string(), request),
    };
    let body = if request.is_head() { ResponseBody::Length(0) } else { to_get };
    let (status, stays) = (link.head.status, stays(&link, body));
    let may_keep = sent.get().may_stay(front, status);
    let wanted = Wanted::by(front, request, &link.head, &link.input);
    let head = head(client, &ticket, &link, request);
    // Who says so wants to know how far its client is: a live stream.
    let may_spool = !is_unbuffered(&link);
    link.input.drain(..link.head.length);
    let (mut body, mut data) = (Body::new(body), Vec::new());
    let is_over = match body.take(&mut link.input, &mut data) {
        Ok(is_over) => is_over,
        Err(error) => return unexpected(&mut ticket, &error.to_string(), request),
    };
    let upstreams = Rc::clone(&ticket.upstreams);
    let source = Source { link, ticket, body, stays, peer: client.peer().clone() };
    if let Some(wanted) = wanted {
        if is_over {
            source.release();
        } else {
            // Of a body that nobody wants: the upstream sees that its client is gone.
            drop(source);
        }
        upstreams.board.iter().for_each(|board| board.end(0, status));
        return answer_wanted(front, client, request, &wanted, sent.get() == Sent::Whole).await;
    }
    let mut reply = Reply::new(front, client, request, head, to_get, may_keep);
    let relayed = if is_over {
        source.release();
        reply.send(&data, true).await
    } else {
        // Apart from the connection's own future, which is as large as the largest of its parts.
        Box::pin(relay(source, data, &mut reply, may_spool)).await
    };
    let keeps = reply.keeps();
    // What is for the cache is told of when somebody gets it.
    if !client.stream.is_captured() {
        access::note(front, client, request, status, reply.sent());
    }
    upstreams.board.iter().for_each(|board| board.end(0, status));
    match relayed {
        Err(error) => cut(front, client, &error),
        Ok(()) if keeps && sent.get() == Sent::Whole => After::Next,
        Ok(()) => After::Linger,
    }
}

/// Whether the upstream wants to be as slow as its client.
fn is_unbuffered(link: &Link) -> bool {
    link.head.fields.iter().any(|field| {
        let (name, value) = (field.name.of(&link.input), field.value.of(&link.input));
        syntax::is_lower_case_of(b"x-accel-buffering", name) && value.eq_ignore_ascii_case(b"no")
    })
}

/// How long the upstream keeps the connection, if it does.
fn stays(link: &Link, body: ResponseBody) -> Option<Duration> {
    if !link.may_stay() || body == ResponseBody::UntilClose || !link.head.keeps_alive(&link.input) {
        return None;
    }
    let mut time = Duration::MAX;
    for field in &link.head.fields {
        if syntax::is_lower_case_of(b"keep-alive", field.name.of(&link.input)) {
            let said = syntax::list(field.value.of(&link.input)).find_map(|item| {
                let (name, value) = item.split_at(item.iter().position(|&byte| byte == b'=')?);
                name.trim_ascii()
                    .eq_ignore_ascii_case(b"timeout")
                    .then(|| syntax::decimal(value[1..].trim_ascii()))?
            });
            // At its very end it may be closed already.
            time = said.map_or(time, |seconds| Duration::from_secs(seconds.saturating_sub(1)));
        }
    }
    Some(time)
}

fn unexpected(ticket: &mut Ticket, why: &str, request: &Request) -> After {
    ticket.ended(Ending::Bad);
    let reason = format_args!("the answer of {} cannot be passed on: {why}", ticket.place);
    After::Refused(Refused::new(502, reason).for_head(request.is_head()))
}

/// After an interim answer the final one did not come.
fn unfinished(ticket: &Ticket, lost: Lost, request: &Request) -> After {
    let failure = Failure::from(lost);
    let reason = format_args!("{} {failure}", ticket.place);
    After::Refused(Refused::new(failure.status(), reason).for_head(request.is_head()))
}

/// What was begun cannot be finished.
pub(super) fn cut(front: &Front, client: &Client, error: &io::Error) -> After {
    front.log.debug(format_args!("{}: an answer was not sent to its end: {error}", client.peer()));
    After::Close
}

/// Passes an interim answer on. Clients of HTTP/1.0 know none (RFC 9110 §15.2), and who waited for 100 had it already.
async fn interim(
    front: &Front,
    client: &Client,
    request: &Request,
    link: &Link,
    pace: &mut Pace,
) -> io::Result<()> {
    if link.head.status == 100 || request.is_http10() {
        return Ok(());
    }
    let mut out = Vec::new();
    encode::interim_head(&mut out, fields(link).text());
    write(&client.stream, pace, &front.policy.pace, &out, &[]).await
}

/// The status and what is passed on of the fields.
pub(super) fn fields(link: &Link) -> Head {
    let (head, input) = (&link.head, &link.input);
    let mut nominated: Vec<&[u8]> = Vec::new();
    for field in &head.fields {
        if syntax::is_lower_case_of(b"connection", field.name.of(input)) {
            nominated.extend(syntax::list(field.value.of(input)));
        }
    }
    let mut passed = Head::new(head.status, head.status_text.of(input), head.length);
    for field in &head.fields {
        let name = field.name.of(input);
        let is_its_own =
            is_one_of(HOP_BY_HOP, name) || nominated.iter().any(|option| option.eq_ignore_ascii_case(name));
        if !is_its_own {
            passed.add(name, field.value.of(input));
        }
    }
    passed
}

/// The head for the client.
fn head(client: &Client, ticket: &Ticket, link: &Link, request: &Request) -> Head {
    let mut head = fields(link);
    let rules = &ticket.upstreams.rules;
    let is_tls = client.ends().is_tls;
    // What is for everybody names no upstream.
    let token = ticket.token().filter(|_| !client.stream.is_captured());
    if let Some(cookie) = token.and_then(|token| rules.set_cookie(token, request, is_tls)) {
        head.add(b"Set-Cookie", cookie.as_bytes());
    }
    head
}
