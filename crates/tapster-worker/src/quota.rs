//! How many requests a worker answers before it asks for a successor (`--max-requests`). Looked at after polls, and only
//! when the option is on: no request pays for it.

use std::sync::atomic::{AtomicBool, Ordering};

use tapster_config::Settings;
use tapster_sys::inbox::{Message, Retire};
use tapster_sys::jitter;

use crate::worker::Shared;

/// A worker's number of requests.
pub(crate) struct Quota {
    /// None where there is no bound.
    most: Option<u64>,
    is_told: AtomicBool,
}

impl Quota {
    /// The bound of one worker: each draws its own jitter.
    pub(crate) fn new(settings: &Settings) -> Quota {
        let recycling = &settings.recycling;
        let draw = |most: u32| u64::from(most) + jitter::up_to(recycling.requests_jitter.into());
        let most = (recycling.requests > 0).then(|| draw(recycling.requests));
        Quota { most, is_told: AtomicBool::new(false) }
    }
}

impl Shared<'_> {
    /// Asks for a successor when the quota is used up. The worker serves on until it is told to drain.
    pub(crate) fn look_at_quota(&self) {
        let Quota { most: Some(most), is_told } = &self.quota else { return };
        if is_told.load(Ordering::Relaxed) || self.is_draining() {
            return;
        }
        let answered = self.board.requests();
        if answered >= *most {
            let requests = u32::try_from(answered).unwrap_or(u32::MAX);
            // A full inbox is tried again after the next poll.
            let sent = self.inbox.send(Message::Retire(Retire::Requests(requests)), None).is_ok();
            is_told.store(sent, Ordering::Relaxed);
        }
    }
}
