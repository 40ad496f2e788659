//! Numbers for keys, by first appearance: the traces and series of a chunk.

use std::hash::{BuildHasher, RandomState};

use super::trace_runs::BATCH;
use crate::limits;

/// Slots of a table at the start.
const MIN_SLOTS: usize = 1 << 10;
/// Slots a key.
const SPARSE: usize = 4;
/// From base to base: above 1 + the index of any key.
const STEP: u32 = 1 << 18;
const _: () = assert!(STEP as usize > 2 * (limits::MAX_CHUNK_ROWS + BATCH));

/// Whether a slot that holds so much above the base belongs to no key.
#[inline(always)]
fn is_free(above_base: u32) -> bool {
    above_base.wrapping_sub(1) >= STEP - 1
}

/// Maps u64 keys to 0, 1, 2 … in the order in which they appear.
///
/// Open addressing with a secret odd multiplier (multiply-shift hashing): trace
/// ids come from other hosts, and chosen ids must not make the probing long.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// By first appearance. What lies behind `len` means nothing.
    keys: Vec<u64>,
    len: usize,
    /// The base and 1 + the index of a key; anything else is free. A power of two, at
    /// least [`SPARSE`] times the keys, so that the first probe nearly always decides.
    slots: Vec<u32>,
    /// Rises when the keys are forgotten, which frees all slots without a look at them.
    base: u32,
    shift: u32,
    multiplier: u64,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        let multiplier = RandomState::new().hash_one(0x6D61_726B) | 1;
        Dictionary {
            keys: vec![0; MIN_SLOTS / SPARSE],
            len: 0,
            slots: vec![0; MIN_SLOTS],
            base: 0,
            shift: 64 - MIN_SLOTS.ilog2(),
            multiplier,
        }
    }

    /// The keys, by first appearance.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys[..self.len]
    }

    /// Forgets all keys and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.base = self.base.wrapping_add(STEP);
        if self.base == 0 {
            self.slots.fill(0);
        }
    }

    /// The index of each of `keys` into the same place of `indexes`; new ones for
    /// those that have none.
    pub(super) fn intern_all(&mut self, keys: &[u64], indexes: &mut [u32]) {
        self.reserve(keys.len());
        // All first probes at once, so that their cache misses overlap; nothing
        // depends on what was found until all are on their way.
        let mask = self.slots.len() - 1;
        for (index, &key) in indexes.iter_mut().zip(keys) {
            *index = self.slots[self.home(key) & mask];
        }
        for (index, &key) in indexes.iter_mut().zip(keys) {
            // Whether a key is new cannot be foretold: it is written as if it were, and
            // that counts only if its slot is free.
            let home = self.home(key) & mask;
            let taken = self.slots[home].wrapping_sub(self.base);
            let is_free = is_free(taken);
            let number = if is_free { self.len as u32 + 1 } else { taken };
            self.keys[self.len] = key;
            self.slots[home] = self.base + number;
            self.len += usize::from(is_free);
            *index = if self.keys[number as usize - 1] == key {
                number - 1
            } else {
                self.probe(home, key)
            };
        }
    }

    /// The index of `key`; a new one if it has none.
    pub(super) fn intern(&mut self, key: u64) -> u32 {
        self.reserve(1);
        self.probe(self.home(key) & (self.slots.len() - 1), key)
    }

    /// The index of `key`, if it has one.
    pub(super) fn find(&self, key: u64) -> Option<u32> {
        let mut slot = self.home(key);
        loop {
            let taken = self.slots[slot & (self.slots.len() - 1)].wrapping_sub(self.base);
            if is_free(taken) {
                return None;
            }
            if self.keys[taken as usize - 1] == key {
                return Some(taken - 1);
            }
            slot += 1;
        }
    }

    /// Looks from `slot` on. There is room for a new key.
    fn probe(&mut self, mut slot: usize, key: u64) -> u32 {
        loop {
            let taken = self.slots[slot].wrapping_sub(self.base);
            if is_free(taken) {
                self.keys[self.len] = key;
                self.len += 1;
                self.slots[slot] = self.base + self.len as u32;
                return self.len as u32 - 1;
            }
            if self.keys[taken as usize - 1] == key {
                return taken - 1;
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(self.multiplier) >> self.shift) as usize
    }

    /// Makes room for `more` keys, and one that does not stay.
    fn reserve(&mut self, more: usize) {
        let wanted = self.len + more + 1;
        if wanted > self.keys.len() {
            self.grow(wanted);
        }
    }

    #[cold]
    fn grow(&mut self, wanted: usize) {
        let len = wanted.next_power_of_two();
        debug_assert!(len < STEP as usize, "a chunk has no more traces");
        self.keys.resize(len, 0);
        self.slots = vec![0; len * SPARSE];
        self.base = 0;
        self.shift = 64 - self.slots.len().ilog2();
        let mask = self.slots.len() - 1;
        for (index, &key) in self.keys[..self.len].iter().enumerate() {
            let mut slot = self.home(key);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            self.slots[slot] = index as u32 + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keys_by_first_appearance() {
        let mut dictionary = Dictionary::new();
        for _ in 0..3 {
            for key in 0..5000u64 {
                let key = key << 32;
                assert_eq!(u64::from(dictionary.intern(key)), key >> 32);
            }
        }
        assert_eq!(dictionary.keys().len(), 5000);
        assert_eq!(dictionary.keys()[7], 7 << 32);
        // As often as it takes for the bases to begin anew.
        for round in 0..1 << 15 {
            dictionary.clear();
            assert_eq!(dictionary.intern(u64::MAX - round), 0);
            assert_eq!(dictionary.intern(round), 1);
            assert_eq!(dictionary.intern(u64::MAX - round), 0);
            assert_eq!(dictionary.find(round), Some(1));
            assert_eq!(dictionary.find(round + 1), None);
        }
    }

    #[test]
    fn many_at_once_are_numbered_like_one_by_one() {
        let (mut together, mut single) = (Dictionary::new(), Dictionary::new());
        let mut noise = crate::load::Noise::new(5);
        for round in 1..40 {
            let keys: Vec<u64> = (0..200).map(|_| noise.next() % (round * 100)).collect();
            let mut indexes = vec![0; keys.len()];
            together.intern_all(&keys, &mut indexes);
            let expected: Vec<u32> = keys.iter().map(|&key| single.intern(key)).collect();
            assert_eq!(indexes, expected);
        }
    }
}
