//! Which process has which slot.

use tapster_sys::process::Pid;

/// The worker processes that were started and not yet reaped.
#[derive(Debug)]
pub struct Children {
    slots: Vec<Option<Pid>>,
    /// The last process of each slot, for its name in the log; it may be gone and its number another's.
    last: Vec<Option<Pid>>,
}

impl Children {
    /// No processes yet.
    pub fn new(slots: usize) -> Children {
        Children { slots: vec![None; slots], last: vec![None; slots] }
    }

    /// Notes a process that was started.
    pub fn add(&mut self, slot: usize, pid: Pid) {
        self.slots[slot] = Some(pid);
        self.last[slot] = Some(pid);
    }

    /// Forgets the process in a slot, which was reaped.
    pub fn remove(&mut self, slot: usize) {
        self.slots[slot] = None;
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
        assert_eq!(
            (children.name(1), children.name(2)),
            ("worker 2 (pid 40)".to_owned(), "worker 3".to_owned())
        );
    }
}
