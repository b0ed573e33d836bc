//! One front's part of the scoreboard: what it does for its clients, and how its upstreams are. The front's one thread writes
//! it; the supervisor and tools read it.

mod hosts;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::refusals::{REASONS, place_of};
use crate::scoreboard::Words;
use crate::tally::{LogCounts, Places, Tally};

use hosts::{HOST_WORDS, HOSTS};
pub use hosts::{HostBoard, HostState, HostView};

const PID: usize = 0;
const READY: usize = 1;
const UPSTREAMS: usize = 2;
const STATUSES: usize = 9;
const REFUSED: usize = 20;
/// Of the log: dropped lines, errors, warnings, and those of them that were not logged.
const LOG: usize = 52;
/// Words before the hosts.
const OWN_WORDS: usize = 56;

/// Words of a front: whole pairs of cache lines.
pub(crate) const FRONT_WORDS: usize = (OWN_WORDS + HOSTS * HOST_WORDS).next_multiple_of(16);

/// Status classes 1xx to 5xx.
const CLASSES: usize = 5;

/// How many there are now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrontGauge {
    /// Open connections of clients.
    Connections = 3,
    /// Requests that wait for a worker or for a slot of an upstream.
    Waiting = 4,
    /// Requests that wait until any worker or upstream can be reached (`--hold`).
    Holding = 5,
    /// Connections that speak HTTP/2.
    Http2Connections = 6,
    /// Streams on them.
    Http2Streams = 7,
    /// Bytes that the cache may hold; 0 without one.
    CacheSize = 40,
    /// Bytes that it holds, with what it needs beside the answers.
    CacheBytes = 41,
    /// Targets whose answers it holds.
    CacheEntries = 42,
}

/// All that belong to a process.
const GAUGES: [FrontGauge; 8] = [
    FrontGauge::Connections,
    FrontGauge::Waiting,
    FrontGauge::Holding,
    FrontGauge::Http2Connections,
    FrontGauge::Http2Streams,
    FrontGauge::CacheSize,
    FrontGauge::CacheBytes,
    FrontGauge::CacheEntries,
];

/// How often something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrontCounter {
    /// Bytes of the bodies of answers.
    Bytes = 8,
    /// Requests that waited because no worker or upstream could be reached.
    Held = 14,
    /// Requests that were sent once more.
    Retries = 15,
    /// Clients that speak TLS by now.
    TlsHandshakes = 16,
    /// Clients that came to a port for TLS and did not get that far.
    TlsFailures = 17,
    /// Connections that spoke HTTP/2.
    Http2Connections = 18,
    /// Streams on them.
    Http2Streams = 19,
    /// Names of upstreams that were looked up and not found.
    NamesNotFound = 39,
    // Where there is a cache, each request counts in one of the five that follow.
    /// Requests that were answered with a kept answer that is fresh.
    CacheHits = 43,
    /// Requests that were passed on because no kept answer could be given.
    CacheMisses = 44,
    /// Requests that were answered with a kept answer that is no longer fresh.
    CacheStale = 45,
    /// Requests that waited for the answer to another one, and got it.
    CacheCoalesced = 46,
    /// Requests that were none of the cache's business.
    CacheBypassed = 47,
    /// Answers that were stored.
    CacheStored = 48,
    /// Kept answers that were asked about and found to be right still.
    CacheRevalidated = 49,
    /// Targets whose answers went because the cache was full, or were too large for it.
    CacheEvicted = 50,
    /// Targets whose answers were removed by an order, or because something was written there.
    CachePurged = 51,
}

/// The counters of one front. Clones show the same memory.
#[derive(Clone)]
pub struct FrontBoard {
    words: Words,
    first: usize,
}

/// One that counts as there, until it is dropped.
#[derive(Debug)]
pub struct Present {
    board: FrontBoard,
    gauge: FrontGauge,
}

impl FrontBoard {
    pub(crate) fn new(words: Words, first: usize) -> FrontBoard {
        FrontBoard { words, first }
    }

    /// Gives it to a new process, or with 0 to none. What belongs to a process (what there is now, its upstreams) is
    /// forgotten, what was counted stays.
    pub fn reset(&self, pid: u32) {
        let own = self.own();
        for place in [READY, UPSTREAMS].into_iter().chain(GAUGES.map(|gauge| gauge as usize)) {
            own[place].store(0, Relaxed);
        }
        (0..HOSTS).for_each(|place| self.host_at(place).clear());
        own[PID].store(u64::from(pid), Relaxed);
    }

    /// Where the log of the front counts.
    pub(crate) fn tally(&self) -> Tally {
        let first = self.first + LOG;
        let [dropped, errors, warnings, suppressed] = [first, first + 1, first + 2, first + 3];
        Tally::new(self.words.clone(), Places { dropped, errors, warnings, suppressed })
    }

    /// What its log has counted, in all its processes.
    pub fn log_counts(&self) -> LogCounts {
        self.tally().counts()
    }

    /// Says whether it takes clients.
    pub fn set_ready(&self, ready: bool) {
        self.own()[READY].store(u64::from(ready), Relaxed);
    }

    /// Whether it takes clients.
    pub fn is_ready(&self) -> bool {
        self.own()[READY].load(Relaxed) != 0
    }

    /// The process; none when there is none.
    pub fn pid(&self) -> Option<u32> {
        u32::try_from(self.own()[PID].load(Relaxed)).ok().filter(|pid| *pid != 0)
    }

    /// Says how many upstreams it was given, each of which may stand for several hosts or for none yet.
    pub fn set_upstreams(&self, count: usize) {
        self.own()[UPSTREAMS].store(count as u64, Relaxed);
    }

    /// How many upstreams it was given.
    pub fn upstreams(&self) -> u64 {
        self.own()[UPSTREAMS].load(Relaxed)
    }

    /// Counts an answer, with the bytes of its body.
    pub fn answered(&self, status: u16, bytes: u64) {
        let own = self.own();
        add(&own[STATUSES + class(status)], 1);
        add(&own[FrontCounter::Bytes as usize], bytes);
    }

    /// Counts a refusal by its reason, besides [`FrontBoard::answered`].
    pub fn refused(&self, status: u16) {
        add(&self.own()[REFUSED + place_of(status)], 1);
    }

    /// Counts one more.
    pub fn count(&self, counter: FrontCounter) {
        self.count_many(counter, 1);
    }

    /// Counts so many more.
    pub fn count_many(&self, counter: FrontCounter, more: u64) {
        add(&self.own()[counter as usize], more);
    }

    /// Says how many there are now, where they are not counted one by one.
    pub fn set(&self, gauge: FrontGauge, now: u64) {
        self.own()[gauge as usize].store(now, Relaxed);
    }

    /// Counts one as there for as long as what is returned is kept.
    pub fn enter(&self, gauge: FrontGauge) -> Present {
        self.own()[gauge as usize].fetch_add(1, Relaxed);
        Present { board: self.clone(), gauge }
    }

    /// How many there are now.
    pub fn now(&self, gauge: FrontGauge) -> u64 {
        (self.own()[gauge as usize].load(Relaxed) as i64).max(0) as u64
    }

    /// How often it happened.
    pub fn counted(&self, counter: FrontCounter) -> u64 {
        self.own()[counter as usize].load(Relaxed)
    }

    /// All answers: 1xx, 2xx, 3xx, 4xx, 5xx.
    pub fn statuses(&self) -> [u64; CLASSES] {
        std::array::from_fn(|class| self.own()[STATUSES + class].load(Relaxed))
    }

    /// Refusals by their status, 0 for those that are not counted apart; only those that there were.
    pub fn refusals(&self) -> Vec<(u16, u64)> {
        let counts = self.own()[REFUSED..].iter().map(|word| word.load(Relaxed));
        REASONS.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// A place for the counters of a host, until it is dropped; none when all are taken.
    pub fn add_host(&self, group: &str, name: &str) -> Option<HostBoard> {
        (0..HOSTS).map(|place| self.host_at(place)).find_map(|host| host.take(group, name))
    }

    /// The hosts of its upstreams.
    pub fn hosts(&self) -> Vec<HostView> {
        (0..HOSTS).filter_map(|place| self.host_at(place).view()).collect()
    }

    /// Whether a request would be served: it takes clients, and one of its upstreams requests, if it has any.
    pub fn serves(&self) -> bool {
        let some_host = || (0..HOSTS).any(|place| self.host_at(place).serves());
        self.is_ready() && (self.upstreams() == 0 || some_host())
    }

    fn host_at(&self, place: usize) -> hosts::Place {
        hosts::Place::new(self.words.clone(), self.first + OWN_WORDS + place * HOST_WORDS)
    }

    fn own(&self) -> &[AtomicU64] {
        &self.words[self.first..self.first + OWN_WORDS]
    }
}

impl fmt::Debug for FrontBoard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FrontBoard").field("pid", &self.pid()).finish_non_exhaustive()
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.board.own()[self.gauge as usize].fetch_sub(1, Relaxed);
    }
}

/// 0 for 1xx to 4 for 5xx. What no HTTP status is counts as a failure of the server.
fn class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=4 => usize::from(class) - 1,
        _ => 4,
    }
}

/// By the front alone, which is one thread.
fn add(word: &AtomicU64, count: u64) {
    word.store(word.load(Relaxed).wrapping_add(count), Relaxed);
}

#[cfg(test)]
mod tests;
