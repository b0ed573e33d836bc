//! Answers by status and method: a small table of counters with open addressing, one word each, written by one thread.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::Method;
use crate::histogram::add;

/// Combinations of status and method that a thread counts apart. What an application answers beyond is counted by class.
const PLACES: usize = 64;
/// Status classes 1xx to 5xx.
const CLASSES: usize = 5;
/// The table, and behind it what found no place in it.
pub(crate) const ANSWER_WORDS: usize = PLACES + CLASSES;

/// A word is a key in its upper bits, 0 while it is free, and the count in the lower.
const COUNT_BITS: u32 = 48;
const METHOD_BITS: u32 = 4;

/// A status, or where there are too many of them a whole class: 1 to 5.
pub type Status = u16;

/// Counts an answer. By the one thread that writes these words.
#[inline]
pub(crate) fn count(words: &[AtomicU64], status: u16, method: Method) {
    let status = if (100..1000).contains(&status) { status } else { 500 };
    let key = u64::from(status) << METHOD_BITS | method as u64;
    let first = usize::from(status).wrapping_mul(7) + method as usize * 8;
    for place in first..first + PLACES {
        let word = &words[place % PLACES];
        let value = word.load(Relaxed);
        if value >> COUNT_BITS == key {
            return word.store(value + 1, Relaxed);
        }
        if value == 0 {
            return word.store(key << COUNT_BITS | 1, Relaxed);
        }
    }
    add(&words[PLACES + class(status)], 1);
}

/// All answers that were counted, in no order.
pub(crate) fn read(words: &[AtomicU64]) -> impl Iterator<Item = ((Status, Method), u64)> {
    words.iter().enumerate().filter_map(|(place, word)| {
        let value = word.load(Relaxed);
        if value == 0 {
            return None;
        }
        if place >= PLACES {
            return Some((((place - PLACES + 1) as Status, Method::Other), value));
        }
        let (key, count) = (value >> COUNT_BITS, value & ((1 << COUNT_BITS) - 1));
        let status = Status::try_from(key >> METHOD_BITS).unwrap_or(0);
        Some(((status, Method::from_number(key & ((1 << METHOD_BITS) - 1))), count))
    })
}

/// 0 for 1xx to 4 for 5xx. What no HTTP status is counts as a failure of the server.
pub(crate) fn class(status: u16) -> usize {
    match status / 100 {
        class @ 1..=4 => usize::from(class) - 1,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..ANSWER_WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    #[test]
    fn what_finds_no_place_is_counted_by_class() {
        let words = words();
        (400..470).for_each(|status| count(&words, status, Method::Get));
        count(&words, 400, Method::Get);
        count(&words, 0, Method::Other);
        let found: BTreeMap<_, _> = read(&words).collect();
        assert_eq!(found[&(400, Method::Get)], 2);
        assert_eq!((found[&(4, Method::Other)], found[&(5, Method::Other)]), (6, 1));
        assert_eq!(found.values().sum::<u64>(), 72);
    }

    proptest! {
        #[test]
        fn counts_are_exact(answers in prop::collection::vec((100u16..600, 0u64..9), 0..60)) {
            let words = words();
            let mut expected: BTreeMap<(u16, Method), u64> = BTreeMap::new();
            for (status, method) in answers {
                let method = Method::from_number(method);
                count(&words, status, method);
                *expected.entry((status, method)).or_default() += 1;
            }
            prop_assert_eq!(read(&words).collect::<BTreeMap<_, _>>(), expected);
        }
    }
}
