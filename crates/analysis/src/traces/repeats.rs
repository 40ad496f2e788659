//! Which trace ids stand in more than one chunk.
//!
//! Most traces lie whole in one chunk, and are analysed where they are read. The others must be put together first. A
//! table of bits, filled from the dictionaries of all chunks, finds them: an id that finds its three bits of one word set was
//! probably there before, and is remembered. It may take an id for repeated that is not, which costs a little time, never the
//! other way round.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};
use rayon::prelude::*;

use super::hash::{NumberHasher, spread};

/// Bytes of the table, at most. Beyond 16 Mi dictionary entries more and more ids are taken for repeated.
const MAX_BYTES: u64 = 64 << 20;
/// Bytes of a word.
const WORD: usize = size_of::<u64>();
/// Dictionary entries for which a word of the table is meant.
const ENTRIES: u64 = 2;
/// Repeated ids that are remembered. Of more, every id may be one.
const MAX_REPEATED: usize = 4 << 20;

/// An id in its clock domain.
type Known = (u32, u64);

/// The table, and what it found.
#[derive(Debug)]
pub(crate) struct Repeats {
    words: Memory,
    repeated: HashSet<Known, BuildHasherDefault<NumberHasher>>,
    too_many: bool,
}

/// Zeros. Every look-up goes somewhere else, so that pages are better large.
#[derive(Debug)]
enum Memory {
    Mapped(MmapMut),
    Plain(Vec<u8>),
}

impl Memory {
    fn new(bytes: usize) -> Self {
        match MmapMut::map_anon(bytes) {
            Ok(map) => {
                // If it is not to be had, all works as well.
                let _ = map.advise(Advice::HugePage);
                Self::Mapped(map)
            }
            Err(_) => Self::Plain(vec![0; bytes]),
        }
    }
}

impl Deref for Memory {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Plain(bytes) => bytes,
        }
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Plain(bytes) => bytes,
        }
    }
}

impl Repeats {
    /// Room for about so many entries of dictionaries.
    pub(crate) fn new(entries: u64) -> Self {
        let words = (entries / ENTRIES).clamp(1, MAX_BYTES / WORD as u64) as usize;
        Self {
            words: Memory::new(words * WORD),
            repeated: HashSet::default(),
            too_many: false,
        }
    }

    /// Notes the ids of chunks, one list a chunk, as those of the clock domain `domain`.
    pub(crate) fn note(&mut self, domain: u32, lists: &[Vec<u64>]) {
        if self.too_many {
            return;
        }
        let all = self.words.len() / WORD;
        let share = all.div_ceil(rayon::current_num_threads()).max(1);
        // Each task has a stretch of the table for itself: no word is written by two.
        let found = self.words.par_chunks_mut(share * WORD).enumerate();
        let found: Vec<Vec<u64>> = found
            .map(|(number, words)| {
                let first = number * share;
                let mut found = Vec::new();
                for id in lists.iter().flatten() {
                    let (place, bits) = slot(all, domain, *id);
                    let at = place.wrapping_sub(first).wrapping_mul(WORD);
                    let word = words.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
                    if let Some(word) = word {
                        let old = u64::from_le_bytes(*word);
                        *word = (old | bits).to_le_bytes();
                        if old & bits == bits {
                            found.push(*id);
                        }
                    }
                }
                found
            })
            .collect();
        let found = found.into_iter().flatten();
        self.repeated.extend(found.map(|id| (domain, id)));
        if self.repeated.len() > MAX_REPEATED {
            self.too_many = true;
            self.repeated = HashSet::default();
        }
    }

    /// Whether an id may stand in more than one chunk.
    #[inline]
    pub(crate) fn may_repeat(&self, domain: u32, id: u64) -> bool {
        self.too_many || self.repeated.contains(&(domain, id))
    }
}

/// The word of an id, and its bits.
#[inline]
fn slot(words: usize, domain: u32, id: u64) -> (usize, u64) {
    let hash = spread(id.wrapping_add(u64::from(domain) << 40));
    let place = ((u128::from(hash) * words as u128) >> 64) as usize;
    // The low bits: the place is made of the high ones.
    let bits = 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63);
    (place, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repeated_id_is_found_and_few_others() {
        let once: Vec<u64> = (0..50_000_u64).map(|n| spread(n) | 1).collect();
        let twice: Vec<u64> = (1_000_000..1_001_000_u64).collect();
        let mut repeats = Repeats::new(52_000);
        let (first, second) = once.split_at(25_000);
        repeats.note(0, &[[first, &twice].concat()]);
        repeats.note(0, &[[second, &twice].concat()]);
        assert!(twice.iter().all(|id| repeats.may_repeat(0, *id)));
        let wrong = once.iter().filter(|id| repeats.may_repeat(0, **id)).count();
        assert!(wrong < 500, "{wrong} of 50 000");
        assert!(!repeats.may_repeat(1, twice[0]) || wrong > 0);
    }
}
