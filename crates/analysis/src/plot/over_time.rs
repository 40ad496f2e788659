//! The same by slots of time.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::MAX_SERIES;
use super::grid::{Grid, LogBin};
use super::series::Chosen;
use super::slot_length::{MAX_SLOTS, slot_length};
use crate::error::Error;
use crate::report::EventKind;
use crate::report::cells::Cell;
use crate::report::rows::{Class, RowKey};
use crate::report::run::Run;
use crate::report::slots::each_slot;
use crate::report::spread::Final;
use crate::value::UnixNs;
use crate::warning::Warning;

/// The selected time, cut into slots of equal length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slots {
    /// The length of a slot.
    pub every_ns: u64,
    /// The first instant of each slot, ascending, none left out.
    pub start_unix_ns: Vec<UnixNs>,
    /// The time within each slot that is selected and covered by a capture.
    pub covered_ns: Vec<u64>,
    /// For each of the series, in the same order: its slots that hold values.
    pub series: Vec<Vec<SeriesSlot>>,
    /// For each of the levels, in the same order.
    pub levels: Vec<LevelSlots>,
    /// Spans and observations by event, whatever their outcome, the most frequent first; with more than
    /// [`MAX_SERIES`] of them the rest together, last.
    pub rates: Vec<RateSlots>,
}

/// The values of a series in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeriesSlot {
    /// The number of the slot.
    pub slot: u32,
    /// Values.
    pub count: u64,
    /// The 50th percentile.
    pub p50: u64,
    /// The 99th percentile; absent below 100 values.
    pub p99: Option<u64>,
    /// The 99.9th percentile; absent below 1 000 values.
    pub p999: Option<u64>,
    /// The greatest.
    pub max: u64,
    /// Values that are zero.
    pub zeros: u64,
    /// The others, in the bins of the series; empty bins are left out.
    pub bins: Vec<LogBin>,
}

/// A gauge or a counter by slot.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LevelSlots {
    /// Absent where nothing was recorded.
    Gauge(Vec<Option<GaugeSlot>>),
    /// Absent where no capture covers the slot.
    Counter(Vec<Option<CounterSlot>>),
}

/// A gauge in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GaugeSlot {
    /// The least level.
    pub min: i64,
    /// The mean over time, from the first record in the slot to the last.
    pub mean: f64,
    /// The greatest level.
    pub max: i64,
}

/// A counter in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CounterSlot {
    /// The change.
    pub sum: i128,
    /// The change per second of the time covered.
    pub per_s: f64,
}

/// Records of an event by slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RateSlots {
    /// The event; absent for all others together.
    pub event: Option<String>,
    /// How many events these are.
    pub events: u64,
    /// Records, by slot.
    pub counts: Vec<u64>,
}

/// What is selected by slots, and what could not be read because of these. `None` without any time.
pub(super) fn over_time(
    run: &Run<'_>,
    chosen: &Chosen,
) -> Result<(Option<Slots>, Vec<Warning>), Error> {
    let Some((from, to)) = run.stretches.bounds() else {
        return Ok((None, Vec::new()));
    };
    let asked = run
        .options
        .every_ns
        .map(|ns| i64::try_from(ns).unwrap_or(i64::MAX));
    let every = slot_length(from, to, asked.map(|ns| ns.max(1)));
    let mut filling = Filling::new(run, chosen, every, (from, to));
    let warnings = each_slot(run, every, |from, _, cells| filling.add(from, cells))?;
    Ok((Some(filling.slots), warnings))
}

/// Where the cells of a slot go.
struct Filling<'a> {
    every: i64,
    series: HashMap<&'a RowKey, (usize, &'a Grid)>,
    levels: HashMap<&'a RowKey, usize>,
    rates: HashMap<(EventKind, &'a str), usize>,
    slots: Slots,
}

impl<'a> Filling<'a> {
    fn new(run: &Run<'_>, chosen: &'a Chosen, every: i64, (from, to): (i64, i64)) -> Self {
        let numbers = from.div_euclid(every)..=to.div_euclid(every);
        let starts: Vec<i64> = numbers
            .take(MAX_SLOTS)
            .map(|number| number.saturating_mul(every))
            .collect();
        let covered = |start: &i64| {
            run.stretches
                .covered_within(*start, start.saturating_add(every))
        };
        let covered_ns: Vec<u64> = starts.iter().map(covered).collect();
        let (rates, places) = rates(&chosen.events, starts.len());
        let level = |row: &RowKey| match row.class() {
            Class::Gauge => LevelSlots::Gauge(vec![None; starts.len()]),
            _ => {
                let none =
                    |covered: &u64| (*covered > 0).then_some(CounterSlot { sum: 0, per_s: 0.0 });
                LevelSlots::Counter(covered_ns.iter().map(none).collect())
            }
        };
        let series = chosen.series.iter().enumerate();
        Filling {
            every,
            series: series
                .map(|(place, (row, grid))| (row, (place, grid)))
                .collect(),
            levels: chosen
                .levels
                .iter()
                .enumerate()
                .map(|(place, row)| (row, place))
                .collect(),
            rates: places,
            slots: Slots {
                every_ns: every.unsigned_abs(),
                levels: chosen.levels.iter().map(level).collect(),
                start_unix_ns: starts.into_iter().map(UnixNs).collect(),
                covered_ns,
                series: vec![Vec::new(); chosen.series.len()],
                rates,
            },
        }
    }

    /// Adds the cells of the slot that begins at `from`. Only a clock that contradicts itself has records outside.
    fn add(&mut self, from: i64, cells: &[Arc<Cell>]) {
        let Some(first) = self.slots.start_unix_ns.first() else {
            return;
        };
        let number = (i128::from(from) - i128::from(first.0)) / i128::from(self.every);
        let Some(slot) = usize::try_from(number)
            .ok()
            .filter(|slot| *slot < self.slots.start_unix_ns.len())
        else {
            return;
        };
        for cell in cells {
            self.add_cell(slot, cell);
        }
    }

    fn add_cell(&mut self, slot: usize, cell: &Cell) {
        let body = cell.lock();
        if let Some((place, grid)) = self.series.get(&cell.row)
            && body.total.count > 0
        {
            self.slots.series[*place].push(series_slot(slot, &body.total, grid));
        }
        if let Some(place) = self.rates.get(&(cell.row.kind, cell.row.event.as_str())) {
            let count = &mut self.slots.rates[*place].counts[slot];
            *count = count.saturating_add(body.total.count);
        }
        let Some(place) = self.levels.get(&cell.row) else {
            return;
        };
        match &mut self.slots.levels[*place] {
            LevelSlots::Gauge(slots) => {
                slots[slot] = body.gauge.mean().map(|mean| GaugeSlot {
                    min: body.gauge.min,
                    mean,
                    max: body.gauge.max,
                });
            }
            LevelSlots::Counter(slots) => {
                let covered = self.slots.covered_ns[slot] as f64 / 1e9;
                slots[slot] = (covered > 0.0).then(|| CounterSlot {
                    sum: body.counter.sum,
                    per_s: body.counter.sum as f64 / covered,
                });
            }
        }
    }
}

/// Empty counts, and by event where its counts go.
fn rates(
    events: &[(EventKind, String)],
    slots: usize,
) -> (Vec<RateSlots>, HashMap<(EventKind, &str), usize>) {
    let apart = if events.len() > MAX_SERIES {
        MAX_SERIES - 1
    } else {
        events.len()
    };
    let mut rates: Vec<RateSlots> = (events[..apart].iter())
        .map(|(_, event)| RateSlots {
            event: Some(event.clone()),
            events: 1,
            counts: vec![0; slots],
        })
        .collect();
    if events.len() > apart {
        rates.push(RateSlots {
            event: None,
            events: (events.len() - apart) as u64,
            counts: vec![0; slots],
        });
    }
    let places = (events.iter().enumerate())
        .map(|(place, (kind, event))| ((*kind, event.as_str()), place.min(apart)))
        .collect();
    (rates, places)
}

fn series_slot(slot: usize, total: &Final, grid: &Grid) -> SeriesSlot {
    let count = total.count;
    // The rank of so many parts of a thousand.
    let rank = |parts: u128| {
        let rank = (u128::from(count) * parts).div_ceil(1000);
        u64::try_from(rank).unwrap_or(count).clamp(1, count)
    };
    let values = total.at_ranks(&[rank(500), rank(990), rank(999)]);
    let value = |place: usize| values.get(place).copied().unwrap_or(total.max);
    let (zeros, bins) = grid.count(total.values());
    SeriesSlot {
        slot: slot as u32,
        count,
        p50: value(0),
        p99: (count >= 100).then(|| value(1)),
        p999: (count >= 1000).then(|| value(2)),
        max: total.max,
        zeros,
        bins,
    }
}
