//! How many connections each client has. An entry for each network that has any, so their number is bounded by that of the
//! connections.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::networks::Network;

/// The connections of all clients.
pub(super) struct Connections {
    most: u32,
    counts: RefCell<HashMap<Network, u32>>,
}

/// A connection, or a request of a client behind a proxy, for as long as it lives.
pub(crate) struct Counted {
    connections: Rc<Connections>,
    network: Network,
}

impl Connections {
    /// None without a limit.
    pub(super) fn new(most: u32) -> Option<Rc<Connections>> {
        (most > 0).then(|| Rc::new(Connections { most, counts: RefCell::default() }))
    }

    /// Counts one more; none if that is one too many.
    pub(super) fn count(self: &Rc<Connections>, network: Network) -> Option<Counted> {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(network).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Counted { connections: self.clone(), network })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.connections.counts.borrow_mut();
        if let Some(count) = counts.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::networks::Mask;

    #[test]
    fn what_ends_makes_room() {
        let mask = Mask { ipv4: 32, ipv6: 64 };
        let network = |text: &str| mask.network(text.parse().unwrap());
        let connections = Connections::new(2).unwrap();
        let first = connections.count(network("192.0.2.1"));
        let second = connections.count(network("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(connections.count(network("192.0.2.1")).is_none());
        let other = connections.count(network("192.0.2.2"));
        assert!(other.is_some());
        drop(first);
        assert!(connections.count(network("192.0.2.1")).is_some());
        drop((second, other));
        assert!(connections.counts.borrow().is_empty());
        assert!(Connections::new(0).is_none());
    }
}
