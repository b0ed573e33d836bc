//! How many requests may be sent again at once: so that upstreams which fail are not asked twice as much for it.

/// So many may always be.
const LEAST: usize = 3;
/// And one for so many that are under way.
const ONE_IN: usize = 5;

/// Requests that are being sent again.
#[derive(Debug, Default)]
pub(super) struct Budget {
    used: usize,
}

impl Budget {
    /// Takes leave for one more, where `active` are under way.
    pub(super) fn take(&mut self, active: usize) -> bool {
        let may = self.used < LEAST + active / ONE_IN;
        self.used += usize::from(may);
        may
    }

    pub(super) fn give_back(&mut self) {
        self.used = self.used.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_and_a_fifth_of_what_is_under_way() {
        let mut budget = Budget::default();
        let taken = (0..10).filter(|_| budget.take(10)).count();
        assert_eq!(taken, 5);
        budget.give_back();
        assert!(budget.take(10) && !budget.take(10));
        assert!(!budget.take(0));
    }
}
