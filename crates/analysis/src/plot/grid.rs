//! Bins of equal width on a log scale, as fine as a plot can show.

use serde::Serialize;

/// Bins of one series, at most.
pub const MAX_BINS: usize = 64;

/// Values of `low..=high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LogBin {
    /// The least value that it may hold.
    pub low: u64,
    /// The greatest.
    pub high: u64,
    /// Values within.
    pub count: u64,
}

/// The bounds of the bins of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    /// The least value of each bin, ascending; the first is 1 or more.
    lows: Vec<u64>,
    /// The greatest value of the last bin.
    high: u64,
}

impl Grid {
    /// Bins for the values `least..=greatest`, of which zero is none.
    pub(super) fn new(least: u64, greatest: u64) -> Grid {
        let least = least.max(1);
        let high = greatest.max(least);
        // A bin holds at least one whole number, so small ranges have fewer.
        let (from, to) = (least as f64, high as f64 + 1.0);
        let step = (to / from).ln() / MAX_BINS as f64;
        let mut lows: Vec<u64> = (0..MAX_BINS)
            .map(|bin| (from * (step * bin as f64).exp()).round() as u64)
            .map(|low| low.clamp(least, high))
            .collect();
        lows[0] = least;
        lows.dedup();
        Grid { lows, high }
    }

    /// The bin of a value; what lies outside counts as the nearest within.
    pub(super) fn bin(&self, value: u64) -> usize {
        self.lows
            .partition_point(|low| *low <= value)
            .saturating_sub(1)
    }

    /// Counts the pairs of a value and how often it is there: zeros, and bins that are not empty.
    pub(super) fn count(&self, values: impl IntoIterator<Item = (u64, u64)>) -> (u64, Vec<LogBin>) {
        let mut zeros = 0_u64;
        let mut counts = vec![0_u64; self.lows.len()];
        for (value, count) in values {
            let place = match value {
                0 => &mut zeros,
                value => &mut counts[self.bin(value)],
            };
            *place = place.saturating_add(count);
        }
        let bin = |(bin, count): (usize, u64)| LogBin {
            low: self.lows[bin],
            high: self.lows.get(bin + 1).map_or(self.high, |next| next - 1),
            count,
        };
        let filled = counts
            .into_iter()
            .enumerate()
            .filter(|(_, count)| *count > 0);
        (zeros, filled.map(bin).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_tile_the_range() {
        for (least, greatest) in [
            (0, 0),
            (1, 1),
            (5, 6),
            (1, 100),
            (310, 56_000_000),
            (1, u64::MAX),
            (u64::MAX, u64::MAX),
        ] {
            let grid = Grid::new(least, greatest);
            assert!(grid.lows.len() <= MAX_BINS);
            assert!(grid.lows.is_sorted_by(|a, b| a < b), "{grid:?}");
            assert_eq!(grid.lows[0], least.max(1));
            for (bin, low) in grid.lows.iter().enumerate() {
                assert_eq!(grid.bin(*low), bin);
            }
            assert_eq!(grid.bin(u64::MAX), grid.lows.len() - 1);
        }
    }

    #[test]
    fn bins_are_even_on_a_log_scale() {
        let grid = Grid::new(1000, 1_000_000_000);
        let step = 1e6_f64.powf(1.0 / MAX_BINS as f64);
        for pair in grid.lows.windows(2) {
            let ratio = pair[1] as f64 / pair[0] as f64;
            assert!((ratio / step - 1.0).abs() < 0.002, "{pair:?}");
        }
    }

    /// Each value is sought in every bin.
    #[test]
    fn counts_are_those_of_a_slow_search() {
        let mut state = 88_172_645_463_325_252_u64;
        let values: Vec<u64> = (0..3000_u32)
            .map(|round| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> (20 + round % 44)) & !u64::from(round % 7 == 0)
            })
            .collect();
        let (least, greatest) = (
            values
                .iter()
                .copied()
                .filter(|value| *value > 0)
                .min()
                .unwrap(),
            values.iter().copied().max().unwrap(),
        );
        let grid = Grid::new(least, greatest);
        let (zeros, bins) = grid.count(values.iter().map(|value| (*value, 2)));
        assert_eq!(
            zeros,
            2 * values.iter().filter(|value| **value == 0).count() as u64
        );
        let mut found = zeros;
        for bin in &bins {
            let within = values
                .iter()
                .filter(|value| (bin.low..=bin.high).contains(*value));
            assert_eq!(bin.count, 2 * within.count() as u64, "{bin:?}");
            found += bin.count;
        }
        assert_eq!(found, 2 * values.len() as u64);
    }
}
