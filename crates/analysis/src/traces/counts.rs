//! A distribution that is counted into one value at a time.

use std::collections::BTreeMap;

use perf_format::Histogram;
use perf_format::bins::{self, Survey};

/// Counts of values in the bins of percentiles.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    pub(crate) count: u64,
    survey: Survey,
    /// By bin. Narrow, since there are many and few of them are in the cache.
    counts: Vec<u32>,
    /// By bin: what did not fit any more.
    spilled: BTreeMap<usize, u64>,
    /// Values that are not counted yet: bins lie far apart, and of many at once several are fetched together.
    pending: Vec<u64>,
}

/// So many values are counted at once.
const BATCH: usize = 64;

impl Counts {
    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        self.count += 1;
        if self.pending.len() >= BATCH {
            self.settle();
        }
        self.pending.push(value);
    }

    /// Counts what is pending: before anything but `count` is looked at.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let all = bins::of_all(&pending, |bins, _| self.count(bins));
        self.survey = self.survey.and(all);
        pending.clear();
        self.pending = pending;
    }

    #[inline(always)]
    fn count(&mut self, bins: &[u32]) {
        let used = bins.iter().max().map_or(0, |bin| *bin as usize + 1);
        if used > self.counts.len() {
            self.counts.resize(used, 0);
        }
        for bin in bins.iter().map(|bin| *bin as usize) {
            match self.counts[bin].checked_add(1) {
                Some(count) => self.counts[bin] = count,
                None => self.add(bin, 1),
            }
        }
    }

    #[cold]
    fn add(&mut self, bin: usize, count: u64) {
        let whole = u64::from(self.counts[bin]) + count;
        match u32::try_from(whole) {
            Ok(count) => self.counts[bin] = count,
            Err(_) => {
                self.counts[bin] = 0;
                *self.spilled.entry(bin).or_default() += whole;
            }
        }
    }

    /// Adds what `other` holds, which is settled.
    pub(crate) fn merge(&mut self, other: &Counts) {
        debug_assert!(other.pending.is_empty(), "it is settled");
        if other.count == 0 {
            return;
        }
        self.settle();
        self.survey = self.survey.and(other.survey);
        self.count += other.count;
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (bin, count) in other
            .counts
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0)
        {
            self.add(bin, u64::from(*count));
        }
        for (bin, count) in &other.spilled {
            *self.spilled.entry(*bin).or_default() += count;
        }
    }

    /// What was counted; settled before.
    pub(crate) fn histogram(&self) -> Histogram {
        debug_assert!(self.pending.is_empty(), "it is settled");
        let mut counts: Vec<u64> = self.counts.iter().map(|count| u64::from(*count)).collect();
        for (bin, count) in &self.spilled {
            counts[*bin] += count;
        }
        let Survey { low, high, sum } = self.survey;
        Histogram::from_counts(&counts, sum, low, high).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_kept_aside() {
        let mut counts = Counts::default();
        counts.record(5);
        counts.settle();
        counts.counts[5] = u32::MAX;
        counts.record(5);
        counts.record(5);
        counts.settle();
        let other = counts.clone();
        counts.merge(&other);
        let expected = 2 * (u64::from(u32::MAX) + 2);
        assert_eq!(counts.histogram().counts()[5], expected);
    }
}
