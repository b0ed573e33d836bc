//! Idle connections to hosts, the one that was used last first, and not for long: whoever is silent may be gone.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::sleep;

use super::Upstreams;
use super::link::Link;
use crate::balance::HostId;

/// Idle connections kept to each host.
const KEPT: usize = 128;

/// How often those that are too old are closed.
const SWEEP: Duration = Duration::from_secs(1);

/// The idle connections.
#[derive(Default)]
pub(super) struct Pool {
    idle: HashMap<HostId, Vec<(Link, Instant)>>,
}

impl Pool {
    /// One that is alive, as far as is known. For a request that may be sent again the event loop's word is enough; before any
    /// other the system is asked.
    pub(super) fn take(&mut self, host: HostId, may_be_sent_again: bool) -> Option<Link> {
        let idle = self.idle.get_mut(&host)?;
        let now = Instant::now();
        while let Some((link, until)) = idle.pop() {
            let is_alive = if may_be_sent_again { Link::seems_alive } else { Link::is_alive };
            if until > now && is_alive(&link) {
                return Some(link);
            }
        }
        None
    }

    /// Keeps one for this long.
    pub(super) fn keep(&mut self, host: HostId, link: Link, time: Duration) {
        let idle = self.idle.entry(host).or_default();
        if idle.len() < KEPT {
            idle.push((link, Instant::now() + time));
        }
    }

    /// Closes all that lead to a host.
    pub(super) fn forget(&mut self, host: HostId) {
        self.idle.remove(&host);
    }

    fn close_old(&mut self) {
        let now = Instant::now();
        for idle in self.idle.values_mut() {
            idle.retain(|(link, until)| *until > now && link.is_alive());
        }
    }
}

/// Closes what is too old and looks after those that wait, for as long as there are upstreams.
pub(super) fn sweep(upstreams: &Rc<Upstreams>) {
    let upstreams = Rc::downgrade(upstreams);
    spawn_local(async move {
        loop {
            sleep(SWEEP).await;
            let Some(upstreams) = upstreams.upgrade() else { return };
            upstreams.state.borrow_mut().pool.close_old();
            // A host whose time out is over is tried by those that wait for a slot of another.
            upstreams.dispatch();
        }
    });
}
