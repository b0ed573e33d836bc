//! Peers by address: reading `127.0.0.1,10.0.0.0/8,unix,*` and asking whether an address is among them.

use std::net::IpAddr;

use crate::error::Invalid;
use crate::settings::{Network, Peers};

impl Peers {
    /// Reads a list with commas. An empty text is nobody.
    ///
    /// # Errors
    /// When a part is not an address, a network, `unix` or `*`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut peers = Self { explicit: true, ..Self::default() };
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            peers.add(part)?;
        }
        Ok(peers)
    }

    /// Adds an address, a network, `unix` or `*`.
    ///
    /// # Errors
    /// When `text` is none of them.
    pub fn add(&mut self, text: &str) -> Result<(), Invalid> {
        match text {
            "*" => self.everyone = true,
            "unix" => self.unix = true,
            _ => self.networks.push(Network::parse(text)?),
        }
        Ok(())
    }

    /// Whether the peer with this address is meant. An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: &IpAddr) -> bool {
        self.everyone || self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether peers over unix sockets are meant.
    pub fn contains_unix(&self) -> bool {
        self.everyone || self.unix
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, `::1/128`, or one address.
    ///
    /// # Errors
    /// When it is neither, the prefix is too long, or bits beyond the prefix are set.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(format!("{text:?} is not an address or network"));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let width = width_of(&address);
        let prefix = match prefix {
            None => width,
            Some(digits) => prefix_length(digits).filter(|bits| *bits <= width).ok_or_else(wrong)?,
        };
        Self { address, prefix }.without_host_bits(text)
    }

    fn without_host_bits(self, text: &str) -> Result<Self, Invalid> {
        let network = masked(self.address, self.prefix);
        if network == self.address {
            return Ok(self.canonical());
        }
        Err(Invalid::with_hint(
            format!("{text:?} has bits set beyond its prefix"),
            format!("did you mean {network}/{} or {}?", self.prefix, self.address),
        ))
    }

    /// The IPv4 form of a network that lies within `::ffff:0:0/96`.
    fn canonical(self) -> Self {
        match (self.address.to_canonical(), self.prefix.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(prefix)) if self.address.is_ipv6() => Self { address, prefix },
            _ => self,
        }
    }

    /// Whether the address lies in this network.
    pub fn contains(&self, address: &IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }
}

fn prefix_length(digits: &str) -> Option<u8> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn width_of(address: &IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}
