//! The health of one host: what its answers tell (passive), and what checks tell (active).

use std::fmt;
use std::time::Duration;

use super::{Ending, LOOK_AGAIN, Time};

/// Failures in a row that take a host out.
const FAILURES: u32 = 5;
/// How long, times how often it was taken out before.
const EJECTION: Duration = Duration::from_secs(5);
const EJECTION_LIMIT: Duration = Duration::from_secs(300);
/// After so long without another ejection one of them is forgotten.
const FORGET: Duration = Duration::from_secs(30);
/// How long a host that refuses connections is left alone, where there are others.
const REFUSED: Duration = Duration::from_secs(1);
/// And where there are none: the first time, and the longest, since requests wait.
const ALONE: Duration = Duration::from_millis(50);
const ALONE_LIMIT: Duration = Duration::from_millis(250);
/// How long a host that comes back takes to get its whole share, and what it begins with.
const WARM_UP: Duration = Duration::from_secs(10);
const COLD: f64 = 0.1;
/// Checks in a row that change what is held of a host.
const FALL: u32 = 3;
const RISE: u32 = 2;

/// How long a check may take.
pub(crate) const CHECK_LIMIT: Duration = Duration::from_secs(2);
/// How often a host that is out by its checks is checked at least.
pub(crate) const OUT_INTERVAL: Duration = Duration::from_secs(2);

/// What is held of a host.
#[derive(Clone, Debug)]
pub(super) struct Health {
    state: State,
    /// Failures in a row.
    failures: u32,
    /// Refused connections in a row.
    refusals: u32,
    /// How often it was taken out, less what was forgotten, and since when it is back.
    ejections: u32,
    back: Time,
    /// Since when it warms up.
    warming: Option<Time>,
    check: Check,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum State {
    In,
    /// It failed requests, and gets none until then.
    Ejected(Time),
    /// It refuses connections, and none is made until then.
    Refusing(Time),
    /// Its time is over, and one request tries it; another may at this time. Whether it was ejected before.
    Tried(Time, bool),
}

/// What checks say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Check {
    /// There are none.
    Off,
    /// The first is not done.
    Unknown,
    /// So many in a row said the contrary.
    Well(u32),
    Ill(u32),
}

/// What an operator is told of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// It gets requests.
    In,
    /// No check was made yet.
    Unknown,
    /// It failed requests.
    Ejected,
    /// It accepts no connections.
    Refusing,
    /// It failed its checks.
    Ill,
}

impl fmt::Display for Standing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Standing::In => "it serves",
            Standing::Unknown => "it was not checked yet",
            Standing::Ejected => "it failed requests, one after the other",
            Standing::Refusing => "it accepts no connections",
            Standing::Ill => "it failed its health checks (--health-path)",
        })
    }
}

impl Health {
    pub(super) fn new(is_checked: bool) -> Health {
        Health {
            state: State::In,
            failures: 0,
            refusals: 0,
            ejections: 0,
            back: Time::ZERO,
            warming: None,
            check: if is_checked { Check::Unknown } else { Check::Off },
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match (self.check, self.state) {
            (Check::Ill(_), _) => Standing::Ill,
            (Check::Unknown, _) => Standing::Unknown,
            (_, State::In) => Standing::In,
            (_, State::Ejected(_) | State::Tried(_, true)) => Standing::Ejected,
            (_, State::Refusing(_) | State::Tried(_, false)) => Standing::Refusing,
        }
    }

    /// Whether it gets requests like any other.
    pub(super) fn is_in(&self) -> bool {
        self.standing() == Standing::In
    }

    /// Whether it is out for its failures, or tried after that.
    pub(super) fn is_ejected(&self) -> bool {
        matches!(self.state, State::Ejected(_) | State::Tried(_, true))
    }

    /// Whether it is sent requests if too few others are left: only what is known to be in vain is not.
    pub(super) fn is_bearable(&self, now: Time) -> bool {
        self.check != Check::Unknown
            && match self.state {
                State::In | State::Ejected(_) => true,
                State::Refusing(until) | State::Tried(until, _) => until <= now,
            }
    }

    /// Whether one request is to try it.
    pub(super) fn is_to_be_tried(&self, now: Time, is_safe: bool) -> bool {
        matches!(self.check, Check::Off | Check::Well(_))
            && match self.state {
                State::In => false,
                // Whether it takes a connection is found out without sending anything.
                State::Refusing(until) | State::Tried(until, false) => until <= now,
                State::Ejected(until) | State::Tried(until, true) if is_safe => until <= now,
                // Where no request can be sent again, one is risked after a while.
                State::Ejected(until) | State::Tried(until, true) => until + EJECTION <= now,
            }
    }

    /// When it may be tried; none if a check decides that.
    pub(super) fn due(&self) -> Option<Time> {
        match self.state {
            _ if matches!(self.check, Check::Unknown) => None,
            State::In => None,
            State::Ejected(until) | State::Refusing(until) | State::Tried(until, _) => Some(until),
        }
    }

    /// How long it stays as it is if nothing happens: out, or warming up.
    pub(super) fn left(&self, now: Time) -> Duration {
        let warm = self.warming.map(|since| since + WARM_UP);
        self.due().or(warm).unwrap_or_default().saturating_sub(now)
    }

    /// A request goes to it.
    pub(super) fn begin(&mut self, now: Time) {
        let again = now + LOOK_AGAIN.max(self.pause());
        match self.state {
            State::In => {}
            // One that is sent requests because too few others are left is not tried by that.
            State::Ejected(until) if until > now => {}
            State::Ejected(_) | State::Tried(_, true) => self.state = State::Tried(again, true),
            State::Refusing(_) | State::Tried(_, false) => self.state = State::Tried(again, false),
        }
    }

    /// It took a connection: that it refuses them is over.
    pub(super) fn accepts(&mut self, now: Time) {
        self.refusals = 0;
        if matches!(self.state, State::Refusing(_) | State::Tried(_, false)) {
            self.come_back(now);
        }
    }

    /// A request to it ended. `others` get requests besides it; `may_eject` says that not too many are out.
    pub(super) fn note(&mut self, ending: Ending, now: Time, others: usize, may_eject: bool, jitter: f64) {
        match ending {
            Ending::Abandoned => {}
            Ending::Good => self.answered(now),
            Ending::Refused => {
                self.refusals = self.refusals.saturating_add(1);
                let pause = if others > 0 { REFUSED } else { self.pause() };
                self.state = State::Refusing(now + pause);
            }
            Ending::Bad => self.failed(now, may_eject, jitter),
        }
    }

    fn answered(&mut self, now: Time) {
        self.failures = 0;
        self.refusals = 0;
        match self.state {
            State::In if self.ejections > 0 && now.saturating_sub(self.back) >= FORGET => {
                self.ejections -= 1;
                self.back = now;
            }
            State::In => {}
            // An answer to what was sent before.
            State::Ejected(until) if until > now => {}
            _ => self.come_back(now),
        }
    }

    fn failed(&mut self, now: Time, may_eject: bool, jitter: f64) {
        self.failures = self.failures.saturating_add(1);
        let is_trial = matches!(self.state, State::Tried(_, true));
        match self.state {
            State::Ejected(until) if until > now => {}
            _ if (self.failures >= FAILURES || is_trial) && may_eject => {
                self.ejections = self.ejections.saturating_add(1);
                let time = EJECTION.saturating_mul(self.ejections).min(EJECTION_LIMIT);
                self.state = State::Ejected(now + time.mul_f64(jitter));
            }
            // Nobody is left to take its place.
            State::Tried(_, true) => self.state = State::In,
            _ => {}
        }
    }

    /// A check found it well, or not.
    pub(super) fn checked(&mut self, is_well: bool, now: Time) {
        self.check = match (self.check, is_well) {
            (Check::Off, _) => Check::Off,
            (Check::Unknown | Check::Well(_), true) => Check::Well(0),
            (Check::Unknown | Check::Ill(_), false) => Check::Ill(0),
            (Check::Well(seen), false) if seen + 1 >= FALL => Check::Ill(0),
            (Check::Well(seen), false) => Check::Well(seen + 1),
            (Check::Ill(seen), true) if seen + 1 >= RISE => {
                self.warm_up(now);
                Check::Well(0)
            }
            (Check::Ill(seen), true) => Check::Ill(seen + 1),
        };
        if is_well {
            self.accepts(now);
        }
    }

    /// Gets its share little by little.
    pub(super) fn warm_up(&mut self, now: Time) {
        self.warming = Some(now);
    }

    /// The part of its share that it gets.
    pub(super) fn warmth(&self, now: Time) -> f64 {
        let Some(since) = self.warming else { return 1.0 };
        let part = now.saturating_sub(since).as_secs_f64() / WARM_UP.as_secs_f64();
        part.clamp(COLD, 1.0)
    }

    fn come_back(&mut self, now: Time) {
        self.state = State::In;
        self.back = now;
        self.failures = 0;
        self.warm_up(now);
    }

    /// How long it is left alone where nobody else is there.
    fn pause(&self) -> Duration {
        ALONE.saturating_mul(self.refusals.max(1)).min(ALONE_LIMIT)
    }
}
