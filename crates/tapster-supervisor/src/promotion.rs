//! What a worker keeps that may become a template (`--refork-after`), and the moment in which it does. Run by workers that a
//! template forked.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};

use tapster_sys::inbox::Inbox;

use crate::TemplateStart;
use crate::worker_start::Inheritance;

/// Handles of its own for everything that a template needs: both ends of all inboxes, the listeners.
pub struct Promotion {
    inheritance: Inheritance,
}

impl Promotion {
    /// Keeps what this process has inherited, if it may be asked for it. It takes two descriptors for each slot.
    ///
    /// # Errors
    /// When there is no room for the descriptors.
    pub(crate) fn keep(inheritance: &Inheritance) -> io::Result<Option<Promotion>> {
        if !inheritance.may_be_promoted {
            return Ok(None);
        }
        Ok(Some(Promotion { inheritance: inheritance.try_clone()? }))
    }

    /// The numbers of what is kept: a process that the application forks must let go of them.
    pub fn descriptors(&self) -> Vec<RawFd> {
        let Inheritance { channels, listeners, alive, .. } = &self.inheritance;
        let listeners = listeners.iter().map(|listener| listener.as_fd().as_raw_fd());
        channels.descriptors().chain(listeners).chain([alive.as_raw_fd()]).collect()
    }

    /// Makes this process a template, and tells the supervisor. It must have one thread, and nothing of the worker's is
    /// to be in use: another worker may have its slot at once.
    ///
    /// # Errors
    /// When the system refuses the inbox, or the supervisor cannot be told: then nobody has heard of it.
    pub fn begin(self) -> io::Result<TemplateStart> {
        let (orders, supervisors) = Inbox::pair()?;
        TemplateStart::promoted(self.inheritance, orders, &supervisors)
    }
}
