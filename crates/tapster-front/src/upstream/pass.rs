//! A request on its way: read whole, sent to an upstream, and to another one where that is safe.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tapster_config::UpstreamProtocol;
use tapster_observe::FrontCounter;

use super::attempt::Failure;
use super::body::{self, Held, Taken};
use super::link::Link;
use super::message::Message;
use super::queue::{Hold, NoUpstream};
use super::{Ticket, Upstreams, answer, flowing, upgrade};
use crate::balance::{Ask, Ending, Group};
use crate::client::Client;
use crate::connection::After;
use crate::flow::{Flow, Sent};
use crate::front::Front;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::route::{Route, Stripped, strip};

/// To how many upstreams a request is sent at most. Those that take no connection do not count.
const TRIES: usize = 2;

/// A request that is being sent again.
struct Retry(Rc<Upstreams>);

impl Drop for Retry {
    fn drop(&mut self) {
        self.0.state.borrow_mut().group.retried();
    }
}

/// A request between its attempts.
struct Progress {
    ask: Ask,
    hold: Hold,
    again: Option<Retry>,
    /// How often it was sent.
    sent: usize,
}

/// What follows an attempt.
enum Step {
    Over(After),
    Again,
}

/// Has a request answered by an upstream.
pub(crate) async fn pass(
    front: &Rc<Front>,
    upstreams: &Rc<Upstreams>,
    route: &Route,
    client: &mut Client,
    request: &Request,
) -> After {
    let stripped = match stripped(route, request) {
        Ok(stripped) => stripped,
        Err(refused) => return After::Refused(refused),
    };
    let streams = front.policy.stream_body && upstreams.rules.may_stream(request);
    let prepared = match body::collect(front, upstreams, client, request, streams).await {
        Ok(taken) => {
            let (body, flow) = match taken {
                Taken::Whole(body) => (body, None),
                Taken::Flowing(flow) => (Held::Flowing(flow.length), Some(flow)),
            };
            let is_idempotent = upstreams.rules.is_idempotent(request);
            Message::new(front, client, request, stripped.as_ref(), body, is_idempotent)
                .map(|message| (message, flow))
        }
        Err(refused) => Err(refused),
    };
    let after = match prepared {
        Ok((message, flow)) => send(front, upstreams, client, request, &message, flow).await,
        Err(refused) => After::Refused(refused),
    };
    if let After::Refused(refused) = &after {
        upstreams.board.iter().for_each(|board| board.refused(refused.status));
    }
    after
}

/// What the upstream gets of the path, where that is not all of it.
fn stripped(route: &Route, request: &Request) -> Result<Option<Stripped>, Refused> {
    if !route.strips || route.prefix.is_empty() {
        return Ok(None);
    }
    let path = request.head.parts.path.of(&request.bytes);
    let odd =
        || Refused::new(400, "an empty name, . or .. in a path whose prefix is taken away (strip-prefix)");
    strip(path, &route.prefix).map(Some).ok_or_else(|| odd().for_head(request.is_head()))
}

/// Sends it until an upstream answers, or nobody may be asked any more. What still comes of the body, `flow`, goes to the first that
/// takes a connection.
async fn send(
    front: &Rc<Front>,
    upstreams: &Rc<Upstreams>,
    client: &mut Client,
    request: &Request,
    message: &Message,
    mut flow: Option<Flow>,
) -> After {
    let key = upstreams.rules.key(&front.policy, client, request);
    let mut progress = Progress {
        ask: Ask { key, tried: Vec::new(), is_safe: message.is_idempotent },
        hold: Hold::new(upstreams.rules.hold),
        again: None,
        sent: 0,
    };
    loop {
        let found = tokio::select! {
            biased;
            found = upstreams.ticket(&progress.ask, &mut progress.hold) => found,
            () = client.stream.gone() => return After::Close,
        };
        let ticket = match found {
            Ok(ticket) => ticket,
            Err(why) => return no_upstream(why, request),
        };
        if let Err(refused) = message.prepare(&front.policy, ticket.place.protocol, client, request) {
            return After::Refused(refused);
        }
        if let Some(body) = flow {
            let connected = tokio::select! {
                biased;
                connected = ticket.connect() => connected,
                () = client.stream.gone() => return After::Close,
            };
            let failure = match connected {
                Ok(link) => {
                    return flowing::exchange(front, client, request, message, body, ticket, link).await;
                }
                Err(failure) => failure,
            };
            match progress.failed(request, message, ticket, &failure) {
                Step::Over(after) => return after,
                Step::Again => flow = Some(body),
            }
            continue;
        }
        let sent = Instant::now();
        let asked = tokio::select! {
            biased;
            asked = ticket.ask(message) => asked,
            // The upstream sees that its client is gone.
            () = client.stream.gone() => return After::Close,
        };
        let step = match asked {
            Ok(link) => {
                ticket.note(&link, sent.elapsed());
                progress.answered(front, client, request, message, ticket, link).await
            }
            Err(failure) => progress.failed(request, message, ticket, &failure),
        };
        match step {
            Step::Over(after) => return after,
            Step::Again => {}
        }
    }
}

impl Progress {
    /// An upstream answered: that is passed on, unless it says that it cannot serve and another one may.
    async fn answered(
        &mut self,
        front: &Rc<Front>,
        client: &mut Client,
        request: &Request,
        message: &Message,
        mut ticket: Ticket,
        link: Link,
    ) -> Step {
        let is_bad = matches!(link.head.status, 502..=504);
        ticket.ended(if is_bad { Ending::Bad } else { Ending::Good });
        if is_bad && message.is_idempotent && ticket.has_another(&self.ask) && self.may_again(&ticket) {
            return Step::Again;
        }
        let sent = Cell::new(Sent::Whole);
        Step::Over(match answer::forward(front, client, request, link, ticket, &sent).await {
            Ok(after) => after,
            Err(agreed) => {
                let (link, ticket) = *agreed;
                upgrade::switch(front, client, request, link, &ticket).await
            }
        })
    }

    fn failed(
        &mut self,
        request: &Request,
        message: &Message,
        mut ticket: Ticket,
        failure: &Failure,
    ) -> Step {
        ticket.ended(failure.ending());
        let is_free = match failure {
            Failure::Own(_) => false,
            // Others are tried for as long as it may wait, and each of them once.
            Failure::Refused(_) if self.hold.left().is_some() => true,
            Failure::Refused(_) | Failure::Unconnected => {
                let has_another = ticket.has_another(&self.ask);
                self.ask.tried.push(ticket.host);
                has_another
            }
            Failure::Unsent => self.may_again(&ticket),
            Failure::Lost(_) => message.is_idempotent && self.may_again(&ticket),
            Failure::Late => {
                message.is_idempotent && ticket.has_another(&self.ask) && self.may_again(&ticket)
            }
            Failure::Malformed(_) => false,
        };
        if is_free {
            return Step::Again;
        }
        let place = &ticket.place;
        let large = place.protocol == UpstreamProtocol::Uwsgi && message.is_large_for_uwsgi();
        let hint =
            if large { " (uWSGI takes heads of 4096 bytes, unless its buffer-size says more)" } else { "" };
        Step::Over(refused(failure.status(), format_args!("{place} {failure}{hint}"), request))
    }

    /// Whether it may be sent once more, somewhere else if possible.
    fn may_again(&mut self, ticket: &Ticket) -> bool {
        self.sent += 1;
        self.ask.tried.push(ticket.host);
        if self.sent >= TRIES || self.again.is_some() || !ticket.upstreams.group(Group::may_retry) {
            return false;
        }
        self.again = Some(Retry(ticket.upstreams.clone()));
        ticket.upstreams.counters.count(FrontCounter::Retries);
        true
    }
}

impl Upstreams {
    fn group<T>(&self, ask: impl FnOnce(&mut Group) -> T) -> T {
        ask(&mut self.state.borrow_mut().group)
    }
}

impl Ticket {
    /// Counts how long the host took. An answer that is an error may be quick because nothing was done for it.
    pub(super) fn note(&self, link: &Link, took: Duration) {
        if link.head.status < 500 {
            let now = self.upstreams.now();
            self.upstreams.group(|group| group.answered(self.host, took, now));
        }
    }

    /// Whether there is a host besides this one that the request was not sent to.
    fn has_another(&self, ask: &Ask) -> bool {
        let tried: Vec<_> = ask.tried.iter().copied().chain([self.host]).collect();
        !self.upstreams.group(|group| group.all_tried(&tried))
    }
}

pub(super) fn refused(status: u16, reason: impl std::fmt::Display, request: &Request) -> After {
    After::Refused(Refused::new(status, reason).for_head(request.is_head()))
}

fn no_upstream(why: NoUpstream, request: &Request) -> After {
    match why {
        NoUpstream::Absent => refused(502, "no upstream accepts connections (--hold)", request),
        NoUpstream::Late => refused(503, "no upstream had a slot in time (--queue-timeout)", request),
        NoUpstream::Full => refused(503, "too many requests wait for a slot of an upstream", request),
    }
}
