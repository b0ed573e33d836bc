//! How the client will know where the body ends, and the fields that say so. Part of answering: runs on the thread that
//! calls the application.

use tapster_config::EarlyHints;
use tapster_gateway::{BodySize, Protocol, ResponseHead};
use tapster_http1::encode::{self, BodyField};

use crate::connection::Exchange;

use super::Responder;

/// How the client will know where the body ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Framing {
    /// HEAD, 204, 304: there is none (RFC 9110 §6.4.1).
    NoBody,
    /// So many bytes are missing.
    Length(u64),
    Chunked,
    UntilClose,
}

impl Responder<'_> {
    pub(super) fn choose_framing(&mut self, head: &ResponseHead, size: BodySize) -> BodyField {
        let bodiless = matches!(head.status(), 204 | 304);
        let known = match size {
            BodySize::Known(length) => Some(length),
            BodySize::Unknown => None,
        };
        let has_no_body = bodiless || self.exchange.head_only;
        self.framing = match head.content_length().or(known) {
            _ if has_no_body => Framing::NoBody,
            Some(length) => Framing::Length(length),
            None if self.exchange.protocol == Protocol::Uwsgi || self.exchange.http10 => Framing::UntilClose,
            None => Framing::Chunked,
        };
        match (self.framing, known) {
            (Framing::Chunked, _) => BodyField::Chunked,
            // To HEAD an application may give no body at all: that says nothing of GET's (RFC 9110 §8.6).
            (_, Some(0)) if self.exchange.head_only => BodyField::None,
            (_, Some(length)) if head.content_length().is_none() && !bodiless => BodyField::Length(length),
            _ => BodyField::None,
        }
    }

    /// `Connection` where it differs from the version's default (RFC 9112 §9.3); uwsgi answers have none.
    pub(super) fn connection_field(&mut self) -> encode::Connection {
        if self.framing == Framing::UntilClose {
            self.exchange.keep_alive = false;
        }
        match (self.exchange.keep_alive, self.exchange.http10) {
            _ if self.exchange.protocol == Protocol::Uwsgi => encode::Connection::Default,
            (false, _) => encode::Connection::Close,
            (true, true) => encode::Connection::KeepAlive,
            (true, false) => encode::Connection::Default,
        }
    }

    /// Whether whoever reads the answer knows what a 103 is. Many a proxy takes it for the answer, and waits for its body.
    pub(super) fn may_hint(&self) -> bool {
        let Exchange { protocol, http10, proxied, .. } = self.exchange;
        protocol == Protocol::Http
            && !http10
            && match self.policy.early_hints {
                EarlyHints::On => true,
                EarlyHints::Auto => !proxied,
                EarlyHints::Off => false,
            }
    }

    /// How many of `wanted` bytes the framing has room for.
    pub(super) fn admit(&mut self, wanted: u64) -> u64 {
        match &mut self.framing {
            Framing::NoBody => 0,
            Framing::Length(missing) => {
                let count = wanted.min(*missing);
                *missing -= count;
                count
            }
            Framing::Chunked | Framing::UntilClose => wanted,
        }
    }
}
