//! The bins of every histogram: HdrHistogram's layout at three significant
//! digits, over all of u64.
//!
//! Values below 2048 have a bin each. Above, every power of two is cut into 1024
//! bins, so that a bin is at most 1/1024 of its lowest value wide: a relative
//! error of at most 0.098 %. The index of a value `v` is
//! `(k << 10) + (v >> k)`, where `k` is 0 below 2048 and else the number of bits
//! of `v` minus 11.
//!
//! Source: Gil Tene, HdrHistogram, `lowest discernible value` 1, `significant
//! value digits` 3 (2048 sub-buckets).

mod many;

pub use many::{Survey, of_all};

/// Number of bins that cover all of u64.
pub const COUNT: usize = index(u64::MAX) + 1;

/// Values below this have a bin each.
pub const EXACT_BELOW: u64 = 2048;

/// The bin of `value`.
///
/// The exponent of the value as a float tells its highest bit: the conversion takes a quarter of the time of looking for
/// it, for which the baseline of x86-64 has no fast instruction.
#[inline]
pub const fn index(value: u64) -> usize {
    if value >= EXACT_AS_FLOAT {
        // The conversion would round, perhaps up to the next power of two.
        return bin(value, 53 - value.leading_zeros());
    }
    // `| 2047` makes the small values look like 2047, whose k is 0. Through i64, for which there is one instruction.
    let float = (value | (EXACT_BELOW - 1)) as i64 as f64;
    bin(value, (float.to_bits() >> 52) as u32 - (1023 + 10))
}

/// Integers below this are exact as floats.
const EXACT_AS_FLOAT: u64 = 1 << 53;

#[inline]
const fn bin(value: u64, k: u32) -> usize {
    ((k as usize) << 10) + (value >> k) as usize
}

/// The smallest value of bin `index`.
///
/// # Panics
/// If `index` is not below [`COUNT`].
#[inline]
pub const fn low(index: usize) -> u64 {
    assert!(index < COUNT, "the bin is one of u64's");
    if index < EXACT_BELOW as usize {
        return index as u64;
    }
    let k = (index >> 10) - 1;
    ((index - (k << 10)) as u64) << k
}

/// The largest value of bin `index`.
///
/// # Panics
/// If `index` is not below [`COUNT`].
#[inline]
pub const fn high(index: usize) -> u64 {
    if index < EXACT_BELOW as usize {
        return low(index);
    }
    let k = (index >> 10) - 1;
    low(index) + ((1 << k) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::Histogram;

    #[test]
    fn bins_tile_all_of_u64() {
        let mut next = 0u64;
        for bin in 0..COUNT {
            assert_eq!(low(bin), next, "bin {bin}");
            assert_eq!(index(low(bin)), bin);
            assert_eq!(index(high(bin)), bin);
            let width = high(bin) - low(bin) + 1;
            assert!(
                low(bin) < EXACT_BELOW || width <= low(bin) / 1024,
                "bin {bin}"
            );
            next = high(bin).wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bin ends at u64::MAX");
    }

    /// HdrHistogram's own crate puts every value into the same bin.
    #[test]
    fn the_layout_is_hdrhistograms() {
        let oracle = Histogram::<u64>::new_with_bounds(1, u64::MAX / 2, 3).unwrap();
        let mut state = 88_172_645_463_325_252u64;
        for round in 0..200_000u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let value = state >> (1 + round % 63);
            assert_eq!(
                low(index(value)),
                oracle.lowest_equivalent(value),
                "{value}"
            );
            assert_eq!(
                high(index(value)),
                oracle.highest_equivalent(value),
                "{value}"
            );
        }
    }

    /// The crate's array has the same length, and its iteration the same order.
    #[test]
    fn the_order_is_hdrhistograms() {
        let mut oracle = Histogram::<u64>::new_with_bounds(1, (1 << 40) - 1, 3).unwrap();
        assert_eq!(oracle.distinct_values(), index((1 << 40) - 1) + 1);
        for bin in [0, 1, 2047, 2048, 3071, 3072, 20_000, 30_000] {
            oracle.record(low(bin)).unwrap();
        }
        let bins: Vec<usize> = oracle
            .iter_recorded()
            .map(|step| index(step.value_iterated_to()))
            .collect();
        assert_eq!(bins, [0, 1, 2047, 2048, 3071, 3072, 20_000, 30_000]);
    }
}
