//! Who answers a request: the thread that runs it, or the monitor when its time is over. Whoever swaps the word first
//! does; what the other still has to say is dropped. Used only where requests have a time-out.
//!
//! Time counts while the application has the request and gives nothing: each time that it writes, its clock starts anew,
//! and what the server then waits for is not its time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::incoming::Incoming;
use crate::stream::Stream;

/// Whose the request is. The two lowest bits of the word.
const IDLE: u64 = 0;
const IN_APP: u64 = 1;
const IN_SERVER: u64 = 2;
const TIMED_OUT: u64 = 3;
const PHASE: u64 = 3;

/// Above phase and stage: a number that is never the same again.
const STEP: u64 = 1 << 4;

/// How far the answer has come. The two bits above the phase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// No byte of it has left.
    Nothing = 0,
    /// Some have.
    Started = 1,
    /// All have; the application still closes what it gave.
    Finished = 2,
}

/// A request that was taken from its thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Claim(u64);

impl Claim {
    /// How far its answer had come.
    pub(crate) fn stage(self) -> Stage {
        stage(self.0)
    }
}

/// What it takes to answer in the place of a thread.
pub(crate) struct Reply {
    pub(crate) stream: Arc<Stream>,
    pub(crate) head_only: bool,
    /// The body, if the application reads it from its client.
    pub(crate) incoming: Option<Arc<Incoming>>,
}

#[derive(Default)]
struct Held {
    /// There while the application may still be interrupted.
    reply: Option<Reply>,
    /// An exception was raised in the thread.
    raised: bool,
}

/// What somebody who looks at the clock finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing that time is counted for.
    Idle,
    /// The application has given nothing since this moment, in microseconds; the word that said so.
    Busy(u64, Seen),
    /// It was taken from its thread.
    TimedOut(Claim),
}

/// The word as it was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen(u64);

/// One thread's.
#[derive(Default)]
pub(crate) struct Owner {
    word: AtomicU64,
    since: AtomicU64,
    held: Mutex<Held>,
}

impl Owner {
    /// The thread gives a request to the application.
    pub(crate) fn begin(&self, reply: Reply, now: u64) {
        *self.held() = Held { reply: Some(reply), raised: false };
        self.go_on(Stage::Nothing, now);
    }

    /// The application comes to the server with a part of its answer. False if that is nobody's any more.
    pub(crate) fn enter(&self) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & PHASE == IN_APP && self.swap(word, word & !PHASE | IN_SERVER)
    }

    /// The application goes on.
    pub(crate) fn go_on(&self, stage: Stage, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.step(IN_APP | (stage as u64) << 2);
    }

    /// Whether the answer was given in the application's place.
    pub(crate) fn is_lost(&self) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & PHASE == TIMED_OUT && stage(word) != Stage::Finished
    }

    /// Whether its thread is still busy with a request that was taken from it.
    pub(crate) fn is_taken(&self) -> bool {
        self.word.load(Ordering::Acquire) & PHASE == TIMED_OUT
    }

    /// The application's part is over, and from now on nothing is raised in its thread. True if something was, which may
    /// not have arrived yet.
    pub(crate) fn end_call(&self) -> bool {
        let mut held = self.held();
        held.reply = None;
        std::mem::take(&mut held.raised)
    }

    /// The thread is done with the request.
    pub(crate) fn end(&self) {
        self.end_call();
        self.step(IDLE);
    }

    /// Looks at the clock.
    pub(crate) fn look(&self) -> Found {
        let word = self.word.load(Ordering::Acquire);
        let since = self.since.load(Ordering::Acquire);
        match word & PHASE {
            IN_APP if self.word.load(Ordering::Relaxed) == word => Found::Busy(since, Seen(word)),
            TIMED_OUT => Found::TimedOut(Claim(word)),
            _ => Found::Idle,
        }
    }

    /// Takes a request from its thread, unless that has moved since it was seen, and has `answer` answer it. Its thread
    /// does not get past [`Owner::end`] meanwhile, and so cannot close the connection.
    pub(crate) fn take<R>(&self, seen: Seen, answer: impl FnOnce(Claim, &Reply) -> R) -> Option<(Claim, R)> {
        let held = self.held();
        let reply = held.reply.as_ref()?;
        let claim = Claim(seen.0 | TIMED_OUT);
        self.swap(seen.0, claim.0).then(|| (claim, answer(claim, reply)))
    }

    /// When the application last waited for its client instead of working, in microseconds; none if it does not.
    pub(crate) fn waited_for_client(&self, micros: impl Fn(std::time::Instant) -> u64) -> Option<u64> {
        let incoming = self.held().reply.as_ref()?.incoming.clone()?;
        incoming.last_wait().map(micros)
    }

    /// Whether a request that was taken still has its thread.
    pub(crate) fn is_claimed(&self, claim: Claim) -> bool {
        self.word.load(Ordering::Acquire) == claim.0
    }

    /// Calls `raise`, if the application still has the request that was taken.
    pub(crate) fn interrupt(&self, claim: Claim, raise: &mut dyn FnMut()) {
        let mut held = self.held();
        if held.reply.is_some() && self.is_claimed(claim) {
            held.raised = true;
            raise();
        }
    }

    fn step(&self, bits: u64) {
        // Only the thread itself steps; what another has swapped meanwhile is over with it.
        let number = self.word.load(Ordering::Relaxed) & !(STEP - 1);
        self.word.store(number.wrapping_add(STEP) | bits, Ordering::Release);
    }

    fn swap(&self, from: u64, to: u64) -> bool {
        self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stage(word: u64) -> Stage {
    match word >> 2 & 3 {
        0 => Stage::Nothing,
        1 => Stage::Started,
        _ => Stage::Finished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply() -> Reply {
        let (one, _) = std::os::unix::net::UnixStream::pair().unwrap();
        Reply { stream: Arc::new(Stream::new(one.into()).unwrap()), head_only: false, incoming: None }
    }

    fn busy(owner: &Owner) -> (u64, Seen) {
        match owner.look() {
            Found::Busy(since, seen) => (since, seen),
            other => panic!("{other:?}"),
        }
    }

    fn taken(owner: &Owner, seen: Seen) -> Option<Claim> {
        owner.take(seen, |_, _| ()).map(|(claim, ())| claim)
    }

    #[test]
    fn one_of_two_gets_a_request() {
        let owner = Owner::default();
        assert_eq!(owner.look(), Found::Idle);
        owner.begin(reply(), 7);
        let (since, seen) = busy(&owner);
        assert_eq!(since, 7);
        assert!(owner.enter() && !owner.enter());
        assert!(owner.look() == Found::Idle && taken(&owner, seen).is_none());
        owner.go_on(Stage::Started, 9);
        assert!(taken(&owner, seen).is_none(), "it has moved since");
        let (since, seen) = busy(&owner);
        assert_eq!(since, 9);
        let claim = taken(&owner, seen).unwrap();
        assert_eq!(claim.stage(), Stage::Started);
        assert!(!owner.enter() && owner.is_lost() && taken(&owner, seen).is_none());
        assert_eq!(owner.look(), Found::TimedOut(claim));
        owner.end();
        assert!(owner.look() == Found::Idle && !owner.is_lost() && !owner.is_claimed(claim));
    }

    #[test]
    fn nothing_is_raised_in_a_later_request() {
        let owner = Owner::default();
        let raised = |claim| {
            let mut raised = false;
            owner.interrupt(claim, &mut || raised = true);
            raised
        };
        owner.begin(reply(), 1);
        let claim = taken(&owner, busy(&owner).1).unwrap();
        assert!(raised(claim) && owner.end_call());
        assert!(!raised(claim) && !owner.end_call());
        owner.end();
        owner.begin(reply(), 2);
        assert!(!raised(claim));
        let later = taken(&owner, busy(&owner).1).unwrap();
        assert!(!raised(claim) && raised(later));
    }

    #[test]
    fn two_that_swap_at_once_never_both_win() {
        for _ in 0..20_000 {
            let owner = Owner::default();
            owner.begin(reply(), 0);
            let (_, seen) = busy(&owner);
            let (entered, is_taken) = std::thread::scope(|scope| {
                let taker = scope.spawn(|| taken(&owner, seen).is_some());
                (owner.enter(), taker.join().unwrap())
            });
            assert!(entered != is_taken);
            if started_enough() {
                break;
            }
        }
    }

    /// Threads are dear on a small machine.
    fn started_enough() -> bool {
        use std::sync::OnceLock;
        static SINCE: OnceLock<std::time::Instant> = OnceLock::new();
        SINCE.get_or_init(std::time::Instant::now).elapsed() > std::time::Duration::from_secs(1)
    }
}
