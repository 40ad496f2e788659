//! Where values add up: one cell a row and slot.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use perf_format::{CounterSummary, GaugeSummary};

use super::rows::{Class, RowKey};
use super::select::{Found, Target};
use super::spread::{Domain, Final, Spread};
use super::timeline::SlotNumber;

/// A row within a slot, and what was added to it so far.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Unlike any other's of the pass, in no particular order.
    pub(crate) id: usize,
    pub(crate) slot: SlotNumber,
    pub(crate) row: RowKey,
    pub(crate) class: Class,
    body: Mutex<Body>,
}

/// Only what fits the row's class is used.
#[derive(Debug)]
pub(crate) struct Body {
    /// Values of the captures and segments of one scale, as they are read.
    pub(crate) wave: Spread,
    /// All values.
    pub(crate) total: Final,
    pub(crate) counter: CounterSummary,
    pub(crate) gauge: GaugeTotal,
    /// What the running pass looks for, for exact percentiles, and what it found.
    pub(crate) sought: Vec<Target>,
    pub(crate) found: Found,
    /// Exact percentiles: ranks and values, ascending; empty before they are found.
    pub(crate) exact: Vec<(u64, u64)>,
}

impl Cell {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Body> {
        // A panic in a worker ends the program; a half-added body is never shown.
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gauge over several captures and segments.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct GaugeTotal {
    pub(crate) count: u64,
    sum: i128,
    pub(crate) min: i64,
    pub(crate) max: i64,
    /// Value × ns.
    integral: f64,
    held_ns: f64,
    /// When, in unix ns, and what.
    pub(crate) last: Option<(i64, i64)>,
}

impl GaugeTotal {
    /// Adds one stretch on one clock of `scale` ns a tick, whose last value was recorded at `last_unix_ns`.
    pub(crate) fn add(&mut self, summary: &GaugeSummary, scale: f64, last_unix_ns: i64) {
        if summary.count == 0 {
            return;
        }
        self.min = if self.count == 0 {
            summary.min
        } else {
            self.min.min(summary.min)
        };
        self.max = if self.count == 0 {
            summary.max
        } else {
            self.max.max(summary.max)
        };
        self.count = self.count.saturating_add(summary.count);
        self.sum = self.sum.saturating_add(summary.sum);
        // Chunks that overlap in time can make a short stretch run backward; it then says nothing about time.
        if summary.last_ticks > summary.first_ticks {
            self.integral += summary.integral as f64 * scale;
            self.held_ns += (summary.last_ticks - summary.first_ticks) as f64 * scale;
        }
        let last = (last_unix_ns, summary.last);
        self.last = Some(self.last.map_or(last, |before| {
            if last_unix_ns >= before.0 {
                last
            } else {
                before
            }
        }));
    }

    /// Over time; the plain mean when all values are of one instant.
    pub(crate) fn mean(&self) -> Option<f64> {
        match (self.count, self.held_ns > 0.0) {
            (0, _) => None,
            (_, true) => Some(self.integral / self.held_ns),
            (count, false) => Some(self.sum as f64 / count as f64),
        }
    }
}

/// All cells of a pass. Workers look cells up once and keep them.
#[derive(Debug)]
pub(crate) struct Cells {
    /// What bins of durations hold at the end.
    pub(crate) domain: Domain,
    known: Mutex<HashMap<(SlotNumber, RowKey), Arc<Cell>>>,
}

impl Cells {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            domain,
            known: Mutex::default(),
        }
    }

    /// The cell of a row in a slot, made when it is new.
    pub(crate) fn get(&self, slot: SlotNumber, row: RowKey) -> Arc<Cell> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let id = known.len();
        let new = |row: &RowKey| {
            let class = row.class();
            let domain = if class == Class::Ticks {
                self.domain
            } else {
                Domain::Scaled(1.0)
            };
            let body = Body {
                wave: Spread::default(),
                total: Final::new(domain),
                counter: CounterSummary::default(),
                gauge: GaugeTotal::default(),
                sought: Vec::new(),
                found: Found::default(),
                exact: Vec::new(),
            };
            Arc::new(Cell {
                id,
                slot,
                row: row.clone(),
                class,
                body: Mutex::new(body),
            })
        };
        Arc::clone(
            known
                .entry((slot, row))
                .or_insert_with_key(|(_, row)| new(row)),
        )
    }

    /// All cells, by slot and row: the order of the report.
    pub(crate) fn sorted(&self) -> Vec<Arc<Cell>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cells: Vec<_> = known.values().cloned().collect();
        cells.sort_unstable_by(|a, b| (a.slot, &a.row).cmp(&(b.slot, &b.row)));
        cells
    }

    /// Ends a wave: values counted so far were of `scale` ns.
    pub(crate) fn end_wave(&self, scale: f64) {
        for cell in self.sorted() {
            let mut body = cell.lock();
            let wave = std::mem::take(&mut body.wave);
            let scale = if cell.class == Class::Ticks {
                scale
            } else {
                1.0
            };
            body.total.add(&wave, scale);
        }
    }
}
