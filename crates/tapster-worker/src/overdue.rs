//! Requests that take too long, as the monitor sees them: slow ones are told of once, those whose time is over are
//! answered in their thread's place, and a worker whose thread does not come back asks for a successor.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tapster_http1::encode::RefusalFields;
use tapster_observe::{Incident, Lost};
use tapster_sys::inbox::{Message, Retire};

use crate::date::DateClock;
use crate::ownership::{Claim, Found, Reply, Seen, Stage};
use crate::reports::{Report, Subject};
use crate::respond::refuse;
use crate::serve::Context;
use crate::stream::Shutdown;
use crate::token::MONITOR;
use crate::wedged::Wedge;
use crate::worker::Shared;

/// When to look again where no request is limited.
const NEVER: Duration = Duration::from_secs(3600);

/// When to try again to reach the supervisor.
const RETRY: Duration = Duration::from_millis(100);

/// What the monitor of a lane knows of its threads.
pub(crate) struct Overseer {
    /// When to look next. A request that begins after the last look is not due before.
    next: Instant,
    known: Vec<Known>,
    wedge: Wedge,
}

#[derive(Clone, Default)]
struct Known {
    /// When the request began that was last told of as slow.
    slow: Option<u64>,
    /// The request whose time is over: when that was.
    timed_out: Option<(Claim, Instant)>,
}

impl Overseer {
    pub(crate) fn new(shared: &Shared) -> Overseer {
        let known = vec![Known::default(); shared.running.len()];
        Overseer { next: Instant::now(), known, wedge: Wedge::new(shared) }
    }

    fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// When to look next, if any thread of the lane runs a request.
    pub(crate) fn alarm(&self, shared: &Shared) -> Option<Instant> {
        let runs = |thread: usize| shared.board.started_micros(thread).is_some();
        (shared.policy.times.any() && shared.own_threads().any(runs)).then_some(self.next)
    }

    fn look(&mut self, shared: &Shared, date: &mut DateClock) {
        let now = Instant::now();
        self.next = now + shared.policy.times.shortest().unwrap_or(NEVER);
        for thread in shared.own_threads() {
            let due =
                [self.look_for_slow(shared, thread, now), self.look_at_clock(shared, thread, now, date)];
            self.next = due.into_iter().flatten().fold(self.next, Instant::min);
        }
        self.next = self.wedge.look(shared, now).into_iter().fold(self.next, Instant::min);
    }

    /// Tells of a request that is slow and has given nothing yet; says when it will be slow.
    fn look_for_slow(&mut self, shared: &Shared, thread: usize, now: Instant) -> Option<Instant> {
        let limit = shared.policy.times.slow?;
        let began = shared.board.started_micros(thread)?;
        let running = shared.running.get(thread)?;
        if self.known[thread].slow == Some(began) || running.has_started() {
            return None;
        }
        let left = limit.saturating_sub(shared.since_micros(began, now));
        if !left.is_zero() {
            return Some(now + left);
        }
        self.known[thread].slow = Some(began);
        shared.tell_slow(thread, began, now);
        None
    }

    /// Ends a request whose time is over; says when that will be, or when its thread must be back.
    fn look_at_clock(
        &mut self,
        shared: &Shared,
        thread: usize,
        now: Instant,
        date: &mut DateClock,
    ) -> Option<Instant> {
        let limit = shared.policy.times.request?;
        let owner = &shared.running.get(thread)?.owner;
        match owner.look() {
            Found::Idle => None,
            Found::Busy(since, seen) => {
                let since = owner.waited_for_client(|at| shared.micros(at)).map_or(since, |at| at.max(since));
                let left = limit.saturating_sub(shared.since_micros(since, now));
                if !left.is_zero() {
                    return Some(now + left);
                }
                let claim = shared.end_in_place(thread, seen, now, date)?;
                self.known[thread].timed_out = Some((claim, now));
                Some(now + shared.policy.times.grace)
            }
            Found::TimedOut(claim) => {
                let at =
                    self.known[thread].timed_out.filter(|(known, _)| *known == claim).map(|(_, at)| at)?;
                let due = at + shared.policy.times.grace;
                if now < due {
                    return Some(due);
                }
                (!shared.is_replaced_for(thread, now)).then_some(now + RETRY)
            }
        }
    }
}

/// Looks at the clock if it is time for that. Run by the monitor, whether it leads or not.
pub(crate) fn look_if_due(shared: &Shared, context: &mut Context) {
    let Some(mut overseer) = context.overseer.take() else { return };
    if overseer.is_due(Instant::now()) {
        overseer.look(shared, &mut context.date);
    }
    context.overseer = Some(overseer);
}

/// The monitor begins to lead, since no thread can: there may be nothing else that looks before long.
pub(crate) fn look_soon(context: &mut Context) {
    if let Some(overseer) = &mut context.overseer {
        overseer.next = overseer.next.min(context.now + overseer.wedge.first());
    }
}

/// How long the monitor may sleep at most.
pub(crate) fn wait(context: &Context) -> Option<Duration> {
    let overseer = context.overseer.as_ref().filter(|_| context.holder == MONITOR)?;
    Some(overseer.next.saturating_duration_since(Instant::now()))
}

impl Shared<'_> {
    /// The threads of this lane.
    fn own_threads(&self) -> impl Iterator<Item = usize> + use<> {
        (self.lane.index..self.running.len()).step_by(self.lanes.len().max(1))
    }

    fn since_micros(&self, since: u64, now: Instant) -> Duration {
        Duration::from_micros(self.micros(now).saturating_sub(since))
    }

    /// What a thread serves, in words.
    pub(crate) fn subject_of(&self, thread: usize) -> String {
        self.request_of(thread).unwrap_or_else(|| "a request".to_owned())
    }

    /// Method and path of the request of a thread, if they are known.
    fn request_of(&self, thread: usize) -> Option<String> {
        Some(self.board.subject(thread)?.text.escape_ascii().to_string())
    }

    /// What names the request of a thread, if anything does.
    fn id_of(&self, thread: usize) -> Vec<u8> {
        self.board.subject(thread).unwrap_or_default().id
    }

    /// How long the request of a thread has run, in words.
    fn age(&self, thread: usize, now: Instant) -> String {
        let began = self.board.started_micros(thread).unwrap_or_default();
        format!("{:.1} s", self.since_micros(began, now).as_secs_f64())
    }

    fn tell_slow(&self, thread: usize, began: u64, now: Instant) {
        let Some(watched) = self.watched[thread].get() else { return };
        let (board, name) = (self.board.clone(), thread + 1);
        self.report(Report {
            incident: Incident::REQUEST_SLOW,
            thread: Some(thread + 1),
            about: self.request_of(thread),
            line: format!(
                "{} has run for {} without an answer (--slow-log); thread {name} is in:",
                self.subject_of(thread),
                self.age(thread, now)
            ),
            request_id: self.id_of(thread),
            subject: Subject::Thread(watched.ident),
            holds: Box::new(move || board.started_micros(thread) == Some(began)),
            then: None,
        });
    }

    /// Takes a request from its thread, answers it, tells of it, and has the thread interrupted.
    fn end_in_place(&self, thread: usize, seen: Seen, now: Instant, date: &mut DateClock) -> Option<Claim> {
        let watched = self.watched[thread].get()?;
        let (claim, consequence) = self.running[thread].owner.take(seen, |claim, reply| {
            self.board.count_lost(Lost::TimedOut);
            self.answer_in_place(claim, reply, date.at(now), &self.id_of(thread))
        })?;
        let (running, app, ident) = (self.running.clone(), self.app.clone(), watched.ident);
        let interrupt = self.later("tapster-timeout", move || {
            app.interrupt(ident, &|raise| running[thread].owner.interrupt(claim, raise))
        });
        self.report(Report {
            incident: Incident::REQUEST_TIMED_OUT,
            thread: Some(thread + 1),
            about: self.request_of(thread),
            line: format!(
                "{} has run for {}, too long for --request-timeout: {consequence}; thread {} is in:",
                self.subject_of(thread),
                self.age(thread, now),
                thread + 1
            ),
            request_id: self.id_of(thread),
            subject: Subject::Thread(ident),
            holds: Box::new(|| true),
            then: Some(Box::new(interrupt)),
        });
        Some(claim)
    }

    /// Says what became of the answer.
    fn answer_in_place(&self, claim: Claim, reply: &Reply, date: &[u8], id: &[u8]) -> &'static str {
        match claim.stage() {
            Stage::Finished => "it was answered before",
            Stage::Started => {
                reply.stream.reset_on_close();
                reply.stream.shutdown(Shutdown::Both);
                "the connection was cut in the middle of its answer"
            }
            Stage::Nothing => {
                let mut out = Vec::with_capacity(256);
                let mut lines = Vec::new();
                if let Some(field) = self.policy.request_id.as_ref().filter(|_| !id.is_empty()) {
                    field.write(&mut lines, id);
                }
                let fields =
                    RefusalFields { date: Some(date), server: self.policy.server_header, lines: &lines };
                refuse(&mut out, 504, "", &fields, reply.head_only);
                let is_out = reply.stream.write(&out).is_ok_and(|count| count == out.len());
                reply.stream.shutdown(if is_out { Shutdown::Write } else { Shutdown::Both });
                "answered with 504"
            }
        }
    }

    /// A thread does not come back. True if the supervisor was told, now or before.
    fn is_replaced_for(&self, thread: usize, now: Instant) -> bool {
        let began = self.board.started_micros(thread).unwrap_or_default();
        self.ask_for_successor(self.since_micros(began, now), || {
            let subject = self.subject_of(thread);
            format!(
                "{subject} does not end after its time-out (--timeout-grace): this worker is to be replaced; its threads:"
            )
        })
    }

    /// This worker does not get on, for so long: another process must take its place. True if the supervisor was told, now
    /// or before; the log is only now.
    pub(crate) fn ask_for_successor(&self, since: Duration, line: impl FnOnce() -> String) -> bool {
        if self.is_stuck.load(Ordering::SeqCst) {
            return true;
        }
        let stuck =
            Message::Retire(Retire::Stuck { seconds: u32::try_from(since.as_secs()).unwrap_or(u32::MAX) });
        if self.inbox.send(stuck, None).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
            return false;
        }
        self.is_stuck.store(true, Ordering::SeqCst);
        self.report(Report {
            incident: Incident::WORKER_STUCK,
            thread: None,
            about: None,
            line: line(),
            request_id: Vec::new(),
            subject: Subject::All(self.pool()),
            holds: Box::new(|| true),
            then: None,
        });
        true
    }

    /// How many threads do not come back although their requests are over.
    pub(crate) fn lost_threads(&self) -> usize {
        self.running.iter().filter(|running| running.owner.is_taken()).count()
    }
}
