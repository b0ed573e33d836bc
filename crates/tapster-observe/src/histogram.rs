//! Times sorted into buckets whose bounds grow by about two and a half: written by a thread with two plain stores, added up by
//! whoever reads.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets, in microseconds, each included: a tenth of a millisecond to a hundred seconds. Beyond is one
/// bucket more.
pub const BOUNDS_MICROS: [u64; 19] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
];

/// Buckets of a histogram.
pub const BUCKETS: usize = BOUNDS_MICROS.len() + 1;

/// Words that a histogram takes: its buckets, then the nanoseconds of all times together.
pub(crate) const HISTOGRAM_WORDS: usize = BUCKETS + 1;

/// Counts a time. By the one thread that writes these words, which are [`HISTOGRAM_WORDS`].
#[inline]
pub(crate) fn observe(words: &[AtomicU64], time: Duration) {
    let nanos = time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()));
    add(&words[bucket(nanos)], 1);
    add(&words[BUCKETS], nanos);
}

/// Where a time belongs.
#[inline]
fn bucket(nanos: u64) -> usize {
    // Half a dozen comparisons; most requests need two.
    let is_below = |bound: &u64| *bound * 1_000 < nanos;
    BOUNDS_MICROS.iter().position(|bound| !is_below(bound)).unwrap_or(BOUNDS_MICROS.len())
}

/// One writer: a load and a store are enough, and cost a fifth of an atomic addition.
#[inline]
pub(crate) fn add(word: &AtomicU64, count: u64) {
    word.store(word.load(Relaxed).wrapping_add(count), Relaxed);
}

/// What was counted so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Histogram {
    /// Times by bucket, not cumulative; the last is beyond every bound.
    pub buckets: [u64; BUCKETS],
    /// All times together, in nanoseconds.
    pub nanos: u64,
}

impl Histogram {
    /// Adds what stands in these words.
    pub(crate) fn add_words(&mut self, words: &[AtomicU64]) {
        for (sum, word) in self.buckets.iter_mut().zip(words) {
            *sum += word.load(Relaxed);
        }
        self.nanos = self.nanos.wrapping_add(words[BUCKETS].load(Relaxed));
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Histogram) {
        for (sum, count) in self.buckets.iter_mut().zip(other.buckets) {
            *sum += count;
        }
        self.nanos = self.nanos.wrapping_add(other.nanos);
    }

    /// What came since an earlier reading of the same histogram.
    pub fn since(&self, before: &Histogram) -> Histogram {
        let buckets = std::array::from_fn(|place| self.buckets[place].saturating_sub(before.buckets[place]));
        Histogram { buckets, nanos: self.nanos.wrapping_sub(before.nanos) }
    }

    /// How many times there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// All times together, in seconds.
    pub fn seconds(&self) -> f64 {
        self.nanos as f64 / 1e9
    }

    /// The time, in seconds, that this share (0 to 1) of all is within, if those of a bucket lie evenly in it; none where
    /// there were no times. What is beyond the last bound counts as that.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.count();
        let rank = share.clamp(0.0, 1.0) * count as f64;
        let (mut before, mut lower) = (0.0, 0.0);
        for (bound, here) in BOUNDS_MICROS.into_iter().zip(self.buckets) {
            let (here, upper) = (here as f64, bound as f64 / 1e6);
            if here > 0.0 && before + here >= rank {
                return Some(lower + (upper - lower) * (rank - before) / here);
            }
            (before, lower) = (before + here, upper);
        }
        (count > 0).then_some(lower)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..HISTOGRAM_WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    fn read(words: &[AtomicU64]) -> Histogram {
        let mut all = Histogram::default();
        all.add_words(words);
        all
    }

    #[test]
    fn a_bound_belongs_to_its_bucket() {
        let bound = |micros: u64| bucket(micros * 1000);
        assert_eq!([bound(0), bound(100), bound(101), bound(1_000), bound(100_000_000)], [0, 0, 1, 3, 18]);
        assert_eq!([bucket(100_001), bucket(u64::MAX)], [1, 19]);
    }

    #[test]
    fn quantiles_lie_in_their_bucket() {
        let words = words();
        assert_eq!(read(&words).quantile(0.5), None);
        for millis in [2, 2, 2, 40] {
            observe(&words, Duration::from_millis(millis));
        }
        let all = read(&words);
        assert_eq!((all.count(), all.seconds()), (4, 0.046));
        let half = all.quantile(0.5).unwrap();
        assert!((0.001..=0.0025).contains(&half), "{half}");
        assert!((0.025..=0.05).contains(&all.quantile(0.99).unwrap()));
        observe(&words, Duration::from_secs(1000));
        assert_eq!(read(&words).quantile(1.0), Some(100.0));
        assert_eq!(read(&words).since(&all).count(), 1);
    }

    proptest! {
        #[test]
        fn every_time_is_in_one_bucket_and_in_the_sum(times in prop::collection::vec(0u64..1 << 40, 0..50)) {
            let words = words();
            times.iter().for_each(|nanos| observe(&words, Duration::from_nanos(*nanos)));
            let all = read(&words);
            prop_assert_eq!(all.count(), times.len() as u64);
            prop_assert_eq!(all.nanos, times.iter().sum::<u64>());
            for (place, bound) in BOUNDS_MICROS.iter().enumerate() {
                let within = times.iter().filter(|nanos| **nanos <= bound * 1000).count() as u64;
                prop_assert_eq!(all.buckets[..=place].iter().sum::<u64>(), within);
            }
        }
    }
}
