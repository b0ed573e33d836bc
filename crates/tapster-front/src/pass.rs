//! Requests for the application: passed to a worker, and its answer back to the client.

mod answer;
mod request;

use std::cell::Cell;
use std::rc::Rc;

use tapster_observe::FrontCounter;

use crate::body::{self, Body};
use crate::client::Client;
use crate::connection::After;
use crate::flow::{Flow, Sent, both};
use crate::front::Front;
use crate::receive::Request;
use crate::refuse::Refused;
use crate::workers::hop::{self, Hop, Lost};
use crate::workers::{NoWorker, Permit};

pub(crate) use request::piece;

/// How many workers are asked at most for one request that none of them began.
const TRIES: usize = 5;

/// Has a request answered by a worker.
pub(crate) async fn pass(front: &Rc<Front>, client: &mut Client, request: &Request) -> After {
    match body::read(front, client, request).await {
        Ok(Body::Whole(data)) => whole(front, client, request, data).await,
        Ok(Body::Flowing(flow)) => flowing(front, client, request, flow).await,
        Err(refused) => After::Refused(refused),
    }
}

/// A request that is all here: it waits for a free thread, and may be sent again as long as no worker began with it.
async fn whole(front: &Rc<Front>, client: &mut Client, request: &Request, data: Option<Vec<u8>>) -> After {
    let length = data.as_ref().map(|data| Some(data.len() as u64));
    let mut message = match head(front, client, request, length) {
        Ok(message) => message,
        Err(refused) => return After::Refused(refused),
    };
    message.extend_from_slice(&data.unwrap_or_default());
    for tried in 0..TRIES {
        let permit = tokio::select! {
            biased;
            permit = front.workers.permit(front.policy.queue_timeout) => permit,
            () = client.stream.gone() => return After::Close,
        };
        let permit = match permit {
            Ok(permit) => permit,
            Err(why) => return no_worker(why, request),
        };
        let mut hop = match hop_for(request, &permit, tried > 0) {
            Ok(hop) => hop,
            Err(error) => {
                let reason = format_args!("worker {} cannot be reached: {error}", permit.number());
                return refused(503, reason, request);
            }
        };
        let asked = tokio::select! {
            biased;
            asked = hop.ask(&message) => asked,
            // The worker sees that its client is gone.
            () = client.stream.gone() => return After::Close,
        };
        match asked {
            Ok(()) => {
                let sent = Cell::new(Sent::Whole);
                return answer::forward(front, client, request, hop, permit, &sent).await;
            }
            Err(Lost::Unread) => front.board.count(FrontCounter::Retries),
            Err(lost) => return lost_in(&permit, lost, request),
        }
    }
    refused(503, "no worker took it", request)
}

/// A request whose body is still to come, and goes to its worker as it does. The worker waits for all of it before it has a thread
/// answer, but with `--stream-body`.
async fn flowing(front: &Rc<Front>, client: &mut Client, request: &Request, flow: Flow) -> After {
    let permit = async {
        match front.policy.stream_body {
            true => front.workers.permit(front.policy.queue_timeout).await,
            false => front.workers.permit_to_receive().await,
        }
    };
    let permit = tokio::select! {
        biased;
        permit = permit => permit,
        () = client.stream.gone() => return After::Close,
    };
    let permit = match permit {
        Ok(permit) => permit,
        Err(why) => return no_worker(why, request),
    };
    let mut hop = match hop_for(request, &permit, true) {
        Ok(hop) => hop,
        Err(error) => {
            let reason = format_args!("worker {} cannot be reached: {error}", permit.number());
            return refused(503, reason, request);
        }
    };
    let message = match head(front, client, request, Some(flow.length)) {
        Ok(message) => message,
        Err(refused) => return After::Refused(refused),
    };
    let mut input = std::mem::take(&mut client.input);
    let (sent, is_answered) = (Cell::new(Sent::Partly), Cell::new(false));
    let after = {
        let (client, stream) = (&*client, hop.stream.clone());
        let write = async |bytes: &[u8]| hop::write(&stream, bytes).await;
        let passed = flow.pump(front, client, &mut input, message, &sent, write);
        let answered = async {
            match hop.first_head().await {
                Ok(()) => {
                    is_answered.set(true);
                    answer::forward(front, client, request, hop, permit, &sent).await
                }
                Err(lost) => lost_in(&permit, lost, request),
            }
        };
        both(passed, answered, &is_answered, request.is_head()).await
    };
    client.input = input;
    after
}

/// What a worker gets before the body: the head, or the packet as it came.
///
/// # Errors
/// 431 for a packet that has no room for what is added to it.
fn head(
    front: &Front,
    client: &Client,
    request: &Request,
    body: Option<Option<u64>>,
) -> Result<Vec<u8>, Refused> {
    match (&request.packet, request.overrides.get()) {
        (Some(packet), Some(overrides)) => overrides.change_packet(front, client, request, &packet.0),
        (Some(packet), None) => Ok(packet.0.clone()),
        (None, _) => Ok(request::head(front, client, request, body)),
    }
}

/// A connection to the worker. One that brings a packet brings nothing else.
fn hop_for(request: &Request, permit: &Permit, is_last_chance: bool) -> std::io::Result<Hop> {
    if request.packet.is_some() { permit.new_hop() } else { permit.hop(is_last_chance) }
}

fn refused(status: u16, reason: impl std::fmt::Display, request: &Request) -> After {
    After::Refused(Refused::new(status, reason).for_head(request.is_head()))
}

fn lost_in(permit: &Permit, lost: Lost, request: &Request) -> After {
    let number = permit.number();
    match lost {
        Lost::Unread | Lost::Begun => {
            refused(502, format_args!("worker {number} ended before it answered"), request)
        }
        Lost::Malformed => refused(502, format_args!("worker {number} sent no HTTP answer"), request),
    }
}

fn no_worker(why: NoWorker, request: &Request) -> After {
    let reason = match why {
        NoWorker::Absent => "no worker serves",
        NoWorker::Late => "no thread was free in time (--queue-timeout)",
        NoWorker::Full => "too many requests wait for a thread",
    };
    refused(503, reason, request)
}
