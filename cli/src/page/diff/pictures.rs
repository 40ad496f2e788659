//! Curves and shifts of what is gated.

use perf_analysis::diff::{Curves, Diff, Measure, Row, Summary};
use perf_render::plot::{Compared, Picture, Ranked, Shift, Theme, Unit, curves, shift};

/// Quantiles at which the shift is drawn: shares of what is left.
const STEPS: u32 = 60;
/// Events and flows that are drawn.
const MAX_DRAWN: usize = 16;

/// For each gated event or flow two pictures, with names for their files.
pub(crate) fn pictures(
    diff: &Diff,
    sides: [&[Summary]; 2],
    theme: Theme,
) -> Vec<(String, Picture)> {
    let mut drawn: Vec<&Row> = Vec::new();
    for row in diff.rows.iter().filter(|row| row.gated) {
        if !drawn
            .iter()
            .any(|known| known.kind == row.kind && known.name == row.name)
        {
            drawn.push(row);
        }
    }
    drawn.truncate(MAX_DRAWN);
    let mut pictures = Vec::new();
    for (number, row) in drawn.into_iter().enumerate() {
        let Some(found) = Curves::of(sides, row.kind, &row.name) else {
            continue;
        };
        let data = compared(diff, row, &found);
        let number = number + 1;
        pictures.push((format!("diff-{number}-curves.svg"), curves(&data, theme)));
        pictures.push((format!("diff-{number}-shift.svg"), shift(&data, theme)));
    }
    pictures
}

fn compared(diff: &Diff, row: &Row, found: &Curves) -> Compared {
    let ranked = |curve: &[(u64, u64)]| -> Vec<Ranked> {
        curve
            .iter()
            .map(|(rank, value)| Ranked {
                rank: *rank,
                value: *value,
            })
            .collect()
    };
    let count = found.base_count.min(found.new_count);
    let steps = (0..STEPS).map(|step| {
        let left = (count.max(10) as f64).powf(-f64::from(step) / f64::from(STEPS));
        let (base, new) = found.at(1.0 - left);
        Shift {
            left,
            change: new as f64 / base.max(1) as f64 - 1.0,
            between: None,
        }
    });
    let marks = diff.rows.iter().filter_map(|each| {
        let Measure::Quantile(percentile) = each.measure else {
            return None;
        };
        let same = each.kind == row.kind && each.name == row.name;
        same.then_some(Shift {
            left: 1.0 - percentile.fraction(),
            change: each.change,
            between: each.low.zip(each.high),
        })
    });
    Compared {
        name: row.name.clone(),
        unit: Unit::of(unit(diff, row)),
        base_count: found.base_count,
        base: ranked(&found.base),
        new_count: found.new_count,
        new: ranked(&found.new),
        steps: steps.collect(),
        marks: marks.collect(),
        bound: row.bound,
    }
}

/// The unit of the values of what a row is about, which a share of errors does not have.
fn unit<'a>(diff: &'a Diff, row: &Row) -> &'a str {
    let same = |each: &&Row| {
        let is_value = matches!(each.measure, Measure::Quantile(_));
        is_value && each.kind == row.kind && each.name == row.name
    };
    diff.rows.iter().find(same).map_or("", |found| &found.unit)
}
