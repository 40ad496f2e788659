//! How much time is covered by at least one of several stretches.

/// The length of the union of half-open stretches `[from, to)`, in ns. Order does not matter; empty and
/// backward stretches cover nothing.
pub(crate) fn covered_ns(mut stretches: Vec<(i64, i64)>) -> u64 {
    stretches.sort_unstable();
    let mut covered = 0_u64;
    let mut reached = i64::MIN;
    for (from, to) in stretches {
        let from = from.max(reached);
        if to > from {
            covered = covered.saturating_add(to.abs_diff(from));
            reached = to;
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::covered_ns;

    #[test]
    fn overlaps_count_once() {
        assert_eq!(covered_ns(vec![]), 0);
        assert_eq!(covered_ns(vec![(5, 5), (9, 7)]), 0);
        assert_eq!(covered_ns(vec![(10, 20), (0, 5), (15, 30), (16, 17)]), 25);
        assert_eq!(covered_ns(vec![(0, 10), (0, 10), (10, 11)]), 11);
        assert_eq!(covered_ns(vec![(i64::MIN, i64::MAX)]), u64::MAX);
    }
}
