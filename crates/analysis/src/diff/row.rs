//! From an interval to a verdict.

use super::interval::{Compared, Interval, MANY};
use super::measure::Measure;
use super::options::{DiffOptions, MIN_FAILING};
use super::result::{MethodKind, Row, Verdict, Why};
use super::student::student_quantile;

/// Ticks that a duration must change by, at least.
const TICKS: f64 = 2.0;
/// Captures a side beyond which nobody records.
const MOST_RUNS: u64 = 1000;

/// What all rows share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    /// The length of a tick in ns.
    pub(super) tick_ns: f64,
    /// The chance that one interval misses.
    pub(super) error: f64,
    /// By what they were judged.
    pub(super) kind: MethodKind,
}

/// The row of a figure.
pub(super) fn row(
    figure: &Compared<'_>,
    interval: &Interval,
    options: &DiffOptions,
    scale: Scale,
) -> Row {
    let [base, new] = [figure.mean(0), figure.mean(1)];
    let measure = figure.measure;
    let bound = bound(figure, base, options, scale);
    let verdict = match () {
        () if interval.low > bound => Verdict::Regression,
        () if interval.high < -bound => Verdict::Improvement,
        () if interval.low >= -bound && interval.high <= bound => Verdict::Same,
        () => Verdict::Inconclusive,
    };
    let why = match verdict {
        Verdict::Inconclusive => Some(interval.why.unwrap_or(Why::Wide)),
        _ => None,
    };
    let shown = |change: f64| match measure {
        Measure::Quantile(_) => change.exp_m1(),
        Measure::Failing => change,
    };
    let finite = |end: f64| end.is_finite().then(|| shown(end));
    let half = (interval.high - interval.low) / 2.0;
    Row {
        kind: figure.kind,
        name: figure.name.to_owned(),
        measure,
        unit: figure.unit(),
        gated: figure.gated,
        verdict,
        why,
        base: measure.shown(base, figure.unit),
        new: measure.shown(new, figure.unit),
        change: shown(interval.seen),
        low: finite(interval.low),
        high: finite(interval.high),
        bound: shown(bound),
        detectable: finite(bound + half),
        effective: effective(figure),
        runs_needed: match (verdict, why) {
            (Verdict::Inconclusive, Some(Why::Wide | Why::FewRuns)) => {
                runs_needed(figure, interval, bound, scale)
            }
            _ => None,
        },
    }
}

/// The change that does not matter, on the scale of the figure.
fn bound(figure: &Compared<'_>, base: f64, options: &DiffOptions, scale: Scale) -> f64 {
    let part = options.bound_of(figure.name);
    match figure.measure {
        Measure::Failing => (part * base).max(MIN_FAILING),
        Measure::Quantile(_) if figure.is_time() => {
            let ticks = TICKS * scale.tick_ns / base.exp();
            part.max(ticks).ln_1p()
        }
        Measure::Quantile(_) => part.ln_1p(),
    }
}

fn effective(figure: &Compared<'_>) -> Option<[f64; 2]> {
    match figure.sides.each_ref().map(Vec::as_slice) {
        [[(_, base)], [(_, new)]] => Some([base.effective.floor(), new.effective.floor()]),
        _ => None,
    }
}

/// About how many captures a side would decide it: so many that the interval, around what was seen, would lie on one side of
/// the bound.
fn runs_needed(
    figure: &Compared<'_>,
    interval: &Interval,
    bound: f64,
    scale: Scale,
) -> Option<u64> {
    let parts: f64 = figure
        .sides
        .iter()
        .map(|side| 1.0 / side.len() as f64)
        .sum();
    let run = match scale.kind {
        MethodKind::Permutation => interval.deviation / parts.sqrt(),
        MethodKind::PairedPermutation => {
            interval.deviation * (figure.sides[0].len() as f64 / 2.0).sqrt()
        }
        _ => return None,
    };
    let room = (interval.seen.abs() - bound).abs();
    let fits = |runs: &u64| {
        let n = *runs as f64;
        let student = student_quantile(scale.error, 2.0 * n - 2.0);
        student * run * (2.0 / n).sqrt() < room
    };
    (MANY as u64..=MOST_RUNS).find(fits)
}

impl Compared<'_> {
    fn is_time(&self) -> bool {
        self.unit == "ns"
    }

    fn unit(&self) -> String {
        match self.measure {
            Measure::Failing => "share".to_owned(),
            Measure::Quantile(_) => self.unit.to_owned(),
        }
    }
}
