//! How long to wait before a worker that did not live is tried again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The wait after this many failures in a row: none after 0, then 0.1 s, doubled by each further one, at most 5 s.
pub fn delay(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        more => 2_u32.checked_pow(more - 1).map_or(LONGEST, |factor| (FIRST * factor.min(1000)).min(LONGEST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<_> =
            [0, 1, 2, 3, 6, 7, 31, 32, 33, u32::MAX].map(delay).map(|d| d.as_millis()).to_vec();
        assert_eq!(waits, [0, 100, 200, 400, 3_200, 5_000, 5_000, 5_000, 5_000, 5_000]);
    }
}
