//! Addresses by their leading bits: what counts as one client, and sets of networks of any size.

use std::collections::HashSet;
use std::net::IpAddr;

/// How many leading bits make a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    pub(super) ipv4: u8,
    pub(super) ipv6: u8,
}

/// A network as a number: its address without the bits behind the prefix. IPv4 ones are those that are mapped into IPv6
/// (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Network(u128);

/// What an IPv4 prefix is longer by as one of IPv6.
const MAPPED: u8 = 96;

impl Mask {
    /// The client that an address belongs to.
    pub(super) fn network(&self, address: IpAddr) -> Network {
        Network(masked(number(address), self.bits(address)))
    }

    /// The same for the log: `192.0.2.1`, `2001:db8::/64`.
    pub(super) fn shown(&self, address: IpAddr) -> String {
        let number = masked(number(address), self.bits(address));
        let network = IpAddr::from(number.to_be_bytes()).to_canonical();
        match address {
            IpAddr::V4(_) if self.ipv4 == 32 => network.to_string(),
            IpAddr::V4(_) => format!("{network}/{}", self.ipv4),
            IpAddr::V6(_) => format!("{network}/{}", self.ipv6),
        }
    }

    fn bits(&self, address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => self.ipv4 + MAPPED,
            IpAddr::V6(_) => self.ipv6,
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(number: u128, bits: u8) -> u128 {
    number & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

/// Networks, for each length of prefix those that have it: as many look-ups as there are lengths, however many networks.
#[derive(Default)]
pub(super) struct Networks {
    by_bits: Vec<(u8, HashSet<u128>)>,
}

impl Networks {
    /// Adds one.
    pub(super) fn add(&mut self, network: &tapster_config::Network) {
        let mapped = if network.address.is_ipv4() { MAPPED } else { 0 };
        let bits = network.prefix + mapped;
        let number = masked(number(network.address), bits);
        match self.by_bits.iter_mut().find(|(length, _)| *length == bits) {
            Some((_, numbers)) => drop(numbers.insert(number)),
            None => self.by_bits.push((bits, HashSet::from([number]))),
        }
    }

    /// Whether an address lies in one of them.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let number = number(address.to_canonical());
        // A prefix of IPv6 that holds all mapped addresses means no IPv4.
        let least = if address.to_canonical().is_ipv4() { MAPPED } else { 0 };
        let mut lengths = self.by_bits.iter().filter(|(bits, _)| *bits >= least);
        lengths.any(|(bits, numbers)| numbers.contains(&masked(number, *bits)))
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.by_bits.iter().map(|(_, numbers)| numbers.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_client_is_a_network() {
        let mask = Mask { ipv4: 24, ipv6: 64 };
        let network = |text: &str| mask.network(text.parse().unwrap());
        assert_eq!(network("192.0.2.1"), network("192.0.2.255"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(mask.shown("192.0.2.9".parse().unwrap()), "192.0.2.0/24");
        assert_eq!(mask.shown("2001:db8::9".parse().unwrap()), "2001:db8::/64");
        assert_eq!(Mask { ipv4: 32, ..mask }.shown("192.0.2.9".parse().unwrap()), "192.0.2.9");
    }

    fn addresses() -> impl Strategy<Value = IpAddr> {
        // Few different ones, so that some lie in the networks.
        prop_oneof![
            any::<[u8; 4]>().prop_map(|bytes| IpAddr::from(bytes.map(|byte| byte & 3))),
            any::<[u8; 16]>().prop_map(|bytes| IpAddr::from(bytes.map(|byte| byte & 1))),
        ]
    }

    proptest! {
        #[test]
        fn a_set_is_what_its_networks_are(
            networks in proptest::collection::vec((addresses(), 0_u8..=128), 0..20),
            address in addresses(),
        ) {
            let mut set = Networks::default();
            let mut all = Vec::new();
            for (address, bits) in networks {
                let width = if address.is_ipv4() { 32 } else { 128 };
                let bits = bits.min(width);
                let number = masked(number(address), if address.is_ipv4() { bits + MAPPED } else { bits });
                let first = IpAddr::from(number.to_be_bytes());
                let first = if address.is_ipv4() { first.to_canonical() } else { first };
                let network = tapster_config::Network { address: first, prefix: bits };
                set.add(&network);
                all.push(network);
            }
            prop_assert_eq!(set.contain(address), all.iter().any(|network| network.contains(&address)));
        }
    }
}
