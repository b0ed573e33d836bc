//! One attempt: a request sent to one host, on a connection that is idle or a new one, and what came of it.

use std::{fmt, io};

use tapster_http1::Refusal;

use super::Ticket;
use super::connect::{NoConnection, connect};
use super::link::{Link, Lost};
use super::message::Message;
use crate::balance::Ending;

/// Why a host did not answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// This process cannot have one connection more.
    Own(io::Error),
    /// The host took no connection.
    Refused(io::Error),
    /// Nor did it refuse one.
    Unconnected,
    /// It ended the connection, and read nothing of the request.
    Unsent,
    /// It ended the connection before it answered. True if that was an old one, whose end tells nothing of the host.
    Lost(bool),
    /// It did not answer in time.
    Late,
    /// Its answer is none.
    Malformed(Refusal),
}

impl Failure {
    /// What it tells of the host.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Failure::Own(_) | Failure::Lost(true) => Ending::Abandoned,
            Failure::Refused(_) => Ending::Refused,
            Failure::Unconnected | Failure::Unsent | Failure::Lost(false) => Ending::Bad,
            Failure::Late | Failure::Malformed(_) => Ending::Bad,
        }
    }

    /// What the client is told.
    pub(super) fn status(&self) -> u16 {
        match self {
            Failure::Own(_) => 503,
            Failure::Refused(_) | Failure::Unsent | Failure::Lost(_) | Failure::Malformed(_) => 502,
            Failure::Unconnected | Failure::Late => 504,
        }
    }

    fn of(lost: Lost, is_old: bool) -> Failure {
        match lost {
            Lost::Ended { unsent: true } => Failure::Unsent,
            Lost::Ended { unsent: false } => Failure::Lost(is_old),
            Lost::Late => Failure::Late,
            Lost::Malformed(refusal) => Failure::Malformed(refusal),
        }
    }
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Failure {
        Failure::of(lost, false)
    }
}

impl fmt::Display for Failure {
    /// What the host does or did.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Own(error) => write!(out, "cannot be connected to: {error}"),
            Failure::Refused(error) => write!(out, "accepts no connection within --hold: {error}"),
            Failure::Unconnected => out.write_str("takes too long for a connection (--connect-timeout)"),
            Failure::Unsent | Failure::Lost(_) => out.write_str("closed the connection before it answered"),
            Failure::Late => out.write_str("did not answer in time (--answer-timeout)"),
            Failure::Malformed(refusal) => write!(out, "sent an answer that is not HTTP: {refusal}"),
        }
    }
}

impl Ticket {
    /// Sends a request, and reads the head of the answer.
    pub(super) async fn ask(&self, message: &Message) -> Result<Link, Failure> {
        let rules = &self.upstreams.rules;
        let idle = self.upstreams.state.borrow_mut().pool.take(self.host, message.is_idempotent);
        if let Some(mut link) = idle {
            match link.ask(message, rules.answer_timeout).await {
                Ok(()) => return Ok(link),
                // It ended while it was idle, or so it seems: that is no reason to ask somebody else.
                Err(Lost::Ended { unsent }) if unsent || message.is_idempotent => {}
                Err(lost) => return Err(Failure::of(lost, true)),
            }
        }
        let mut link = self.connect().await?;
        link.ask(message, rules.answer_timeout).await?;
        Ok(link)
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Link, Failure> {
        let stream = match connect(&self.place, self.upstreams.rules.connect_timeout).await {
            Ok(stream) => stream,
            Err(NoConnection::Own(error)) => return Err(Failure::Own(error)),
            Err(NoConnection::Refused(error)) => return Err(Failure::Refused(error)),
            Err(NoConnection::Late) => return Err(Failure::Unconnected),
        };
        self.upstreams.learn(self.host, &self.place, |group, now| group.connected(self.host, now));
        Ok(Link::new(stream, self.place.protocol))
    }
}
