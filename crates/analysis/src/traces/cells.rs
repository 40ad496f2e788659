//! Sums by time block and end-to-end bin: what tail bands and their standard errors are read off.
//!
//! A cell counts the traces of one flow that ended in one block of time and took as long as one bin says, and sums the time
//! of each owner in them. All are integers, so cells add up in any order.

use perf_format::bins;

use super::hash::NumberMap;

/// How much coarser these bins are than those of percentiles: 64 to an octave, two significant digits.
const SHIFT: u32 = 4;

/// The bin of an end-to-end time, before any coarsening.
#[inline]
pub(crate) fn bin_of(units: u64) -> u32 {
    (bins::index(units) as u32) >> SHIFT
}

/// Cells of one flow.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    blocks: Vec<Block>,
    /// The place of the block that was met last: traces come in the order of time.
    current: usize,
    cells: usize,
}

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) block: u32,
    pub(crate) bin: u32,
}

/// The rows of one block of time. Each block has memory of its own, so that what is done with stays where it is.
#[derive(Debug)]
struct Block {
    block: u32,
    /// The bin of the first place.
    low: u32,
    /// By bin: 1 + the number of its row, or 0.
    places: Vec<u32>,
    /// Row by row: the count, then a sum an owner, each in the lower half of what it is. There are many rows, and most sums
    /// are small.
    rows: Vec<u32>,
    /// The upper half of the others, by place in `rows`.
    high: NumberMap<u32, u64>,
    /// Numbers in a row.
    stride: usize,
}

/// One row, to be added to.
pub(crate) struct Row<'a> {
    block: &'a mut Block,
    at: usize,
}

impl Cells {
    /// A cell, with room for `owners` sums.
    #[inline]
    pub(crate) fn row(&mut self, cell: Cell, owners: usize) -> Row<'_> {
        let at = match self.blocks.get(self.current) {
            Some(current) if current.block == cell.block && owners < current.stride => self.current,
            _ => self.find(cell, owners),
        };
        let block = &mut self.blocks[at];
        let known = block.places.get(cell.bin.wrapping_sub(block.low) as usize);
        let number = match known {
            Some(number) if *number > 0 => *number as usize - 1,
            _ => {
                self.cells += 1;
                block.make(cell.bin)
            }
        };
        let at = number * block.stride;
        Row { block, at }
    }

    /// The place of a block that is not the current one, or too narrow.
    #[cold]
    #[inline(never)]
    fn find(&mut self, cell: Cell, owners: usize) -> usize {
        let known = self
            .blocks
            .iter()
            .rposition(|each| each.block == cell.block);
        self.current = known.unwrap_or(self.blocks.len());
        if known.is_none() {
            self.blocks.push(Block {
                block: cell.block,
                low: cell.bin,
                places: Vec::new(),
                rows: Vec::new(),
                high: NumberMap::default(),
                stride: 0,
            });
        }
        let block = &mut self.blocks[self.current];
        if owners >= block.stride {
            block.widen(owners + 1);
        }
        self.current
    }

    /// Adds the cells of another flow whose owner `n` is `numbers[n]` here.
    pub(crate) fn merge(&mut self, other: &Cells, numbers: &[usize]) {
        let owners = numbers.iter().max().map_or(0, |most| most + 1);
        other.for_each(|cell, count, sums| {
            let mut row = self.row(cell, owners);
            row.count(count);
            let own = numbers.iter().zip(sums).filter(|(_, sum)| **sum > 0);
            own.for_each(|(number, sum)| row.add(*number, *sum));
        });
    }

    /// Shows all cells, with their counts and a sum an owner, in the order in which blocks were met. Owners beyond the last
    /// sum have none there.
    pub(crate) fn for_each(&self, mut each: impl FnMut(Cell, u64, &[u64])) {
        let mut whole = Vec::new();
        for block in &self.blocks {
            for (place, number) in block.places.iter().enumerate() {
                let Some(number) = number.checked_sub(1) else {
                    continue;
                };
                let cell = Cell {
                    block: block.block,
                    bin: block.low + place as u32,
                };
                block.whole(number as usize, &mut whole);
                each(cell, whole[0], &whole[1..]);
            }
        }
    }

    /// Bytes, about: as many as the cells need, however they came to be.
    pub(crate) fn bytes(&self, owners: usize) -> usize {
        self.cells * ((owners + 1).next_multiple_of(STEP) * 4 + 4)
    }

    /// Joins each two neighbouring bins.
    pub(crate) fn coarsen(&mut self) {
        let mut coarser = Cells::default();
        self.for_each(|cell, count, sums| {
            let cell = Cell {
                bin: cell.bin >> 1,
                ..cell
            };
            let mut row = coarser.row(cell, sums.len());
            row.count(count);
            for (owner, sum) in sums.iter().enumerate().filter(|(_, sum)| **sum > 0) {
                row.add(owner, *sum);
            }
        });
        *self = coarser;
    }
}

/// Rows are so many numbers long, or a multiple: a quarter of a cache line.
const STEP: usize = 4;

impl Row<'_> {
    /// Adds traces.
    #[inline]
    pub(crate) fn count(&mut self, more: u64) {
        self.block.add(self.at, more);
    }

    /// Adds to the sum of an owner.
    #[inline]
    pub(crate) fn add(&mut self, owner: usize, time: u64) {
        debug_assert!(owner + 1 < self.block.stride, "there is room for it");
        self.block.add(self.at + 1 + owner, time);
    }
}

impl Block {
    #[inline]
    fn add(&mut self, at: usize, more: u64) {
        let slot = &mut self.rows[at];
        match u64::from(*slot).checked_add(more) {
            Some(sum) if sum >> 32 == 0 => *slot = sum as u32,
            _ => self.carry(at, more),
        }
    }

    #[cold]
    #[inline(never)]
    fn carry(&mut self, at: usize, more: u64) {
        let sum = u128::from(self.rows[at]) + u128::from(more);
        self.rows[at] = sum as u32;
        let high = self.high.entry(at as u32).or_default();
        *high = high.saturating_add((sum >> 32) as u64);
    }

    /// A row as it is.
    fn whole(&self, number: usize, whole: &mut Vec<u64>) {
        let at = number * self.stride;
        whole.clear();
        whole.extend(
            self.rows[at..at + self.stride]
                .iter()
                .map(|low| u64::from(*low)),
        );
        if self.high.is_empty() {
            return;
        }
        for (at, sum) in (at..).zip(whole) {
            if let Some(high) = self.high.get(&(at as u32)) {
                let high = u128::from(*high) << 32;
                *sum = u64::try_from(high + u128::from(*sum)).unwrap_or(u64::MAX);
            }
        }
    }

    /// A new row, for `bin`; its number.
    #[cold]
    #[inline(never)]
    fn make(&mut self, bin: u32) -> usize {
        if bin < self.low {
            let more = (self.low - bin) as usize;
            self.places.splice(0..0, std::iter::repeat_n(0, more));
            self.low = bin;
        }
        let place = (bin - self.low) as usize;
        if place >= self.places.len() {
            self.places.resize(place + 1, 0);
        }
        let number = self.rows.len() / self.stride;
        self.places[place] = number as u32 + 1;
        self.rows.resize((number + 1) * self.stride, 0);
        number
    }

    fn widen(&mut self, numbers: usize) {
        let stride = numbers.next_multiple_of(STEP);
        let old = self.stride.max(1);
        let mut rows = vec![0; self.rows.len() / old * stride];
        let narrow = self.rows.chunks_exact(old);
        for (wide, narrow) in rows.chunks_exact_mut(stride).zip(narrow) {
            wide[..old].copy_from_slice(narrow);
        }
        let moved = std::mem::take(&mut self.high).into_iter();
        self.high = moved
            .map(|(at, high)| (at / old as u32 * stride as u32 + at % old as u32, high))
            .collect();
        (self.rows, self.stride) = (rows, stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_beyond_their_half_are_kept_through_every_change() {
        let mut cells = Cells::default();
        let cell = |bin| Cell { block: 3, bin };
        let big = 0xFFFF_FFFF_FFFF;
        for _ in 0..3 {
            let mut row = cells.row(cell(9), 2);
            row.count(1);
            row.add(1, big);
            row.add(0, 7);
        }
        cells.row(cell(8), 40).add(39, 5);
        let mut twice = Cells::default();
        twice.merge(&cells, &(0..40).map(|owner| owner + 1).collect::<Vec<_>>());
        twice.coarsen();
        let mut seen = Vec::new();
        twice.for_each(|cell, count, sums| seen.push((cell, count, sums[..41].to_vec())));
        let mut sums = vec![0; 41];
        (sums[1], sums[2], sums[40]) = (21, 3 * big, 5);
        assert_eq!(seen, [(cell(4), 3, sums)]);
        for _ in 0..2 {
            twice.row(cell(4), 41).add(2, u64::MAX);
        }
        twice.for_each(|_, _, sums| assert_eq!(sums[2], u64::MAX));
    }
}
