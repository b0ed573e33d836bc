//! The Date field, formatted once a second (RFC 9110 §6.6.1).

use std::io::Write;
use std::time::{Duration, SystemTime};

use httpdate::HttpDate;

/// The last date that was asked for. One for each thread.
#[derive(Clone, Debug)]
pub struct DateCache {
    second: u64,
    text: [u8; 29],
}

/// 31 December 9999: the last day an IMF-fixdate can spell.
const LAST_SECOND: u64 = 253_402_300_799;

impl Default for DateCache {
    fn default() -> Self {
        DateCache { second: 0, text: *b"Thu, 01 Jan 1970 00:00:00 GMT" }
    }
}

impl DateCache {
    /// The IMF-fixdate (29 bytes) of a time in whole seconds since 1970.
    pub fn at(&mut self, unix_seconds: u64) -> &[u8] {
        if unix_seconds != self.second {
            self.second = unix_seconds;
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(unix_seconds.min(LAST_SECOND));
            // The text is always 29 bytes, so it always fits.
            let _ = write!(&mut self.text[..], "{}", HttpDate::from(time));
        }
        &self.text
    }
}
