//! What the file thread needs to work for a connection: the spool, the log, and the way back to the loop.

use std::sync::{Arc, Weak};

use tapster_observe::Log;

use crate::lane::Lane;
use crate::spool::Spool;
use crate::worker::Shared;

/// One connection's, which may be gone when the file thread is done.
#[derive(Clone)]
pub(crate) struct Backing {
    pub(crate) spool: Arc<Spool>,
    pub(crate) log: Log,
    lane: Weak<Lane>,
    key: usize,
}

impl Backing {
    pub(crate) fn of(shared: &Shared, key: usize) -> Backing {
        Backing {
            spool: shared.spool.clone(),
            log: shared.log.clone(),
            lane: Arc::downgrade(shared.lane),
            key,
        }
    }

    /// Says that the connection can go on. Its number may be another's by now, whom it does not hurt.
    pub(crate) fn tell_loop(&self) {
        if let Some(lane) = self.lane.upgrade() {
            lane.resume(self.key);
        }
    }
}
