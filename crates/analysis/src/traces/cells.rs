//! Sums by time block and end-to-end bin: what tail bands and their standard errors are read off.
//!
//! A cell counts the traces of one flow that ended in one block of time and took as long as one bin says, and sums the time
//! of each owner in them. All are integers, so cells add up in any order.

use perf_format::bins;

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
    /// Row by row: the count, then a sum an owner.
    rows: Vec<u64>,
    /// Numbers in a row.
    stride: usize,
    /// Traces that are not in their cells yet: block and bin, then a time an owner, each as long as a row. Cells lie far
    /// apart: to add many traces at once lets the processor fetch several together.
    pending: Vec<u64>,
}

/// So many traces are added at once.
const BATCH: usize = 32;

/// The rows of one block of time.
#[derive(Debug)]
struct Block {
    block: u32,
    /// The bin of the first place.
    low: u32,
    /// By bin: 1 + the number of its row, or 0.
    rows: Vec<u32>,
}

impl Cells {
    /// Adds a trace, and gives the times of its owners to be filled in, with room for `owners`.
    #[inline]
    pub(crate) fn add(&mut self, block: u32, bin: u32, owners: usize) -> &mut [u64] {
        if owners >= self.stride || self.pending.len() >= BATCH * self.stride {
            self.settle();
            if owners >= self.stride {
                self.widen(owners + 1);
            }
        }
        let at = self.pending.len();
        self.pending.resize(at + self.stride, 0);
        self.pending[at] = u64::from(block) << 32 | u64::from(bin);
        &mut self.pending[at + 1..]
    }

    /// Adds to the cells what is pending: before they are looked at.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let stride = self.stride;
        for trace in pending.chunks_exact(stride.max(1)) {
            let row = self.row((trace[0] >> 32) as u32, trace[0] as u32, stride - 1) * stride;
            let row = &mut self.rows[row..row + stride];
            row[0] += 1;
            for (sum, own) in row[1..].iter_mut().zip(&trace[1..]) {
                *sum = sum.saturating_add(*own);
            }
        }
        self.pending = pending;
        self.pending.clear();
    }

    #[inline]
    fn row(&mut self, block: u32, bin: u32, owners: usize) -> usize {
        if owners < self.stride
            && let Some(current) = self.blocks.get(self.current)
            && current.block == block
            && let Some(row) = current.rows.get(bin.wrapping_sub(current.low) as usize)
            && *row > 0
        {
            return *row as usize - 1;
        }
        self.find(block, bin, owners)
    }

    #[cold]
    #[inline(never)]
    fn find(&mut self, block: u32, bin: u32, owners: usize) -> usize {
        if owners >= self.stride {
            self.widen(owners + 1);
        }
        let known = self.blocks.iter().rposition(|each| each.block == block);
        self.current = known.unwrap_or(self.blocks.len());
        if known.is_none() {
            self.blocks.push(Block {
                block,
                low: bin,
                rows: Vec::new(),
            });
        }
        let rows = self.rows.len() / self.stride;
        let mine = &mut self.blocks[self.current];
        if bin < mine.low {
            let more = (mine.low - bin) as usize;
            mine.rows.splice(0..0, std::iter::repeat_n(0, more));
            mine.low = bin;
        }
        let place = (bin - mine.low) as usize;
        if place >= mine.rows.len() {
            mine.rows.resize(place + 1, 0);
        }
        let row = &mut mine.rows[place];
        if *row == 0 {
            *row = rows as u32 + 1;
            self.rows.resize((rows + 1) * self.stride, 0);
        }
        *row as usize - 1
    }

    #[cold]
    fn widen(&mut self, numbers: usize) {
        let stride = numbers
            .next_multiple_of(8)
            .max(self.stride + self.stride / 4);
        let old = self.stride.max(1);
        let mut rows = vec![0; self.rows.len() / old * stride];
        for (wide, narrow) in rows
            .chunks_exact_mut(stride)
            .zip(self.rows.chunks_exact(old))
        {
            wide[..old].copy_from_slice(narrow);
        }
        (self.rows, self.stride) = (rows, stride);
    }

    /// Adds the cells of another flow whose owner `n` is `numbers[n]` here.
    pub(crate) fn merge(&mut self, other: &Cells, numbers: &[usize]) {
        let owners = numbers.iter().max().map_or(0, |most| most + 1);
        for (cell, count, sums) in other.iter() {
            let row = self.row(cell.block, cell.bin, owners) * self.stride;
            self.rows[row] += count;
            for (number, sum) in numbers.iter().zip(sums) {
                let slot = &mut self.rows[row + 1 + number];
                *slot = slot.saturating_add(*sum);
            }
        }
    }

    /// All cells, with their counts and a sum an owner, in the order in which blocks were met. To be settled before.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cell, u64, &[u64])> {
        debug_assert!(self.pending.is_empty(), "the cells are settled");
        self.blocks.iter().flat_map(|block| {
            let rows = block.rows.iter().enumerate().filter(|(_, row)| **row > 0);
            rows.map(|(place, row)| {
                let cell = Cell {
                    block: block.block,
                    bin: block.low + place as u32,
                };
                let at = (*row as usize - 1) * self.stride;
                (cell, self.rows[at], &self.rows[at + 1..at + self.stride])
            })
        })
    }

    /// Bytes, about: as many as the cells need, however they came to be.
    pub(crate) fn bytes(&self, owners: usize) -> usize {
        let cells = self.rows.len() / self.stride.max(1);
        cells * ((owners + 1).next_multiple_of(8) * 8 + 8)
    }

    /// Joins each two neighbouring bins.
    pub(crate) fn coarsen(&mut self) {
        self.settle();
        let mut coarser = Cells::default();
        for (cell, count, sums) in self.iter() {
            let row = coarser.row(cell.block, cell.bin >> 1, sums.len()) * coarser.stride;
            coarser.rows[row] += count;
            for (slot, sum) in coarser.rows[row + 1..].iter_mut().zip(sums) {
                *slot = slot.saturating_add(*sum);
            }
        }
        *self = coarser;
    }
}

/// Which cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) block: u32,
    pub(crate) bin: u32,
}
