//! The age and the memory of each worker (`--max-worker-lifetime`, `--max-rss`). Looked at by the driver as often as the
//! options need it, and never without them.

use std::time::Duration;

use tapster_config::Settings;
use tapster_observe::{Incident, Log};
use tapster_sys::jitter;
use tapster_sys::process::Pid;
use tapster_sys::resident;

use crate::children::Children;
use crate::member::Time;
use crate::{Event, RetireReason};

/// How often memory is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// How many looks in a row must find too much: one request may use a lot for a moment.
const PATIENCE: u32 = 3;

/// What is watched of all workers.
#[derive(Debug)]
pub struct Vitals {
    lifetime: Duration,
    lifetime_jitter: Duration,
    rss: u64,
    /// When memory is looked at next.
    next_look: Time,
    workers: Vec<Vital>,
    log: Log,
}

/// What is known of the worker of a slot.
#[derive(Clone, Default, Debug)]
struct Vital {
    started: Time,
    /// When it is too old; none when that was said.
    due: Option<Time>,
    memory: Memory,
}

/// How the memory of a worker compares with the bound.
#[derive(Clone, Copy, Default, Debug)]
enum Memory {
    /// Not looked at yet, since it does not serve.
    #[default]
    Unknown,
    /// Beyond the bound in this many looks in a row.
    Beyond(u32),
    /// It was replaced for it, or to replace it would be of no use.
    Settled,
}

impl Vitals {
    /// Nothing to watch yet.
    pub fn new(settings: &Settings, slots: usize, log: Log) -> Vitals {
        let recycling = &settings.recycling;
        Vitals {
            lifetime: recycling.lifetime,
            lifetime_jitter: recycling.lifetime_jitter,
            rss: recycling.rss,
            next_look: Time::ZERO,
            workers: vec![Vital::default(); slots],
            log,
        }
    }

    /// A worker was started in a slot.
    pub fn started(&mut self, slot: usize, now: Time) {
        let jitter = u64::try_from(self.lifetime_jitter.as_millis()).unwrap_or(u64::MAX);
        let lifetime = self.lifetime + Duration::from_millis(jitter::up_to(jitter));
        let due = (!self.lifetime.is_zero()).then(|| now + lifetime);
        self.workers[slot] = Vital { started: now, due, memory: Memory::Unknown };
    }

    /// A worker serves: it is as small as it will ever be.
    pub fn ready(&mut self, slot: usize, pid: Pid) {
        if self.rss == 0 {
            return;
        }
        self.workers[slot].memory = match resident::own_beyond(pid, self.rss) {
            Ok(Some(bytes)) => {
                self.log.report(Incident::MEMORY_LIMIT_TOO_LOW, format_args!(
                    "worker {} (pid {pid}) uses {} MiB of memory of its own before its first request: --max-rss is too low, and is \
                     not applied to it",
                    slot + 1,
                    bytes >> 20
                ));
                Memory::Settled
            }
            _ => Memory::Beyond(0),
        };
    }

    /// What is due at `now`; `serving` are the workers that may be replaced.
    pub fn look(&mut self, now: Time, serving: &[usize], children: &Children) -> Vec<Event> {
        let mut events = Vec::new();
        let is_time = self.rss > 0 && now >= self.next_look;
        if is_time {
            self.next_look = now + PERIOD;
        }
        for &slot in serving {
            let worker = &mut self.workers[slot];
            if worker.due.take_if(|due| *due <= now).is_some() {
                let age = now.saturating_sub(worker.started);
                events.push(Event::Retire { slot, reason: RetireReason::Lifetime { age } });
            }
            if let (true, Some(pid)) = (is_time, children.pid(slot)) {
                events.extend(worker.weigh(pid, self.rss).map(|reason| Event::Retire { slot, reason }));
            }
        }
        events
    }

    /// When to look next, if ever.
    pub fn next(&self, serving: &[usize]) -> Option<Time> {
        let memory = (self.rss > 0 && !serving.is_empty()).then_some(self.next_look);
        serving.iter().filter_map(|slot| self.workers[*slot].due).chain(memory).min()
    }
}

impl Vital {
    fn weigh(&mut self, pid: Pid, limit: u64) -> Option<RetireReason> {
        let Memory::Beyond(looks) = self.memory else { return None };
        // A worker that ended meanwhile uses nothing.
        let beyond = resident::own_beyond(pid, limit).unwrap_or(None);
        let looks = if beyond.is_some() { looks + 1 } else { 0 };
        self.memory = if looks < PATIENCE { Memory::Beyond(looks) } else { Memory::Settled };
        beyond.filter(|_| looks >= PATIENCE).map(|rss| RetireReason::Memory { rss, limit })
    }
}
