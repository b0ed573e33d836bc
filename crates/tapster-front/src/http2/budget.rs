//! How often a client may do what costs it nothing and us something: take requests back (CVE-2023-44487), have us reset streams
//! (CVE-2025-8671), send frames that carry nothing (CVE-2019-9512 and its like).

use std::cell::Cell;
use std::time::Instant;

/// What is left of an allowance, which comes back with time.
pub(super) struct Budget {
    most: f64,
    /// What comes back in a second.
    rate: f64,
    left: Cell<f64>,
    at: Cell<Instant>,
}

impl Budget {
    pub(super) fn new(most: u32, rate: u32) -> Budget {
        let most = f64::from(most);
        Budget { most, rate: f64::from(rate), left: Cell::new(most), at: Cell::new(Instant::now()) }
    }

    /// Takes one.
    pub(super) fn spend(&self) {
        let since = self.at.replace(Instant::now()).elapsed().as_secs_f64();
        self.left.set((self.left.get() + since * self.rate).min(self.most) - 1.0);
    }

    /// Gives some back.
    pub(super) fn earn(&self, count: u32) {
        self.left.set((self.left.get() + f64::from(count)).min(self.most));
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
        let budget = Budget::new(100, 1);
        (0..100).for_each(|_| budget.spend());
        assert!(!budget.is_spent());
        (0..2).for_each(|_| budget.spend());
        assert!(budget.is_spent());
    }

    #[test]
    fn what_is_earned_counts_up_to_the_most() {
        let budget = Budget::new(10, 0);
        budget.earn(100);
        (0..11).for_each(|_| budget.spend());
        assert!(budget.is_spent());
        budget.earn(2);
        assert!(!budget.is_spent());
    }
}
