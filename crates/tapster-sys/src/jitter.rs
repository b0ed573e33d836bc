//! Numbers that differ from process to process, so that what is due at once everywhere is not done at once. Not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::process::Pid;

/// A number from 0 to `most`.
pub fn up_to(most: u64) -> u64 {
    // Forks of one process have the same random state.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_i32(Pid::current().as_raw());
    most.checked_add(1).map_or_else(|| hasher.finish(), |count| hasher.finish() % count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_within_the_range_and_differ() {
        let drawn: Vec<_> = (0..200).map(|_| up_to(9)).collect();
        assert!((0..10).all(|number| drawn.contains(&number)) && drawn.iter().all(|number| *number < 10));
        assert_eq!(up_to(0), 0);
        assert_ne!(up_to(u64::MAX), up_to(u64::MAX));
    }
}
