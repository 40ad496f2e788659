//! Traces of one flow that are not in its cells yet.
//!
//! Cells lie far apart, and there may be thousands of flows: a trace at a time, each would wait for memory. Those of one flow
//! that wait here find, when they are added together, most of their cells in the cache.

/// So many words are settled at once: with the cells of a block they fit a core's own cache.
const MANY: usize = 1 << 12;
/// Bits of a time; above it stands the number of its owner.
const TIME_BITS: u32 = 48;

/// Traces one after the other. Each is its block and how many owners follow, its end-to-end time, and the owners, each with
/// its time.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    words: Vec<u64>,
}

/// One of them. Times are in units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting<'a> {
    pub(crate) block: u32,
    pub(crate) end_to_end: u64,
    owners: &'a [u64],
}

/// An owner with its time.
#[inline]
pub(crate) fn owned(owner: usize, time: u64) -> u64 {
    (owner as u64) << TIME_BITS | time
}

impl Waiting<'_> {
    /// Numbers of owners, with the time of each. One may come more than once.
    #[inline]
    pub(crate) fn owners(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let split = |word: &u64| ((word >> TIME_BITS) as usize, word & ((1 << TIME_BITS) - 1));
        self.owners.iter().map(split)
    }
}

impl Pending {
    /// Whether a trace that takes so long has room here.
    #[inline]
    pub(crate) fn takes(end_to_end: u64) -> bool {
        end_to_end >> TIME_BITS == 0
    }

    /// Adds a trace, and gives room for so many owners, each to be made by [`owned`].
    #[inline]
    pub(crate) fn push(&mut self, block: u32, end_to_end: u64, owners: usize) -> &mut [u64] {
        let at = self.words.len() + 2;
        if self.words.capacity() == 0 {
            // All at once: growing step by step would copy them, and touch memory for nothing.
            self.words.reserve(MANY + MANY / 8);
        }
        self.words.resize(at + owners, 0);
        self.words[at - 2] = u64::from(block) << 32 | owners as u64;
        self.words[at - 1] = end_to_end;
        &mut self.words[at..]
    }

    /// Whether it is time to settle.
    #[inline]
    pub(crate) fn is_long(&self) -> bool {
        self.words.len() >= MANY
    }

    /// Gives all of them, and forgets them.
    #[inline]
    pub(crate) fn drain(&mut self, mut each: impl FnMut(Waiting<'_>)) {
        let mut words = self.words.as_slice();
        while let [head, end_to_end, rest @ ..] = words {
            let (owners, rest) = rest.split_at(*head as u32 as usize);
            each(Waiting {
                block: (head >> 32) as u32,
                end_to_end: *end_to_end,
                owners,
            });
            words = rest;
        }
        self.words.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_comes_out_once() {
        let traces = [
            (7, 30, vec![(1, 10), (0, 5), (1, 5), (2, 10)]),
            (
                8,
                (1 << TIME_BITS) - 1,
                vec![(0, 1), (65_535, (1 << TIME_BITS) - 2)],
            ),
        ];
        let mut pending = Pending::default();
        for (block, end_to_end, owners) in &traces {
            assert!(Pending::takes(*end_to_end));
            let room = pending.push(*block, *end_to_end, owners.len());
            for (word, (owner, time)) in room.iter_mut().zip(owners) {
                *word = owned(*owner, *time);
            }
        }
        let mut seen = Vec::new();
        pending.drain(|each| {
            seen.push((
                each.block,
                each.end_to_end,
                each.owners().collect::<Vec<_>>(),
            ));
        });
        assert_eq!(seen, traces);
        pending.drain(|_| panic!("there are none left"));
        assert!(!Pending::takes(1 << TIME_BITS));
    }
}
