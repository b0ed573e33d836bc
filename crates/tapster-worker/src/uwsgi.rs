//! A request in the uwsgi protocol: one packet of variables, then the body; one request a connection.

use tapster_gateway::{Body, Protocol, Variable, from_uwsgi};
use tapster_uwsgi::Decoded;

use crate::body::BodyBuffer;
use crate::connection::{Exchange, Facts, Scratch};
use crate::pace::Pace;
use crate::policy::Policy;
use crate::receive::{Parsed, Progress, Receiving, Refused, too_large};

/// The modifier of a ping; the answer is a pong.
const PING: u8 = 100;

/// Decodes the packet at the front of the read buffer, and the body if all of it is there.
pub(crate) fn head(facts: &Facts, scratch: &mut Scratch, filled: usize, policy: &Policy) -> (usize, Parsed) {
    let Scratch { read, request, ids, .. } = scratch;
    let buffer = &read[..filled];
    let packet = match tapster_uwsgi::decode(buffer, &policy.uwsgi) {
        Ok(Decoded::NeedMore(_)) => return (0, Parsed::More),
        Ok(Decoded::Packet(packet)) => packet,
        Err(refusal) => return (filled, Parsed::Refused(Refused::new(refusal.status(), refusal))),
    };
    if packet.modifier1 == PING {
        return (filled, Parsed::Pong);
    }
    request.vars.clear();
    let length = match from_uwsgi::fill(&mut request.vars, &packet, &facts.connection) {
        Ok(length) => length,
        Err(refusal) => return (filled, Parsed::Refused(Refused::new(refusal.status(), refusal))),
    };
    if let Some(field) = &policy.request_id {
        field.set(&mut request.vars, true, ids);
    }
    request.protocol = Protocol::Uwsgi;
    request.scheme = match policy.uwsgi_forwarded_scheme {
        true => from_uwsgi::forwarded_scheme(&request.vars),
        false => from_uwsgi::scheme(&request.vars),
    };
    request.body = Body::Empty;
    let exchange = Exchange {
        protocol: Protocol::Uwsgi,
        http10: false,
        head_only: request.vars.get(Variable::RequestMethod) == Some(b"HEAD"),
        keep_alive: false,
        proxied: true,
    };
    if length > policy.max_body {
        return (filled, Parsed::Refused(too_large(policy).in_scratch()));
    }
    let end = packet.length + usize::try_from(length).unwrap_or(usize::MAX - packet.length);
    if length == 0 {
        return (packet.length, Parsed::Request(exchange));
    }
    if end <= filled && length as usize <= policy.body_memory {
        request.body = Body::Memory(buffer[packet.length..end].to_vec());
        return (end, Parsed::Request(exchange));
    }
    let receiving = Receiving {
        request: std::mem::take(request),
        exchange,
        progress: Progress::Length(length),
        buffer: BodyBuffer::with_expected(length, policy.body_memory),
        expects_continue: false,
        is_whole: false,
        pace: Pace::new(&policy.pace),
        moved: 0,
    };
    (packet.length, receiving.follows(policy))
}
