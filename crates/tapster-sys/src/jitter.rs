//! Numbers that differ from process to process, so that what is due at once everywhere is not done at once. Not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

use crate::process::Pid;

/// A number from 0 to `most`.
pub fn up_to(most: u64) -> u64 {
    // Forks of one process have the same random state.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_i32(Pid::current().as_raw());
    most.checked_add(1).map_or_else(|| hasher.finish(), |count| hasher.finish() % count)
}

/// Two numbers for a sequence to begin with that is to be no other's, in this process or another.
pub fn seed() -> [u64; 2] {
    // A process may have the number and the random state of an earlier one.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    [up_to(u64::MAX) ^ since.as_nanos() as u64, up_to(u64::MAX)]
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
        assert_ne!(seed(), seed());
    }
}
