//! The whole of the selected time.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::curve::{CurvePoint, ranks, thinned};
use super::grid::Grid;
use super::losses::losses;
use super::over_time::over_time;
use super::{MAX_LEVELS, MAX_SERIES, MAX_UNITS, PlotData, PlotLevel, PlotSeries};
use crate::error::Error;
use crate::report::cells::Cell;
use crate::report::rows::{Class, RowKey};
use crate::report::run::Run;
use crate::report::{EventKind, Outcome};

/// What is looked at over time.
pub(super) struct Chosen {
    pub(super) series: Vec<(RowKey, Grid)>,
    pub(super) levels: Vec<RowKey>,
    /// Spans and observations by event: how many there are in all, the most first.
    pub(super) events: Vec<(EventKind, String)>,
}

/// Reads what `run` selects twice: as a whole, from which follow the bins, and by slots of time.
pub(super) fn collect(run: &Run<'_>) -> Result<PlotData, Error> {
    let cells = run.new_cells();
    let outcome = run.fill(&run.timelines, &cells)?;
    let sorted = cells.sorted();
    let filled: Vec<&Arc<Cell>> = sorted.iter().filter(|cell| count(cell) > 0).collect();
    let (shown, left_out) = chosen_series(&filled);
    let mut chosen = Chosen {
        series: Vec::new(),
        levels: levels(&filled),
        events: by_count(&filled),
    };
    let all_levels = filled.iter().filter(|cell| !is_spread(cell)).count();
    let mut series = Vec::new();
    for cell in shown {
        let (one, grid) = whole(cell);
        series.push(one);
        chosen.series.push((cell.row.clone(), grid));
    }
    let levels = (chosen.levels.iter())
        .map(|row| PlotLevel {
            event: row.event.clone(),
            kind: row.kind,
            unit: row.unit.clone(),
        })
        .collect();
    let (slots, in_slots) = over_time(run, &chosen)?;
    Ok(PlotData {
        report: run.report_of(&cells, outcome, None, in_slots),
        series,
        levels,
        slots,
        lost: losses(run),
        series_left_out: left_out as u64,
        levels_left_out: (all_levels - chosen.levels.len()) as u64,
    })
}

fn is_spread(cell: &Cell) -> bool {
    matches!(cell.class, Class::Ticks | Class::Values)
}

fn count(cell: &Cell) -> u64 {
    let body = cell.lock();
    match cell.class {
        Class::Ticks | Class::Values => body.total.count,
        Class::Counter => body.counter.count,
        Class::Gauge => body.gauge.count,
    }
}

/// The most telling rows of each unit, and how many there are besides.
fn chosen_series<'a>(filled: &[&'a Arc<Cell>]) -> (Vec<&'a Arc<Cell>>, usize) {
    let mut units: BTreeMap<(bool, &str), Vec<&'a Arc<Cell>>> = BTreeMap::new();
    for cell in filled.iter().filter(|cell| is_spread(cell)) {
        let unit = cell.row.unit.as_str();
        units.entry((unit != "ns", unit)).or_default().push(cell);
    }
    let all: usize = units.values().map(Vec::len).sum();
    let mut chosen = Vec::new();
    for cells in units.values_mut().take(MAX_UNITS) {
        cells.sort_by_cached_key(|cell| {
            let unusual = cell
                .row
                .outcome
                .is_some_and(|outcome| outcome != Outcome::Ok);
            let sum = cell.lock().total.sum;
            (unusual, Reverse(sum), cell.row.clone())
        });
        chosen.extend(cells.iter().take(MAX_SERIES));
    }
    let left_out = all - chosen.len();
    (chosen, left_out)
}

fn levels(filled: &[&Arc<Cell>]) -> Vec<RowKey> {
    let levels = filled.iter().filter(|cell| !is_spread(cell));
    let mut levels: Vec<RowKey> = levels.map(|cell| cell.row.clone()).collect();
    levels.sort_by(|a, b| (&a.event, a).cmp(&(&b.event, b)));
    levels.truncate(MAX_LEVELS);
    levels
}

fn by_count(filled: &[&Arc<Cell>]) -> Vec<(EventKind, String)> {
    let mut counts: BTreeMap<(EventKind, &str), u64> = BTreeMap::new();
    for cell in filled.iter().filter(|cell| is_spread(cell)) {
        let sum = counts.entry((cell.row.kind, &cell.row.event)).or_default();
        *sum = sum.saturating_add(count(cell));
    }
    let mut events: Vec<_> = counts.into_iter().collect();
    events.sort_by_key(|(_, count)| Reverse(*count));
    let name = |((kind, event), _): ((EventKind, &str), u64)| (kind, event.to_owned());
    events.into_iter().map(name).collect()
}

/// A row over the whole time, and the bins that fit it.
fn whole(cell: &Cell) -> (PlotSeries, Grid) {
    let body = cell.lock();
    let total = &body.total;
    let ranks = ranks(total.count);
    let values = total.at_ranks(&ranks);
    let points = ranks.into_iter().zip(values);
    let mut curve: Vec<CurvePoint> = points
        .map(|(rank, value)| CurvePoint { rank, value })
        .collect();
    // The bins may have lost what the extremes still know.
    if let Some(first) = curve.first_mut() {
        first.value = total.min;
    }
    if let Some(last) = curve.last_mut() {
        last.value = total.max;
    }
    let least = total
        .values()
        .map(|(value, _)| value)
        .find(|value| *value > 0);
    let grid = Grid::new(least.unwrap_or(1), total.max);
    let (zeros, bins) = grid.count(total.values());
    let series = PlotSeries {
        event: cell.row.event.clone(),
        kind: cell.row.kind,
        unit: cell.row.unit.clone(),
        outcome: cell.row.outcome,
        count: total.count,
        curve: thinned(curve),
        zeros,
        bins,
    };
    (series, grid)
}
