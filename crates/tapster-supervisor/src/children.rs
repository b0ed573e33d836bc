//! Which process has which slot.

use tapster_sys::process::Pid;
use tapster_sys::signal::Signal;

/// The worker processes that were started and not yet reaped.
#[derive(Debug)]
pub struct Children {
    slots: Vec<Option<Pid>>,
    /// Slots whose process a template was told to fork, and the signal that is for it as soon as it is known.
    awaited: Vec<Option<Awaited>>,
    /// The last process of each slot, for its name in the log; it may be gone and its number another's.
    last: Vec<Option<Pid>>,
}

/// A process that will be there soon.
#[derive(Clone, Copy, Default, Debug)]
struct Awaited {
    signal: Option<Signal>,
}

impl Children {
    /// No processes yet.
    pub fn new(slots: usize) -> Children {
        Children { slots: vec![None; slots], awaited: vec![None; slots], last: vec![None; slots] }
    }

    /// Notes a process that was started.
    pub fn add(&mut self, slot: usize, pid: Pid) {
        self.slots[slot] = Some(pid);
        self.awaited[slot] = None;
        self.last[slot] = Some(pid);
    }

    /// Forgets the process in a slot, which was reaped.
    pub fn remove(&mut self, slot: usize) {
        self.slots[slot] = None;
        self.awaited[slot] = None;
    }

    /// Notes that a template was told to fork the process of a slot.
    pub fn expect(&mut self, slot: usize) {
        self.awaited[slot] = Some(Awaited::default());
        self.last[slot] = None;
    }

    /// Keeps a signal for the process that will be in a slot; false when none is on its way.
    pub fn keep_signal(&mut self, slot: usize, signal: Signal) -> bool {
        let awaited = self.awaited.get_mut(slot).and_then(Option::as_mut);
        awaited.map(|awaited| awaited.signal = Some(signal)).is_some()
    }

    /// Notes the process of a slot, as it or its template says, and gives the signal that was kept for it. An error when
    /// the slot is another's, or nobody's.
    pub fn identify(&mut self, slot: usize, pid: Pid) -> Result<Option<Signal>, Pid> {
        match (self.pid(slot), self.awaited[slot]) {
            (Some(known), _) if known == pid => Ok(None),
            (None, Some(awaited)) => {
                self.add(slot, pid);
                Ok(awaited.signal)
            }
            _ => Err(pid),
        }
    }

    /// Whether a slot has a process, or will have one.
    pub fn is_taken(&self, slot: usize) -> bool {
        self.pid(slot).is_some() || self.is_awaited(slot)
    }

    /// Whether a template was told to fork the process of a slot, and has not yet.
    pub fn is_awaited(&self, slot: usize) -> bool {
        self.awaited.get(slot).is_some_and(Option::is_some)
    }

    /// The process that a slot has, or had last.
    pub fn last(&self, slot: usize) -> Option<Pid> {
        self.last.get(slot).copied().flatten()
    }

    /// What to call the process that a slot has, or had last.
    pub fn name(&self, slot: usize) -> String {
        match self.last(slot) {
            Some(pid) => format!("worker {} (pid {pid})", slot + 1),
            None => format!("worker {}", slot + 1),
        }
    }

    /// The slot of a process; none for a stranger.
    pub fn slot(&self, pid: Pid) -> Option<usize> {
        self.slots.iter().position(|other| *other == Some(pid))
    }

    /// The process in a slot.
    pub fn pid(&self, slot: usize) -> Option<Pid> {
        self.slots.get(slot).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_have_no_slot() {
        let mut children = Children::new(3);
        children.add(1, Pid::from_raw(40));
        assert_eq!((children.slot(Pid::from_raw(41)), children.slot(Pid::from_raw(40))), (None, Some(1)));
        assert_eq!((children.pid(1), children.pid(0)), (Some(Pid::from_raw(40)), None));
        children.remove(1);
        assert_eq!((children.pid(1), children.slot(Pid::from_raw(40))), (None, None));
        children.expect(2);
        assert!(children.is_awaited(2) && children.keep_signal(2, Signal::Terminate));
        assert_eq!(children.identify(2, Pid::from_raw(42)), Ok(Some(Signal::Terminate)));
        assert_eq!(children.identify(2, Pid::from_raw(42)), Ok(None));
        assert_eq!(children.identify(2, Pid::from_raw(43)), Err(Pid::from_raw(43)));
        assert_eq!(children.identify(0, Pid::from_raw(44)), Err(Pid::from_raw(44)));
        assert!(
            !children.keep_signal(0, Signal::Terminate) && children.is_taken(2) && !children.is_awaited(2)
        );
        children.expect(2);
        assert_eq!(
            (children.name(1), children.name(2)),
            ("worker 2 (pid 40)".to_owned(), "worker 3".to_owned())
        );
    }
}
