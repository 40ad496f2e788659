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
    /// By block and bin: the number of the row.
    rows: NumberMap<u64, u32>,
    counts: Vec<u64>,
    /// By row: a sum an owner.
    sums: Vec<u64>,
    /// Owners that a row has room for.
    stride: usize,
}

fn key(block: u32, bin: u32) -> u64 {
    u64::from(block) << 32 | u64::from(bin)
}

impl Cells {
    /// Adds a trace, and gives the row of its sums, which has room for `owners`.
    #[inline]
    pub(crate) fn add(&mut self, block: u32, bin: u32, owners: usize) -> &mut [u64] {
        let row = self.row(block, bin, owners);
        self.counts[row] += 1;
        &mut self.sums[row * self.stride..(row + 1) * self.stride]
    }

    #[inline]
    fn row(&mut self, block: u32, bin: u32, owners: usize) -> usize {
        if owners > self.stride {
            self.widen(owners);
        }
        let next = self.counts.len() as u32;
        let row = *self.rows.entry(key(block, bin)).or_insert(next) as usize;
        if row == next as usize {
            self.counts.push(0);
            self.sums.resize((row + 1) * self.stride, 0);
        }
        row
    }

    #[cold]
    fn widen(&mut self, owners: usize) {
        let stride = owners
            .next_multiple_of(4)
            .max(self.stride + self.stride / 4);
        let mut sums = vec![0; self.counts.len() * stride];
        if self.stride > 0 {
            for (wide, narrow) in sums
                .chunks_exact_mut(stride)
                .zip(self.sums.chunks_exact(self.stride))
            {
                wide[..self.stride].copy_from_slice(narrow);
            }
        }
        (self.sums, self.stride) = (sums, stride);
    }

    /// Adds the cells of another flow whose owner `n` is `numbers[n]` here.
    pub(crate) fn merge(&mut self, other: &Cells, numbers: &[usize]) {
        let owners = numbers.iter().max().map_or(0, |most| most + 1);
        for (cell, count, sums) in other.iter() {
            let row = self.row(cell.block, cell.bin, owners);
            self.counts[row] += count;
            for (number, sum) in numbers.iter().zip(sums) {
                let slot = &mut self.sums[row * self.stride + number];
                *slot = slot.saturating_add(*sum);
            }
        }
    }

    /// All cells, with their counts and a sum an owner; in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cell, u64, &[u64])> {
        self.rows.iter().map(|(key, row)| {
            let row = *row as usize;
            let cell = Cell {
                block: (key >> 32) as u32,
                bin: *key as u32,
            };
            let sums = &self.sums[row * self.stride..(row + 1) * self.stride];
            (cell, self.counts[row], sums)
        })
    }

    /// Bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.counts.len() * (self.stride * 8 + 8 + 20)
    }

    /// Joins each two neighbouring bins.
    pub(crate) fn coarsen(&mut self) {
        let mut coarser = Cells::default();
        for (cell, count, sums) in self.iter() {
            let row = coarser.row(cell.block, cell.bin >> 1, self.stride);
            coarser.counts[row] += count;
            let start = row * coarser.stride;
            for (slot, sum) in coarser.sums[start..].iter_mut().zip(sums) {
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
