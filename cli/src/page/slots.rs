//! Events over time: one table an event, one row a slot.

use perf_analysis::report::{EventKind, EventStats, Outcome, Slot};
use perf_render::{Cell, Column, Row, Table};

use crate::page::events::{
    counter_cells, counter_columns, distribution_cells, distribution_columns, gauge_cells,
    gauge_columns, in_reading_order, percentiles_of,
};
use crate::time::Zone;

/// A table for each of `rows`, titled by its event, in the order of the summary above them.
pub(super) fn tables(rows: &[&EventStats], slots: &[Slot], zone: &Zone) -> Vec<Table> {
    let starts: Vec<_> = slots.iter().map(|slot| slot.start_unix_ns).collect();
    let starts = zone.slot_starts(&starts);
    let rows = in_reading_order(rows);
    rows.iter().map(|row| table(row, slots, &starts)).collect()
}

fn table(of: &EventStats, slots: &[Slot], starts: &[String]) -> Table {
    let title = match of.outcome.and_then(Outcome::unusual) {
        Some(mark) => format!("{} {mark}", of.event),
        None => of.event.clone(),
    };
    let percentiles = percentiles_of(&[of]);
    let mut columns = vec![Column::new(title, "slot_start")];
    columns.extend(match of.kind {
        EventKind::Span | EventKind::Observation => distribution_columns(&percentiles),
        EventKind::Counter => counter_columns(),
        EventKind::Gauge => gauge_columns(),
    });
    let same = |row: &&EventStats| {
        row.event == of.event
            && row.kind == of.kind
            && row.outcome == of.outcome
            && row.group == of.group
    };
    let rows = slots.iter().zip(starts).filter_map(|(slot, start)| {
        let row = slot.events.iter().find(same)?;
        let mut cells = vec![Cell::Text(start.clone())];
        cells.extend(match of.kind {
            EventKind::Span | EventKind::Observation => distribution_cells(row, &percentiles),
            EventKind::Counter => counter_cells(row),
            EventKind::Gauge => gauge_cells(row),
        });
        Some(Row::new(cells))
    });
    Table {
        rows: rows.collect(),
        columns,
    }
}
