//! Whole requests that found no free thread, oldest first. Part of a lane's connections, under the same lock.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::connection::{Connection, State};

use super::connections::{Core, Place, Slot};

impl Core {
    fn note_waiting(&self) {
        let before = self.load.waiting.swap(self.waiting.len(), Ordering::SeqCst);
        self.board.waiting_changed(self.waiting.len() as i64 - before as i64);
    }

    /// The oldest whole request that waits, for a thread that answers it.
    pub(crate) fn next_waiting(&mut self) -> Option<Box<Connection>> {
        let next = self.pop_waiting()?;
        self.flow.note();
        Some(next)
    }

    fn pop_waiting(&mut self) -> Option<Box<Connection>> {
        while let Some(key) = self.waiting.pop_front() {
            self.note_waiting();
            if let Some(connection) = self.take(key) {
                return Some(connection);
            }
        }
        None
    }

    /// The whole request that has waited for the longest, if it has since `before` or longer.
    pub(crate) fn take_waiting_since(&mut self, before: Instant) -> Option<Box<Connection>> {
        (self.waits_since()? <= before).then(|| self.pop_waiting()).flatten()
    }

    /// Takes the whole request that came last, if it is one of more than will get on within `limit`.
    pub(crate) fn take_waiting_beyond(&mut self, limit: Duration, now: Instant) -> Option<Box<Connection>> {
        let room = self.flow.room(limit, now)?;
        while self.waiting.len() > room {
            let key = self.waiting.pop_back()?;
            self.note_waiting();
            if let Some(connection) = self.take(key) {
                return Some(connection);
            }
        }
        None
    }

    /// Puts a request back to where it was taken from.
    pub(crate) fn wait_on(&mut self, connection: Box<Connection>) {
        let key = connection.key;
        self.wait_for_thread(connection);
        if self.waiting.back() == Some(&key) {
            self.waiting.rotate_right(1);
        }
    }

    /// Since when the oldest of the whole requests waits.
    pub(crate) fn waits_since(&mut self) -> Option<Instant> {
        while let Some(key) = self.waiting.front() {
            if let Some(Slot { place: Place::Resting(connection), .. }) = self.slots.get(*key)
                && matches!(connection.state, State::Waiting(_))
            {
                return connection.since;
            }
            // Its client has left it.
            self.waiting.pop_front();
            self.note_waiting();
        }
        None
    }

    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Queues a whole request until a thread is free.
    pub(crate) fn wait_for_thread(&mut self, connection: Box<Connection>) {
        let key = connection.key;
        if let Some(slot) = self.slots.get_mut(key) {
            self.wheel.set(key, &mut slot.timer, None);
            slot.place = Place::Resting(connection);
            if self.waiting.is_empty() {
                self.flow.forget();
            }
            self.waiting.push_back(key);
            self.note_waiting();
        }
    }
}
