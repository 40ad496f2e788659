//! The quantiles of both sides, for pictures.

use super::summary::{Series, SeriesKind, Summary};

/// Points of a curve, at most about.
const POINTS: usize = 160;

/// The values of an event or a flow on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curves {
    /// Of the base: ranks from 1 and values, ascending.
    pub base: Vec<(u64, u64)>,
    /// How many there are.
    pub base_count: u64,
    /// Of the new side.
    pub new: Vec<(u64, u64)>,
    /// How many there are.
    pub new_count: u64,
}

impl Curves {
    /// The curves of what both sides have; captures of a side are merged.
    pub fn of(sides: [&[Summary]; 2], kind: SeriesKind, name: &str) -> Option<Self> {
        let [(base, base_count), (new, new_count)] = sides.map(|side| {
            let found = side.iter().filter_map(|summary| summary.find(kind, name));
            curve(found)
        });
        (base_count > 0 && new_count > 0).then_some(Self {
            base,
            base_count,
            new,
            new_count,
        })
    }

    /// The values of the base and of the new side that a share of all does not exceed.
    pub fn at(&self, share: f64) -> (u64, u64) {
        let of = |curve: &[(u64, u64)], count: u64| {
            let rank = ((share * count as f64).ceil() as u64).clamp(1, count);
            let place = curve.partition_point(|(at, _)| *at < rank);
            curve
                .get(place)
                .or(curve.last())
                .map_or(0, |(_, value)| *value)
        };
        (
            of(&self.base, self.base_count),
            of(&self.new, self.new_count),
        )
    }
}

/// Ranks and values, as far apart as a picture shows: by what is left above them.
fn curve<'a>(series: impl Iterator<Item = &'a Series>) -> (Vec<(u64, u64)>, u64) {
    let mut totals: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
    for series in series {
        for (place, count) in series.slices.iter().flat_map(|slice| &slice.counts) {
            *totals.entry(series.values[*place as usize]).or_default() += count;
        }
    }
    let all: u64 = totals.values().sum();
    let place = |rank: u64| {
        let left = (all - rank + 1) as f64 / all as f64;
        (-left.ln() / (all.max(2) as f64).ln() * POINTS as f64) as u64
    };
    let mut points: Vec<(u64, u64)> = Vec::new();
    let mut rank = 0;
    for (value, count) in totals {
        // Where the value begins and where it ends, if that shows.
        for at in [rank + 1, rank + count] {
            let shows = points
                .last()
                .is_none_or(|(last, _)| place(*last) != place(at));
            if shows || at == all {
                points.push((at, value));
            }
        }
        rank += count;
    }
    points.dedup();
    (points, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::testing::{scaled, summary};

    #[test]
    fn curves_end_at_the_extremes_and_stay_short() {
        let base = [summary(vec![scaled("A", 1, 100, 0, 1.0)])];
        let new = [summary(vec![scaled("A", 2, 100, 0, 2.0)])];
        let curves = Curves::of([&base, &new], SeriesKind::Flow, "A").unwrap();
        let values = &base[0].series[0].values;
        assert_eq!(curves.base.first(), Some(&(1, values[0])));
        assert_eq!(curves.base.last(), Some(&(12_800, *values.last().unwrap())));
        assert!(curves.base.len() <= 2 * POINTS, "{}", curves.base.len());
        assert!(curves.base.is_sorted());
        let (half, twice) = curves.at(0.5);
        let ratio = twice as f64 / half as f64;
        assert!((1.95..2.05).contains(&ratio), "{ratio}");
        assert_eq!(Curves::of([&base, &new], SeriesKind::Span, "A"), None);
    }
}
