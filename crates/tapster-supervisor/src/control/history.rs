//! What has happened so far, as operators ask for it: reloads and how they ended, and why workers were restarted. Learns
//! from the reports that the fleet makes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tapster_sys::wait::Status;

use crate::{Report, TemplateNews};

/// Time since the supervisor started.
type Time = Duration;

/// Reloads that are remembered.
const REMEMBERED: usize = 20;

/// The end of a reload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReloadEnd {
    /// Why it failed; none when it did not.
    pub error: Option<String>,
    /// From the order to the end.
    pub took: Duration,
    /// When it ended.
    pub at: Time,
}

/// What has happened since the start.
#[derive(Debug, Default)]
pub struct History {
    /// Reloads that replaced every worker.
    pub reloads: u64,
    /// Reloads that were given up.
    pub failed_reloads: u64,
    /// The reloads that ended last, the last one at the end.
    pub ended_reloads: VecDeque<ReloadEnd>,
    /// Why workers ended unasked or were replaced one by one, and how often.
    pub restarts: BTreeMap<&'static str, u64>,
    /// Whether a worker has served.
    pub started: bool,
    /// Whether the end was asked for, or is certain.
    pub stopping: bool,
    /// When the reload that runs was ordered.
    reload: Option<Time>,
    /// Why the last worker that did not start did not.
    boot_failure: Option<String>,
    /// What a worker said of the application that it cannot load, by slot.
    reasons: BTreeMap<usize, String>,
}

/// What a template said has no slot.
const TEMPLATE: usize = usize::MAX;

impl History {
    /// Keeps what a worker said of the application that it cannot load.
    pub fn note_reason(&mut self, slot: usize, reason: String) {
        self.reasons.insert(slot, reason);
    }

    /// Keeps what a template said of the application that it cannot load.
    pub fn note_template_reason(&mut self, reason: String) {
        self.reasons.insert(TEMPLATE, reason);
    }

    /// Keeps what is wrong with the configuration that was read anew.
    pub fn note_configuration(&mut self, why: String) {
        self.boot_failure = Some(why);
    }

    /// Whether a reload runs.
    pub fn is_reloading(&self) -> bool {
        self.reload.is_some()
    }

    /// The last reload that ended.
    pub fn last_reload(&self) -> Option<&ReloadEnd> {
        self.ended_reloads.back()
    }

    /// Learns from a report. Gives the end of a reload if it is one.
    pub fn note(&mut self, report: &Report, now: Time) -> Option<ReloadEnd> {
        match report {
            Report::WorkerReady { .. } => self.started = true,
            Report::NotBooted { slot, failure } => {
                self.count("boot failure");
                let said = self.reasons.remove(slot).filter(|said| !said.trim().is_empty());
                self.boot_failure = Some(said.unwrap_or_else(|| format!("a new worker {failure}")));
            }
            Report::Template { news: TemplateNews::NotBooted(failure), .. } => {
                self.count("boot failure");
                let said = self.reasons.remove(&TEMPLATE).filter(|said| !said.trim().is_empty());
                self.boot_failure = Some(said.unwrap_or_else(|| format!("the template {failure}")));
            }
            Report::Died { status, .. } => self.died(*status),
            Report::Retiring { reason, .. } => self.count(reason.name()),
            Report::Reloading | Report::ReloadingFurther | Report::Renewing => {
                self.boot_failure = None;
                self.reload.get_or_insert(now);
            }
            Report::Reloaded(_) => return Some(self.end_reload(None, now)),
            Report::ReloadAborted { .. } | Report::ConfigurationRefused => {
                let reason =
                    self.boot_failure.take().unwrap_or_else(|| "a new worker does not start".to_owned());
                return Some(self.end_reload(Some(reason), now));
            }
            Report::StandingIn if self.reload.is_some() => {
                // In development the worker serves on, with what it said.
                let said = std::mem::take(&mut self.reasons).into_values().next_back();
                let reason = said.or_else(|| self.boot_failure.take());
                let reason = reason.unwrap_or_else(|| "the application cannot be loaded".to_owned());
                return Some(self.end_reload(Some(reason), now));
            }
            Report::Stopping(_) | Report::StoppingNow | Report::GivingUp | Report::Stopped => {
                self.stopping = true;
                if self.reload.is_some() {
                    return Some(self.end_reload(Some("the server was told to stop".to_owned()), now));
                }
            }
            _ => {}
        }
        None
    }

    fn died(&mut self, status: Status) {
        let reason = match status {
            Status::Exited(0) => "exit",
            Status::Exited(_) => "exit with an error",
            Status::Signaled { .. } => "killed by a signal",
        };
        // It ended a reload if it was a new one.
        self.boot_failure = Some(format!("a new worker {status} soon after its start"));
        self.count(reason);
    }

    fn count(&mut self, reason: &'static str) {
        *self.restarts.entry(reason).or_default() += 1;
    }

    fn end_reload(&mut self, error: Option<String>, now: Time) -> ReloadEnd {
        *if error.is_none() { &mut self.reloads } else { &mut self.failed_reloads } += 1;
        let took = now.saturating_sub(self.reload.take().unwrap_or(now));
        let end = ReloadEnd { error, took, at: now };
        if self.ended_reloads.len() == REMEMBERED {
            self.ended_reloads.pop_front();
        }
        self.ended_reloads.push_back(end.clone());
        end
    }
}

#[cfg(test)]
mod tests {
    use crate::{BootFailure, RetireReason};

    use super::*;

    const fn second(number: u64) -> Time {
        Duration::from_secs(number)
    }

    #[test]
    fn in_development_a_reload_ends_with_a_stand_in_and_its_reason() {
        let mut history = History::default();
        assert!(history.note(&Report::StandingIn, second(6)).is_none(), "no reload");
        history.note(&Report::Renewing, second(7));
        history.note_reason(2, "line 3 is not valid Python".to_owned());
        let end = history.note(&Report::StandingIn, second(8)).unwrap();
        assert_eq!((end.error.as_deref(), end.took), (Some("line 3 is not valid Python"), second(1)));
    }

    #[test]
    fn a_reload_ends_well_or_says_why_not() {
        let mut history = History::default();
        assert_eq!(history.note(&Report::Reloading, second(1)), None);
        assert!(history.is_reloading());
        let end = history.note(&Report::Reloaded(second(0)), second(3));
        assert_eq!(end, Some(ReloadEnd { error: None, took: second(2), at: second(3) }));
        history.note(&Report::Reloading, second(5));
        history.note_reason(2, "no module named app".to_owned());
        history.note(&Report::NotBooted { slot: 2, failure: BootFailure::Refused }, second(6));
        history.note(&Report::ReloadAborted { serving: 1 }, second(6));
        let last = history.last_reload().cloned().unwrap();
        assert_eq!((last.error.as_deref(), last.took), (Some("no module named app"), second(1)));
        assert_eq!((history.reloads, history.failed_reloads, history.is_reloading()), (1, 1, false));
        assert_eq!(history.restarts, BTreeMap::from([("boot failure", 1)]));
    }

    #[test]
    fn a_worker_that_said_nothing_has_its_end_for_a_reason() {
        let mut history = History::default();
        history.note(&Report::Reloading, second(1));
        history.note(&Report::NotBooted { slot: 2, failure: BootFailure::TooSlow }, second(9));
        let end = history.note(&Report::ReloadAborted { serving: 1 }, second(9)).unwrap();
        assert!(end.error.unwrap().contains("--boot-timeout"));
    }

    #[test]
    fn replaced_workers_are_counted_by_reason() {
        let mut history = History::default();
        for reason in [RetireReason::MaxRequests { requests: 5 }, RetireReason::Asked, RetireReason::Asked] {
            history.note(&Report::Retiring { slot: 0, reason }, second(1));
        }
        assert_eq!(history.restarts, BTreeMap::from([("max requests", 1), ("recycled", 2)]));
    }

    #[test]
    fn the_last_reloads_are_remembered() {
        let mut history = History::default();
        for number in 0..30 {
            history.note(&Report::Reloading, second(number));
            history.note(&Report::Reloaded(second(0)), second(number + 1));
        }
        let ends: Vec<Time> = history.ended_reloads.iter().map(|end| end.at).collect();
        assert_eq!((ends.len(), ends[0], history.last_reload().unwrap().at), (20, second(11), second(30)));
    }

    #[test]
    fn a_stop_ends_a_reload() {
        let mut history = History::default();
        history.note(&Report::Reloading, second(1));
        let end = history.note(&Report::Stopping(second(25)), second(2)).unwrap();
        assert_eq!(end.error.as_deref(), Some("the server was told to stop"));
        assert!(history.stopping);
        assert_eq!(history.note(&Report::Stopped, second(3)), None);
    }
}
