//! How values are spread: count, sum, extremes and bins, of spans (in ticks, later in ns) and of observations.

use perf_format::bins;

use super::bins::SparseBins;
use super::result::Distribution;

/// Steps of a [`Distribution`].
const STEPS: usize = 24;

/// Two tick rates this close count as one when bins are added: a bin is 977 ppm wide, so at most one
/// value in fifty moves to the next bin.
const SAME_SCALE: f64 = 20e-6;

/// Values of one event and outcome, as the file has them: durations in ticks, observations in their unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spread {
    pub(crate) count: u64,
    pub(crate) sum: u128,
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) bins: SparseBins,
}

impl Spread {
    /// Adds `count` values with this sum and these extremes; their bins are added apart.
    pub(crate) fn add_totals(&mut self, count: u64, sum: u128, min: u64, max: u64) {
        if count == 0 {
            return;
        }
        self.min = if self.count == 0 {
            min
        } else {
            self.min.min(min)
        };
        self.max = self.max.max(max);
        self.count = self.count.saturating_add(count);
        self.sum = self.sum.saturating_add(sum);
    }
}

/// What the bins of a [`Final`] hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Domain {
    /// Values of this many ns (or of 1 unit, for observations) a tick.
    Scaled(f64),
    /// ns, because captures of different rates were merged.
    Ns,
}

impl Domain {
    /// The one domain that fits all of `scales`, in ns per tick.
    pub(crate) fn of(scales: &[f64]) -> Self {
        match scales.first() {
            Some(first)
                if scales
                    .iter()
                    .all(|scale| (scale / first - 1.0).abs() <= SAME_SCALE) =>
            {
                Self::Scaled(*first)
            }
            Some(_) => Self::Ns,
            None => Self::Scaled(1.0),
        }
    }

    fn scale(self) -> f64 {
        match self {
            Self::Scaled(scale) => scale,
            Self::Ns => 1.0,
        }
    }
}

/// `value` ticks of `scale` ns, rounded; cut to what fits.
pub(crate) fn scaled(value: u64, scale: f64) -> u64 {
    // A scale of 1 must keep every value, also above 2^53.
    if scale == 1.0 {
        value
    } else {
        (value as f64 * scale).round() as u64
    }
}

/// Values converted to the unit of the report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Final {
    pub(crate) count: u64,
    pub(crate) sum: i128,
    pub(crate) min: u64,
    pub(crate) max: u64,
    domain: Domain,
    bins: SparseBins,
}

impl Final {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            count: 0,
            sum: 0,
            min: u64::MAX,
            max: 0,
            domain,
            bins: SparseBins::default(),
        }
    }

    /// Adds values whose unit is `scale` ns.
    pub(crate) fn add(&mut self, spread: &Spread, scale: f64) {
        if spread.count == 0 {
            return;
        }
        self.count = self.count.saturating_add(spread.count);
        let sum = match scale == 1.0 {
            true => i128::try_from(spread.sum).unwrap_or(i128::MAX),
            false => (spread.sum as f64 * scale).round() as i128,
        };
        self.sum = self.sum.saturating_add(sum);
        self.min = self.min.min(scaled(spread.min, scale));
        self.max = self.max.max(scaled(spread.max, scale));
        match self.domain {
            Domain::Scaled(_) => self.bins.add_all(spread.bins.iter()),
            Domain::Ns => {
                let middle = |bin| bins::low(bin) + (bins::high(bin) - bins::low(bin)) / 2;
                let moved = |bin| bins::index(scaled(middle(bin), scale));
                self.bins
                    .add_all(spread.bins.iter().map(|(bin, count)| (moved(bin), count)));
            }
        }
    }

    pub(crate) fn bins(&self) -> &SparseBins {
        &self.bins
    }

    /// A value of the bins' domain in the unit of the report.
    pub(crate) fn in_unit(&self, value: u64) -> u64 {
        scaled(value, self.domain.scale())
    }

    /// The order statistics of the 1-based `ranks`, which must ascend: the highest value of each rank's bin,
    /// but never above the maximum.
    pub(crate) fn at_ranks(&self, ranks: &[u64]) -> Vec<u64> {
        let found = self.bins.locate(ranks).into_iter();
        found.map(|(bin, _)| self.highest(bin)).collect()
    }

    /// The values of the bins that are not empty, as [`Final::at_ranks`] gives them, ascending, with their counts.
    pub(crate) fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let bins = self.bins.iter();
        bins.map(|(bin, count)| (self.highest(bin), count))
    }

    /// The highest value of a bin, within what there is.
    fn highest(&self, bin: usize) -> u64 {
        scaled(bins::high(bin), self.domain.scale()).clamp(self.min, self.max.max(self.min))
    }

    pub(crate) fn mean(&self) -> Option<f64> {
        (self.count > 0)
            .then(|| (self.sum as f64 / self.count as f64).clamp(self.min as f64, self.max as f64))
    }

    /// From the middles of the bins.
    pub(crate) fn stddev(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares = self
            .middles()
            .map(|(middle, count)| count as f64 * (middle - mean) * (middle - mean));
        Some((squares.sum::<f64>() / self.count as f64).sqrt())
    }

    fn middles(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let scale = self.domain.scale();
        let (min, max) = (self.min as f64, self.max.max(self.min) as f64);
        self.bins.iter().map(move |(bin, count)| {
            let middle = (bins::low(bin) as f64 + bins::high(bin) as f64) / 2.0;
            ((middle * scale).clamp(min, max), count)
        })
    }

    pub(crate) fn distribution(&self) -> Option<Distribution> {
        if self.count == 0 {
            return None;
        }
        let place = |value: f64| (value + 1.0).log2();
        let (low, high) = (place(self.min as f64), place(self.max as f64));
        let steps = if self.min == self.max { 1 } else { STEPS };
        let mut counts = vec![0_u64; steps];
        for (middle, count) in self.middles() {
            let step = ((place(middle) - low) / (high - low) * steps as f64) as usize;
            let step = &mut counts[step.min(steps - 1)];
            *step = step.saturating_add(count);
        }
        Some(Distribution {
            low: self.min,
            high: self.max,
            counts,
        })
    }
}
