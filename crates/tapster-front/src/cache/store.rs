//! The stored answers by their keys, the most wanted of them, in a bounded number of bytes.

use std::rc::Rc;

use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use tapster_observe::{FrontBoard, FrontCounter, FrontGauge};

use super::ask::Ask;
use super::entry::Entry;
use crate::receive::Request;

/// Answers to one target at most; beyond it the oldest goes.
const VARIANTS: usize = 32;

/// How large an answer is expected to be.
const USUAL: u64 = 16 * 1024;

/// All answers.
pub(crate) struct Store {
    cache: Cache<Box<[u8]>, Rc<Resource>, Weights>,
    /// Where it says what it holds.
    board: FrontBoard,
}

/// The answers to one target, the newest last.
struct Resource {
    variants: Vec<Rc<Entry>>,
    /// What they weighed when it was put in: the cache has to find it unchanged.
    weight: u64,
}

impl Resource {
    fn new(variants: Vec<Rc<Entry>>) -> Rc<Resource> {
        let weight = variants.iter().map(|entry| entry.weight()).sum();
        Rc::new(Resource { variants, weight })
    }
}

#[derive(Clone)]
struct Weights;

impl Weighter<Box<[u8]>, Rc<Resource>> for Weights {
    fn weight(&self, key: &Box<[u8]>, resource: &Rc<Resource>) -> u64 {
        key.len() as u64 + resource.weight
    }
}

impl Store {
    /// For so many bytes.
    pub(crate) fn new(size: u64, board: FrontBoard) -> Store {
        let expected = usize::try_from(size / USUAL).unwrap_or(usize::MAX).clamp(16, 1 << 16);
        board.set(FrontGauge::CacheSize, size);
        Store { cache: Cache::with_weighter(expected, size, Weights), board }
    }

    /// The answer that a request selects.
    pub(crate) fn find(&self, ask: &Ask, request: &Request) -> Option<Rc<Entry>> {
        let resource = self.cache.get(ask.key.as_slice())?;
        let suits = |entry: &&Rc<Entry>| *entry.selecting == *ask.selecting && entry.vary.suits(request);
        resource.variants.iter().rev().find(suits).cloned()
    }

    /// What tells requests apart that must not wait for each other's answers.
    pub(crate) fn flight_key(&self, ask: &Ask, request: &Request) -> Box<[u8]> {
        let mut key = ask.key.clone();
        key.push(b'\n');
        key.extend_from_slice(&ask.selecting);
        let newest = self.cache.peek(ask.key.as_slice()).and_then(|resource| resource.variants.last());
        if let Some(newest) = newest {
            newest.vary.key(request, &mut key);
        }
        key.into()
    }

    /// Puts an answer in, in the place of the one that the same requests selected.
    pub(crate) fn insert(&mut self, key: &[u8], entry: Rc<Entry>) {
        let old = self.cache.peek(key).map(|resource| resource.variants.as_slice()).unwrap_or_default();
        let is_other = |known: &&Rc<Entry>| known.vary != entry.vary || known.selecting != entry.selecting;
        let mut variants: Vec<_> = old.iter().filter(is_other).cloned().collect();
        if variants.len() >= VARIANTS {
            variants.remove(0);
        }
        variants.push(entry);
        self.put(key, variants);
    }

    /// Puts all answers to one target in; others may have to go.
    fn put(&mut self, key: &[u8], variants: Vec<Rc<Entry>>) {
        let expected = self.cache.len() + usize::from(self.cache.peek(key).is_none());
        self.cache.insert(key.into(), Resource::new(variants));
        self.board.count_many(FrontCounter::CacheEvicted, expected.saturating_sub(self.cache.len()) as u64);
        self.tell();
    }

    fn tell(&self) {
        self.board.set(FrontGauge::CacheBytes, self.weight());
        self.board.set(FrontGauge::CacheEntries, self.len() as u64);
    }

    /// Weighs an answer again, which has more forms now.
    pub(crate) fn weigh(&mut self, key: &[u8], entry: &Rc<Entry>) {
        let resource = self.cache.peek(key).cloned();
        let has = |resource: &Rc<Resource>| resource.variants.iter().any(|known| Rc::ptr_eq(known, entry));
        if let Some(resource) = resource.filter(has) {
            self.put(key, resource.variants.clone());
        }
    }

    /// Removes one answer.
    pub(crate) fn remove(&mut self, key: &[u8], entry: &Rc<Entry>) {
        let Some(resource) = self.cache.peek(key) else { return };
        let variants: Vec<_> =
            resource.variants.iter().filter(|known| !Rc::ptr_eq(known, entry)).cloned().collect();
        match variants.is_empty() {
            true => drop(self.remove_all(key)),
            false => self.put(key, variants),
        }
    }

    /// Removes all answers to a target; how many targets that were.
    pub(crate) fn remove_all(&mut self, key: &[u8]) -> u64 {
        let removed = self.cache.remove(key).is_some();
        self.tell();
        u64::from(removed)
    }

    /// Removes all answers whose keys are meant; how many targets that were.
    pub(crate) fn remove_if(&mut self, is_meant: impl Fn(&[u8]) -> bool) -> u64 {
        let before = self.cache.len();
        self.cache.retain(|key, _| !is_meant(key));
        self.tell();
        (before - self.cache.len()) as u64
    }

    /// Bytes that are taken.
    pub(crate) fn weight(&self) -> u64 {
        self.cache.weight()
    }

    /// Targets that have answers.
    pub(crate) fn len(&self) -> usize {
        self.cache.len()
    }
}
