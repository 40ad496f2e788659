//! How often what else went on met which end-to-end time.
//!
//! A trace may meet several things, and each count lies elsewhere. So they are noted first, one after the other, and counted
//! when there are as many as counts: then they are sorted, and all is in order.

use std::collections::BTreeMap;

use super::notes::ByBin;

/// What else went on while a trace ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Met {
    /// An event outside of traces.
    Ran(u32),
    /// A gauge stood high.
    High(u32),
    /// A thread for which the trace waited was busy with this event.
    Busy(u32),
    /// It was looked at whether one was, where not all are.
    Looked,
}

/// Bits of a bin: there are no more than 2²⁸.
const BIN_BITS: u32 = 28;
const EVENT_BITS: u32 = 32;
/// So many are noted at least before they are counted.
const LEAST: usize = 512;

/// Traces by what they met and bin.
#[derive(Debug, Default)]
pub(crate) struct MetCounts {
    noted: Vec<u64>,
    /// What and bin in one number, as noted; sorted.
    counts: Vec<(u64, u64)>,
}

impl MetCounts {
    /// Adds a trace that took as long as `bin` says and met `met`.
    #[inline]
    pub(crate) fn note(&mut self, met: Met, bin: u32) {
        if self.noted.len() >= LEAST.max(self.counts.len()) {
            self.settle();
        }
        self.noted.push(key(met, bin));
    }

    /// Counts what is noted: before it is merged or looked at.
    #[inline(never)]
    pub(crate) fn settle(&mut self) {
        self.noted.sort_unstable();
        let noted = self.noted.chunk_by(|a, b| a == b);
        let noted: Vec<(u64, u64)> = noted.map(|same| (same[0], same.len() as u64)).collect();
        self.noted.clear();
        self.merge_sorted(&noted);
    }

    /// Adds the counts of `other`, which is settled.
    pub(crate) fn merge(&mut self, other: &MetCounts) {
        debug_assert!(other.noted.is_empty(), "it is settled");
        self.merge_sorted(&other.counts);
    }

    fn merge_sorted(&mut self, others: &[(u64, u64)]) {
        if others.is_empty() {
            return;
        }
        let mine = std::mem::take(&mut self.counts);
        self.counts.reserve(mine.len() + others.len());
        let (mut mine, mut others) = (mine.as_slice(), others);
        while let ([(one, count), rest @ ..], [(two, more), left @ ..]) = (mine, others) {
            let next = match one.cmp(two) {
                std::cmp::Ordering::Less => {
                    mine = rest;
                    (*one, *count)
                }
                std::cmp::Ordering::Greater => {
                    others = left;
                    (*two, *more)
                }
                std::cmp::Ordering::Equal => {
                    (mine, others) = (rest, left);
                    (*one, count + more)
                }
            };
            self.counts.push(next);
        }
        self.counts.extend_from_slice(mine);
        self.counts.extend_from_slice(others);
    }

    /// By what was met: traces by bin. To be settled before.
    pub(crate) fn by_met(&self) -> BTreeMap<Met, ByBin> {
        debug_assert!(self.noted.is_empty(), "it is settled");
        let mut all: BTreeMap<Met, ByBin> = BTreeMap::new();
        for (key, count) in &self.counts {
            let (met, bin) = split(*key);
            all.entry(met).or_default().insert(bin, *count);
        }
        all
    }
}

#[inline]
fn key(met: Met, bin: u32) -> u64 {
    let (kind, event) = match met {
        Met::Ran(event) => (0, event),
        Met::High(event) => (1, event),
        Met::Busy(event) => (2, event),
        Met::Looked => (3, 0),
    };
    (kind << EVENT_BITS | u64::from(event)) << BIN_BITS | u64::from(bin)
}

fn split(key: u64) -> (Met, u32) {
    let event = (key >> BIN_BITS) as u32;
    let met = match key >> (EVENT_BITS + BIN_BITS) {
        0 => Met::Ran(event),
        1 => Met::High(event),
        2 => Met::Busy(event),
        _ => Met::Looked,
    };
    (met, key as u32 & ((1 << BIN_BITS) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_a_map() {
        let kinds = |n: u32| match n % 4 {
            0 => Met::Ran(n % 7),
            1 => Met::High(u32::MAX - n % 3),
            2 => Met::Busy(n % 5),
            _ => Met::Looked,
        };
        let mut expected: BTreeMap<Met, ByBin> = BTreeMap::new();
        let mut halves = [MetCounts::default(), MetCounts::default()];
        for n in 0..20_000_u32 {
            let (met, bin) = (kinds(n / 3), n.wrapping_mul(2_654_435_761) >> 24);
            halves[(n % 2) as usize].note(met, bin);
            *expected.entry(met).or_default().entry(bin).or_default() += 1;
        }
        let [mut all, mut other] = halves;
        all.settle();
        other.settle();
        all.merge(&other);
        assert_eq!(all.by_met(), expected);
    }
}
