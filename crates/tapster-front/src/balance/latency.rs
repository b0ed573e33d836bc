//! How long a host takes to begin its answers, as far as that is known; and whether one is slow beside another.

use std::time::Duration;

use super::Time;

/// An answer this old counts for a third of what it did, and a host that was not asked for so long is a third as slow.
const DECAY: Duration = Duration::from_secs(10);
/// A host that takes longer than another, but less than so many times as long, is as good: hosts that are alike share
/// requests by their number alone.
const ALIKE: f64 = 2.0;
/// Shorter times are not told apart: they say more of the machine than of the host.
const LEAST: Duration = Duration::from_millis(5);
/// From fewer answers nothing follows of what is usual.
const ENOUGH: f64 = 10.0;

/// Which of two measures counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    /// The geometric mean: a few answers that take much longer, as some pages of every application do, move it little.
    Usual,
    /// The peak-EWMA of Finagle: a slow answer counts at once, and is forgotten slowly.
    Peak,
}

/// What is known of one host.
#[derive(Debug, Default)]
pub(super) struct Latency(Option<Known>);

#[derive(Debug)]
struct Known {
    /// Both are logarithms of seconds.
    usual: f64,
    peak: f64,
    /// Answers that were counted.
    answers: f64,
    last: Time,
}

impl Latency {
    /// An answer began this long after its request was sent.
    pub(super) fn note(&mut self, took: Duration, now: Time) {
        let took = took.max(LEAST).as_secs_f64().ln();
        let Some(known) = &mut self.0 else {
            self.0 = Some(Known { usual: took, peak: took, answers: 1.0, last: now });
            return;
        };
        let new = 1.0 - part_left(now.saturating_sub(known.last));
        known.answers += 1.0;
        known.last = now;
        // The first ones count alike: the very first found everything cold.
        known.usual += (took - known.usual) * new.max(1.0 / known.answers);
        let mean = known.peak.exp() * (1.0 - new) + took.exp() * new;
        known.peak = mean.ln().max(took);
    }

    /// What was known is of a process that is gone.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    /// How many times as long as `other` this one takes: 1 where they are alike, or where one is unknown. `is_idle` and
    /// `is_other_idle`: a host without requests is slow for a while only, since who is not asked cannot show that it is well
    /// again.
    pub(super) fn beside(
        &self,
        other: &Latency,
        measure: Measure,
        (is_idle, is_other_idle): (bool, bool),
        now: Time,
    ) -> f64 {
        let (Some(one), Some(other)) = (&self.0, &other.0) else { return 1.0 };
        let difference = match measure {
            Measure::Usual if one.answers.min(other.answers) < ENOUGH => return 1.0,
            Measure::Usual => one.usual - other.usual,
            Measure::Peak => one.peak - other.peak,
        };
        let (slow, is_idle) = if difference > 0.0 { (one, is_idle) } else { (other, is_other_idle) };
        let left = if is_idle { part_left(now.saturating_sub(slow.last)) } else { 1.0 };
        let times = (difference * left).exp();
        if (1.0 / ALIKE..=ALIKE).contains(&times) { 1.0 } else { times }
    }
}

/// What is left of something after so long.
fn part_left(time: Duration) -> f64 {
    (-time.as_secs_f64() / DECAY.as_secs_f64()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);
    const BUSY: (bool, bool) = (false, false);

    #[test]
    fn few_answers_say_nothing_of_what_is_usual() {
        let (slow, quick) = (noted(&[210 * MS; 9]), noted(&[10 * MS; 9]));
        assert_eq!(slow.beside(&quick, Measure::Usual, BUSY, SECOND), 1.0);
        assert!(slow.beside(&quick, Measure::Peak, BUSY, SECOND) > 20.0);
    }

    fn noted(times: &[Duration]) -> Latency {
        let mut latency = Latency::default();
        times.iter().for_each(|time| latency.note(*time, SECOND));
        latency
    }

    #[test]
    fn hosts_that_are_alike_are_not_told_apart() {
        let (one, other) = (noted(&[10 * MS; 10]), noted(&[19 * MS; 10]));
        let (quick, quicker) = (noted(&[9 * MS; 10]), noted(&[MS; 10]));
        for measure in [Measure::Usual, Measure::Peak] {
            assert_eq!(one.beside(&other, measure, BUSY, SECOND), 1.0);
            assert_eq!(noted(&[]).beside(&other, measure, BUSY, SECOND), 1.0);
            assert_eq!(quick.beside(&quicker, measure, BUSY, SECOND), 1.0);
            let slow = noted(&[210 * MS; 10]);
            assert!((slow.beside(&one, measure, BUSY, SECOND) - 21.0).abs() < 1e-9);
            assert!((one.beside(&slow, measure, BUSY, SECOND) * 21.0 - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn one_slow_page_is_a_peak_and_not_usual() {
        let mut one = noted(&[10 * MS; 50]);
        let other = noted(&[10 * MS; 50]);
        one.note(SECOND, SECOND + 20 * MS);
        assert_eq!(one.beside(&other, Measure::Usual, BUSY, SECOND), 1.0);
        assert!(one.beside(&other, Measure::Peak, BUSY, SECOND) > 99.0);
        // After ten seconds of quick answers a third of it is left.
        (1..=100).for_each(|step| one.note(10 * MS, SECOND + 20 * MS + 100 * MS * step));
        assert!((30.0..45.0).contains(&one.beside(&other, Measure::Peak, BUSY, 11 * SECOND)));
    }

    #[test]
    fn the_first_answer_of_a_cold_host_is_soon_outweighed() {
        let cold = noted(&[vec![500 * MS], vec![10 * MS; 9]].concat());
        assert_eq!(cold.beside(&noted(&[10 * MS; 10]), Measure::Usual, BUSY, SECOND), 1.0);
    }

    #[test]
    fn who_is_not_asked_is_asked_again_after_a_while() {
        let (slow, quick) = (noted(&[210 * MS; 10]), noted(&[10 * MS; 10]));
        for measure in [Measure::Usual, Measure::Peak] {
            assert!(slow.beside(&quick, measure, (true, false), 10 * SECOND) > 2.0);
            assert_eq!(slow.beside(&quick, measure, (true, false), 17 * SECOND), 1.0);
            assert!(slow.beside(&quick, measure, BUSY, 17 * SECOND) > 20.0);
        }
    }
}
