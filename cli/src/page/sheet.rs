//! A report as one flat table, for spreadsheets: a row an event and outcome, and with slots a row for each of these.

use perf_analysis::report::{EventKind, EventStats, Report};
use perf_analysis::{Number, Percentile, UnixNs};
use perf_render::{Cell, Column, Row, Table};

use crate::page::events::percentiles_of;
use crate::time::Zone;

/// Every row of `report`; with `--every` the rows of its slots instead, each with the slot's start. All durations are
/// in nanoseconds, all other values in the row's unit.
pub(crate) fn report(report: &Report, zone: &Zone) -> Table {
    let rows: Vec<(Option<UnixNs>, &EventStats)> = match &report.slots {
        None => report.events.iter().map(|row| (None, row)).collect(),
        Some(slots) => (slots.iter())
            .flat_map(|slot| {
                slot.events
                    .iter()
                    .map(|row| (Some(slot.start_unix_ns), row))
            })
            .collect(),
    };
    let all: Vec<&EventStats> = report.events.iter().collect();
    let percentiles = percentiles_of(&all);
    let has_slots = report.slots.is_some();
    let has_groups = report.events.iter().any(|row| row.group.is_some());
    let mut keys: Vec<String> = Vec::new();
    keys.extend(has_slots.then(|| "slot_start".to_owned()));
    keys.extend(has_groups.then(|| "group".to_owned()));
    keys.extend(
        [
            "event",
            "kind",
            "unit",
            "outcome",
            "count",
            "rate_per_s",
            "min",
            "mean",
            "stddev",
        ]
        .map(str::to_owned),
    );
    keys.extend(
        percentiles
            .iter()
            .map(|percentile| format!("p{percentile}")),
    );
    keys.extend(["max", "sum", "sum_per_s", "last", "open"].map(str::to_owned));
    let lines = rows.into_iter().map(|(start, row)| {
        let mut cells = Vec::new();
        cells.extend(
            has_slots.then(|| Cell::or_absent(start, |start| Cell::Text(zone.rfc3339(start)))),
        );
        cells.extend(has_groups.then(|| Cell::or_absent(row.group.clone(), Cell::Text)));
        cells.extend(event_cells(row, &percentiles));
        Row::new(cells)
    });
    Table {
        rows: lines.collect(),
        columns: keys
            .into_iter()
            .map(|key| Column::new(key.clone(), key))
            .collect(),
    }
}

fn event_cells(row: &EventStats, percentiles: &[Percentile]) -> Vec<Cell> {
    let real = |value| Cell::or_absent(value, number);
    let mut cells = vec![
        Cell::name(&row.event),
        Cell::Text(kind(row.kind).to_owned()),
        Cell::Text(row.unit.clone()),
        Cell::or_absent(row.outcome, |outcome| Cell::Text(outcome.name().to_owned())),
        Cell::Count(row.count),
        Cell::or_absent(row.rate_per_s, Cell::PerSecond),
        Cell::or_absent(row.min, Cell::Integer),
        real(row.mean),
        real(row.stddev),
    ];
    cells.extend(percentiles.iter().map(|percentile| {
        let found = row
            .percentiles
            .as_ref()
            .and_then(|values| values.get(*percentile));
        Cell::or_absent(found, Cell::Integer)
    }));
    cells.extend([
        Cell::or_absent(row.max, Cell::Integer),
        Cell::or_absent(row.sum, Cell::Integer),
        Cell::or_absent(row.sum_per_s, Cell::Number),
        Cell::or_absent(row.last, Cell::Integer),
        Cell::or_absent(row.open, Cell::Count),
    ]);
    cells
}

fn number(value: Number) -> Cell {
    match value {
        Number::Int(value) => Cell::Integer(value),
        Number::Real(value) => Cell::Number(value),
    }
}

pub(crate) fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Span => "span",
        EventKind::Counter => "counter",
        EventKind::Gauge => "gauge",
        EventKind::Observation => "observation",
    }
}
