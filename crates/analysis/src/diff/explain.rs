//! What moved with a regression.

use super::measure::Measure;
use super::result::{Explanation, OutcomeMove, OwnerMove, Row, Verdict};
use super::summary::{Owner, Series, SeriesKind, Summary};

/// Owners of a flow's time that are named.
const MAX_OWNERS: usize = 5;
/// An owner that moved by less than this part of what moved most is not named.
const LEAST_MOVE: f64 = 0.05;
/// Outcomes whose share moved by less are not named: 0.1 %.
const LEAST_SHARE: f64 = 0.001;

/// For each event or flow with a regression, what moved.
pub(super) fn explanations(rows: &[Row], sides: [&[Summary]; 2]) -> Vec<Explanation> {
    let mut found: Vec<Explanation> = Vec::new();
    let worse = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Regression && row.gated);
    for row in worse {
        let same = |known: &Explanation| known.kind == row.kind && known.name == row.name;
        if found.iter().any(same) {
            continue;
        }
        let series = sides.map(|side| -> Vec<&Series> {
            side.iter()
                .filter_map(|summary| summary.find(row.kind, &row.name))
                .collect()
        });
        let median_too = rows.iter().any(|other| {
            let same = other.kind == row.kind && other.name == row.name;
            same && other.verdict == Verdict::Regression && is_usual(other.measure)
        });
        let of_tail = !median_too && row.measure != Measure::Failing;
        found.push(Explanation {
            kind: row.kind,
            name: row.name.clone(),
            owners: match row.kind {
                SeriesKind::Flow => owners(&series, of_tail),
                SeriesKind::Span | SeriesKind::Observation => Vec::new(),
            },
            of_tail,
            outcomes: outcomes(&series),
        });
    }
    found
}

/// Whether it is of all traces rather than of the slow ones.
fn is_usual(measure: Measure) -> bool {
    match measure {
        Measure::Quantile(percentile) => percentile.fraction() < 0.9,
        Measure::Failing => false,
    }
}

fn owners(sides: &[Vec<&Series>; 2], of_tail: bool) -> Vec<OwnerMove> {
    let time = |owner: &Owner| match of_tail {
        true => owner.tail_ns.unwrap_or(owner.mean_ns),
        false => owner.mean_ns,
    };
    // In the order in which the flow meets them.
    let mut names: Vec<&str> = Vec::new();
    for owner in sides.iter().flatten().flat_map(|series| &series.owners) {
        if !names.contains(&owner.owner.as_str()) {
            names.push(&owner.owner);
        }
    }
    let mean = |side: &[&Series], name: &str| -> u64 {
        let of = |series: &&Series| {
            let owner = series.owners.iter().find(|owner| owner.owner == name);
            u128::from(owner.map_or(0, time))
        };
        let sum: u128 = side.iter().map(of).sum();
        (sum / side.len().max(1) as u128) as u64
    };
    let mut moves: Vec<OwnerMove> = names
        .into_iter()
        .map(|name| OwnerMove {
            owner: name.to_owned(),
            base_ns: mean(&sides[0], name),
            new_ns: mean(&sides[1], name),
        })
        .collect();
    let moved = |owner: &OwnerMove| owner.new_ns.abs_diff(owner.base_ns);
    moves.sort_by_key(|owner| std::cmp::Reverse(moved(owner)));
    let least = moves
        .first()
        .map_or(0.0, |most| moved(most) as f64 * LEAST_MOVE);
    moves.retain(|owner| moved(owner) > 0 && moved(owner) as f64 >= least);
    moves.truncate(MAX_OWNERS);
    moves
}

fn outcomes(sides: &[Vec<&Series>; 2]) -> Vec<OutcomeMove> {
    let share = |side: &[&Series], of: fn(&Series) -> u64| -> f64 {
        let all: u64 = side.iter().map(|series| series.total()).sum();
        side.iter().map(|series| of(series)).sum::<u64>() as f64 / all.max(1) as f64
    };
    let moved = |outcome: &'static str, of: fn(&Series) -> u64| OutcomeMove {
        outcome,
        base: share(&sides[0], of),
        new: share(&sides[1], of),
    };
    let moves = [
        moved("failed", Series::failed),
        moved("cancelled", Series::cancelled),
    ];
    let shows = |each: &OutcomeMove| (each.new - each.base).abs() >= LEAST_SHARE;
    moves.into_iter().filter(shows).collect()
}
