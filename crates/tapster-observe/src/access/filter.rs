//! Which requests the access log has: by status and by time, and never those of probes.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::AccessEvent;

/// A request that took this long is written even where only failures are.
pub const SLOW: Duration = Duration::from_secs(30);

/// Whose requests are probes, whatever they ask for.
const PROBERS: &[&[u8]] = &[b"kube-probe/"];
/// Paths that belong to the server itself.
const OWN: &[u8] = b"/-/";

/// Which requests `--access-log` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AccessMode {
    /// All on a terminal; elsewhere 5xx and slow ones.
    #[default]
    Auto,
    /// All.
    On,
    /// None.
    Off,
}

/// Decides which requests are written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AccessFilter {
    mode: AccessMode,
    /// Those with one of these statuses.
    statuses: Vec<RangeInclusive<u16>>,
    /// And those that took this long or longer.
    slower: Option<Duration>,
    /// But none whose path is one of these or below one.
    skipped: Vec<Box<[u8]>>,
    all: bool,
    /// It was said which.
    is_narrowed: bool,
}

impl AccessFilter {
    /// What a mode means where nothing else is asked for.
    pub fn new(mode: AccessMode) -> AccessFilter {
        AccessFilter { mode, ..AccessFilter::default() }
    }

    /// Only requests with one of these statuses, or as slow as [`AccessFilter::slower`] says.
    #[must_use]
    pub fn with_statuses(self, statuses: Vec<RangeInclusive<u16>>) -> AccessFilter {
        AccessFilter { statuses, ..self }
    }

    /// Only requests that took this long, or have one of the statuses.
    #[must_use]
    pub fn slower(self, slower: Option<Duration>) -> AccessFilter {
        AccessFilter { slower, ..self }
    }

    /// No requests for these paths and what is below them.
    #[must_use]
    pub fn without(self, paths: impl IntoIterator<Item = String>) -> AccessFilter {
        let skipped = paths.into_iter().map(|path| path.trim_end_matches('/').as_bytes().into()).collect();
        AccessFilter { skipped, ..self }
    }

    /// Decides what `auto` means for an output that a person reads, or not.
    pub(crate) fn decide(mut self, terminal: bool) -> AccessFilter {
        let is_narrowed = !self.statuses.is_empty() || self.slower.is_some();
        self.is_narrowed = is_narrowed;
        self.all = !is_narrowed && (self.mode == AccessMode::On || self.mode == AccessMode::Auto && terminal);
        if self.mode == AccessMode::Auto && !is_narrowed && !terminal {
            self.statuses = vec![500..=u16::MAX];
            self.slower = Some(SLOW);
        }
        self
    }

    /// Whether nothing is ever written.
    pub fn is_off(&self) -> bool {
        self.mode == AccessMode::Off
    }

    /// Whether a request with this status that took this long is written, unless it is a probe's.
    #[inline]
    pub fn wants(&self, status: u16, duration: Duration) -> bool {
        self.all || !self.is_off() && self.matches(status, duration)
    }

    /// Whether a refusal with this status is written.
    pub(crate) fn wants_refusal(&self, status: u16) -> bool {
        self.all || self.is_narrowed && self.wants(status, Duration::ZERO)
    }

    fn matches(&self, status: u16, duration: Duration) -> bool {
        self.slower.is_some_and(|slower| duration >= slower)
            || self.statuses.iter().any(|range| range.contains(&status))
    }

    /// Whether a request is no visitor's: a probe looks whether the server lives, every few seconds, for ever.
    pub(crate) fn is_probe(&self, event: &AccessEvent<'_>) -> bool {
        let path = event.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        path.starts_with(OWN)
            || self.skipped.iter().any(|skipped| is_below(path, skipped))
            || event.user_agent.is_some_and(|agent| PROBERS.iter().any(|prober| agent.starts_with(prober)))
    }
}

fn is_below(path: &[u8], parent: &[u8]) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::format::tests::event;

    const FAST: Duration = Duration::from_millis(1);

    #[test]
    fn auto_shows_all_at_a_terminal_and_failures_elsewhere() {
        assert!(AccessFilter::new(AccessMode::Auto).decide(true).wants(200, FAST));
        let quiet = AccessFilter::new(AccessMode::Auto).decide(false);
        assert!(!quiet.wants(404, FAST) && quiet.wants(500, FAST) && quiet.wants(200, SLOW));
        assert!(AccessFilter::new(AccessMode::On).decide(false).wants(200, FAST));
        assert!(!AccessFilter::new(AccessMode::Off).decide(true).wants(500, SLOW));
    }

    #[test]
    fn statuses_and_slowness_narrow_it_together() {
        let half = Duration::from_millis(500);
        for mode in [AccessMode::Auto, AccessMode::On] {
            let filter = AccessFilter::new(mode).with_statuses(vec![400..=499, 503..=503]).slower(Some(half));
            let filter = filter.decide(true);
            assert!(!filter.wants(200, FAST) && !filter.wants(500, FAST));
            assert!(filter.wants(404, FAST) && filter.wants(503, FAST) && filter.wants(200, half));
        }
        let off = AccessFilter::new(AccessMode::Off).slower(Some(half)).decide(true);
        assert!(off.is_off() && !off.wants(200, half));
    }

    #[test]
    fn probes_are_told_by_path_and_by_name() {
        let filter = AccessFilter::new(AccessMode::On).without(["/health/".to_owned()]).decide(false);
        for (target, agent, is_probe) in [
            ("/health", None, true),
            ("/health?deep=1", None, true),
            ("/health/db", None, true),
            ("/healthy", None, false),
            ("/-/ready", None, true),
            ("/", Some("kube-probe/1.31"), true),
            ("/", Some("curl/8"), false),
        ] {
            let event = event(target.as_bytes(), agent.map(str::as_bytes));
            assert_eq!(filter.is_probe(&event), is_probe, "{target} {agent:?}");
        }
    }
}
