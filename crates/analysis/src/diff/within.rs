//! How well one capture knows a figure of its own, when what follows upon each other is alike.
//!
//! A quantile is where the counts below it are what they ought to be, so how it varies is how those counts vary, whatever the
//! distribution looks like there. Neighbouring slices share their weather: sums over blocks of slices vary more than slices
//! do by themselves, the more the longer the blocks, until a block is longer than the weather.
//!
//! Source: Künsch, The jackknife and the bootstrap for general stationary observations, Annals of Statistics 17 (1989);
//! the extrapolation takes away the bias of first order, as the flat-top kernel of Politis and Romano (1995) does.

use super::counts::{Blocks, Counts, MAX_BLOCK};
use super::measure::Measure;
use super::summary::SLICES;

/// Blocks grow while the variance by the next length is greater by this factor.
const GROWS: f64 = 1.25;
/// The longest blocks may have a variance that is greater by this factor than those of half the length. Beyond, it is
/// still growing, and nobody knows how far.
const STILL_GROWS: f64 = 1.5;
/// Values beyond a quantile, were they independent, that it takes at least.
pub const MIN_BEYOND: f64 = 10.0;
/// Slices that must hold something: of fewer nothing can be said about time.
const MIN_SLICES: usize = 64;

/// What one capture knows about a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Within {
    /// The figure: the logarithm of a quantile, or a share.
    pub value: f64,
    /// Of a quantile: its place among the values.
    pub place: usize,
    /// The deviation of the sum of excesses over all slices, by blocks of `length`.
    pub spread: f64,
    /// By which the variance by blocks is to be multiplied, for what they still miss.
    pub stretch: f64,
    /// Slices a block.
    pub length: usize,
    /// Whether longer blocks would vary more yet.
    pub still_grows: bool,
    /// As many independent values would know it as well.
    pub effective: f64,
    /// How far apart the values around a quantile are, as a part of it.
    pub resolution: f64,
}

impl Within {
    /// Of a figure of a series. `None` if there is nothing in it.
    pub fn of(counts: &Counts, measure: Measure) -> Option<Self> {
        let all = Blocks::all();
        let (value, place) = measure.value(counts, &all, counts.middle())?;
        let mut excess = [0.0; SLICES];
        measure.excess(counts, &all, (value, place), |slice, each| {
            excess[slice] = each;
        });
        let mut length = 1;
        let mut variance = variance(&excess, 1);
        while length < MAX_BLOCK {
            let next = self::variance(&excess, length * 2);
            if next <= variance * GROWS {
                break;
            }
            (length, variance) = (length * 2, next);
        }
        let half = self::variance(&excess, (length / 2).max(1));
        let still_grows = length == MAX_BLOCK && variance > half * STILL_GROWS;
        let after = match length {
            MAX_BLOCK => 2.0 * variance - half,
            _ => 2.0 * self::variance(&excess, length * 2) - variance,
        };
        let stretch = match variance > 0.0 {
            true => (after / variance).max(1.0),
            false => 1.0,
        };
        let (n, share) = measure.independent(counts, value);
        let effective = match variance > 0.0 {
            true => n * (n * share * (1.0 - share) / (variance * stretch)).min(1.0),
            false => n,
        };
        Some(Self {
            value,
            place,
            spread: variance.sqrt(),
            stretch,
            length,
            still_grows,
            effective,
            resolution: measure.resolution(counts, place),
        })
    }

    /// The variance of the figure: of a quantile, from where it would be were there one deviation more or fewer values below.
    ///
    /// Source: Woodruff, Confidence intervals for medians and other position measures, JASA 47 (1952).
    pub fn variance(&self, counts: &Counts, measure: Measure) -> f64 {
        let deviation = self.spread * self.stretch.sqrt();
        let all = Blocks::all();
        let rounding = self.resolution * self.resolution / 12.0;
        match measure {
            Measure::Failing => (deviation / counts.total().max(1) as f64).powi(2) + rounding,
            Measure::Quantile(percentile) => {
                let aside = deviation / counts.len().max(1) as f64;
                let at = |p: f64| {
                    let place = counts.quantile(p.clamp(0.0, 1.0), &all, self.place);
                    place.map_or(self.value, |place| {
                        (counts.value(place) as f64).max(0.5).ln()
                    })
                };
                let p = percentile.fraction();
                ((at(p + aside) - at(p - aside)) / 2.0).powi(2) + rounding
            }
        }
    }

    /// Whether there are enough values, were they independent.
    pub fn has_values(&self, counts: &Counts, measure: Measure) -> bool {
        match measure {
            Measure::Failing => counts.total() as f64 >= MIN_BEYOND,
            Measure::Quantile(percentile) => {
                let p = percentile.fraction();
                counts.len() as f64 * p.min(1.0 - p) >= MIN_BEYOND
            }
        }
    }

    /// Whether there are enough independent values for the figure to mean something.
    pub fn is_enough(&self, counts: &Counts, measure: Measure) -> bool {
        let Measure::Quantile(percentile) = measure else {
            return counts.total() as f64 >= MIN_BEYOND;
        };
        let p = percentile.fraction();
        self.effective * p.min(1.0 - p) >= MIN_BEYOND && counts.slices_used() >= MIN_SLICES
    }
}

/// The variance of the sum over all slices, by the blocks of `length` that begin at each of them.
fn variance(excess: &[f64; SLICES], length: usize) -> f64 {
    let mean = excess.iter().sum::<f64>() / SLICES as f64 * length as f64;
    let block = |start: usize| -> f64 {
        let sum: f64 = (start..start + length).map(|at| excess[at % SLICES]).sum();
        (sum - mean) * (sum - mean)
    };
    let blocks = SLICES as f64 / length as f64;
    let mean_square = (0..SLICES).map(block).sum::<f64>() / SLICES as f64;
    // The mean was taken from the same blocks.
    mean_square * blocks * blocks / (blocks - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::random::Stream;
    use crate::diff::summary::{SeriesBuilder, SeriesKind};
    use crate::value::Percentile;

    fn counts(seed: u64, memory: f64) -> Counts {
        let mut stream = Stream::new(seed, 0);
        let mut builder = SeriesBuilder::default();
        let mut state = stream.normal();
        for slice in 0..SLICES {
            for _ in 0..100 {
                state = memory * state + (1.0 - memory * memory).sqrt() * stream.normal();
                builder.ok(slice, (1000.0 * (state * 0.3).exp()) as u64, 1);
            }
        }
        Counts::of(&builder.build(SeriesKind::Span, "A", "ns"))
    }

    fn median(memory: f64) -> Vec<Within> {
        let measure = Measure::Quantile(Percentile::DEFAULTS[0]);
        (0..60)
            .map(|seed| Within::of(&counts(seed, memory), measure).unwrap())
            .collect()
    }

    #[test]
    fn independent_values_count_as_they_are() {
        let all = median(0.0);
        let effective = all.iter().map(|each| each.effective).sum::<f64>() / 60.0;
        assert!((8_000.0..12_800.0).contains(&effective), "{effective}");
        assert!(all.iter().filter(|each| each.still_grows).count() <= 2);
    }

    #[test]
    fn values_that_remember_count_for_less() {
        // The sign of an autoregressive series of 0.9 has about a ninth of the information of independent values.
        let effective = median(0.9).iter().map(|each| each.effective).sum::<f64>() / 60.0;
        assert!((500.0..3_000.0).contains(&effective), "{effective}");
    }

    #[test]
    fn a_memory_as_long_as_the_blocks_is_noticed() {
        let noticed = median(0.999).iter().filter(|each| each.still_grows).count();
        assert!(noticed >= 45, "{noticed} of 60");
    }
}
