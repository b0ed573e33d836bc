//! The body of an upstream's answer on its way to the client. The client gets each piece as it comes; what it does not take is
//! held (see [`ahead`](super::ahead)), and the upstream has the next request as soon as it has said all of this answer.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tapster_observe::Incident;

use tapster_gateway::Endpoint;

use super::Ticket;
use super::ahead::Ahead;
use super::link::Link;
use crate::balance::Ending;
use crate::reply::{Body, Reply};

/// How often both sides have their turn before other clients have.
const TURNS: usize = 32;

/// An answer whose body is still to come, at least in part.
pub(super) struct Source {
    pub(super) link: Link,
    pub(super) ticket: Ticket,
    pub(super) body: Body,
    /// How long the upstream keeps the connection after it, if it does.
    pub(super) stays: Option<Duration>,
    /// The client, for the log.
    pub(super) peer: Endpoint,
}

impl Source {
    /// The upstream said all: its connection and its slot are free.
    pub(super) fn release(self) {
        let Source { link, ticket, stays, .. } = self;
        if let Some(time) = stays.filter(|_| link.input.is_empty() && link.is_sent) {
            let keep = time.min(ticket.upstreams.rules.keep_alive);
            ticket.upstreams.state.borrow_mut().pool.keep(ticket.host, link, keep);
        }
    }

    /// Takes all that the upstream says.
    async fn pour(mut self, ahead: &Ahead) {
        let result = self.take(ahead).await;
        match &result {
            Ok(()) => self.release(),
            Err(error) => {
                let Source { mut ticket, peer, .. } = self;
                ticket.ended(Ending::Bad);
                let (log, place) = (&ticket.upstreams.log, &ticket.place);
                log.report(
                    Incident::UPSTREAM_ANSWER_CUT,
                    format_args!("{peer}: the answer of {place} was cut off: {error}"),
                );
            }
        }
        ahead.end(result);
    }

    async fn take(&mut self, ahead: &Ahead) -> io::Result<()> {
        let limit = self.ticket.upstreams.rules.answer_timeout;
        let mut data = Vec::new();
        loop {
            let count = self.link.read(limit).await.map_err(of_upstream)?;
            if count == 0 {
                self.body.ends()?;
            }
            let is_over = self.body.take(&mut self.link.input, &mut data)?;
            if is_over {
                ahead.put_last(&mut data);
                return Ok(());
            }
            ahead.put(&mut data).await;
        }
    }
}

/// Sends the body, of which `data` was there already. `may_spool` if it may wait in a file.
///
/// # Errors
/// When the upstream cannot go on, or the client is gone or too slow.
pub(super) async fn relay(
    source: Source,
    data: Vec<u8>,
    reply: &mut Reply<'_>,
    may_spool: bool,
) -> io::Result<()> {
    let upstreams = Rc::clone(&source.ticket.upstreams);
    let ahead = &Ahead::new(&upstreams.spool, &upstreams.log, may_spool);
    let mut poured = pin!(source.pour(ahead));
    let mut sent = pin!(send(ahead, data, reply));
    let mut is_poured = false;
    poll_fn(|context| {
        for _ in 0..TURNS {
            if let Poll::Ready(result) = sent.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            ahead.give_turn();
            is_poured = is_poured || poured.as_mut().poll(context).is_ready();
            if !ahead.has_changed() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Sends what was there, and then what is put in.
async fn send(ahead: &Ahead, mut data: Vec<u8>, reply: &mut Reply<'_>) -> io::Result<()> {
    reply.send(&data, false).await?;
    loop {
        if !ahead.is_ready() {
            reply.wait(ahead.ready()).await?;
        }
        let is_over = ahead.take(&mut data).await?;
        reply.send(&data, is_over).await?;
        if is_over {
            return Ok(());
        }
    }
}

/// That it was the upstream which reset the connection.
fn of_upstream(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset => io::Error::other("the upstream reset the connection"),
        _ => error,
    }
}
