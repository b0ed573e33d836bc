//! The addresses of a name, and for how long they hold. In the order that most hosts have (`files dns`): /etc/hosts, the name
//! servers of /etc/resolv.conf, and what else the system's own resolver knows. Asked by [`upstream`](crate::upstream).

mod ask;
mod config;
mod hosts;
mod message;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use ask::ask;
use config::Config;
use message::{Answer, Kind};

/// For how long an answer holds, whatever its records say.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// And what has no time to live: what stands in files, and what the system's resolver says.
pub(crate) const UNTIMED: Duration = Duration::from_secs(5);

/// How much later addresses of one kind may be answered than those of the other. There are name servers that never answer for
/// IPv6.
const PATIENCE: Duration = Duration::from_secs(1);

const HOSTS: &str = "/etc/hosts";
const CONFIG: &str = "/etc/resolv.conf";

/// What a name stands for.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// At least one, each once.
    pub(crate) addresses: Vec<IpAddr>,
    /// When it is to be looked up again.
    pub(crate) holds: Duration,
    /// Nobody answered for addresses of IPv4, or for those of IPv6.
    pub(crate) is_unknown: (bool, bool),
}

/// Looks a name up; `servers` are asked in the place of the system's, if there are any.
///
/// # Errors
/// When nobody answers, or nobody knows the name.
pub(crate) async fn look_up(name: &str, servers: &[SocketAddr]) -> io::Result<Found> {
    let (addresses, mut config) = read_files(name.to_owned()).await?;
    if !addresses.is_empty() {
        return Ok(Found::untimed(addresses));
    }
    if !servers.is_empty() {
        config.servers = servers.to_vec();
    }
    let failed = match is_local(name) {
        true => None,
        false => match search(&config, name).await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => None,
            Err(error) => Some(error),
        },
    };
    if !servers.is_empty() && !is_local(name) {
        return Err(failed.unwrap_or_else(|| io::Error::other("no name server knows it (--resolver)")));
    }
    let found: Vec<_> = match lookup_host((name, 0)).await {
        Ok(found) => found.map(|address| address.ip()).collect(),
        Err(error) => return Err(failed.unwrap_or(error)),
    };
    if found.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(Found::untimed(found)) }
}

/// What the system's files say. They are read anew each time: both change while a server runs.
async fn read_files(name: String) -> io::Result<(Vec<IpAddr>, Config)> {
    let read = move || {
        // Where a file is missing the other decides.
        let hosts = std::fs::read(HOSTS).unwrap_or_default();
        let config = std::fs::read(CONFIG).unwrap_or_default();
        (hosts::find(&hosts, &name), Config::parse(&config))
    };
    spawn_blocking(read).await.map_err(io::Error::other)
}

/// Names that no name server is to be asked for (RFC 6761 §6.3).
fn is_local(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

/// Asks for a name as it is, and in the search domains, in the order of resolv.conf(5). None if nobody knows it.
async fn search(config: &Config, name: &str) -> io::Result<Option<Found>> {
    let mut failed = None;
    for full in config.candidates(name) {
        match addresses(config, &full).await {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            // Another domain may be served by another server.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => failed = Some(error),
            Err(error) => return Err(error),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// Asks for both kinds of addresses of a name at once. None if it has none.
async fn addresses(config: &Config, name: &str) -> io::Result<Option<Found>> {
    let mut v4 = pin!(ask(config, name, Kind::V4));
    let mut v6 = pin!(ask(config, name, Kind::V6));
    let late = || Err(io::ErrorKind::TimedOut.into());
    let (v4, v6) = tokio::select! {
        first = &mut v4 => match first {
            Ok(first) if !first.addresses.is_empty() => (Ok(first), timeout(PATIENCE, v6).await.unwrap_or_else(|_| late())),
            first => (first, v6.await),
        },
        first = &mut v6 => match first {
            Ok(first) if !first.addresses.is_empty() => (timeout(PATIENCE, v4).await.unwrap_or_else(|_| late()), Ok(first)),
            first => (v4.await, first),
        },
    };
    Found::of(v4, v6)
}

impl Found {
    fn untimed(addresses: Vec<IpAddr>) -> Found {
        Found { addresses: sorted(addresses), holds: UNTIMED, is_unknown: (false, false) }
    }

    /// Both answers as one.
    fn of(v4: io::Result<Answer>, v6: io::Result<Answer>) -> io::Result<Option<Found>> {
        let is_unknown = (v4.is_err(), v6.is_err());
        let (answers, mut errors): (Vec<_>, Vec<_>) = [v4, v6].into_iter().partition(Result::is_ok);
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        let holds =
            answers.iter().filter(|answer| !answer.addresses.is_empty()).map(|answer| answer.holds).min();
        let addresses = sorted(answers.into_iter().flat_map(|answer| answer.addresses).collect());
        match (holds, errors.pop()) {
            (Some(holds), _) => {
                Ok(Some(Found { addresses, holds: holds.clamp(SHORTEST, LONGEST), is_unknown }))
            }
            (None, Some(error)) => error.map(|_| None),
            (None, None) => Ok(None),
        }
    }
}

fn sorted(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(addresses: &[&str], seconds: u64) -> io::Result<Answer> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Ok(Answer { addresses, holds: Duration::from_secs(seconds) })
    }

    fn silence() -> io::Result<Answer> {
        Err(io::ErrorKind::TimedOut.into())
    }

    #[test]
    fn the_shorter_time_holds_for_both_within_the_bounds() {
        let found =
            Found::of(answer(&["10.0.0.2", "10.0.0.1"], 60), answer(&["fd00::1"], 30)).unwrap().unwrap();
        assert_eq!(
            found.addresses,
            ["10.0.0.1", "10.0.0.2", "fd00::1"].map(|ip| ip.parse::<IpAddr>().unwrap())
        );
        assert_eq!((found.holds, found.is_unknown), (Duration::from_secs(30), (false, false)));
        let holds =
            |seconds| Found::of(answer(&["10.0.0.1"], seconds), answer(&[], 0)).unwrap().unwrap().holds;
        assert_eq!((holds(0), holds(86_400)), (SHORTEST, LONGEST));
    }

    #[test]
    fn one_kind_is_enough_and_silence_is_no_answer() {
        let found = Found::of(answer(&["10.0.0.1"], 60), silence()).unwrap().unwrap();
        assert_eq!(found.is_unknown, (false, true));
        assert_eq!(Found::of(answer(&[], 0), answer(&[], 0)).unwrap(), None);
        assert!(Found::of(answer(&[], 0), silence()).is_err());
    }

    #[test]
    fn localhost_is_not_asked_for() {
        assert!(is_local("localhost") && is_local("LocalHost.") && is_local("a.localhost"));
        assert!(!is_local("localhost.example.com") && !is_local("mylocalhost"));
    }
}
