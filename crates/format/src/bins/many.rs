//! The bins of many values at once: what every scan and every rollup spends its time with.

use super::index;
use crate::wide::wide;

/// Values whose bins are found at once.
const AT_ONCE: usize = 128;
/// Values below this take the short way.
const NARROW_BITS: u32 = 31;

/// Smallest, largest and sum of some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// The smallest; `u64::MAX` if there were no values.
    pub low: u64,
    /// The largest; 0 if there were no values.
    pub high: u64,
    /// The sum.
    pub sum: u128,
}

impl Survey {
    /// Of no values.
    pub const EMPTY: Survey = Survey {
        low: u64::MAX,
        high: 0,
        sum: 0,
    };

    /// Of the values of both.
    #[must_use]
    pub fn and(self, other: Survey) -> Survey {
        Survey {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            sum: self.sum.saturating_add(other.sum),
        }
    }
}

/// Of no values.
impl Default for Survey {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Calls `f` with the bins of `values` and with the values themselves, in their order, some at a time. Gives what all values are.
///
/// It takes half the time of [`index`] for each, where the processor has vectors of 256 bits.
#[inline]
pub fn of_all(values: &[u64], mut f: impl FnMut(&[u32], &[u64])) -> Survey {
    let mut bins = [0; AT_ONCE];
    let mut survey = Survey::EMPTY;
    for block in values.chunks(AT_ONCE) {
        let bins = &mut bins[..block.len()];
        survey = survey.and(fill(block, bins));
        f(bins, block);
    }
    survey
}

/// The bins of a block of values, and what these are.
fn fill(values: &[u64], bins: &mut [u32]) -> Survey {
    wide(
        #[inline(always)]
        || {
            let all = values.iter().fold(0, |all, &value| all | value);
            if all >> NARROW_BITS == 0 {
                narrow(values, bins)
            } else {
                one_by_one(values, bins)
            }
        },
    )
}

/// As [`fill`], for values below 2³¹: 32-bit numbers, of which a vector holds the most.
#[inline(always)]
fn narrow(values: &[u64], bins: &mut [u32]) -> Survey {
    // Signed, since these are what the first vector instructions could compare and convert.
    let (mut low, mut high, mut sum) = (i32::MAX, 0, 0);
    for (bin, &value) in bins.iter_mut().zip(values) {
        let narrow = value as u32;
        // As `index` does it. A float holds 24 bits: where the first is followed by a 0 within these, nothing is rounded up to the
        // next power of two.
        let least = narrow | (super::EXACT_BELOW as u32 - 1);
        let float = (least & !(least >> 8)) as i32 as f32;
        let k = (float.to_bits() >> 23) - (127 + 10);
        *bin = (k << 10) + (narrow >> k);
        low = low.min(narrow as i32);
        high = high.max(narrow as i32);
        sum += value;
    }
    Survey {
        low: low as u64,
        high: high as u64,
        sum: sum.into(),
    }
}

#[inline(always)]
fn one_by_one(values: &[u64], bins: &mut [u32]) -> Survey {
    let mut survey = Survey::EMPTY;
    for (bin, &value) in bins.iter_mut().zip(values) {
        *bin = index(value) as u32;
        survey.low = survey.low.min(value);
        survey.high = survey.high.max(value);
        survey.sum += u128::from(value);
    }
    survey
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bins_of(values: &[u64]) -> (Vec<usize>, Survey) {
        let mut bins = Vec::new();
        let mut seen = Vec::new();
        let survey = of_all(values, |some, of| {
            bins.extend(some.iter().map(|&bin| bin as usize));
            seen.extend_from_slice(of);
        });
        assert_eq!(seen, values);
        (bins, survey)
    }

    fn each_alone(values: &[u64]) -> (Vec<usize>, Survey) {
        let survey = Survey {
            low: values.iter().copied().min().unwrap_or(u64::MAX),
            high: values.iter().copied().max().unwrap_or(0),
            sum: values.iter().map(|&value| u128::from(value)).sum(),
        };
        (values.iter().map(|&value| index(value)).collect(), survey)
    }

    /// Both sides of every power of two, and what lies one bin beside it: where rounding would show.
    #[test]
    fn the_bins_near_powers_of_two_are_those_of_single_values() {
        let near = |bits: u32| {
            let power = 1u64 << bits;
            let step = (power >> 10).max(1);
            [
                power - 1,
                power,
                power + 1,
                power - step,
                power + step,
                power - step - 1,
            ]
            .into_iter()
            .chain((0..bits).map(move |low| (power - 1) ^ (1 << low)))
        };
        let narrow: Vec<u64> = (1..NARROW_BITS)
            .flat_map(near)
            .filter(|value| value >> NARROW_BITS == 0)
            .collect();
        assert_eq!(bins_of(&narrow), each_alone(&narrow));
        let wide: Vec<u64> = (1..63).flat_map(near).chain([u64::MAX]).collect();
        assert_eq!(bins_of(&wide), each_alone(&wide));
    }

    #[test]
    fn values_all_over_31_bits_have_their_own_bins() {
        let mut values: Vec<u64> = Vec::with_capacity(1 << 20);
        let all = (0..1u64 << NARROW_BITS).step_by(3_131);
        values.extend(all.chain(0..1 << 17));
        assert_eq!(bins_of(&values), each_alone(&values));
    }

    proptest! {
        #[test]
        fn many_are_as_each_alone(values in proptest::collection::vec(any::<u64>(), 0..400), shift in 0u32..64) {
            let values: Vec<u64> = values.iter().map(|value| value >> shift).collect();
            prop_assert_eq!(bins_of(&values), each_alone(&values));
        }
    }
}
