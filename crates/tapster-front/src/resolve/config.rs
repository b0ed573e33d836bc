//! /etc/resolv.conf: who is asked for names, and for which (resolv.conf(5)). Pure, but for the numbers of network interfaces.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

/// What is used of it at most: as much as the C library does.
const SERVERS: usize = 3;
const SEARCH: usize = 32;
const NDOTS: usize = 15;
const TIMEOUT: u64 = 30;
const ATTEMPTS: usize = 5;

const PORT: u16 = 53;

/// What the file says, or what holds where it says nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Config {
    /// At least one.
    pub(super) servers: Vec<SocketAddr>,
    /// Domains that a name may be in.
    search: Vec<String>,
    /// A name with at least so many dots is asked for as it is before all else.
    ndots: usize,
    /// How long one server has for one answer.
    pub(super) timeout: Duration,
    /// How often all servers are asked.
    pub(super) attempts: usize,
    /// Another server is the first each time.
    pub(super) rotates: bool,
    /// By TCP alone.
    pub(super) is_stream: bool,
}

impl Config {
    /// Reads the file. Lines and options that it does not know say nothing.
    pub(super) fn parse(text: &[u8]) -> Config {
        let mut config = Config {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotates: false,
            is_stream: false,
        };
        String::from_utf8_lossy(text).lines().for_each(|line| config.line(line));
        if config.servers.is_empty() {
            config.servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        config
    }

    /// The names that a name may mean, the likeliest first.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let mut names: Vec<_> = self.search.iter().map(|domain| format!("{name}.{domain}")).collect();
        let is_full = name.bytes().filter(|&byte| byte == b'.').count() >= self.ndots;
        names.insert(if is_full { 0 } else { names.len() }, name.to_owned());
        names
    }

    fn line(&mut self, line: &str) {
        let line = line.split(['#', ';']).next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") if self.servers.len() < SERVERS => {
                self.servers.extend(words.next().and_then(server))
            }
            // The last of these lines decides.
            Some("search") => self.search = words.take(SEARCH).filter_map(domain).collect(),
            Some("domain") => self.search = words.take(1).filter_map(domain).collect(),
            Some("options") => words.for_each(|word| self.option(word)),
            _ => {}
        }
    }

    fn option(&mut self, word: &str) {
        let (name, value) = word.split_once(':').unwrap_or((word, ""));
        match (name, value.parse::<u64>()) {
            ("ndots", Ok(number)) => self.ndots = bounded(number, NDOTS),
            ("timeout", Ok(number)) => self.timeout = Duration::from_secs(number.clamp(1, TIMEOUT)),
            ("attempts", Ok(number)) => self.attempts = bounded(number, ATTEMPTS).max(1),
            ("rotate", _) => self.rotates = true,
            ("use-vc", _) => self.is_stream = true,
            _ => {}
        }
    }
}

fn bounded(number: u64, most: usize) -> usize {
    usize::try_from(number).unwrap_or(most).min(most)
}

/// A server; one of a single network is named with its interface (`fe80::1%eth0`), which the C library turns into a number.
fn server(word: &str) -> Option<SocketAddr> {
    if let Ok(address) = word.parse() {
        return Some(SocketAddr::new(address, PORT));
    }
    let (address, _interface) = word.split_once('%')?;
    address.parse::<std::net::Ipv6Addr>().ok()?;
    (word, PORT).to_socket_addrs().ok()?.next()
}

fn domain(word: &str) -> Option<String> {
    let domain = word.trim_matches('.');
    (!domain.is_empty()).then(|| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_container_has() {
        let text = b"search shop.svc.cluster.local svc.cluster.local. cluster.local\nnameserver 10.96.0.10\n\
                     options ndots:5 timeout:1 attempts:3 rotate trust-ad\n";
        let config = Config::parse(text);
        assert_eq!(config.servers, ["10.96.0.10:53".parse().unwrap()]);
        assert_eq!((config.timeout, config.attempts, config.rotates), (Duration::from_secs(1), 3, true));
        let names = ["api.shop.svc.cluster.local", "api.svc.cluster.local", "api.cluster.local", "api"];
        assert_eq!(config.candidates("api"), names);
        assert_eq!(config.candidates("a.b.c.d.e.f")[0], "a.b.c.d.e.f");
        assert_eq!(config.candidates("api."), ["api."]);
    }

    #[test]
    fn what_is_wrong_or_missing_says_nothing() {
        let config = Config::parse(
            b"nameserver not-an-address\nnameserver\nsearch a\ndomain b c\noptions ndots:x attempts:0\n; x",
        );
        assert_eq!(config.servers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(config.candidates("x"), ["x.b", "x"]);
        assert_eq!(config.candidates("x.y"), ["x.y", "x.y.b"]);
        assert_eq!(config.attempts, 1);
        let many = Config::parse(
            b"nameserver ::1\nnameserver 10.0.0.1 # first\nnameserver 10.0.0.2\nnameserver 10.0.0.3",
        );
        assert_eq!(many.servers.len(), SERVERS);
    }

    proptest! {
        #[test]
        fn any_file_has_a_server_and_bounds(text in any::<Vec<u8>>()) {
            let config = Config::parse(&text);
            prop_assert!(!config.servers.is_empty() && config.servers.len() <= SERVERS);
        }

        #[test]
        fn any_options_have_bounds(text in "(options (ndots|timeout|attempts):[0-9]{0,22}\n){0,5}") {
            let config = Config::parse(text.as_bytes());
            prop_assert!(config.ndots <= NDOTS && (1..=ATTEMPTS).contains(&config.attempts));
            prop_assert!((1..=TIMEOUT).contains(&config.timeout.as_secs()));
        }
    }
}
