//! How often a client may come: a bucket of requests for each network, refilled at a rate. It is kept as one number, the time
//! at which the bucket is full again (the generic cell rate algorithm, ITU-T I.371).

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use tapster_config::RequestLimit;

use super::networks::Network;
use super::paths::{Paths, Prefix};
use super::recent::Recent;

/// Networks that a limit remembers: some 8 MiB at most.
const NETWORKS: usize = 64 * 1024;

/// One `--limit-requests`.
pub(super) struct Limit {
    rule: RequestLimit,
    prefix: Prefix,
    rate: Rate,
    /// When the bucket of each is full again.
    full: RefCell<Recent<Network, Duration>>,
}

/// What a bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug)]
struct Rate {
    /// For one request.
    interval: Duration,
    /// For all of it.
    whole: Duration,
}

impl Limit {
    pub(super) fn new(rule: &RequestLimit) -> Limit {
        let interval = rule.per / rule.requests;
        Limit {
            prefix: Prefix::new(rule.prefix.as_deref()),
            rate: Rate { interval, whole: interval * rule.burst },
            full: RefCell::new(Recent::new(NETWORKS)),
            rule: rule.clone(),
        }
    }

    /// Whether it is not for all paths.
    pub(super) fn needs_path(&self) -> bool {
        self.prefix.is_some()
    }

    /// Whether it is for a request with this path.
    pub(super) fn is_for(&self, paths: Option<&Paths<'_>>) -> bool {
        self.prefix.is_of(paths)
    }

    /// Takes a request of a client.
    ///
    /// # Errors
    /// How long until there is one, if there is none now.
    pub(super) fn take(&self, network: Network, now: Duration) -> Result<(), Duration> {
        let mut full = self.full.borrow_mut();
        let full = full.get(network, || Duration::ZERO);
        *full = self.rate.take(*full, now)?;
        Ok(())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RequestLimit { prefix, requests, per, burst } = &self.rule;
        if let Some(prefix) = prefix {
            write!(out, "{prefix}=")?;
        }
        let unit = match per.as_secs() {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        write!(out, "{requests}/{unit}")?;
        if burst == requests { Ok(()) } else { write!(out, ",burst={burst}") }
    }
}

impl Rate {
    /// When the bucket is full again after one more; an error says how long until there is one more.
    fn take(&self, full: Duration, now: Duration) -> Result<Duration, Duration> {
        let full = full.max(now) + self.interval;
        match full.checked_sub(now + self.whole) {
            None | Some(Duration::ZERO) => Ok(full),
            Some(wait) => Err(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::admission::networks::Mask;

    fn limit(requests: u32, per: u64, burst: u32) -> Limit {
        Limit::new(&RequestLimit { prefix: None, requests, per: Duration::from_secs(per), burst })
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let limit = limit(2, 1, 3);
        let network = Mask { ipv4: 32, ipv6: 64 }.network([192, 0, 2, 1].into());
        let at = Duration::from_millis;
        for _ in 0..3 {
            assert_eq!(limit.take(network, at(100)), Ok(()));
        }
        assert_eq!(limit.take(network, at(100)), Err(at(500)));
        assert_eq!(limit.take(network, at(400)), Err(at(200)));
        assert_eq!(limit.take(network, at(600)), Ok(()));
        assert_eq!(limit.take(network, at(600)), Err(at(500)));
        // After a long time there are no more than the burst.
        for _ in 0..3 {
            assert_eq!(limit.take(network, at(60_000)), Ok(()));
        }
        assert!(limit.take(network, at(60_000)).is_err());
    }

    #[test]
    fn a_million_clients_take_no_more_memory_than_some() {
        let limit = limit(1, 60, 1);
        let mask = Mask { ipv4: 32, ipv6: 64 };
        let now = Duration::from_secs(1);
        for number in 0..1_000_000_u32 {
            assert_eq!(limit.take(mask.network(number.to_be_bytes().into()), now), Ok(()));
        }
        assert_eq!(limit.full.borrow().len(), NETWORKS);
        // Those that came last are known, those that came first forgotten.
        assert!(limit.take(mask.network(999_999_u32.to_be_bytes().into()), now).is_err());
        assert!(limit.take(mask.network(0_u32.to_be_bytes().into()), now).is_ok());
    }

    proptest! {
        /// Whenever requests come, no more pass in any time than the burst and what the rate gives.
        #[test]
        fn no_more_pass_than_the_rate_gives(
            requests in 1_u32..50, burst in 1_u32..20, gaps in proptest::collection::vec(0_u64..300, 1..200),
        ) {
            let rate = limit(requests, 1, burst).rate;
            let (mut full, mut now, mut passed) = (Duration::ZERO, Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                match rate.take(full, now) {
                    Ok(next) => { full = next; passed.push(now); }
                    // Who waits as long as is said passes.
                    Err(wait) => prop_assert!(rate.take(full, now + wait).is_ok() && wait <= rate.interval),
                }
            }
            for (index, first) in passed.iter().enumerate() {
                for (count, last) in passed[index..].iter().enumerate() {
                    let most = burst as f64 + (*last - *first).as_secs_f64() * f64::from(requests) + 0.001;
                    prop_assert!((count + 1) as f64 <= most);
                }
            }
        }
    }
}
