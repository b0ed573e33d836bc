//! How many requests a client may take back: who does it again and again has the work done for nothing (CVE-2023-44487).

use std::cell::Cell;
use std::time::Instant;

/// Requests that may be taken back at once; one a second is added.
const MOST: f64 = 100.0;

/// What is left.
pub(super) struct Budget {
    left: Cell<f64>,
    at: Cell<Instant>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { left: Cell::new(MOST), at: Cell::new(Instant::now()) }
    }
}

impl Budget {
    /// Takes one.
    pub(super) fn spend(&self) {
        let since = self.at.replace(Instant::now()).elapsed().as_secs_f64();
        self.left.set((self.left.get() + since).min(MOST) - 1.0);
    }

    /// Whether more was taken than there was.
    pub(super) fn is_spent(&self) -> bool {
        self.left.get() < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends() {
        let budget = Budget::default();
        (0..100).for_each(|_| budget.spend());
        assert!(!budget.is_spent());
        (0..2).for_each(|_| budget.spend());
        assert!(budget.is_spent());
    }
}
