//! A plain array of 32-bit counts in the layout of the bins: the innermost loop of a scan.

use perf_format::bins::{self, Survey};

use super::bins::SparseBins;
use super::spread::Spread;

/// More than [`bins::COUNT`], and a power of two, so that the index needs no check.
pub(super) const LEN: usize = 1 << 16;
const _: () = assert!(bins::COUNT <= LEN);

/// Counts of one cell in one worker. A zeroed allocation of this size is not resident until it is touched: a
/// table takes as many 4 KiB pages as its values have octaves.
#[derive(Debug)]
pub(crate) struct Table {
    counts: Vec<u32>,
    count: u64,
    survey: Survey,
}

impl Table {
    /// Bytes of one table when every page is touched.
    pub(crate) const BYTES: usize = LEN * 4;

    pub(crate) fn new() -> Self {
        Self {
            counts: vec![0; LEN],
            count: 0,
            survey: Survey::EMPTY,
        }
    }

    /// True when its 32-bit counts must be taken before `more` values come.
    pub(crate) fn is_full(&self, more: usize) -> bool {
        self.count + more as u64 > u64::from(u32::MAX)
    }

    pub(crate) fn record_all(&mut self, values: &[u64]) {
        let Some(counts) = self.counts.first_chunk_mut::<LEN>() else {
            return;
        };
        let all = bins::of_all(values, |bins, _| {
            for bin in bins {
                counts[*bin as usize % LEN] += 1;
            }
        });
        self.survey = self.survey.and(all);
        self.count += values.len() as u64;
    }

    /// Adds its counts to `spread`, and empties it.
    pub(crate) fn flush(&mut self, spread: &mut Spread) {
        if self.count == 0 {
            return;
        }
        let Survey { low, high, sum } = self.survey;
        spread.add_totals(self.count, sum, low, high);
        let (first, last) = (bins::index(low), bins::index(high));
        add_and_clear(&mut self.counts[first..=last], first, &mut spread.bins);
        (self.count, self.survey) = (0, Survey::EMPTY);
    }
}

fn add_and_clear(counts: &mut [u32], first: usize, bins: &mut SparseBins) {
    let used = counts
        .iter_mut()
        .enumerate()
        .filter(|(_, count)| **count > 0);
    bins.add_all(used.map(|(at, count)| (first + at, u64::from(std::mem::take(count)))));
}
