//! Counts of values in the bins of [`crate::bins`], with exact count, sum, minimum and maximum.

use crate::bins;

/// A distribution of u64 values: durations in ticks, observations in their unit.
///
/// Merging is exact, associative and commutative.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    count: u64,
    sum: u128,
    min: u64,
    max: u64,
    /// Grown to the largest bin seen.
    counts: Vec<u64>,
}

impl Histogram {
    /// Nothing recorded yet.
    pub fn new() -> Self {
        Histogram::default()
    }

    /// Builds a histogram out of counts that a scan made itself, for example in
    /// plain arrays of [`bins::COUNT`]. `counts[i]` counts bin `i`; `min`, `max`
    /// and `sum` are those of the values. `None` if the counts are all zero.
    pub fn from_counts(counts: &[u64], sum: u128, min: u64, max: u64) -> Option<Self> {
        let count = counts
            .iter()
            .fold(0u64, |sum, &count| sum.saturating_add(count));
        if count == 0 {
            return None;
        }
        let used = counts
            .iter()
            .rposition(|&count| count > 0)
            .map_or(0, |last| last + 1);
        Some(Histogram {
            count,
            sum,
            min,
            max,
            counts: counts[..used].to_vec(),
        })
    }

    pub(crate) fn from_sparse(count: u64, sum: u128, min: u64, max: u64, counts: Vec<u64>) -> Self {
        Histogram {
            count,
            sum,
            min,
            max,
            counts,
        }
    }

    /// Adds one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_all(&[value]);
    }

    /// Adds many values; much faster than one by one.
    pub fn record_all(&mut self, values: &[u64]) {
        if values.is_empty() {
            return;
        }
        let counts = &mut self.counts;
        let all = bins::of_all(values, |bins, _| {
            let used = bins.iter().max().map_or(0, |bin| *bin as usize + 1);
            if counts.len() < used {
                counts.resize(used, 0);
            }
            for &bin in bins {
                // Wrapping, since a hostile rollup may have filled a bin to the brim.
                let count = &mut counts[bin as usize];
                *count = count.wrapping_add(1);
            }
        });
        self.sum = self.sum.saturating_add(all.sum);
        (self.min, self.max) = if self.count == 0 {
            (all.low, all.high)
        } else {
            (self.min.min(all.low), self.max.max(all.high))
        };
        self.count = self.count.saturating_add(values.len() as u64);
    }

    /// Adds all that `other` holds.
    pub fn merge(&mut self, other: &Histogram) {
        if other.count == 0 {
            return;
        }
        (self.min, self.max) = if self.count == 0 {
            (other.min, other.max)
        } else {
            (self.min.min(other.min), self.max.max(other.max))
        };
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
    }

    /// Number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Exact sum of the values.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// Exact smallest value; `None` if empty.
    pub fn min(&self) -> Option<u64> {
        (self.count > 0).then_some(self.min)
    }

    /// Exact largest value; `None` if empty.
    pub fn max(&self) -> Option<u64> {
        (self.count > 0).then_some(self.max)
    }

    /// Exact mean; `None` if empty.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Counts by bin; bins beyond the end are empty.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Bins that are not empty, with their counts, from the lowest.
    pub fn nonempty(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.counts
            .iter()
            .copied()
            .enumerate()
            .filter(|&(_, count)| count > 0)
    }

    /// The bin that holds the value of rank `⌈q·count⌉` (at least 1), and how
    /// many values lie in bins below it. `None` if empty.
    pub fn bin_of_quantile(&self, q: f64) -> Option<(usize, u64)> {
        self.bin_of_rank(rank(q, self.count)?)
    }

    /// The bin that holds the value of `rank` (1 is the smallest), and how many
    /// values lie in bins below it. `None` if there is no such rank.
    pub fn bin_of_rank(&self, rank: u64) -> Option<(usize, u64)> {
        let mut below = 0u64;
        for (bin, &count) in self.counts.iter().enumerate() {
            if rank <= below.saturating_add(count) && count > 0 {
                return Some((bin, below));
            }
            below = below.saturating_add(count);
        }
        None
    }

    /// The value at quantile `q` (0 to 1): the largest value of the bin that
    /// holds rank `⌈q·count⌉`, at most [`Histogram::max`] and at least
    /// [`Histogram::min`]. At most 0.098 % above the true order statistic; exact
    /// below 2048 and at 0 and 1. `None` if empty.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        if q <= 0.0 {
            return self.min();
        }
        let (bin, _) = self.bin_of_quantile(q)?;
        Some(bins::high(bin).clamp(self.min, self.max))
    }

    /// Standard deviation from the bins' middles; `None` if empty.
    pub fn stddev(&self) -> Option<f64> {
        let mean = self.mean()?;
        if self.min == self.max {
            return Some(0.0);
        }
        let squares: f64 = self
            .nonempty()
            .map(|(bin, count)| {
                let middle = (bins::low(bin) as f64 + bins::high(bin) as f64) / 2.0;
                count as f64 * (middle - mean) * (middle - mean)
            })
            .sum();
        Some((squares / self.count as f64).sqrt())
    }
}

/// Equal when the same values were recorded, however far the counts have grown.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let summary = |h: &Histogram| (h.count, h.sum, h.min(), h.max());
        summary(self) == summary(other) && self.nonempty().eq(other.nonempty())
    }
}

/// Rank of quantile `q` among `count` values, from 1; `None` if there are none.
fn rank(q: f64, count: u64) -> Option<u64> {
    if count == 0 {
        return None;
    }
    // The product is rounded to within 2⁻⁵² of itself first, so that 0.9 × 10 is 9 and not 9.000000000000002.
    let exact = q.clamp(0.0, 1.0) * count as f64;
    let near = exact.round();
    let rank = if (exact - near).abs() <= exact * 4.0 * f64::EPSILON {
        near
    } else {
        exact.ceil()
    };
    Some((rank as u64).clamp(1, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        histogram.record_all(values);
        histogram
    }

    #[test]
    fn empty_has_no_values() {
        let empty = Histogram::new();
        assert_eq!(
            (empty.min(), empty.max(), empty.mean(), empty.quantile(0.5)),
            (None, None, None, None)
        );
        assert_eq!(empty.stddev(), None);
    }

    #[test]
    fn one_value_is_every_quantile() {
        for value in [0, 1, 2047, 2048, 123_456_789, u64::MAX] {
            let one = of(&[value]);
            for q in [0.0, 0.5, 0.999, 1.0] {
                assert_eq!(one.quantile(q), Some(value));
            }
        }
    }

    #[test]
    fn ranks_are_those_of_the_definition() {
        let ten = of(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        for (q, expected) in [
            (0.0, 1),
            (0.05, 1),
            (0.1, 1),
            (0.11, 2),
            (0.5, 5),
            (0.9, 9),
            (0.95, 10),
            (1.0, 10),
        ] {
            assert_eq!(ten.quantile(q), Some(expected), "{q}");
        }
    }

    proptest! {
        #[test]
        fn quantiles_are_near_the_order_statistics(
            mut values in proptest::collection::vec(any::<u64>(), 1..400),
            shift in 0u32..64,
            q in 0.0f64..=1.0,
        ) {
            values.iter_mut().for_each(|value| *value >>= shift);
            let histogram = of(&values);
            values.sort_unstable();
            let rank = rank(q, values.len() as u64).unwrap();
            let truth = if q <= 0.0 { values[0] } else { values[rank as usize - 1] };
            let got = histogram.quantile(q).unwrap();
            prop_assert!(got >= truth, "{} < {}", got, truth);
            prop_assert!((got - truth) as f64 <= truth as f64 / 1024.0, "{} and {}", got, truth);
            prop_assert_eq!(histogram.sum(), values.iter().map(|&v| u128::from(v)).sum::<u128>());
        }

        #[test]
        fn merging_is_recording_together(
            a in proptest::collection::vec(any::<u64>(), 0..100),
            b in proptest::collection::vec(0u64..5000, 0..100),
        ) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            let mut other_way = of(&b);
            other_way.merge(&of(&a));
            let together: Vec<u64> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(&merged, &of(&together));
            prop_assert_eq!(&merged, &other_way);
        }
    }
}
