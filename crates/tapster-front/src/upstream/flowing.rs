//! A request whose body goes to its upstream as it comes (`--stream-body`), and its answer back. Nothing of it can be sent again.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::attempt::Failure;
use super::link::{Link, Lost};
use super::message::{Message, write};
use super::pass::refused;
use super::{Ticket, answer};
use crate::balance::Ending;
use crate::client::Client;
use crate::connection::After;
use crate::flow::{Flow, Sent, both};
use crate::front::Front;
use crate::receive::Request;

/// Sends the request on a new connection, of which nothing has to be feared that an old one may do, and the answer to the client.
pub(super) async fn exchange(
    front: &Rc<Front>,
    client: &mut Client,
    request: &Request,
    message: &Message,
    flow: Flow,
    ticket: Ticket,
    link: Link,
) -> After {
    let limit = ticket.upstreams.rules.answer_timeout;
    let mut input = std::mem::take(&mut client.input);
    let (sent, is_answered) = (Cell::new(Sent::Partly), Cell::new(false));
    let after = {
        let client = &*client;
        let (head, stream) = (message.head(ticket.place.protocol).to_vec(), link.stream());
        let write = async |bytes: &[u8]| write(&stream, bytes, &[], limit, &Cell::new(0)).await;
        let passed = flow.pump(front, client, &mut input, head, &sent, write);
        let answered = answered(front, client, request, ticket, link, &sent, &is_answered);
        both(passed, answered, &is_answered, request.is_head()).await
    };
    client.input = input;
    after
}

/// Waits for the answer, and passes it on.
async fn answered(
    front: &Rc<Front>,
    client: &Client,
    request: &Request,
    mut ticket: Ticket,
    mut link: Link,
    sent: &Cell<Sent>,
    is_answered: &Cell<bool>,
) -> After {
    let (limit, since) = (ticket.upstreams.rules.answer_timeout, Instant::now());
    let found = tokio::select! {
        biased;
        found = link.first_head() => found,
        () = late(sent, limit) => Err(Lost::Late),
        () = client.stream.gone() => return After::Close,
    };
    if let Err(lost) = found {
        let failure = Failure::from(lost);
        ticket.ended(failure.ending());
        return refused(failure.status(), format_args!("{} {failure}", ticket.place), request);
    }
    if sent.get() == Sent::Whole {
        ticket.note(&link, since.elapsed());
    }
    ticket.ended(if matches!(link.head.status, 502..=504) { Ending::Bad } else { Ending::Good });
    is_answered.set(true);
    match answer::forward(front, client, request, link, ticket, sent).await {
        Ok(after) => after,
        // A request with a body asks for no other protocol.
        Err(_) => After::Close,
    }
}

/// Comes back when no answer came for as long as it may take after the request was sent.
async fn late(sent: &Cell<Sent>, limit: Duration) {
    // Who sends is polled in the same task.
    poll_fn(|_| if sent.get() == Sent::Partly { Poll::Pending } else { Poll::Ready(()) }).await;
    sleep(limit).await;
}
