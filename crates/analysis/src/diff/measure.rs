//! What is compared of a series.

use serde::{Serialize, Serializer};

use super::counts::{Blocks, Counts};
use crate::value::{Number, Percentile};

/// A figure of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// A quantile, compared by the logarithm of the ratio.
    Quantile(Percentile),
    /// The share that failed, compared by the difference.
    Failing,
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Quantile(percentile) => write!(f, "p{percentile}"),
            Self::Failing => f.write_str("errors"),
        }
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Measure {
    /// The figure of chosen blocks, and the place of a quantile. `None` if they hold nothing.
    pub(super) fn value(
        self,
        counts: &Counts,
        blocks: &Blocks,
        near: usize,
    ) -> Option<(f64, usize)> {
        match self {
            Self::Quantile(percentile) => {
                let place = counts.quantile(percentile.fraction(), blocks, near)?;
                // Half a unit is the least that anything takes: the logarithm of 0 is no figure.
                Some(((counts.value(place) as f64).max(0.5).ln(), place))
            }
            Self::Failing => Some((counts.failing(blocks)?, 0)),
        }
    }

    /// Gives the excess of each of `blocks` over what the figure says.
    pub(super) fn excess(
        self,
        counts: &Counts,
        blocks: &Blocks,
        (value, place): (f64, usize),
        mut each: impl FnMut(usize, f64),
    ) {
        match self {
            Self::Quantile(percentile) => {
                // Where many values are equal, more than p of them do not exceed the quantile.
                let share = counts.share(place).max(percentile.fraction());
                let excess = counts.excess(share, place, blocks).enumerate();
                excess.for_each(|(at, excess)| each(at, excess));
            }
            Self::Failing => {
                let excess = counts.failing_excess(value, blocks).enumerate();
                excess.for_each(|(at, excess)| each(at, excess));
            }
        }
    }

    /// How many values there are, and the share of them that the figure is about.
    pub(super) fn independent(self, counts: &Counts, value: f64) -> (f64, f64) {
        match self {
            Self::Quantile(percentile) => (counts.len() as f64, percentile.fraction()),
            Self::Failing => (counts.total() as f64, value),
        }
    }

    /// What a sum of excesses of chosen blocks is to be divided by.
    pub(super) fn weight(self, counts: &Counts, blocks: &Blocks) -> f64 {
        match self {
            Self::Quantile(_) => counts.ended_well(blocks) as f64,
            Self::Failing => counts.ended(blocks) as f64,
        }
    }

    /// How well the figure can be told apart from its neighbours, on its own scale.
    pub(super) fn resolution(self, counts: &Counts, place: usize) -> f64 {
        match self {
            Self::Quantile(_) => counts.resolution(place),
            Self::Failing => 1.0 / counts.total().max(1) as f64,
        }
    }

    /// What a figure on its scale is to a reader: a value, whole where its unit is ns, or a share.
    pub(super) fn shown(self, value: f64, unit: &str) -> Number {
        match self {
            Self::Quantile(_) if unit == "ns" => Number::Int(value.exp().round() as i128),
            Self::Quantile(_) => Number::Real(value.exp()),
            Self::Failing => Number::Real(value),
        }
    }
}
