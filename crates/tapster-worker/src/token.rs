//! The token: who leads the lane. One atomic word, so that it can be taken from a thread that is stuck in the
//! application. Used by pool threads and by the monitor.
//!
//! The leader polls, reads and calls the application. The token protects no memory (the lane's state has its own
//! lock): it decides who is *responsible* for polling, so a moment with two pollers costs time, never correctness.

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of a thread of the pool, or [`MONITOR`].
pub(crate) type Holder = u16;

/// The monitor's number: it leads only when no pool thread can.
pub(crate) const MONITOR: Holder = Holder::MAX;

/// What the holder is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Running the loop.
    Leading,
    /// Inside the application: the token may be taken.
    InApp,
    /// To lead as soon as it runs: just woken, or back from the poller and waiting for the interpreter's lock. The
    /// monitor takes the token if that lasts.
    Granted,
}

/// A snapshot of the token; equal snapshots mean the same holder in the same call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View(u64);

impl View {
    /// Equal to no snapshot.
    pub(crate) const NONE: View = View(u64::MAX);

    fn new(phase: Phase, holder: Holder, sequence: u64) -> View {
        View(sequence << 18 | u64::from(holder) << 2 | phase as u64)
    }

    pub(crate) fn phase(self) -> Phase {
        match self.0 & 3 {
            0 => Phase::Leading,
            1 => Phase::InApp,
            _ => Phase::Granted,
        }
    }

    pub(crate) fn holder(self) -> Holder {
        (self.0 >> 2) as Holder
    }

    fn sequence(self) -> u64 {
        self.0 >> 18
    }

    fn to(self, phase: Phase, holder: Holder) -> View {
        View::new(phase, holder, self.sequence() + 1)
    }
}

/// The token of one lane.
pub(crate) struct Token {
    word: AtomicU64,
    /// The word of a holder that is known to block in the application.
    offered: AtomicU64,
}

impl Token {
    /// A token that `holder` was woken to take.
    pub(crate) fn granted_to(holder: Holder) -> Token {
        let word = AtomicU64::new(View::new(Phase::Granted, holder, 0).0);
        Token { word, offered: AtomicU64::new(u64::MAX) }
    }

    pub(crate) fn view(&self) -> View {
        View(self.word.load(Ordering::SeqCst))
    }

    /// Whether `holder` is the one responsible for the loop.
    pub(crate) fn is_held_by(&self, holder: Holder) -> bool {
        self.view().holder() == holder
    }

    /// The leader goes into the application. The answer is needed to come back.
    pub(crate) fn enter_app(&self, leader: Holder) -> View {
        let inside = self.view().to(Phase::InApp, leader);
        self.word.store(inside.0, Ordering::SeqCst);
        inside
    }

    /// The leader comes back: true if the token is still its own.
    pub(crate) fn leave_app(&self, inside: View) -> bool {
        self.swap(inside, inside.to(Phase::Leading, inside.holder()))
    }

    /// The leader passes the token to a thread that is being woken.
    pub(crate) fn hand_over(&self, next: Holder) {
        let granted = self.view().to(Phase::Granted, next);
        self.word.store(granted.0, Ordering::SeqCst);
    }

    /// The leader is about to wait for the interpreter's lock; [`Token::accept_grant`] says whether it leads on.
    pub(crate) fn await_lock(&self, leader: Holder) {
        let seen = self.view();
        if seen.phase() == Phase::Leading && seen.holder() == leader {
            self.swap(seen, seen.to(Phase::Granted, leader));
        }
    }

    /// Whether `holder` runs the loop.
    pub(crate) fn is_led_by(&self, holder: Holder) -> bool {
        let seen = self.view();
        seen.phase() == Phase::Leading && seen.holder() == holder
    }

    /// The monitor takes the token from a holder that did not move since `seen`, for `next` or for itself.
    pub(crate) fn take(&self, seen: View, next: Holder) -> bool {
        let phase = if next == MONITOR { Phase::Leading } else { Phase::Granted };
        self.swap(seen, seen.to(phase, next))
    }

    /// A woken thread takes what it was granted, unless the monitor lost patience.
    pub(crate) fn accept_grant(&self, thread: Holder) -> bool {
        let seen = self.view();
        seen.phase() == Phase::Granted
            && seen.holder() == thread
            && self.swap(seen, seen.to(Phase::Leading, thread))
    }

    /// A free thread takes the token back from the monitor.
    pub(crate) fn reclaim(&self, thread: Holder) -> bool {
        let seen = self.view();
        seen.holder() == MONITOR && self.swap(seen, seen.to(Phase::Leading, thread))
    }

    /// The monitor lets the next thread that comes back from a call take the token from a holder that blocks in its
    /// own and did not move since `seen`.
    pub(crate) fn offer(&self, seen: View) {
        self.offered.store(seen.0, Ordering::SeqCst);
    }

    /// Whether a thread that comes back may take the token at once.
    pub(crate) fn is_offered(&self) -> bool {
        self.offered.load(Ordering::SeqCst) == self.view().0
    }

    /// A thread back from a call takes the token from a leader that is in one and most likely blocks: as calls
    /// usually do, or as the monitor says.
    pub(crate) fn seize_from_app(&self, thread: Holder, usually_blocks: bool) -> bool {
        let seen = self.view();
        seen.phase() == Phase::InApp
            && (usually_blocks || self.offered.load(Ordering::SeqCst) == seen.0)
            && self.swap(seen, seen.to(Phase::Leading, thread))
    }

    fn swap(&self, from: View, to: View) -> bool {
        self.word.compare_exchange(from.0, to.0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_keeps_the_token_over_a_call_nobody_interrupts() {
        let token = Token::granted_to(0);
        assert!(token.accept_grant(0));
        let inside = token.enter_app(0);
        assert_eq!(token.view().phase(), Phase::InApp);
        assert!(token.leave_app(inside));
        assert_eq!((token.view().phase(), token.view().holder()), (Phase::Leading, 0));
    }

    #[test]
    fn a_leader_back_from_the_poller_leads_on_unless_the_lock_takes_too_long() {
        let token = Token::granted_to(2);
        assert!(token.accept_grant(2));
        token.await_lock(2);
        assert!(token.accept_grant(2) && token.is_led_by(2));
        token.await_lock(2);
        assert!(token.take(token.view(), MONITOR));
        assert!(!token.accept_grant(2));
        token.await_lock(2);
        assert!(token.is_led_by(MONITOR));
    }

    #[test]
    fn a_blocked_leader_loses_it_and_knows() {
        let token = Token::granted_to(0);
        assert!(token.accept_grant(0));
        let inside = token.enter_app(0);
        assert!(token.take(token.view(), 5));
        assert!(!token.leave_app(inside));
        assert!(!token.accept_grant(0));
        assert!(token.accept_grant(5));
    }

    #[test]
    fn a_thread_back_from_a_call_seizes_it_only_from_a_call() {
        let token = Token::granted_to(0);
        assert!(token.accept_grant(0));
        assert!(!token.seize_from_app(1, true));
        let inside = token.enter_app(0);
        assert!(token.seize_from_app(1, true));
        assert!(!token.leave_app(inside));
        assert!(token.is_held_by(1));
    }

    #[test]
    fn what_the_monitor_offers_is_taken_once_and_not_in_the_next_call() {
        let token = Token::granted_to(0);
        assert!(token.accept_grant(0));
        let inside = token.enter_app(0);
        assert!(!token.seize_from_app(1, false));
        token.offer(token.view());
        assert!(token.leave_app(inside));
        token.enter_app(0);
        assert!(!token.seize_from_app(1, false));
        token.offer(token.view());
        assert!(token.seize_from_app(1, false));
        assert!(!token.seize_from_app(2, false));
    }

    #[test]
    fn the_monitor_cannot_take_a_later_call_for_the_one_it_watched() {
        let token = Token::granted_to(0);
        assert!(token.accept_grant(0));
        let first = token.enter_app(0);
        let seen = token.view();
        assert!(token.leave_app(first));
        token.enter_app(0);
        assert!(!token.take(seen, MONITOR));
    }

    #[test]
    fn a_grant_that_is_not_taken_goes_to_the_monitor_and_is_reclaimed() {
        let token = Token::granted_to(3);
        assert!(token.take(token.view(), MONITOR));
        assert!(!token.accept_grant(3));
        assert!(token.reclaim(3));
        assert!(!token.reclaim(4));
        assert!(token.is_held_by(3));
    }
}
