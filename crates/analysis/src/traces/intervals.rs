//! Stretches of time that are asked about over and over: losses, and what ran in the background of traces.

use std::cmp::Reverse;

/// Background intervals that are kept of one event. Of more, the longest are.
pub(crate) const MAX_INTERVALS: usize = 1 << 16;

/// Disjoint stretches in the order of time, both ends included.
#[derive(Debug, Default, Clone)]
pub(crate) struct Intervals {
    stretches: Vec<(u64, u64)>,
}

impl Intervals {
    pub(crate) fn new(mut given: Vec<(u64, u64)>) -> Self {
        given.sort_unstable();
        let mut stretches: Vec<(u64, u64)> = Vec::with_capacity(given.len());
        for (from, to) in given {
            match stretches.last_mut() {
                Some((_, reached)) if from <= *reached => *reached = (*reached).max(to),
                _ => stretches.push((from, to.max(from))),
            }
        }
        Self { stretches }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stretches.is_empty()
    }

    /// Whether any of them meets `from..=to`.
    pub(crate) fn meet(&self, from: u64, to: u64) -> bool {
        let next = self.stretches.partition_point(|(_, end)| *end < from);
        self.stretches
            .get(next)
            .is_some_and(|(start, _)| *start <= to)
    }
}

/// Collects the longest intervals of one event. What is kept does not depend on the order in which they come.
#[derive(Debug, Default, Clone)]
pub(crate) struct Longest {
    kept: Vec<(u64, u64)>,
    /// Whether any was left out.
    pub(crate) cut: bool,
}

impl Longest {
    pub(crate) fn push(&mut self, from: u64, to: u64) {
        self.kept.push((from, to));
        if self.kept.len() >= 2 * MAX_INTERVALS {
            self.prune();
        }
    }

    fn prune(&mut self) {
        if self.kept.len() > MAX_INTERVALS {
            self.cut = true;
            self.kept
                .select_nth_unstable_by_key(MAX_INTERVALS, |(from, to)| {
                    (Reverse(to - from), *from)
                });
            self.kept.truncate(MAX_INTERVALS);
        }
    }

    pub(crate) fn finish(mut self) -> Intervals {
        self.prune();
        Intervals::new(self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meeting_includes_both_ends() {
        let intervals = Intervals::new(vec![(10, 20), (15, 30), (40, 40)]);
        for (from, to, expected) in [
            (0, 9, false),
            (0, 10, true),
            (30, 35, true),
            (31, 39, false),
            (31, 40, true),
            (41, 99, false),
            (16, 17, true),
        ] {
            assert_eq!(intervals.meet(from, to), expected, "{from}..={to}");
        }
    }

    #[test]
    fn the_longest_are_kept_whatever_the_order() {
        let many = 3 * MAX_INTERVALS as u64;
        let make = |order: &mut dyn Iterator<Item = u64>| {
            let mut longest = Longest::default();
            order.for_each(|n| longest.push(n * 1_000_000, n * 1_000_000 + n % 1000));
            longest.finish().stretches
        };
        let forward = make(&mut (0..many));
        assert_eq!(forward.len(), MAX_INTERVALS);
        assert_eq!(forward, make(&mut (0..many).rev()));
    }
}
