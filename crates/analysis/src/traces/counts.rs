//! A distribution that is counted into one value at a time.

use perf_format::{Histogram, bins};

/// Counts of values in the bins of percentiles.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) count: u64,
    pub(crate) sum: u128,
    min: u64,
    max: u64,
    counts: Vec<u64>,
}

impl Counts {
    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        let bin = bins::index(value);
        if bin >= self.counts.len() {
            self.counts.resize(bin + 1, 0);
        }
        self.counts[bin] += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
        self.min = if self.count == 0 {
            value
        } else {
            self.min.min(value)
        };
        self.count += 1;
    }

    pub(crate) fn merge(&mut self, other: &Counts) {
        if other.count == 0 {
            return;
        }
        self.min = if self.count == 0 {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = self.max.max(other.max);
        self.count += other.count;
        self.sum += other.sum;
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
    }

    pub(crate) fn histogram(&self) -> Histogram {
        Histogram::from_counts(&self.counts, self.sum, self.min, self.max).unwrap_or_default()
    }
}
