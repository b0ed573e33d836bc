//! From bytes to a complete request: which protocol, the head, the body. Pure decisions over buffers; the reading
//! is done in `connection/advance.rs`.

use std::fmt;
use std::time::Instant;

use tapster_config::BindProtocol;
use tapster_gateway::{Protocol, Request};
use tapster_http1::ChunkedDecoder;

use crate::body::BodyBuffer;
use crate::connection::{Connection, Exchange, Scratch};
use crate::introduction::{self, Introduction};
use crate::pace::{Pace, PaceLimits, Slow};
use crate::policy::Policy;
use crate::{http, uwsgi};

/// What came of the bytes at hand.
pub(crate) enum Parsed {
    /// Not enough yet.
    More,
    /// The PROXY header is read.
    Introduced,
    /// A whole request stands in the scratch.
    Request(Exchange),
    /// The head is whole, the body is not.
    BodyFollows(Box<Receiving>),
    /// The head is whole, and the application reads the body itself.
    BodyStreams(Box<Receiving>),
    /// The body that the connection holds is whole.
    BodyComplete,
    /// A piece of the body must go to its file first.
    PieceDue,
    /// The end of a body that nobody reads was there.
    Discarded,
    /// A body that nobody reads is too large, or wrong, to look for its end.
    Undiscardable,
    Refused(Refused),
    Pong,
}

/// A request that is not served, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) reason: String,
    /// The answer goes without its body (RFC 9110 §9.3.2).
    pub(crate) head_only: bool,
    /// What was understood of the request stands in the scratch.
    pub(crate) is_in_scratch: bool,
}

impl Refused {
    pub(crate) fn new(status: u16, reason: impl fmt::Display) -> Refused {
        Refused { status, reason: reason.to_string(), head_only: false, is_in_scratch: false }
    }

    /// Says whether the request is HEAD.
    pub(crate) fn for_head(self, head_only: bool) -> Refused {
        Refused { head_only, ..self }
    }

    /// Says that the head was understood: what came of it stands in the scratch.
    pub(crate) fn in_scratch(self) -> Refused {
        Refused { is_in_scratch: true, ..self }
    }
}

/// The head at the front of the read buffer, in the protocol that its first byte says.
pub(crate) fn head(
    connection: &mut Connection,
    scratch: &mut Scratch,
    filled: usize,
    policy: &Policy,
) -> (usize, Parsed) {
    if connection.facts.introduction == Introduction::Awaited {
        return introduction::read(connection, &scratch.read[..filled], policy);
    }
    let protocol = match connection.protocol {
        Some(protocol) => protocol,
        None => match protocol_of(scratch.read[0], connection, policy) {
            Ok(protocol) => *connection.protocol.insert(protocol),
            Err(parsed) => return (filled, parsed),
        },
    };
    match protocol {
        Protocol::Http => http::head(&mut connection.facts, scratch, filled, policy),
        Protocol::Uwsgi => uwsgi::head(&connection.facts, scratch, filled, policy),
    }
}

/// Design: 0, 30 and 100 are uwsgi modifiers, CR, LF and token characters begin HTTP, 0x16 begins TLS.
fn protocol_of(first: u8, connection: &Connection, policy: &Policy) -> Result<Protocol, Parsed> {
    let refuse = |status, reason: &str| Err(Parsed::Refused(Refused::new(status, reason)));
    match first {
        0 | 30 | 100 if policy.bind_protocol == BindProtocol::Http => {
            refuse(400, "uwsgi packet on a listener for HTTP only (--bind-protocol http)")
        }
        0 | 30 | 100 if !connection.facts.may_speak_uwsgi => {
            refuse(403, "uwsgi from a peer that is not allowed (--uwsgi-allow-from lists the others)")
        }
        0 | 30 | 100 => Ok(Protocol::Uwsgi),
        0x16 => refuse(
            400,
            "TLS hello on a plain port: use http://, or give the server a certificate (--tls-certificate)",
        ),
        b'\r' | b'\n' | 0x21..=0x7e if policy.bind_protocol == BindProtocol::Uwsgi => {
            refuse(400, "HTTP on a listener for uwsgi only (--bind-protocol uwsgi)")
        }
        b'\r' | b'\n' | 0x21..=0x7e => Ok(Protocol::Http),
        other => Err(Parsed::Refused(Refused::new(
            400,
            format_args!(
                "first byte {other:#04x} is neither HTTP nor a uwsgi packet with modifier 0, 30 or 100"
            ),
        ))),
    }
}

/// How the end of a body is known.
pub(crate) enum Progress {
    /// This many bytes are missing.
    Length(u64),
    Chunked(ChunkedDecoder),
}

/// A request whose body is still arriving.
pub(crate) struct Receiving {
    pub(crate) request: Request,
    pub(crate) exchange: Exchange,
    pub(crate) progress: Progress,
    pub(crate) buffer: BodyBuffer,
    pub(crate) expects_continue: bool,
    /// The last byte came.
    pub(crate) is_whole: bool,
    pub(crate) pace: Pace,
    /// Bytes that arrived since the pace was last looked at.
    pub(crate) moved: u64,
}

impl Receiving {
    /// What follows a head whose body is not all there.
    pub(crate) fn follows(self, policy: &Policy) -> Parsed {
        let boxed = Box::new(self);
        if policy.stream_body { Parsed::BodyStreams(boxed) } else { Parsed::BodyFollows(boxed) }
    }

    /// Until when more must have arrived. Asked when the client is waited for.
    pub(crate) fn deadline(&mut self, now: Instant, limits: &PaceLimits) -> Option<Instant> {
        self.pace.run(now);
        self.pace.moved(std::mem::take(&mut self.moved), now, limits);
        self.pace.deadline()
    }

    /// It is not the client that is waited for: what it has to send is not read now.
    pub(crate) fn stop_clock(&mut self, now: Instant, limits: &PaceLimits) {
        self.pace.moved(std::mem::take(&mut self.moved), now, limits);
        self.pace.stop(now);
    }

    /// Takes body bytes; gives how many it used.
    pub(crate) fn feed(&mut self, input: &[u8], policy: &Policy) -> (usize, Parsed) {
        match &mut self.progress {
            Progress::Length(missing) => {
                let count = input.len().min(usize::try_from(*missing).unwrap_or(usize::MAX));
                self.buffer.push(&input[..count]);
                *missing -= count as u64;
                self.is_whole = *missing == 0;
                (count, self.next(policy))
            }
            Progress::Chunked(decoder) => {
                let mut decoded = Vec::with_capacity(input.len());
                let (used, finished) = match decoder.decode(input, &mut decoded) {
                    Ok(progress) => progress,
                    Err(refusal) => {
                        return (input.len(), Parsed::Refused(Refused::new(refusal.status(), refusal)));
                    }
                };
                if self.buffer.len() + decoded.len() as u64 > policy.max_body {
                    return (used, Parsed::Refused(too_large(policy)));
                }
                self.buffer.push(&decoded);
                self.is_whole = finished;
                (used, self.next(policy))
            }
        }
    }

    /// What follows the bytes that came.
    pub(crate) fn next(&self, policy: &Policy) -> Parsed {
        match self.is_whole {
            _ if self.buffer.is_piece_due(policy.body_memory, self.is_whole) => Parsed::PieceDue,
            true => Parsed::BodyComplete,
            false => Parsed::More,
        }
    }

    /// How long the whole body will be, as far as that is known.
    pub(crate) fn expected(&self) -> u64 {
        match self.progress {
            Progress::Length(missing) => self.buffer.len() + missing,
            Progress::Chunked(_) => self.buffer.len(),
        }
    }

    /// The complete request.
    pub(crate) fn finish(self) -> (Request, Exchange) {
        let Receiving { mut request, exchange, progress, buffer, .. } = self;
        if let Progress::Chunked(_) = progress {
            tapster_gateway::from_http::set_content_length(&mut request.vars, buffer.len());
        }
        request.body = buffer.finish();
        (request, exchange)
    }
}

/// The answer to a body whose client is given up.
pub(crate) fn too_slow(slow: Slow, limits: &PaceLimits) -> Refused {
    match slow {
        Slow::Silent => Refused::new(408, "the request body stopped arriving (--io-timeout)"),
        Slow::BelowRate => {
            let rate = limits.rate;
            Refused::new(
                408,
                format_args!("the request body came at less than {rate} bytes a second (--min-rate)"),
            )
        }
    }
}

/// The answer to a body beyond the bound.
pub(crate) fn too_large(policy: &Policy) -> Refused {
    Refused::new(413, format_args!("request body over {} bytes (--max-body)", policy.max_body))
}
