//! Whether captures that were recorded one after the other are alike: then the machine has phases that are longer than a
//! capture, and sides recorded at different times differ by the phase as much as by the build.
//!
//! Recorded in turns, both sides meet every phase, and nothing is wrong.

use super::interval::Compared;
use super::measure::Measure;
use super::result::MethodKind;
use super::summary::Summary;

/// Correlations of neighbours beyond so many deviations are not of chance: one figure in fifty.
const DEVIATIONS: f64 = 2.05;

/// A history whose captures begin no further apart than so many of their lengths is of one sitting.
const SITTING: i64 = 3;

const ALIKE: &str = "captures recorded one after the other are alike, so that a side may have met another phase of the \
                     machine: record both in turns";
const ONE_SITTING: &str = "the history was recorded in one sitting, and does not tell how runs of other times differ: \
                           spread it out";

/// Why sides that are judged by how captures differ may differ by when they were recorded.
pub(super) fn doubts(
    sides: [&[Summary]; 2],
    figures: &[Compared<'_>],
    kind: MethodKind,
) -> Option<&'static str> {
    if kind == MethodKind::Prediction && of_one_sitting(sides) {
        return Some(ONE_SITTING);
    }
    alike(sides, figures, kind).then_some(ALIKE)
}

/// Whether half of the history began right after what was recorded before.
fn of_one_sitting(sides: [&[Summary]; 2]) -> bool {
    let history = if sides[0].len() >= sides[1].len() {
        sides[0]
    } else {
        sides[1]
    };
    let mut starts: Vec<(i64, u64)> = history
        .iter()
        .map(|summary| (summary.start_unix_ns, summary.duration_ns))
        .collect();
    starts.sort_unstable();
    let soon = starts.windows(2).filter(|pair| {
        let length = i64::try_from(pair[0].1).unwrap_or(i64::MAX);
        pair[0].0 != 0 && pair[1].0 - pair[0].0 < length.saturating_mul(SITTING)
    });
    soon.count() * 2 > starts.len()
}

/// Whether any gated figure tells so, of sides that are judged by how captures differ.
fn alike(sides: [&[Summary]; 2], figures: &[Compared<'_>], kind: MethodKind) -> bool {
    if !matches!(kind, MethodKind::Prediction | MethodKind::Permutation) {
        return false;
    }
    let mut order: Vec<(i64, usize, usize)> = Vec::new();
    for (side, summaries) in sides.into_iter().enumerate() {
        let starts = summaries.iter().enumerate();
        order.extend(starts.map(|(at, summary)| (summary.start_unix_ns, side, at)));
    }
    order.sort_unstable();
    // Where the captures do not tell when, they stand as they were given: one side after the other.
    let turns = order
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .count();
    if turns >= order.len() / 2 {
        return false;
    }
    let gated = figures.iter().filter(|figure| figure.gated);
    let mut values = gated.filter(|figure| matches!(figure.measure, Measure::Quantile(_)));
    values.any(|figure| correlated(&order, figure))
}

/// Whether neighbours of one side differ from its mean in the same direction, more than chance lets them.
fn correlated(order: &[(i64, usize, usize)], figure: &Compared<'_>) -> bool {
    let (mut products, mut squares, mut number) = (0.0, 0.0, 0.0);
    for side in [0, 1] {
        let mean = figure.mean(side);
        let of_side = order.iter().filter(|(_, of, _)| *of == side);
        let rest: Vec<f64> = of_side
            .filter_map(|(_, _, at)| Some(figure.sides[side].get(*at)?.1.value - mean))
            .collect();
        if rest.len() < 3 {
            continue;
        }
        products += rest.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
        squares += rest.iter().map(|each| each * each).sum::<f64>();
        number += rest.len() as f64;
    }
    // By chance the correlation is about -1/n, with a deviation of 1/√n.
    squares > 0.0 && products / squares > DEVIATIONS / number.sqrt() - 1.0 / number
}

#[cfg(test)]
mod tests {
    use crate::diff::testing::{scaled, summary};
    use crate::diff::{DiffOptions, Outcome, Summary, compare};

    /// Runs that were recorded one after the other from `first` on, slower by these factors.
    fn runs(first: i64, step: i64, factors: &[f64]) -> Vec<Summary> {
        let made = factors.iter().zip(0..).map(|(factor, at)| {
            let seed = (first + at) as u64;
            let mut made = summary(vec![scaled("A", seed, 60, 0, *factor)]);
            made.start_unix_ns = first + at * step;
            made
        });
        made.collect()
    }

    #[test]
    fn phases_make_a_verdict_provisional_unless_both_sides_meet_them() {
        let phases = [1.0, 1.01, 1.0, 1.01, 1.4, 1.41, 1.4, 1.41];
        let slower = phases.map(|factor| factor * 3.0);
        let options = DiffOptions::default();
        let after = compare(&runs(0, 1, &phases), &runs(100, 1, &slower), &options).unwrap();
        assert_eq!(
            (after.outcome, after.provisional.len()),
            (Outcome::Regression, 1)
        );
        let in_turns = compare(&runs(0, 2, &phases), &runs(1, 2, &slower), &options).unwrap();
        assert_eq!(
            (in_turns.outcome, in_turns.provisional.len()),
            (Outcome::Regression, 0)
        );
        let steady = [1.0, 1.01, 1.02, 1.0, 1.01, 1.02, 1.01, 1.0];
        let after = compare(&runs(0, 1, &steady), &runs(100, 1, &steady), &options).unwrap();
        assert_eq!((after.outcome, after.provisional.len()), (Outcome::Same, 0));
    }

    #[test]
    fn a_history_with_phases_or_of_one_sitting_makes_a_verdict_provisional() {
        let options = DiffOptions::default();
        let new = runs(i64::MAX / 2, 1, &[5.0]);
        let judge = |step: i64, factors: &[f64]| {
            let one = compare(&runs(1, step, factors), &new, &options).unwrap();
            (one.outcome, one.provisional.len())
        };
        let phases = [1.0, 1.01, 1.0, 1.02, 1.01, 1.2, 1.21, 1.19, 1.2, 1.21];
        let steady = [1.0, 1.01, 1.02, 1.0, 1.01, 1.02, 1.01, 1.0, 1.02, 1.01];
        let minute = 60_000_000_000;
        assert_eq!(judge(minute, &phases), (Outcome::Regression, 1));
        assert_eq!(judge(minute, &steady), (Outcome::Regression, 0));
        // Captures of ten seconds, every eleven.
        assert_eq!(judge(11_000_000_000, &steady), (Outcome::Regression, 1));
    }
}
