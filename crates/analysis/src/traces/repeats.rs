//! Which trace ids stand in more than one chunk.
//!
//! Most traces lie whole in one chunk, and are analysed where they are read. The others must be put together first. A
//! table of bits, filled from the dictionaries of all chunks, finds them: an id that finds its three bits of one word set was
//! probably there before, and is remembered. It may take an id for repeated that is not, which costs a little time, never the
//! other way round.
//!
//! Of a large capture there are two tables, one of which is emptied when the other is full: what no chunk to come can join any
//! more need not be known. An id that is used again later than that is not noticed.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};
use rayon::prelude::*;

use super::hash::{NumberHasher, NumberMap, spread};

/// Entries of dictionaries for which one table does, of 64 MiB at most. Of more there are two, of half the size each.
const MAX_ENTRIES: u64 = 16 << 20;
/// Bytes of a word.
const WORD: usize = size_of::<u64>();
/// Words of a table, at least: small captures have no false ones.
const MIN_WORDS: u64 = 1 << 14;
/// Dictionary entries for which a word of a table is meant.
const ENTRIES: u64 = 2;
/// Repeated ids that are remembered, in 150 MB. Of more, every id may be one.
const MAX_REPEATED: usize = 14 << 20;

/// The tables, and what they found.
#[derive(Debug)]
pub(crate) struct Repeats {
    /// Being filled.
    table: Table,
    /// Full, of the time before.
    before: Option<Table>,
    /// Entries for which a table is meant, if there are two.
    room: Option<u64>,
    /// Ids with their domains, as one hash each.
    repeated: HashSet<u64, BuildHasherDefault<NumberHasher>>,
    too_many: bool,
}

/// Bits of the ids of a stretch of time.
#[derive(Debug)]
struct Table {
    words: Memory,
    entries: u64,
    /// The domain of the newest, and its last end.
    until: (u32, u64),
}

/// The ids of chunks that follow one another, of one clock domain.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<'a> {
    pub(crate) domain: u32,
    /// One list a chunk.
    pub(crate) lists: &'a [Vec<u64>],
    /// The first start in them and in all chunks of the domain to come.
    pub(crate) first_start: u64,
    /// The last end in them.
    pub(crate) last_end: u64,
    /// What comes so much later than the last end of its trace is another trace.
    pub(crate) idle: u64,
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
        if entries > MAX_ENTRIES {
            return Self::of_tables(MAX_ENTRIES / 2, Some(MAX_ENTRIES / 2));
        }
        Self::of_tables(entries, None)
    }

    fn of_tables(entries: u64, room: Option<u64>) -> Self {
        let words = (entries / ENTRIES).max(MIN_WORDS) as usize;
        Self {
            table: Table::new(words),
            before: None,
            room,
            repeated: HashSet::default(),
            too_many: false,
        }
    }

    /// Notes the ids of the chunks that come next.
    pub(crate) fn note(&mut self, ids: Ids<'_>) {
        if self.too_many {
            return;
        }
        if self.room.is_some_and(|room| self.table.entries >= room) {
            self.turn(&ids);
        }
        let entries: usize = ids.lists.iter().map(Vec::len).sum();
        self.table.entries += entries as u64;
        let until = match self.table.until {
            (domain, end) if domain == ids.domain => end.max(ids.last_end),
            _ => ids.last_end,
        };
        self.table.until = (ids.domain, until);
        let found = self.table.note(&ids, self.before.as_ref());
        self.repeated.extend(found);
        if self.repeated.len() > MAX_REPEATED {
            self.too_many = true;
            self.repeated = HashSet::default();
        }
    }

    /// Goes on in an empty table, if what the one before holds is over: no chunk to come can join it.
    fn turn(&mut self, ids: &Ids<'_>) {
        let is_over = self.before.as_ref().is_none_or(|before| {
            let (domain, end) = before.until;
            domain != ids.domain || ids.first_start > end.saturating_add(ids.idle)
        });
        if is_over {
            let words = self.table.words.len() / WORD;
            let full = std::mem::replace(&mut self.table, Table::new(words));
            self.before = Some(full);
        }
    }

    /// Which of the ids of a chunk may stand in others as well, of which spans are still `opens`, into `repeats`.
    pub(crate) fn mark(
        &self,
        domain: u32,
        ids: &[u64],
        opens: &NumberMap<u64, Vec<(u64, u32)>>,
        repeats: &mut Vec<bool>,
    ) {
        repeats.clear();
        // All at once: each look-up waits for memory, and so they wait together.
        repeats.extend(ids.iter().map(|id| self.may_repeat(domain, *id)));
        // A span that is still open may get company later than tables go back.
        if self.room.is_some() && !opens.is_empty() {
            let ids = ids.iter().zip(repeats);
            ids.for_each(|(id, repeats)| *repeats = *repeats || opens.contains_key(id));
        }
    }

    #[inline]
    fn may_repeat(&self, domain: u32, id: u64) -> bool {
        self.too_many || self.repeated.contains(&hash_of(domain, id))
    }
}

impl Table {
    fn new(words: usize) -> Self {
        Self {
            words: Memory::new(words * WORD),
            entries: 0,
            until: (0, 0),
        }
    }

    /// Sets the bits of ids, and gives the hashes of those that had them set already, here or in the table `before`, which is
    /// as large.
    fn note(&mut self, ids: &Ids<'_>, before: Option<&Self>) -> Vec<u64> {
        let all = self.words.len() / WORD;
        let share = all.div_ceil(rayon::current_num_threads()).max(1);
        // Each task has a stretch of the table for itself: no word is written by two.
        let stretches = self.words.par_chunks_mut(share * WORD).enumerate();
        let found: Vec<Vec<u64>> = stretches
            .map(|(number, words)| {
                let first = number * share;
                let before = before.map(|before| &before.words[first * WORD..]);
                let mut found = Vec::new();
                for id in ids.lists.iter().flatten() {
                    let hash = hash_of(ids.domain, *id);
                    let (place, bits) = slot(all, hash);
                    let at = place.wrapping_sub(first).wrapping_mul(WORD);
                    let word = words.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
                    if let Some(word) = word {
                        let old = u64::from_le_bytes(*word);
                        *word = (old | bits).to_le_bytes();
                        let has = |word: u64| word & bits == bits;
                        let older = before.and_then(|before| before[at..].first_chunk());
                        if has(old) || older.is_some_and(|word| has(u64::from_le_bytes(*word))) {
                            found.push(hash);
                        }
                    }
                }
                found
            })
            .collect();
        found.concat()
    }
}

#[inline]
fn hash_of(domain: u32, id: u64) -> u64 {
    spread(id.wrapping_add(u64::from(domain) << 40))
}

/// The word of an id, and its bits.
#[inline]
fn slot(words: usize, hash: u64) -> (usize, u64) {
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
        repeats.note(chunk(&[[first, &twice].concat()], 0));
        repeats.note(chunk(&[[second, &twice].concat()], 1000));
        assert!(twice.iter().all(|id| repeats.may_repeat(0, *id)));
        let wrong = once.iter().filter(|id| repeats.may_repeat(0, **id)).count();
        assert!(wrong < 500, "{wrong} of 50 000");
        assert!(!repeats.may_repeat(1, twice[0]) || wrong > 0);
    }

    /// The ids of a chunk from `start` to 10 later, in order of time.
    fn chunk(lists: &[Vec<u64>], start: u64) -> Ids<'_> {
        Ids {
            domain: 0,
            lists,
            first_start: start,
            last_end: start + 10,
            idle: 100,
        }
    }

    /// A thousand chunks of a thousand ids: one id stands in every fourth of them, one in two that lie as far apart as those
    /// of a trace can, one in two that do not.
    #[test]
    fn of_a_large_capture_what_is_near_is_found_and_what_is_far_is_not() {
        const LONG: u64 = 1;
        const NEAR: u64 = 2;
        const FAR: u64 = 3;
        let mut repeats = Repeats::of_tables(10_000, Some(10_000));
        for number in 0..1000 {
            let mut ids: Vec<u64> = (0..1000)
                .map(|n| spread(number * 1000 + n) | 1 << 63)
                .collect();
            let near = number == 500 || number == 510;
            let far = number == 200 || number == 800;
            let of = [(number % 4 == 0, LONG), (near, NEAR), (far, FAR)];
            ids.extend(of.into_iter().filter(|(is, _)| *is).map(|(_, id)| id));
            repeats.note(chunk(&[ids], number * 11));
        }
        assert!(repeats.may_repeat(0, LONG) && repeats.may_repeat(0, NEAR));
        assert!(!repeats.may_repeat(0, FAR));
        let wrong = repeats.repeated.len() - 2;
        assert!(wrong < 10_000, "{wrong} of 1 000 000");
    }

    /// A trace that is slower than a table fills keeps the tables from turning.
    #[test]
    fn nothing_is_forgotten_that_a_chunk_to_come_can_join() {
        let mut repeats = Repeats::of_tables(1000, Some(1000));
        for number in 0..50_u64 {
            let mut ids: Vec<u64> = (0..1000)
                .map(|n| spread(number * 1000 + n) | 1 << 63)
                .collect();
            if number == 0 || number == 49 {
                ids.push(7);
            }
            // All begin before the first one is over.
            repeats.note(chunk(&[ids], number));
        }
        assert!(repeats.may_repeat(0, 7));
    }
}
