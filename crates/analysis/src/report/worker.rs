//! One worker's private state: lookups, count tables and buffers, reused from chunk to chunk.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use perf_format::{CounterSummary, GaugeSummary, SeriesKey, bins};

use super::cells::{Cell, Cells};
use super::rows::Naming;
use super::scan::ChunkBuffers;
use super::select::Sieve;
use super::spread::scaled;
use super::table::Table;
use super::timeline::SlotNumber;

/// Bytes of count tables of all workers together, at most.
const TABLE_BUDGET: usize = 96 << 20;
/// So few values of one cell are added to it at once, without a table.
const FEW: usize = 16;

/// What a pass does with the values of spans and observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// Count them into bins.
    Count,
    /// Look for the values that exact percentiles need.
    Sift,
}

/// One worker's private state.
pub(crate) struct Worker<'a> {
    task: Task,
    naming: &'a Naming<'a>,
    cells: &'a Cells,
    /// Whether durations become ns before they are counted (exact percentiles over several scales).
    in_ns: bool,
    known: HashMap<(SlotNumber, usize, SeriesKey), Option<usize>>,
    locals: Vec<Local>,
    tables: usize,
    max_tables: usize,
    converted: Vec<u64>,
    /// Gauges of the running unit, by local cell.
    gauges: BTreeMap<usize, GaugeSummary>,
    pub(crate) buffers: ChunkBuffers,
}

struct Local {
    cell: Arc<Cell>,
    table: Option<Table>,
    sieve: Option<Sieve>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        task: Task,
        naming: &'a Naming<'a>,
        cells: &'a Cells,
        in_ns: bool,
        workers: usize,
    ) -> Self {
        Self {
            task,
            naming,
            cells,
            in_ns,
            known: HashMap::new(),
            locals: Vec::new(),
            tables: 0,
            max_tables: (TABLE_BUDGET / workers.max(1) / Table::BYTES).max(4),
            converted: Vec::new(),
            gauges: BTreeMap::new(),
            buffers: ChunkBuffers::default(),
        }
    }

    /// False when only percentiles are looked for.
    pub(crate) fn wants_gauges(&self) -> bool {
        self.task == Task::Count
    }

    /// This worker's number for the cell of a series; `None` when it is not reported or not wanted.
    pub(crate) fn local(
        &mut self,
        slot: SlotNumber,
        capture: usize,
        key: SeriesKey,
    ) -> Option<usize> {
        let (naming, cells, task, locals) = (self.naming, self.cells, self.task, &mut self.locals);
        *self.known.entry((slot, capture, key)).or_insert_with(|| {
            let cell = cells.get(slot, naming.row(capture, key)?);
            let sieve = match task {
                Task::Count => None,
                Task::Sift => Some(Sieve::new(&cell.lock().sought)?),
            };
            locals.push(Local {
                cell,
                table: None,
                sieve,
            });
            Some(locals.len() - 1)
        })
    }

    pub(crate) fn cell(&self, local: usize) -> &Cell {
        &self.locals[local].cell
    }

    /// Takes values of spans or observations, whose unit is `scale` ns.
    pub(crate) fn values(&mut self, local: usize, scale: f64, values: &[u64]) {
        if self.in_ns && scale != 1.0 {
            let mut converted = std::mem::take(&mut self.converted);
            converted.clear();
            converted.extend(values.iter().map(|value| scaled(*value, scale)));
            self.keep(local, &converted);
            self.converted = converted;
        } else {
            self.keep(local, values);
        }
    }

    fn keep(&mut self, local: usize, values: &[u64]) {
        match self.task {
            Task::Count => self.count(local, values),
            Task::Sift => {
                let local = &mut self.locals[local];
                let Some(sieve) = &mut local.sieve else {
                    return;
                };
                if sieve.is_full(values.len() as u64) {
                    local.cell.lock().found.take_from(sieve);
                }
                sieve.sift(values);
            }
        }
    }

    fn count(&mut self, local: usize, values: &[u64]) {
        if self.locals[local].table.is_none() {
            if values.len() <= FEW {
                return count_directly(&self.locals[local].cell, values);
            }
            if self.tables == self.max_tables {
                self.drop_tables();
            }
            self.tables += 1;
        }
        let local = &mut self.locals[local];
        let table = local.table.get_or_insert_with(Table::new);
        if table.is_full(values.len()) {
            table.flush(&mut local.cell.lock().wave);
        }
        table.record_all(values);
    }

    /// Makes room: what tables hold goes to their cells.
    fn drop_tables(&mut self) {
        for local in &mut self.locals {
            if let Some(mut table) = local.table.take() {
                table.flush(&mut local.cell.lock().wave);
            }
        }
        self.tables = 0;
    }

    pub(crate) fn counter(&mut self, local: usize, summary: &CounterSummary) {
        if self.task == Task::Count {
            self.locals[local].cell.lock().counter.merge(summary);
        }
    }

    /// Takes the next stretch of a gauge, in chunk order within the unit.
    pub(crate) fn gauge(&mut self, local: usize, summary: &GaugeSummary) {
        if self.task == Task::Count {
            self.gauges.entry(local).or_default().merge(summary);
        }
    }

    /// Ends a unit: its gauges, which must be joined in the order of units.
    pub(crate) fn take_gauges(&mut self) -> Vec<(Arc<Cell>, GaugeSummary)> {
        let gauges = std::mem::take(&mut self.gauges);
        gauges
            .into_iter()
            .map(|(local, summary)| (Arc::clone(&self.locals[local].cell), summary))
            .collect()
    }

    /// Ends a wave: what was counted and found goes to the cells.
    pub(crate) fn flush(&mut self) {
        for local in &mut self.locals {
            if let Some(table) = &mut local.table {
                table.flush(&mut local.cell.lock().wave);
            }
            if let Some(sieve) = &mut local.sieve {
                local.cell.lock().found.take_from(sieve);
            }
        }
    }
}

fn count_directly(cell: &Cell, values: &[u64]) {
    let wave = &mut cell.lock().wave;
    let all = bins::of_all(values, |bins, _| {
        wave.bins.add_all(bins.iter().map(|bin| (*bin as usize, 1)));
    });
    wave.add_totals(values.len() as u64, all.sum, all.low, all.high);
}
