//! Which trace ids stand in more than one chunk.
//!
//! Most traces lie whole in one chunk, and are analysed where they are read. The others must be put together first. A
//! table of bits, filled from the dictionaries of all chunks, tells them apart: an id sets three bits of one word, and a
//! second time the three bits above. It may take an id for repeated that is not, which costs a little time, never the
//! other way round.

use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};
use rayon::prelude::*;

use super::hash::spread;

/// Bytes of the table, at most. Beyond 16 Mi dictionary entries more and more ids are taken for repeated.
const MAX_BYTES: u64 = 128 << 20;
/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    words: Memory,
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

impl Default for Memory {
    fn default() -> Self {
        Self::Plain(vec![0; WORD])
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
    /// For chunks with so many rows: most traces have a few in each chunk.
    pub(crate) fn new(rows: u64) -> Self {
        let words = (rows / 2).clamp(1, MAX_BYTES / WORD as u64) as usize;
        Self {
            words: Memory::new(words * WORD),
        }
    }

    /// Notes the ids of chunks, one list a chunk, as those of the clock domain `domain`.
    pub(crate) fn note(&mut self, domain: u32, lists: &[Vec<u64>]) {
        let all = self.words.len() / WORD;
        let share = all.div_ceil(rayon::current_num_threads()).max(1);
        // Each task has a stretch of the table for itself: no word is written by two.
        self.words
            .par_chunks_mut(share * WORD)
            .enumerate()
            .for_each(|(number, words)| {
                let first = number * share;
                for id in lists.iter().flatten() {
                    let (place, bits) = slot(all, domain, *id);
                    let at = place.wrapping_sub(first).wrapping_mul(WORD);
                    let word = words.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
                    if let Some(word) = word {
                        let old = u64::from_le_bytes(*word);
                        *word = (old | (old & bits) << 32 | bits).to_le_bytes();
                    }
                }
            });
    }

    /// Whether an id may stand in more than one chunk.
    #[inline]
    pub(crate) fn may_repeat(&self, domain: u32, id: u64) -> bool {
        let words: &[u8] = &self.words;
        let (place, bits) = slot(words.len() / WORD, domain, id);
        let word = words[place * WORD..].first_chunk().copied();
        (u64::from_le_bytes(word.unwrap_or_default()) >> 32) & bits == bits
    }
}

/// The word of an id, and its bits in the lower half.
#[inline]
fn slot(words: usize, domain: u32, id: u64) -> (usize, u64) {
    let hash = spread(id.wrapping_add(u64::from(domain) << 40));
    let place = ((u128::from(hash) * words as u128) >> 64) as usize;
    // The low bits: the place is made of the high ones.
    let bits = 1 << (hash & 31) | 1 << (hash >> 5 & 31) | 1 << (hash >> 10 & 31);
    (place, bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_repeated_id_is_found_and_few_others() {
        let once: Vec<u64> = (0..50_000_u64).map(|n| spread(n) | 1).collect();
        let twice: Vec<u64> = (1_000_000..1_001_000_u64).collect();
        let mut repeats = Repeats::new(200_000);
        let (first, second) = once.split_at(25_000);
        repeats.note(0, &[[first, &twice].concat()]);
        repeats.note(0, &[[second, &twice].concat()]);
        assert!(twice.iter().all(|id| repeats.may_repeat(0, *id)));
        let wrong = once.iter().filter(|id| repeats.may_repeat(0, **id)).count();
        assert!(wrong < 500, "{wrong} of 50 000");
        assert!(!repeats.may_repeat(1, twice[0]) || wrong > 0);
    }
}
