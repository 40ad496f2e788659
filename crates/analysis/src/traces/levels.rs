//! When a gauge stood high: how backlog is told from its usual level.
//!
//! A gauge holds from each record to the next. It stands high while it is above the level that it keeps to for 90 % of the
//! time. What never leaves one level never stands high.

use super::intervals::Intervals;

/// Records of a gauge that are kept; of more, neighbours are joined into the higher.
const MAX_RECORDS: usize = 1 << 17;
/// The share of the time at or below the usual level, in tenths.
const USUAL_TENTHS: u128 = 9;

/// Collects the records of one gauge, which come chunk by chunk, in the same order at any number of threads.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    /// Time and value.
    records: Vec<(u64, i64)>,
}

impl Levels {
    pub(crate) fn extend(&mut self, records: impl IntoIterator<Item = (u64, i64)>) {
        self.records.extend(records);
        while self.records.len() > 2 * MAX_RECORDS {
            self.records.sort_unstable();
            let joined = self.records.chunks(2).map(|pair| {
                let high = pair.iter().map(|(_, value)| *value).max();
                (pair[0].0, high.unwrap_or(pair[0].1))
            });
            self.records = joined.collect();
        }
    }

    /// The usual level, and when the gauge was above it; `None` if it never was.
    pub(crate) fn finish(mut self) -> Option<(i64, Intervals)> {
        self.records.sort_unstable();
        let usual = self.usual()?;
        let pairs = self.records.windows(2);
        let high = pairs.filter(|pair| pair[0].1 > usual);
        let high: Vec<(u64, u64)> = high.map(|pair| (pair[0].0, pair[1].0)).collect();
        (!high.is_empty()).then(|| (usual, Intervals::new(high)))
    }

    fn usual(&self) -> Option<i64> {
        let pairs = self.records.windows(2);
        let mut held: Vec<(i64, u64)> = pairs
            .map(|pair| (pair[0].1, pair[1].0 - pair[0].0))
            .collect();
        held.sort_unstable();
        let whole: u128 = held.iter().map(|(_, time)| u128::from(*time)).sum();
        let mut below = 0;
        for (value, time) in held {
            below += u128::from(time);
            if below * 10 >= whole * USUAL_TENTHS {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn high_is_above_what_holds_nine_tenths_of_the_time() {
        let mut levels = Levels::default();
        levels.extend([(0, 1), (50, 2), (95, 7), (100, 0)]);
        let (usual, high) = levels.finish().unwrap();
        assert_eq!(usual, 2);
        for (from, to, expected) in [
            (0, 94, false),
            (0, 95, true),
            (97, 98, true),
            (101, 200, false),
        ] {
            assert_eq!(high.meet(from, to), expected, "{from}..={to}");
        }
        let mut flat = Levels::default();
        flat.extend((0..100).map(|at| (at, 5)));
        assert!(flat.finish().is_none());
        assert!(Levels::default().finish().is_none());
    }

    #[test]
    fn many_records_are_joined_and_peaks_stay() {
        let mut levels = Levels::default();
        levels.extend((0..5 * MAX_RECORDS as u64).map(|at| (at, i64::from(at % 1000 == 999))));
        assert!(levels.records.len() <= 2 * MAX_RECORDS);
        let (usual, high) = levels.finish().unwrap();
        assert_eq!(usual, 0);
        assert!(high.meet(998, 1000) && !high.meet(500, 600));
    }
}
