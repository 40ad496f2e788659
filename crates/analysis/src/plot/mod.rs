//! What plots need besides a report: whole curves, histograms on a log scale, and both over time.
//!
//! It comes from the same cells as a report, so its figures are the report's. Rollups suffice for everything but the
//! slots of time that cut through one. What is kept is bounded: [`MAX_SERIES`] events of one unit with [`MAX_BINS`]
//! bins each, [`MAX_SLOTS`] slots, [`MAX_LEVELS`] gauges and counters.

pub(crate) mod curve;
mod grid;
mod losses;
mod over_time;
mod series;
mod slot_length;

use serde::Serialize;

use crate::capture::CaptureSet;
use crate::error::Error;
use crate::options::ReportOptions;
use crate::report::run::Run;
use crate::report::{EventKind, Outcome, Report};
use crate::threads::with_threads;

pub use curve::CurvePoint;
pub use grid::{LogBin, MAX_BINS};
pub use losses::Lost;
pub use over_time::{CounterSlot, GaugeSlot, LevelSlots, RateSlots, SeriesSlot, Slots};
pub use slot_length::MAX_SLOTS;

/// Events of one unit that are kept; further ones are counted in [`PlotData::series_left_out`].
pub const MAX_SERIES: usize = 8;
/// Different units that are kept.
pub const MAX_UNITS: usize = 4;
/// Gauges and counters that are kept.
pub const MAX_LEVELS: usize = 12;

/// The answer of [`plot_data`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlotData {
    /// The report of the same selection, without slots.
    pub report: Report,
    /// Spans and observations: those of durations first, then by unit; within these what took longest in all first,
    /// outcomes other than the usual one last.
    pub series: Vec<PlotSeries>,
    /// Gauges and counters by name.
    pub levels: Vec<PlotLevel>,
    /// The same by slots of time; absent when nothing is selected.
    pub slots: Option<Slots>,
    /// Records lost in the selected time, as far as it is known when.
    pub lost: Vec<Lost>,
    /// Spans and observations that are not kept.
    pub series_left_out: u64,
    /// Gauges and counters that are not kept.
    pub levels_left_out: u64,
}

/// All values of one row of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlotSeries {
    /// The event's name.
    pub event: String,
    /// Span or observation.
    pub kind: EventKind,
    /// `ns` for spans.
    pub unit: String,
    /// How the spans ended; absent for observations.
    pub outcome: Option<Outcome>,
    /// Values.
    pub count: u64,
    /// From the least value to the greatest; values are those that the report would give for the same rank.
    pub curve: Vec<CurvePoint>,
    /// Values that are zero.
    pub zeros: u64,
    /// The others, by equal steps of their logarithm; empty bins are left out.
    pub bins: Vec<LogBin>,
}

/// A gauge or a counter of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlotLevel {
    /// The event's name.
    pub event: String,
    /// Gauge or counter.
    pub kind: EventKind,
    /// The event's unit.
    pub unit: String,
}

/// What plots of the records of `set` that `options` select need. [`ReportOptions::every_ns`] is the length of a slot,
/// or a multiple of it where there would be more than [`MAX_SLOTS`]; without it one is chosen. Captures are
/// always merged: [`ReportOptions::by`] is not looked at.
///
/// # Errors
/// As [`crate::report()`].
pub fn plot_data(set: &CaptureSet, options: &ReportOptions) -> Result<PlotData, Error> {
    let options = ReportOptions {
        by: None,
        ..options.clone()
    };
    with_threads(options.threads, || {
        series::collect(&Run::new(set, &options)?)
    })
}
