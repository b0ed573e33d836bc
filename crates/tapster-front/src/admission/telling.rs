//! What the log says of clients that are refused: a line for each and reason now and then, and not too many lines for all of
//! them, so that an attack fills no disk.

use std::fmt;
use std::time::Duration;

use super::lists::List;
use super::networks::Network;
use super::recent::Recent;

/// How long nothing more is said of the same client.
const PAUSE: Duration = Duration::from_secs(60);

/// Lines of all clients in [`WINDOW`].
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Clients that are remembered.
const CLIENTS: usize = 4096;

/// Why a client is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Cause {
    Listed(List),
    Connections,
    /// By the limit with this index.
    Requests(usize),
}

impl Cause {
    /// Whether it is a limit, which a dry run does not enforce.
    pub(super) fn is_limit(self) -> bool {
        !matches!(self, Cause::Listed(_))
    }
}

/// What was said.
pub(super) struct Tellings {
    clients: Recent<(Option<Network>, Cause), Client>,
    window: Duration,
    lines: u32,
    /// Refusals of which nothing was said, because there were too many lines.
    hidden: u64,
}

#[derive(Default)]
struct Client {
    told: Option<Duration>,
    refused: u64,
}

/// What is to be said.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Told {
    /// How often the same client was refused since it was last told of.
    before: u64,
    hidden: u64,
}

impl Default for Tellings {
    fn default() -> Tellings {
        Tellings { clients: Recent::new(CLIENTS), window: Duration::ZERO, lines: 0, hidden: 0 }
    }
}

impl Tellings {
    /// Counts that a client is refused; some if a line is due.
    pub(super) fn told(&mut self, key: (Option<Network>, Cause), now: Duration) -> Option<Told> {
        if now >= self.window + WINDOW {
            (self.window, self.lines) = (now, 0);
        }
        let client = self.clients.get(key, Client::default);
        if client.told.is_some_and(|told| now < told + PAUSE) {
            client.refused += 1;
            return None;
        }
        if self.lines >= LINES {
            self.hidden += 1;
            return None;
        }
        self.lines += 1;
        client.told = Some(now);
        Some(Told { before: std::mem::take(&mut client.refused), hidden: std::mem::take(&mut self.hidden) })
    }
}

impl fmt::Display for Told {
    /// What follows the reason.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.before > 0 {
            write!(out, "; {} times more since that was last said", self.before)?;
        }
        match self.hidden {
            0 => Ok(()),
            hidden => write!(out, " ({hidden} refusals of other clients were not written)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::networks::Mask;

    fn client(number: u32) -> (Option<Network>, Cause) {
        (Some(Mask { ipv4: 32, ipv6: 64 }.network(number.to_be_bytes().into())), Cause::Connections)
    }

    #[test]
    fn a_client_is_told_of_now_and_then() {
        let mut tellings = Tellings::default();
        let at = Duration::from_secs;
        assert_eq!(tellings.told(client(1), at(1)), Some(Told { before: 0, hidden: 0 }));
        assert_eq!(tellings.told(client(1), at(2)), None);
        assert_eq!(
            tellings.told((client(1).0, Cause::Requests(0)), at(2)),
            Some(Told { before: 0, hidden: 0 })
        );
        assert_eq!(tellings.told(client(1), at(60)), None);
        assert_eq!(tellings.told(client(1), at(61)), Some(Told { before: 2, hidden: 0 }));
    }

    #[test]
    fn many_clients_get_few_lines() {
        let mut tellings = Tellings::default();
        let lines = (0..100_000).filter(|&number| {
            let now = Duration::from_millis(u64::from(number) / 10);
            tellings.told(client(number), now).is_some()
        });
        assert_eq!(lines.count() as u32, LINES);
        let told = tellings.told(client(200_000), Duration::from_secs(11));
        assert_eq!(told, Some(Told { before: 0, hidden: 100_000 - u64::from(LINES) }));
    }
}
