//! What other gates would say of the same captures.

use perf_analysis::Percentile;
use perf_analysis::diff::counts::Counts;
use perf_analysis::diff::measure::Measure;
use perf_analysis::diff::student::student_quantile;
use perf_analysis::diff::summary::{Series, Summary};
use perf_analysis::diff::within::Within;

/// The verdicts of three other gates on one capture a side: whether they call the new one worse (`slower`) or different.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rivals {
    /// A Mann–Whitney test of all values, at 1 % shared by the flows.
    pub(crate) ranks: bool,
    /// Whether p50 or p99 of any flow is 5 % greater.
    pub(crate) threshold: bool,
    /// An interval of the ratio as a bootstrap of independent values gives it, above the bound, at 1 % shared by all.
    pub(crate) independent: bool,
}

/// Judges each flow that both have.
pub(crate) fn judge(base: &Summary, new: &Summary, bound: f64) -> Rivals {
    let flows = || {
        base.series
            .iter()
            .filter_map(|series| Some((series, new.find(series.kind, &series.name)?)))
    };
    let family = flows().count().max(1) as f64;
    let mut rivals = Rivals::default();
    for (base, new) in flows() {
        let z = ranks(base, new);
        rivals.ranks |= z > student_quantile(0.01 / family, 1e7);
        let counts = [Counts::of(base), Counts::of(new)];
        for percentile in [Percentile::DEFAULTS[0], Percentile::DEFAULTS[2]] {
            let measure = Measure::Quantile(percentile);
            let [Some(base), Some(new)] =
                counts.each_ref().map(|counts| Within::of(counts, measure))
            else {
                continue;
            };
            let change = new.value - base.value;
            rivals.threshold |= change > bound.ln_1p();
            let variance: f64 = [(base, &counts[0]), (new, &counts[1])]
                .map(|(within, counts)| {
                    let n = counts.len() as f64;
                    let p = percentile.fraction();
                    let spread = (n * p * (1.0 - p)).sqrt();
                    let as_if = Within {
                        spread,
                        stretch: 1.0,
                        ..within
                    };
                    as_if.variance(counts, measure)
                })
                .iter()
                .sum();
            let half = student_quantile(0.01 / (2.0 * family), 1e7) * variance.sqrt();
            rivals.independent |= change - half > bound.ln_1p();
        }
    }
    rivals
}

/// By how many deviations the new values rank higher than they would among equals.
fn ranks(base: &Series, new: &Series) -> f64 {
    let totals = |series: &Series| -> Vec<(u64, f64)> {
        let mut totals: Vec<(u64, f64)> = series.values.iter().map(|value| (*value, 0.0)).collect();
        for (place, count) in series.slices.iter().flat_map(|slice| &slice.counts) {
            totals[*place as usize].1 += *count as f64;
        }
        totals
    };
    let (base, new) = (totals(base), totals(new));
    let sum = |of: &[(u64, f64)]| of.iter().map(|(_, count)| count).sum::<f64>();
    let (n, m) = (sum(&base), sum(&new));
    let (mut wins, mut ties, mut below, mut at) = (0.0, 0.0, 0.0, 0);
    for (value, count) in &new {
        while at < base.len() && base[at].0 < *value {
            below += base[at].1;
            at += 1;
        }
        let equal = base
            .get(at)
            .filter(|of| of.0 == *value)
            .map_or(0.0, |of| of.1);
        wins += count * (below + equal / 2.0);
        let tied = count + equal;
        ties += tied.powi(3) - tied;
    }
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    (wins - n * m / 2.0) / variance.max(1.0).sqrt()
}
