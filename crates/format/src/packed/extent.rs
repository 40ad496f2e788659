//! The range of a block's values, which decides its width.

use super::Modes;
use crate::wide::wide;

/// Smallest and largest of some values, read as i64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Extent {
    /// Of no values.
    pub(crate) const EMPTY: Extent = Extent {
        low: i64::MAX,
        high: i64::MIN,
    };

    /// Of the values of both.
    pub(crate) fn and(self, other: Extent) -> Extent {
        Extent {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    /// Bits that `high − low` needs.
    pub(super) fn width(self) -> u32 {
        64 - (self.high.wrapping_sub(self.low) as u64).leading_zeros()
    }
}

/// The extent of the values of a block, and, if both modes are tried and there are
/// two values, that of the differences between neighbours.
pub(super) fn survey(values: &[u64], modes: Modes) -> (Extent, Option<Extent>) {
    // In a closure of its own, the loops are compiled for it.
    wide(
        #[inline(always)]
        || survey_here(values, modes),
    )
}

#[inline(always)]
fn survey_here(values: &[u64], modes: Modes) -> (Extent, Option<Extent>) {
    let all = values.iter().fold(0, |all, &value| all | value);
    if modes == Modes::Index {
        return (of_indexes(values, all), None);
    }
    let differences = modes == Modes::Both && values.len() > 1;
    if all >> 31 != 0 {
        let extent = large(values.iter().map(|&value| value as i64));
        let pairs = values
            .windows(2)
            .map(|pair| pair[1].wrapping_sub(pair[0]) as i64);
        return (extent, differences.then(|| large(pairs)));
    }
    let extent = narrow(values);
    if !differences {
        return (extent, None);
    }
    (extent, Some(narrow_steps(values)))
}

/// From 0 to the largest, roughly; exact if all are equal.
#[inline(always)]
fn of_indexes(values: &[u64], all: u64) -> Extent {
    let common = values
        .iter()
        .fold(u64::MAX, |common, &value| common & value);
    if common == all {
        return Extent {
            low: all as i64,
            high: all as i64,
        };
    }
    // All bits below the highest that occurs; the width is the same as that of the largest value.
    Extent {
        low: 0,
        high: (u64::MAX >> all.leading_zeros()) as i64,
    }
}

#[inline(always)]
fn large(values: impl Iterator<Item = i64>) -> Extent {
    values.fold(Extent::EMPTY, |extent, value| {
        extent.and(Extent {
            low: value,
            high: value,
        })
    })
}

/// The extent of values below 2³¹; there is at least one.
///
/// Compared as 32-bit numbers, since every x86-64 has vector instructions for
/// these; for 64 bits the compiler would branch. The loops are as plain as they
/// are so that it sees two reductions.
#[inline(always)]
fn narrow(values: &[u64]) -> Extent {
    let (mut low, mut high) = (i32::MAX, i32::MIN);
    for &value in values {
        let value = value as i32;
        low = low.min(value);
        high = high.max(value);
    }
    Extent {
        low: low.into(),
        high: high.into(),
    }
}

/// The extent of the differences between neighbours of values below 2³¹; there
/// are at least two.
#[inline(always)]
fn narrow_steps(values: &[u64]) -> Extent {
    let (mut low, mut high) = (i32::MAX, i32::MIN);
    for (&before, &after) in values.iter().zip(&values[1..]) {
        let step = after as i32 - before as i32;
        low = low.min(step);
        high = high.max(step);
    }
    Extent {
        low: low.into(),
        high: high.into(),
    }
}
