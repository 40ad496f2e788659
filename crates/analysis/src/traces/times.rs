//! The figures of a distribution.

use perf_format::Histogram;

use super::options::TraceOptions;
use super::result::Times;
use crate::plot::CurvePoint;
use crate::plot::curve::{ranks, thinned};
use crate::report::Percentiles;

/// The figures of a distribution in units, of which `ns` makes ns. `None` if there are no values.
pub(super) fn times(
    histogram: &Histogram,
    options: &TraceOptions,
    ns: impl Fn(u64) -> u64,
) -> Option<Times> {
    let (min, max) = (histogram.min()?, histogram.max()?);
    let count = histogram.count();
    let scale = ns(1 << 40) as f64 / (1_u64 << 40) as f64;
    let at = |rank| {
        let bin = histogram.bin_of_rank(rank).map_or(0, |(bin, _)| bin);
        perf_format::bins::high(bin).clamp(min, max)
    };
    let point = |rank| CurvePoint {
        rank,
        value: ns(at(rank)),
    };
    let percentiles = options.percentiles.iter().map(|percentile| {
        let units = at(percentile.rank(count));
        (*percentile, i128::from(ns(units)))
    });
    let weak =
        (options.percentiles.iter()).filter(|percentile| count < percentile.samples_needed());
    Some(Times {
        count,
        min: ns(min),
        mean: (histogram.mean().unwrap_or(0.0) * scale).round() as u64,
        max: ns(max),
        percentiles: Percentiles(percentiles.collect()),
        weak_percentiles: weak.copied().collect(),
        curve: match options.curves {
            true => thinned(ranks(count).into_iter().map(point).collect()),
            false => Vec::new(),
        },
    })
}
