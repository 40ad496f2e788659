//! Tables of what was measured: one for each kind of event.

use std::cmp::Reverse;

use perf_analysis::report::{EventKind, EventStats, Outcome};
use perf_analysis::{Number, Percentile};
use perf_render::{Cell, Column, Keep, Name, Row, Table, Tone};

/// How many bars a distribution's outline has: as many as a table has room for on 80 columns.
const BARS: usize = 8;

/// A table for each kind of event among `rows`, which are sorted by event.
pub(super) fn tables(rows: &[&EventStats]) -> Vec<Table> {
    let [spans, observations, counters_, gauges_] = by_kind(rows);
    vec![
        durations("spans", "", spans),
        durations("observations", "unit", observations),
        counters(&counters_),
        gauges(&gauges_),
    ]
}

/// `rows` in the order in which a reader meets them in [`tables`].
pub(super) fn in_reading_order<'a>(rows: &[&'a EventStats]) -> Vec<&'a EventStats> {
    by_kind(rows).concat()
}

/// Spans, observations, counters and gauges among `rows`, which are sorted by event, in reading order.
fn by_kind<'a>(rows: &[&'a EventStats]) -> [Vec<&'a EventStats>; 4] {
    let of = |kind| {
        let mine = rows.iter().copied().filter(|row| row.kind == kind);
        mine.collect::<Vec<_>>()
    };
    [
        by_total_time(of(EventKind::Span)),
        of(EventKind::Observation),
        of(EventKind::Counter),
        of(EventKind::Gauge),
    ]
}

/// Events that took most time first; the outcomes of one event stay together, as they came.
fn by_total_time(rows: Vec<&EventStats>) -> Vec<&EventStats> {
    let mut events: Vec<&[&EventStats]> = rows.chunk_by(|a, b| a.event == b.event).collect();
    events.sort_by_key(|outcomes| Reverse(outcomes.iter().filter_map(|row| row.sum).sum::<i128>()));
    events.concat()
}

/// The columns of a distribution, between the first column and the last ones.
pub(super) fn distribution_columns(percentiles: &[Percentile]) -> Vec<Column> {
    let room = |order| Keep::IfRoom(order);
    let mut columns = vec![
        Column::new("count", "count"),
        Column::new("rate", "rate_per_s").keep(Keep::IfWide),
        Column::new("total", "sum").keep(room(u8::MAX)),
        Column::new("mean", "mean").keep(Keep::IfWide),
        Column::new("stddev", "stddev").keep(Keep::IfWide),
        Column::new("min", "min").keep(Keep::IfWide),
    ];
    for (place, percentile) in percentiles.iter().enumerate() {
        // The first and the highest are kept longest.
        let order = u8::try_from(percentiles.len() - place).unwrap_or(u8::MAX - 2);
        let title = format!("p{percentile}");
        columns.push(Column::new(&title, &title).keep(room(if place == 0 { 0 } else { order })));
    }
    columns.push(Column::new("max", "max"));
    columns.push(Column::new("shape", "shape").keep(room(u8::MAX - 1)));
    columns
}

/// The cells under [`distribution_columns`].
pub(super) fn distribution_cells(row: &EventStats, percentiles: &[Percentile]) -> Vec<Cell> {
    let value = |value| Cell::or_absent(value, |value| whole(value, &row.unit));
    let real = |value| Cell::or_absent(value, |value| number(value, &row.unit));
    let mut cells = vec![
        Cell::Count(row.count),
        Cell::or_absent(row.rate_per_s, Cell::PerSecond),
        value(row.sum),
        real(row.mean),
        real(row.stddev),
        value(row.min),
    ];
    for percentile in percentiles {
        let found = row
            .percentiles
            .as_ref()
            .and_then(|values| values.get(*percentile));
        let cell = value(found);
        let weak = row.weak_percentiles.contains(percentile) && cell != Cell::Absent;
        cells.push(if weak {
            Cell::Doubtful(Box::new(cell))
        } else {
            cell
        });
    }
    cells.push(value(row.max));
    cells.push(Cell::Sparkline(shape(row)));
    cells
}

/// The outline of a distribution in at most [`BARS`] bars.
fn shape(row: &EventStats) -> Vec<u64> {
    let counts = row
        .distribution
        .as_ref()
        .map_or(&[][..], |shape| &shape.counts);
    let steps = counts.len().div_ceil(BARS).max(1);
    (counts.chunks(steps))
        .map(|steps| steps.iter().copied().fold(0, u64::saturating_add))
        .collect()
}

/// The percentiles of the first row that has any.
pub(super) fn percentiles_of(rows: &[&EventStats]) -> Vec<Percentile> {
    let first = rows.iter().find_map(|row| row.percentiles.as_ref());
    first.map_or_else(Vec::new, |values| {
        values.0.iter().map(|(percentile, _)| *percentile).collect()
    })
}

fn durations(title: &str, unit_title: &str, rows: Vec<&EventStats>) -> Table {
    let percentiles = percentiles_of(&rows);
    let has_units = !unit_title.is_empty() && rows.iter().any(|row| row.unit != "ns");
    let mut columns = vec![Column::new(title, "event")];
    columns.extend(has_units.then(|| Column::new(unit_title, "unit")));
    columns.extend(distribution_columns(&percentiles));
    let has_open = rows.iter().any(|row| row.open.is_some());
    columns.extend(has_open.then(|| Column::new("open", "open").keep(Keep::IfWide)));
    let mut before: Option<&EventStats> = None;
    let lines = rows.iter().map(|row| {
        let mut cells = vec![name(row, before)];
        cells.extend(has_units.then(|| unit(row)));
        cells.extend(distribution_cells(row, &percentiles));
        cells.extend(has_open.then(|| Cell::or_absent(row.open, Cell::Count)));
        before = Some(row);
        Row::new(cells).tone(tone(row))
    });
    Table {
        rows: lines.collect(),
        columns,
    }
}

fn counters(rows: &[&EventStats]) -> Table {
    let mut columns = vec![
        Column::new("counters", "event"),
        Column::new("unit", "unit").keep(Keep::IfRoom(2)),
    ];
    columns.extend(counter_columns());
    let lines = rows.iter().map(|row| {
        let mut cells = vec![Cell::name(&row.event), unit(row)];
        cells.extend(counter_cells(row));
        Row::new(cells)
    });
    Table {
        rows: lines.collect(),
        columns,
    }
}

fn gauges(rows: &[&EventStats]) -> Table {
    let mut columns = vec![
        Column::new("gauges", "event"),
        Column::new("unit", "unit").keep(Keep::IfRoom(2)),
    ];
    columns.extend(gauge_columns());
    let lines = rows.iter().map(|row| {
        let mut cells = vec![Cell::name(&row.event), unit(row)];
        cells.extend(gauge_cells(row));
        Row::new(cells)
    });
    Table {
        rows: lines.collect(),
        columns,
    }
}

/// The columns of a counter, behind its name and unit.
pub(super) fn counter_columns() -> Vec<Column> {
    vec![
        Column::new("total", "sum"),
        Column::new("rate", "sum_per_s").keep(Keep::IfRoom(1)),
        Column::new("records", "count").keep(Keep::IfRoom(3)),
        Column::new("least step", "min").keep(Keep::IfWide),
        Column::new("greatest step", "max").keep(Keep::IfWide),
    ]
}

/// The cells under [`counter_columns`].
pub(super) fn counter_cells(row: &EventStats) -> Vec<Cell> {
    let value = |value| Cell::or_absent(value, |value| whole(value, &row.unit));
    vec![
        value(row.sum),
        Cell::or_absent(row.sum_per_s, Cell::PerSecond),
        Cell::Count(row.count),
        value(row.min),
        value(row.max),
    ]
}

/// The columns of a gauge, behind its name and unit.
pub(super) fn gauge_columns() -> Vec<Column> {
    vec![
        Column::new("min", "min"),
        Column::new("mean", "mean"),
        Column::new("max", "max"),
        Column::new("last", "last").keep(Keep::IfRoom(1)),
        Column::new("records", "count").keep(Keep::IfRoom(3)),
    ]
}

/// The cells under [`gauge_columns`].
pub(super) fn gauge_cells(row: &EventStats) -> Vec<Cell> {
    let value = |value| Cell::or_absent(value, |value| whole(value, &row.unit));
    vec![
        value(row.min),
        Cell::or_absent(row.mean, |mean| number(mean, &row.unit)),
        value(row.max),
        value(row.last),
        Cell::Count(row.count),
    ]
}

/// The event's name, with its outcome unless that is `ok`.
fn name(row: &EventStats, before: Option<&EventStats>) -> Cell {
    Cell::Name(Name {
        text: row.event.clone(),
        mark: row.outcome.and_then(Outcome::unusual).map(str::to_owned),
        repeated: before.is_some_and(|before| before.event == row.event),
    })
}

fn tone(row: &EventStats) -> Tone {
    match row.outcome {
        Some(Outcome::Error | Outcome::Panicked) => Tone::Bad,
        Some(Outcome::Cancelled) => Tone::Caution,
        Some(Outcome::Ok) | None => Tone::Plain,
    }
}

/// Durations bear their unit already.
fn unit(row: &EventStats) -> Cell {
    match row.unit.as_str() {
        "ns" => Cell::Text(String::new()),
        unit => Cell::Text(unit.to_owned()),
    }
}

fn whole(value: i128, unit: &str) -> Cell {
    match unit {
        "ns" => Cell::Nanos(value as f64),
        _ => Cell::Integer(value),
    }
}

fn number(value: Number, unit: &str) -> Cell {
    match (unit, value) {
        ("ns", value) => Cell::Nanos(value.as_f64()),
        (_, Number::Int(value)) => Cell::Integer(value),
        (_, Number::Real(value)) => Cell::Number(value),
    }
}
