//! What plots are drawn from: plain figures, whoever computed them.

use crate::escape::{bounded, elide};
use crate::number;

/// From here on, in ns, seconds have too many digits for an axis.
const LONG_NS: f64 = 1e14;
/// The name of a unit stands behind every value.
const MAX_UNIT_COLUMNS: usize = 16;

/// What a value counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds, shown in ns, µs, ms or s.
    Ns,
    /// Nothing but a number.
    Count,
    /// Things of this name.
    Named(String),
}

impl Unit {
    /// The unit that captures call `name`.
    pub fn of(name: &str) -> Unit {
        match name {
            "ns" => Unit::Ns,
            "" => Unit::Count,
            other => Unit::Named(other.to_owned()),
        }
    }

    /// A value within a sentence, to three digits, or whole: `3.79 ms`, `12 orders`.
    pub fn value(&self, value: f64) -> String {
        match self {
            Unit::Ns => number::nanos_inline(value),
            // Most are whole, and then so is what is said of them.
            Unit::Count if value.fract() == 0.0 => number::integer(value as i128),
            Unit::Count => number::number(value),
            Unit::Named(_) => format!("{} {}", Unit::Count.value(value), self.name()),
        }
    }

    /// A value beside the mark of an axis, as short as it can be: `5 ms`, `20 k`.
    pub(crate) fn tick(&self, value: f64) -> String {
        if *self == Unit::Ns && value >= LONG_NS {
            return format!("{:e} s", value / 1e9);
        }
        let steps: [(f64, &str); 7] = match self {
            Unit::Ns => [
                (1e9, " s"),
                (1e6, " ms"),
                (1e3, " µs"),
                (0.0, " ns"),
                (0.0, ""),
                (0.0, ""),
                (0.0, ""),
            ],
            Unit::Count | Unit::Named(_) => [
                (1e18, " E"),
                (1e15, " P"),
                (1e12, " T"),
                (1e9, " G"),
                (1e6, " M"),
                (1e4, " k"),
                (0.0, ""),
            ],
        };
        let size = value.abs() * (1.0 + 1e-9);
        let (scale, suffix) = steps
            .into_iter()
            .find(|(least, _)| size >= *least)
            .unwrap_or((0.0, ""));
        let scale = match scale {
            1e4 => 1e3,
            0.0 => 1.0,
            scale => scale,
        };
        let figure = format!("{:.3}", value / scale);
        let figure = figure.trim_end_matches('0').trim_end_matches('.');
        format!("{figure}{suffix}")
    }

    /// What the values of an axis are called.
    pub(crate) fn name(&self) -> String {
        match self {
            Unit::Ns => "duration".to_owned(),
            Unit::Count => "value".to_owned(),
            Unit::Named(name) => elide(&bounded(name), MAX_UNIT_COLUMNS),
        }
    }
}

/// Values of `low..=high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bin {
    /// The least value that it may hold.
    pub low: u64,
    /// The greatest.
    pub high: u64,
    /// How many it holds.
    pub count: u64,
}

/// The value of a rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranked {
    /// From 1, the least value, to the count, the greatest.
    pub rank: u64,
    /// In the unit of its series.
    pub value: u64,
}

/// The values of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The event's name, and its outcome unless that is the usual one.
    pub name: String,
    /// What its values count.
    pub unit: Unit,
    /// How many values there are.
    pub count: u64,
    /// Ranks and their values, both ascending: the first, the last, and as many between as a curve needs.
    pub curve: Vec<Ranked>,
    /// Values that are not zero by equal steps of their logarithm, ascending; those without any may be left out.
    pub bins: Vec<Bin>,
    /// Values that are zero.
    pub zeros: u64,
    /// What was promised of them; each drawn as a line.
    pub limits: Vec<Limit>,
}

impl Series {
    /// The value of the first rank given that reaches this share of the count, from 0 to 1.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.count as f64).ceil().max(1.0);
        let reached = self.curve.iter().find(|at| at.rank as f64 >= wanted);
        reached.or(self.curve.last()).map(|at| at.value as f64)
    }

    pub(crate) fn max(&self) -> Option<f64> {
        self.curve.last().map(|at| at.value as f64)
    }
}

/// A value that was promised not to be passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// In the unit of its series.
    pub value: u64,
    /// The promise, in short: `p99.9<5ms`.
    pub label: String,
}

/// A stretch of time, and the clock that shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSpan {
    /// Its first instant, in ns since 1970 UTC.
    pub from_unix_ns: i64,
    /// The first instant after it.
    pub to_unix_ns: i64,
    /// How far the clock shown is ahead of UTC, in ns.
    pub offset_ns: i64,
    /// What it is called, and its date: `2026-11-24, UTC`.
    pub clock: String,
}

/// The values of one event over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverTime {
    /// As in [`Series`].
    pub name: String,
    /// As in [`Series`].
    pub unit: Unit,
    /// All values.
    pub count: u64,
    /// The time that slots lie in.
    pub span: TimeSpan,
    /// Slots in the order of time; those without values may be left out.
    pub slots: Vec<LatencySlot>,
    /// Records of any event lost in the selected time.
    pub lost: Vec<Lost>,
    /// As in [`Series`].
    pub limits: Vec<Limit>,
    /// When rules about these values were broken, shaded: first instant and last, in ns since 1970 UTC.
    pub episodes: Vec<(i64, i64)>,
}

/// The values of one event in one slot of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencySlot {
    /// Its first instant, in ns since 1970 UTC.
    pub from_unix_ns: i64,
    /// The first instant after it.
    pub to_unix_ns: i64,
    /// How many values there are.
    pub count: u64,
    /// Their 50th percentile.
    pub p50: u64,
    /// Their 99th percentile; absent below 100 values.
    pub p99: Option<u64>,
    /// Their 99.9th percentile; absent below 1 000 values.
    pub p999: Option<u64>,
    /// The greatest.
    pub max: u64,
    /// As in [`Series`].
    pub bins: Vec<Bin>,
    /// As in [`Series`].
    pub zeros: u64,
    /// How many are beyond the lowest limit.
    pub violations: u64,
}

/// Records lost between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The earliest that one may have been lost, in ns since 1970 UTC.
    pub from_unix_ns: i64,
    /// The latest.
    pub to_unix_ns: i64,
    /// How many.
    pub count: u64,
}

/// How often events happened, over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Throughput {
    /// The time that slots lie in.
    pub span: TimeSpan,
    /// Slots, the same for all events: first instant, and first instant after.
    pub slots: Vec<(i64, i64)>,
    /// Records a second by slot; absent where no capture covers it.
    pub rates: Vec<Rate>,
    /// Records of any event lost in the selected time.
    pub lost: Vec<Lost>,
    /// Records of the rates and further events; for the title.
    pub records: u64,
}

/// How often one event happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Rate {
    /// As in [`Series`].
    pub name: String,
    /// Records a second, by slot.
    pub per_second: Vec<Option<f64>>,
}

/// Gauges and counters over time, on one clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// The time that slots lie in.
    pub span: TimeSpan,
    /// Slots, the same for all: first instant, and first instant after.
    pub slots: Vec<(i64, i64)>,
    /// A panel each.
    pub levels: Vec<Level>,
    /// How many more there are than are drawn.
    pub left_out: usize,
}

/// A gauge or a counter.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// The event's name.
    pub name: String,
    /// What it counts.
    pub unit: Unit,
    /// What happened.
    pub course: Course,
}

/// How a gauge or a counter went, by slot.
#[derive(Debug, Clone, PartialEq)]
pub enum Course {
    /// The least level, the mean over time, and the greatest; absent where nothing was recorded.
    Gauge(Vec<Option<(f64, f64, f64)>>),
    /// The change per second; absent where no capture covers the slot.
    Counter(Vec<Option<f64>>),
}

/// Where the time of a flow goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// The flow's name.
    pub flow: String,
    /// Bands of traces, the typical one first: `typical (40 to 60 %)`, `p99`, `p99.9`.
    pub bands: Vec<Band>,
}

/// Traces that took about equally long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Which.
    pub name: String,
    /// How many traces it rests on.
    pub traces: u64,
    /// What each owner contributes to the mean, in ns, in the order of the flow. Their sum is the mean end to end.
    pub parts: Vec<Part>,
}

/// What one owner contributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The event, or the two events that a gap lies between (`A→B`).
    pub owner: String,
    /// Whether nothing ran: waiting in a queue, most often.
    pub gap: bool,
    /// In ns.
    pub ns: u64,
}

/// One trace, span by span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waterfall {
    /// The trace's id, as it is shown.
    pub trace: String,
    /// Keys and values.
    pub annotations: Vec<(String, String)>,
    /// In any order; times count from any instant.
    pub spans: Vec<TraceSpan>,
    /// Stretches in which nothing of the trace ran.
    pub gaps: Vec<TraceGap>,
}

/// A span of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSpan {
    /// The event's name.
    pub event: String,
    /// The thread's name.
    pub thread: String,
    /// In ns from the same instant as all of the trace.
    pub start_ns: i64,
    /// In ns; not before the start.
    pub end_ns: i64,
    /// How it ended, unless well: `error`, `cancelled`, `panicked`, `open`.
    pub ended: Option<String>,
}

/// A stretch of a trace in which nothing of it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceGap {
    /// Between which spans: `A→B`.
    pub name: String,
    /// In ns from the same instant as all of the trace.
    pub start_ns: i64,
    /// In ns; not before the start.
    pub end_ns: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_short() {
        for (value, shown) in [
            (1.0, "1 ns"),
            (500.0, "500 ns"),
            (1000.0, "1 µs"),
            (12_500.0, "12.5 µs"),
            (5e6, "5 ms"),
            (1e9, "1 s"),
            (2e12, "2000 s"),
            (5e15, "5e6 s"),
        ] {
            assert_eq!(Unit::Ns.tick(value), shown);
        }
        for (value, shown) in [
            (0.0, "0"),
            (0.6000000000000001, "0.6"),
            (-2.0, "-2"),
            (5000.0, "5000"),
            (20_000.0, "20 k"),
            (1e6, "1 M"),
        ] {
            assert_eq!(Unit::Count.tick(value), shown);
        }
    }
}
