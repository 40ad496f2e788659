//! Which ranks a curve needs.

use serde::Serialize;

/// A rank and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CurvePoint {
    /// From 1, the least value, to the count, the greatest.
    pub rank: u64,
    /// The value of that rank.
    pub value: u64,
}

/// Points of a curve on an even scale, and on a scale of nines.
const EVEN: u64 = 200;
const TAIL: u32 = 240;

/// The ranks of `count` values that show as points of their own, ascending: the first and the last, every half per
/// cent, and steps toward the last that are even on a log scale of what is left. Common percentiles are among them.
pub(crate) fn ranks(count: u64) -> Vec<u64> {
    if count == 0 {
        return Vec::new();
    }
    let mut ranks: Vec<u64> = (0..=EVEN)
        .map(|step| {
            let rank = u128::from(count) * u128::from(step);
            u64::try_from(rank.div_ceil(u128::from(EVEN))).unwrap_or(count)
        })
        .collect();
    let scale = (count as f64).ln();
    ranks.extend((0..=TAIL).map(|step| {
        // So many values are no less than the one of this rank.
        let rest = (scale * (1.0 - f64::from(step) / f64::from(TAIL)))
            .exp()
            .round() as u64;
        count - rest.clamp(1, count) + 1
    }));
    let nines = (1..=18)
        .map(|nines| 10_u64.pow(nines))
        .take_while(|rest| *rest <= count);
    ranks.extend(nines.map(|rest| count - count / rest));
    ranks.push(count);
    for rank in &mut ranks {
        *rank = (*rank).clamp(1, count);
    }
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

/// Leaves out points between others of the same value.
pub(crate) fn thinned(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    let mut thin: Vec<CurvePoint> = Vec::with_capacity(points.len());
    for point in points {
        if let [.., before, last] = thin.as_slice()
            && before.value == last.value
            && last.value == point.value
        {
            thin.pop();
        }
        thin.push(point);
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_all_there() {
        assert!(ranks(0).is_empty());
        assert_eq!(ranks(1), [1]);
        assert_eq!(ranks(50), (1..=50).collect::<Vec<_>>());
    }

    #[test]
    fn many_values_are_shown_by_few_ranks() {
        for count in [201, 30_000, 100_000_000, u64::MAX] {
            let ranks = ranks(count);
            assert!(ranks.len() < 500);
            assert!(ranks.is_sorted_by(|a, b| a < b));
            assert_eq!((ranks[0], ranks[ranks.len() - 1]), (1, count));
        }
        let ranks = ranks(30_000);
        for rank in [15_000, 27_000, 29_700, 29_970, 29_997] {
            assert!(ranks.contains(&rank), "{rank}");
        }
    }

    #[test]
    fn a_flat_stretch_is_two_points() {
        let point = |rank, value| CurvePoint { rank, value };
        let thin = thinned((1..=9).map(|rank| point(rank, rank / 6)).collect());
        assert_eq!(thin, [point(1, 0), point(5, 0), point(6, 1), point(9, 1)]);
    }
}
