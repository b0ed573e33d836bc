//! Where a host is, and how it is spoken to.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tapster_config::{Upstream, UpstreamPlace, UpstreamProtocol};
use tapster_observe::{HostBoard, HostState};

use crate::balance::Standing;

/// One address of an upstream.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) protocol: UpstreamProtocol,
    pub(super) address: Address,
    /// Its URL, and the address behind it where a name may have several.
    pub(super) name: String,
    /// Its place on the scoreboard, if there is one for it.
    pub(super) board: RefCell<Option<HostBoard>>,
    /// It refuses connections, and is tried from time to time.
    pub(super) is_tried: Cell<bool>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Address {
    Inet(SocketAddr),
    Unix(PathBuf),
}

impl Place {
    pub(super) fn new(upstream: &Upstream, address: Address) -> Place {
        let name = match (&address, &upstream.place) {
            (Address::Inet(address), UpstreamPlace::Host(..)) => format!("{upstream} ({address})"),
            _ => upstream.to_string(),
        };
        Place {
            protocol: upstream.protocol,
            address,
            name,
            board: RefCell::default(),
            is_tried: Cell::new(false),
        }
    }

    /// Shows how it is to whoever looks at the scoreboard, and that it stays so for `left` if nothing happens.
    pub(super) fn show(&self, standing: Standing, left: Duration) {
        let state = match standing {
            Standing::In if left.is_zero() => HostState::Healthy,
            Standing::In => HostState::SlowStart,
            Standing::Unknown => HostState::Unknown,
            Standing::Ejected => HostState::Ejected,
            Standing::Refusing => HostState::Refusing,
            Standing::Ill => HostState::Unhealthy,
        };
        self.board.borrow().iter().for_each(|board| board.set_state(state, left));
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)
    }
}
