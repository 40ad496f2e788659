//! The range of a block's values, which decides its width.

use super::{BLOCK, Modes};

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

/// The extent of 1 to [`BLOCK`] values, and, if both modes are tried and there are
/// two values, that of the differences between neighbours.
///
/// Nearly all blocks hold numbers below 2³¹. For these the search runs on i32,
/// which the compiler turns into vector instructions that every processor has;
/// on i64 it would branch.
pub(super) fn survey(values: &[u64], modes: Modes) -> (Extent, Option<Extent>) {
    let differences = modes == Modes::Both && values.len() > 1;
    if values.iter().fold(0, |all, &value| all | value) >> 31 != 0 {
        let extent = wide(values.iter().map(|&value| value as i64));
        let pairs = values
            .windows(2)
            .map(|pair| pair[1].wrapping_sub(pair[0]) as i64);
        return (extent, differences.then(|| wide(pairs)));
    }
    let mut small = [0i32; BLOCK];
    let small = &mut small[..values.len()];
    for (small, &value) in small.iter_mut().zip(values) {
        *small = value as i32;
    }
    let extent = narrow(small);
    if !differences {
        return (extent, None);
    }
    let mut steps = [0i32; BLOCK];
    let steps = &mut steps[..small.len() - 1];
    for (step, (&after, &before)) in steps.iter_mut().zip(small[1..].iter().zip(&*small)) {
        *step = after - before;
    }
    (extent, Some(narrow(steps)))
}

fn wide(values: impl Iterator<Item = i64>) -> Extent {
    values.fold(Extent::EMPTY, |extent, value| {
        extent.and(Extent {
            low: value,
            high: value,
        })
    })
}

fn narrow(values: &[i32]) -> Extent {
    let low = values.iter().fold(i32::MAX, |low, &value| low.min(value));
    let high = values.iter().fold(i32::MIN, |high, &value| high.max(value));
    Extent {
        low: low.into(),
        high: high.into(),
    }
}
