//! Counts by bin, sparse: most of the 56 320 bins of the layout are empty, and there may be many tables.

use std::collections::BTreeMap;

/// Bins of one page.
const PAGE: usize = 64;

/// Counts by bin of [`perf_format::bins`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SparseBins {
    pages: BTreeMap<u32, Box<[u64; PAGE]>>,
}

impl SparseBins {
    /// Adds pairs of bin and count. Fast when neighbours come one after another.
    pub(crate) fn add_all(&mut self, pairs: impl IntoIterator<Item = (usize, u64)>) {
        let mut pairs = pairs.into_iter().peekable();
        while let Some((bin, count)) = pairs.next() {
            let number = bin / PAGE;
            let page = self
                .pages
                .entry(number as u32)
                .or_insert_with(|| Box::new([0; PAGE]));
            let mut add =
                |bin: usize, count: u64| page[bin % PAGE] = page[bin % PAGE].saturating_add(count);
            add(bin, count);
            while let Some((bin, count)) = pairs.next_if(|(bin, _)| bin / PAGE == number) {
                add(bin, count);
            }
        }
    }

    /// Bins with a count, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.pages.iter().flat_map(|(number, page)| {
            let first = *number as usize * PAGE;
            page.iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(move |(at, count)| (first + at, *count))
        })
    }

    /// For each of the 1-based `ranks`, which must ascend: its bin and the counts of all bins before it.
    /// Ranks beyond the last value get nothing.
    pub(crate) fn locate(&self, ranks: &[u64]) -> Vec<(usize, u64)> {
        let mut found = Vec::with_capacity(ranks.len());
        let mut before = 0_u64;
        for (bin, count) in self.iter() {
            let upto = before.saturating_add(count);
            while ranks.get(found.len()).is_some_and(|rank| *rank <= upto) {
                found.push((bin, before));
            }
            if found.len() == ranks.len() {
                break;
            }
            before = upto;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_in_any_order_and_iterates_in_order() {
        let mut bins = SparseBins::default();
        bins.add_all([(5, 1), (6, 2), (63, 3), (64, 4), (5, 10)]);
        bins.add_all([(56_319, u64::from(u32::MAX)), (0, 1)]);
        bins.add_all([(56_319, 2)]);
        let expected = [
            (0, 1),
            (5, 11),
            (6, 2),
            (63, 3),
            (64, 4),
            (56_319, u64::from(u32::MAX) + 2),
        ];
        assert_eq!(bins.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn ranks_find_their_bins() {
        let mut bins = SparseBins::default();
        bins.add_all([(3, 2), (70, 1), (900, 4)]);
        let ranks = [1, 2, 3, 4, 4, 7, 8];
        assert_eq!(
            bins.locate(&ranks),
            [(3, 0), (3, 0), (70, 2), (900, 3), (900, 3), (900, 3)]
        );
        assert_eq!(SparseBins::default().locate(&[1]), []);
    }
}
