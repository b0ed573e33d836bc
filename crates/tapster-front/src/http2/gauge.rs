//! What a connection as a whole may not do, whatever its streams do: flood us with frames that carry nothing, and leave unread
//! what is ready for it.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use super::budget::Budget;
use super::frames::{CONTINUATION, DATA, Frames, HEADERS};
use crate::pace::{Pace, PaceLimits};

/// Frames that carry nothing (PING, SETTINGS, PRIORITY, RST_STREAM, WINDOW_UPDATE, unknown ones) that may come at once, and
/// how many more in each second.
const CONTROL: u32 = 1000;
const CONTROL_RATE: u32 = 100;

/// How many come with a request at most, and for each frame of an answer: the latter opens two windows.
const OF_REQUEST: u32 = 4;
const OF_ANSWER: u32 = 2;

/// The account of one connection.
pub(super) struct Gauge {
    control: Budget,
    came: RefCell<Frames>,
    went: RefCell<Frames>,
    pace: RefCell<Pace>,
    /// Since when the client's system takes nothing of what is to be sent.
    stuck: Cell<Option<Instant>>,
}

impl Gauge {
    pub(super) fn new() -> Gauge {
        Gauge {
            control: Budget::new(CONTROL, CONTROL_RATE),
            came: RefCell::new(Frames::of_client()),
            went: RefCell::new(Frames::of_server()),
            pace: RefCell::default(),
            stuck: Cell::new(None),
        }
    }

    /// These bytes came.
    pub(super) fn read(&self, bytes: &[u8]) {
        self.came.borrow_mut().follow(bytes, |kind, length| match kind {
            HEADERS => self.control.earn(OF_REQUEST),
            // Their number is bounded by `h2`.
            DATA | CONTINUATION if length > 0 => {}
            _ => self.control.spend(),
        });
    }

    /// These bytes left.
    pub(super) fn wrote(&self, bytes: &[u8]) {
        let pace = &mut *self.pace.borrow_mut();
        if let Some(since) = self.stuck.take() {
            pace.waited(since.elapsed());
        }
        pace.moved(bytes.len());
        self.went.borrow_mut().follow(bytes, |kind, _| {
            if kind == DATA {
                self.control.earn(OF_ANSWER);
            }
        });
    }

    /// There is no room for what is to leave.
    pub(super) fn is_stuck(&self) {
        if self.stuck.get().is_none() {
            self.stuck.set(Some(Instant::now()));
        }
    }

    /// Whether more came than is allowed.
    pub(super) fn is_flooded(&self) -> bool {
        self.control.is_spent()
    }

    /// Until when the client may go on reading nothing; none while it reads.
    pub(super) fn deadline(&self, limits: &PaceLimits) -> Option<Instant> {
        let (limit, _) = self.pace.borrow().limit(limits);
        self.stuck.get().map(|since| since + limit)
    }
}
