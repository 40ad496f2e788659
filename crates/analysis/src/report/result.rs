//! The shape of a report, in Rust and in JSON (`"schema": "perf-analyze/report/1"`).
//!
//! Rules of the JSON: absent is `null`, never 0; durations are integers in ns; instants are unix ns as
//! decimal strings; ids are strings. Fields may be added within one schema version, none change meaning.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::capture::Parts;
use crate::snapshot::Snapshot;
use crate::value::{Number, Percentile, UnixNs};
use crate::warning::Warning;

/// The schema of [`Report`].
pub const SCHEMA: &str = "perf-analyze/report/1";

/// The answer of [`crate::report()`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// One entry a capture (not a file: a capture may lie in several), in the order given.
    pub captures: Vec<CaptureSummary>,
    /// How percentiles were found.
    pub estimator: Estimator,
    /// Where the numbers came from.
    pub source: Source,
    /// The selected time, over all captures: the earliest start and the latest end. Absent without any record.
    pub selected: Option<Selected>,
    /// A row for every group, event and outcome in the selected time; sorted by group, kind (spans first), event name,
    /// outcome.
    pub events: Vec<EventStats>,
    /// With `--every`: the same by time slots, in time order; slots without records are left out. Absent without.
    pub slots: Option<Vec<Slot>>,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// How percentiles were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Estimator {
    /// HdrHistogram bins of three significant digits: at most 0.1 % above the true value; count, sum, min and max are exact.
    #[serde(rename = "hdr-3")]
    Hdr3,
    /// True order statistics.
    #[serde(rename = "exact")]
    Exact,
}

/// Where the numbers came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Source {
    /// Records counted by rollups: their payloads were not read, so their checksums not checked.
    pub from_rollups: u64,
    /// Records read one by one.
    pub scanned: u64,
}

/// The selected time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Selected {
    /// Ends at or after this were selected.
    pub start_unix_ns: UnixNs,
    /// Ends before this were selected (the last end itself, without `--until`).
    pub end_unix_ns: UnixNs,
    /// The time covered by at least one capture within that; rates are per second of it.
    pub covered_ns: u64,
}

/// The integrity of one capture: read this before the numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaptureSummary {
    /// The first file, as given.
    pub path: String,
    /// Further files of the same capture (salvaged, recovered, later parts).
    pub more_paths: Vec<String>,
    /// Which of its parts are here; absent for a capture that was not rotated.
    pub parts: Option<Parts>,
    /// The capture's own id, in hexadecimal.
    pub capture_id: String,
    /// Records of every kind, without what only a rollup counts; duplicates counted once.
    pub records: u64,
    /// Spans among them.
    pub spans: u64,
    /// Records lost while recording.
    pub lost: u64,
    /// The same by cause.
    pub lost_by_cause: BTreeMap<String, u64>,
    /// Spans that had not ended.
    pub open_spans: u64,
    /// The same by event.
    pub open_spans_by_event: BTreeMap<String, u64>,
    /// When recording started.
    pub start_unix_ns: Option<UnixNs>,
    /// The last thing known of it: the close, the last anchor or the last record.
    pub end_unix_ns: Option<UnixNs>,
    /// From start to end.
    pub duration_ns: Option<u64>,
    /// Whether the recorder closed it.
    pub closed_cleanly: bool,
    /// What the capture's process and its arena say.
    pub state: CaptureState,
    /// The dead process's arena, when it is still there to be recovered.
    pub salvage_arena: Option<String>,
    /// Where it was recorded.
    pub host: String,
    /// By which process.
    pub pid: u32,
    /// Its command line's first word, when known.
    pub command: Option<String>,
    /// Threads that recorded something.
    pub threads: u64,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes divided by spans.
    pub bytes_per_span: Option<f64>,
    /// Build labels.
    pub labels: BTreeMap<String, String>,
    /// What made a flight recorder write each of its files; empty of any other capture.
    pub snapshots: Vec<Snapshot>,
    /// Its clock.
    pub clock: ClockSummary,
    /// What recording cost, as far as the recorder noted it.
    pub recorder: RecorderCost,
    /// Bytes that are no intact chunk.
    pub damaged_bytes: u64,
}

/// What is known of the process of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureState {
    /// Closed by the recorder.
    Closed,
    /// Closed by a recovery or salvage after its process died.
    Salvaged,
    /// Not closed; its arena is in use: the process is recording.
    Live,
    /// Not closed; its arena is there and nobody uses it: there is something to salvage.
    Salvageable,
    /// Not closed; its arena is gone or on another host.
    Unclosed,
    /// All that is here was closed; the capture went on in a part that is not here.
    Continued,
}

/// The clock of a capture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockSummary {
    /// `tsc`, `monotonic` …
    pub source: String,
    /// Why that source.
    pub reason: String,
    /// Ticks per second, of the longest segment.
    pub ticks_per_second: f64,
    /// Largest uncertainty of an anchor in ns: how far unix times may be off.
    pub error_ns: Option<u64>,
    /// Anchors read.
    pub anchors: u64,
    /// Steps of the wall clock.
    pub steps: u64,
    /// Times the tick counter started anew.
    pub restarts: u64,
}

/// What recording cost. Absent: the recorder did not say.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct RecorderCost {
    /// What one record costs the application, in ns, as measured when the recorder started.
    pub ns_per_record: Option<f64>,
    /// Processor time of the recorder's threads by record, in ns.
    pub drainer_ns_per_record: Option<f64>,
    /// Processor time of the recorder's threads by wall time: 0.01 is 1 % of a core.
    pub drainer_cpu_fraction: Option<f64>,
    /// Bytes of the capture by wall time.
    pub file_bytes_per_second: Option<f64>,
    /// The longest a record waited for the drainer, in ns.
    pub max_drain_lag_ns: Option<u64>,
    /// The fullest that any ring was, as a fraction.
    pub ring_high_water: Option<f64>,
}

/// What kind of thing an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Something that takes time.
    Span,
    /// Deltas that add up.
    Counter,
    /// A level that holds until the next.
    Gauge,
    /// Values in the event's own unit.
    Observation,
}

impl EventKind {
    /// `None` for a kind that this version does not know.
    pub(crate) fn of_format(kind: perf_format::EventKind) -> Option<Self> {
        Some(match kind {
            perf_format::EventKind::SPAN => Self::Span,
            perf_format::EventKind::COUNTER => Self::Counter,
            perf_format::EventKind::GAUGE => Self::Gauge,
            perf_format::EventKind::OBSERVATION => Self::Observation,
            _ => return None,
        })
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Normally.
    Ok,
    /// Marked as failed.
    Error,
    /// Dropped before its end.
    Cancelled,
    /// By a panic.
    Panicked,
}

impl Outcome {
    /// As in the JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Panicked => "panicked",
        }
    }

    /// Its name, unless it is the usual one.
    #[must_use]
    pub fn unusual(self) -> Option<&'static str> {
        (self != Self::Ok).then(|| self.name())
    }
}

impl From<perf_format::Outcome> for Outcome {
    fn from(outcome: perf_format::Outcome) -> Self {
        match outcome {
            perf_format::Outcome::Ok => Self::Ok,
            perf_format::Outcome::Error => Self::Error,
            perf_format::Outcome::Cancelled => Self::Cancelled,
            perf_format::Outcome::Panicked => Self::Panicked,
        }
    }
}

/// One event and outcome over one selection.
///
/// | field | span | counter | gauge | observation |
/// |---|---|---|---|---|
/// | `unit` | `ns` | the event's | the event's | the event's |
/// | `outcome` | yes | null | null | null |
/// | `min`, `max` | durations | deltas | levels | values |
/// | `mean` | of durations | of deltas | over time¹ | of values |
/// | `stddev`, `percentiles`, `distribution` | yes | null | null | yes |
/// | `sum` | ns in all | the counter's change | null | of values |
/// | `sum_per_s` | ns a second (busy share × 10⁹) | the counter's rate | null | values a second |
/// | `last` | null | null | the last level | null |
///
/// ¹ from the first to the last record selected, each level weighted by how long it held; the plain mean when
/// all records are of one instant.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EventStats {
    /// With `--by`: the capture's path, or the label's value (`""` for captures without it). Else absent.
    pub group: Option<String>,
    /// The event's name, or `event#ID` when no table names it.
    pub event: String,
    /// What kind of thing it is.
    pub kind: EventKind,
    /// The unit of every value in this row: `ns` for spans.
    pub unit: String,
    /// How the spans ended; absent for other kinds.
    pub outcome: Option<Outcome>,
    /// Records.
    pub count: u64,
    /// Records per second of the time covered (see [`Selected::covered_ns`]); absent when that is zero.
    pub rate_per_s: Option<f64>,
    /// The least value.
    pub min: Option<i128>,
    /// The mean.
    pub mean: Option<Number>,
    /// The standard deviation, from the bins (so to about 0.1 %).
    pub stddev: Option<Number>,
    /// The greatest value, exactly.
    pub max: Option<i128>,
    /// The percentiles asked for, in the order asked; in JSON an object such as `{"99.9": 1200}`.
    pub percentiles: Option<Percentiles>,
    /// Percentiles that rest on too few samples: fewer than 3 / (1 − p).
    pub weak_percentiles: Vec<Percentile>,
    /// The sum of all values.
    pub sum: Option<i128>,
    /// The sum per second of the time covered.
    pub sum_per_s: Option<f64>,
    /// The last level of a gauge.
    pub last: Option<i128>,
    /// Spans of this event that had not ended when the capture did, on the row of the best outcome (the
    /// first row of the event in its group). Absent elsewhere, in slots, and for other kinds.
    pub open: Option<u64>,
    /// For a sparkline.
    pub distribution: Option<Distribution>,
}

/// Percentiles in the order asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Percentiles(pub Vec<(Percentile, i128)>);

impl Percentiles {
    /// The value at a percentile that was asked for.
    pub fn get(&self, percentile: Percentile) -> Option<i128> {
        self.0
            .iter()
            .find(|(each, _)| *each == percentile)
            .map(|(_, value)| *value)
    }
}

impl Serialize for Percentiles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (percentile, value) in &self.0 {
            map.serialize_entry(percentile, value)?;
        }
        map.end()
    }
}

/// Counts over equal steps of log₂(value + 1) from `low` to `high`, so that a zero has a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// The least value.
    pub low: u64,
    /// The greatest value.
    pub high: u64,
    /// Values in each step, from the lowest; one step when `low` equals `high`.
    pub counts: Vec<u64>,
}

/// One time slot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slot {
    /// Its first instant, a multiple of its length since 1970 UTC.
    pub start_unix_ns: UnixNs,
    /// The first instant after it.
    pub end_unix_ns: UnixNs,
    /// The time within it that is selected and covered by a capture; rates are per second of it.
    pub covered_ns: u64,
    /// Records lost in intervals that touch this slot.
    pub lost: u64,
    /// Rows as in [`Report::events`].
    pub events: Vec<EventStats>,
}
