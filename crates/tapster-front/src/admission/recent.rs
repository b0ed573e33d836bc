//! What is known of the keys that were used last: a map that forgets the one that was idle longest when there is no room.

use std::collections::HashMap;
use std::hash::Hash;

/// No place.
const NONE: u32 = u32::MAX;

/// A map with at most so many entries.
pub(super) struct Recent<K, V> {
    most: usize,
    places: HashMap<K, u32>,
    entries: Vec<Entry<K, V>>,
    /// Used last, and used before all others.
    newest: u32,
    oldest: u32,
}

struct Entry<K, V> {
    key: K,
    value: V,
    /// The next one that was used later, and earlier.
    newer: u32,
    older: u32,
}

impl<K: Hash + Eq + Copy, V> Recent<K, V> {
    /// For `most` entries, at least one and fewer than 2³² − 1.
    pub(super) fn new(most: usize) -> Recent<K, V> {
        Recent { most: most.max(1), places: HashMap::new(), entries: Vec::new(), newest: NONE, oldest: NONE }
    }

    /// The value of a key, which is used now; a fresh one where it is not known.
    pub(super) fn get(&mut self, key: K, fresh: impl FnOnce() -> V) -> &mut V {
        let place = match self.places.get(&key) {
            Some(&place) => {
                self.unlink(place);
                place
            }
            None => self.make(key, fresh()),
        };
        self.link(place);
        &mut self.entries[place as usize].value
    }

    /// How many are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// An entry that is not linked: a new one, or the one that was idle longest.
    fn make(&mut self, key: K, value: V) -> u32 {
        let entry = Entry { key, value, newer: NONE, older: NONE };
        let place = if self.entries.len() < self.most {
            self.entries.push(entry);
            self.entries.len() as u32 - 1
        } else {
            let place = self.oldest;
            self.unlink(place);
            let forgotten = std::mem::replace(&mut self.entries[place as usize], entry);
            self.places.remove(&forgotten.key);
            place
        };
        self.places.insert(key, place);
        place
    }

    fn unlink(&mut self, place: u32) {
        let Entry { newer, older, .. } = self.entries[place as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
    }

    /// As the newest.
    fn link(&mut self, place: u32) {
        let older = std::mem::replace(&mut self.newest, place);
        match older {
            NONE => self.oldest = place,
            older => self.entries[older as usize].newer = place,
        }
        let entry = &mut self.entries[place as usize];
        (entry.newer, entry.older) = (NONE, older);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It is a list of the keys in the order of their last use, cut at its length.
        #[test]
        fn it_knows_those_that_were_used_last(
            most in 1_usize..8, keys in proptest::collection::vec(0_u8..12, 0..200),
        ) {
            let mut recent = Recent::new(most);
            let mut model: Vec<(u8, u32)> = Vec::new();
            for key in keys {
                let known = model.iter().position(|(known, _)| *known == key).map(|place| model.remove(place).1);
                let value = recent.get(key, || 0);
                prop_assert_eq!(*value, known.unwrap_or(0));
                *value += 1;
                model.push((key, known.unwrap_or(0) + 1));
                if model.len() > most {
                    model.remove(0);
                }
                prop_assert_eq!(recent.len(), model.len());
                prop_assert_eq!(recent.places.len(), model.len());
            }
        }
    }
}
