//! Numbers for keys, by first appearance: the traces and series of a chunk.

use std::hash::{BuildHasher, RandomState};

/// Slots of a table at the start.
const MIN_SLOTS: usize = 1 << 10;

/// Maps u64 keys to 0, 1, 2 … in the order in which they appear.
///
/// Open addressing with a secret odd multiplier (multiply-shift hashing): trace
/// ids come from other hosts, and chosen ids must not make the probing long.
#[derive(Debug)]
pub(super) struct Dictionary {
    keys: Vec<u64>,
    /// 0 is free; else 1 + the index of the key. A power of two, at least four
    /// times the keys, so that the first probe nearly always decides.
    slots: Vec<u32>,
    shift: u32,
    multiplier: u64,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        let multiplier = RandomState::new().hash_one(0x6D61_726B) | 1;
        Dictionary {
            keys: Vec::new(),
            slots: vec![0; MIN_SLOTS],
            shift: 64 - MIN_SLOTS.ilog2(),
            multiplier,
        }
    }

    /// The keys, by first appearance.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// Forgets all keys and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.slots.fill(0);
    }

    /// The index of each of `keys` into the same place of `indexes`; new ones for
    /// those that have none.
    pub(super) fn intern_all(&mut self, keys: &[u64], indexes: &mut [u32]) {
        // All first probes at once, so that their cache misses overlap; nothing
        // depends on what was found until all are on their way.
        let mask = self.slots.len() - 1;
        for (index, &key) in indexes.iter_mut().zip(keys) {
            *index = self.slots[self.home(key) & mask];
        }
        for (index, &key) in indexes.iter_mut().zip(keys) {
            // A slot that was free may have been taken since; one that was taken stays so.
            *index = match self.keys.get((*index as usize).wrapping_sub(1)) {
                Some(&found) if found == key => *index - 1,
                _ => self.intern(key),
            };
        }
    }

    /// The index of `key`; a new one if it has none.
    pub(super) fn intern(&mut self, key: u64) -> u32 {
        let mask = self.slots.len() - 1;
        let mut slot = self.home(key) & mask;
        loop {
            let taken = self.slots[slot];
            if taken == 0 {
                return self.insert(slot, key);
            }
            if self.keys[taken as usize - 1] == key {
                return taken - 1;
            }
            slot = (slot + 1) & mask;
        }
    }

    #[inline]
    fn home(&self, key: u64) -> usize {
        (key.wrapping_mul(self.multiplier) >> self.shift) as usize
    }

    fn insert(&mut self, slot: usize, key: u64) -> u32 {
        self.keys.push(key);
        let taken = self.keys.len() as u32;
        self.slots[slot] = taken;
        if self.keys.len() * 4 > self.slots.len() {
            self.grow();
        }
        taken - 1
    }

    #[cold]
    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        self.shift -= 1;
        let mask = self.slots.len() - 1;
        for (index, &key) in self.keys.iter().enumerate() {
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
        dictionary.clear();
        assert_eq!(dictionary.intern(u64::MAX), 0);
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
