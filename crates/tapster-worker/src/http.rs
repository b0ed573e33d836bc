//! A request head in HTTP/1 and the body that it announces.

use tapster_gateway::{Body, Name, Protocol, Variable, forwarded, from_http, hop};
use tapster_http1::{BodyLength, ChunkedDecoder, Refusal, Version};

use crate::body::BodyBuffer;
use crate::connection::{Exchange, Facts, Scratch};
use crate::introduction::{self, Introduction};
use crate::pace::Pace;
use crate::policy::Policy;
use crate::receive::{Parsed, Progress, Receiving, Refused, too_large};

/// Parses the head at the front of the read buffer, and the body if all of it is there.
pub(crate) fn head(
    facts: &mut Facts,
    scratch: &mut Scratch,
    filled: usize,
    policy: &Policy,
) -> (usize, Parsed) {
    match whole_head(facts, scratch, filled, policy) {
        Ok(Some(parsed)) => parsed,
        Ok(None) => (0, Parsed::More),
        Err(refusal) => {
            let refused = Refused::new(refusal.status(), refusal);
            (filled, Parsed::Refused(refused.for_head(is_head(&scratch.read[..filled]))))
        }
    }
}

/// Whether the bytes of a head, not all of which need be there, begin a HEAD request.
pub(crate) fn is_head(buffer: &[u8]) -> bool {
    buffer.trim_ascii_start().starts_with(b"HEAD ")
}

fn whole_head(
    facts: &mut Facts,
    scratch: &mut Scratch,
    filled: usize,
    policy: &Policy,
) -> Result<Option<(usize, Parsed)>, Refusal> {
    let Scratch { read, head, request, ids, .. } = scratch;
    let buffer = &read[..filled];
    let is_hop = facts.introduction == Introduction::Each;
    let limits = if is_hop { &policy.hop_limits() } else { &policy.http };
    if !head.parse(buffer, limits)? {
        return Ok(None);
    }
    if is_hop {
        introduction::take(facts, head, buffer, policy)?;
    }
    let framing = tapster_http1::framing(head, buffer)?;
    if policy.refuses_underscores {
        from_http::refuse_underscores(head, buffer)?;
    }
    from_http::fill(&mut request.vars, head, buffer, &facts.connection)?;
    if facts.speaks_http2 {
        request.vars.set(Name::Known(Variable::ServerProtocol), hop::HTTP2.as_bytes());
    }
    request.protocol = Protocol::Http;
    request.body = Body::Empty;
    policy.forwarded(facts, request);
    if let Some(field) = &policy.request_id {
        field.set(&mut request.vars, is_hop || facts.is_trusted_proxy, ids);
    }
    let exchange = Exchange {
        protocol: Protocol::Http,
        http10: head.version == Version::Http10,
        head_only: head.method.of(buffer) == b"HEAD",
        keep_alive: is_hop || framing.keep_alive && policy.keeps_alive(),
        proxied: forwarded::is_claimed(&request.vars),
    };
    let (progress, buffered) = match framing.body {
        BodyLength::None | BodyLength::Length(0) => {
            return Ok(Some((head.length, Parsed::Request(exchange))));
        }
        BodyLength::Length(length) if length > policy.max_body => {
            let refused = too_large(policy).for_head(exchange.head_only).in_scratch();
            return Ok(Some((filled, Parsed::Refused(refused))));
        }
        BodyLength::Length(length) => {
            let at_hand = buffer.len() - head.length;
            if length <= at_hand as u64 && length <= policy.body_memory as u64 {
                let end = head.length + length as usize;
                request.body = Body::Memory(buffer[head.length..end].to_vec());
                return Ok(Some((end, Parsed::Request(exchange))));
            }
            (Progress::Length(length), BodyBuffer::with_expected(length, policy.body_memory))
        }
        BodyLength::Chunked => (Progress::Chunked(ChunkedDecoder::default()), BodyBuffer::default()),
    };
    let receiving = Receiving {
        request: std::mem::take(request),
        exchange,
        progress,
        buffer: buffered,
        expects_continue: framing.expect_continue,
        is_whole: false,
        pace: Pace::new(&policy.pace),
        moved: 0,
    };
    Ok(Some((head.length, receiving.follows(policy))))
}
