//! The shape of a trace analysis, in Rust and in JSON (`"schema": "perf-analyze/traces/1"`).
//!
//! Rules of the JSON: absent is `null`, never 0; durations are integers in ns; instants are unix ns as decimal strings;
//! ids are strings. Fields may be added within one schema version, none change meaning.

use serde::Serialize;

use crate::plot::CurvePoint;
use crate::report::{CaptureSummary, Outcome, Percentiles, Selected};
use crate::value::{Percentile, UnixNs};
use crate::warning::Warning;

/// The schema of [`Traces`].
pub const SCHEMA: &str = "perf-analyze/traces/1";

/// The answer of [`crate::traces()`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Traces {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// One entry a capture: read this before the numbers.
    pub captures: Vec<CaptureSummary>,
    /// The selected time; traces are selected by their ends.
    pub selected: Option<Selected>,
    /// Traces that were measured.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Traces that could not be measured: they bound the tail.
    pub incomplete: IncompleteCounts,
    /// Measured traces in whose time records were lost: spans of them may be missing.
    pub lossy: u64,
    /// Further traces of an id that an earlier one had.
    pub reused_ids: u64,
    /// Ids that have annotations or a due time and no span.
    pub without_spans: u64,
    /// Traces that ended outside of the selected time.
    pub not_selected: u64,
    /// Spans that began within another of their thread and trace and ended after it; they count as siblings.
    pub overlapping_spans: u64,
    /// Spans that reached beyond the parent that their record names; what is beyond it is cut off in all figures.
    pub clipped_children: u64,
    /// How many traces the measured ones stand for, by their weights: more than `traces` where a recorder kept a sample. All
    /// other figures are of the traces that were kept, each once.
    pub stand_for: u64,
    /// The largest known error of the clocks by which traces were joined, in ns; absent where all share one counter.
    pub clock_error_ns: Option<u64>,
    /// How end-to-end times are binned for bands: so many bins to an octave.
    pub band_bins_per_octave: u32,
    /// The most frequent flows, by the number of their traces.
    pub flows: Vec<Flow>,
    /// All other flows. Absent if there are none.
    pub other: Option<OtherFlows>,
    /// The slowest traces, the slowest first.
    pub slowest: Vec<KeptTrace>,
    /// With `--trace`: the traces of these ids, in the order of time.
    pub asked: Vec<KeptTrace>,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// Traces that could not be measured, by reason; each counts once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct IncompleteCounts {
    /// Spans of it had not ended when the capture did.
    pub open: u64,
    /// It began before recording did.
    pub cut: u64,
    /// It had too many records, or came when too many others were waiting for theirs.
    pub memory: u64,
    /// It was not kept, and single spans of it were. Of a flow 0, since nobody knows the flows of such traces.
    pub sampled: u64,
}

impl IncompleteCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.open + self.cut + self.memory + self.sampled
    }
}

/// A distribution of times in ns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// The least.
    pub min: u64,
    /// The mean.
    pub mean: u64,
    /// The greatest, exactly.
    pub max: u64,
    /// The percentiles asked for, within 0.1 %.
    pub percentiles: Percentiles,
    /// Those that rest on fewer than 3 / (1 − p) traces.
    pub weak_percentiles: Vec<Percentile>,
    /// With [`crate::TraceOptions::curves`]: from the least to the greatest, for plots.
    #[serde(skip)]
    pub curve: Vec<CurvePoint>,
}

/// Traces of one set of events, or of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    /// Its name: the first and last of its events, or what the rule says. No two flows have the same.
    pub flow: String,
    /// Its events, in the order of their median first start, of 64 random traces if it has more.
    pub events: Vec<String>,
    /// Whether a rule defined it.
    pub by_rule: bool,
    /// Traces that were measured. All below is of these.
    pub count: u64,
    /// A second of the time covered.
    pub rate_per_s: Option<f64>,
    /// Traces in which a span failed, was cancelled or panicked.
    pub failed: u64,
    /// Traces in which a span ended in error.
    pub errors: u64,
    /// Traces in which a span was cancelled.
    pub cancelled: u64,
    /// Traces in which a span panicked.
    pub panicked: u64,
    /// Traces in whose time records were lost.
    pub lossy: u64,
    /// Traces that could not be measured.
    pub incomplete: IncompleteCounts,
    /// Traces with open spans that were already older than each percentile of `end_to_end` when the capture ended, in the
    /// order of its percentiles. Absent without any.
    pub open_beyond: Option<Vec<u64>>,
    /// From the first start to the last end. Absent if none was measured.
    pub end_to_end: Option<Times>,
    /// From the due time to the first start, of traces that have a due time; 0 for those that began early.
    pub lag: Option<Times>,
    /// From the due time to the last end.
    pub response: Option<Times>,
    /// Traces that began before they were due.
    pub early: u64,
    /// Where the time went: stages in the order of `events`, each followed by the gaps after it. Empty where traces were not
    /// taken apart.
    pub owners: Vec<OwnerStats>,
    /// The same for traces of about one end-to-end time: first the typical ones, then each percentile from 50 on.
    pub bands: Vec<Band>,
    /// What ran outside of any trace while these ran.
    pub background: Vec<Background>,
    /// Annotations that the tail has more often than typical traces; those that differ most first.
    pub annotations: Vec<Annotated>,
    /// Annotations whose values are too many to be compared.
    pub varied_annotations: Vec<String>,
    /// Events that occur more than once in a trace.
    pub fan_out: Vec<FanOut>,
    /// With `--by`: the values of that annotation, the most frequent first. Absent without, or if there are too many.
    pub by: Option<Vec<ByValue>>,
}

/// Flows that are not shown one by one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherFlows {
    /// How many flows; absent if there were too many to tell them apart.
    pub flows: Option<u64>,
    /// Traces that were measured.
    pub count: u64,
    /// Traces in which a span failed, was cancelled or panicked.
    pub failed: u64,
    /// Traces that could not be measured.
    pub incomplete: IncompleteCounts,
    /// From the first start to the last end.
    pub end_to_end: Option<Times>,
}

/// What owns time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// The spans of an event, without what is in them.
    Stage,
    /// The time between the end of one stage and the begin of the next, in which nothing of the trace ran: a queue.
    Gap,
}

/// One owner of a flow's time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OwnerStats {
    /// What it is.
    pub kind: OwnerKind,
    /// The event; of a gap, `A→B`.
    pub owner: String,
    /// Of a gap: the event before.
    pub from: Option<String>,
    /// Of a gap: the event after.
    pub to: Option<String>,
    /// Spans of the stage.
    pub spans: Option<u64>,
    /// Traces that have the stage.
    pub traces: Option<u64>,
    /// Mean duration of its spans, with all that is in them. Never to be added up.
    pub inclusive_mean_ns: Option<u64>,
    /// Its own time, in ns a trace of the flow. Those of all owners add up to the mean end to end.
    pub own_mean_ns: u64,
    /// The same as a share of the mean.
    pub own_share: f64,
    /// Of a gap, where the clocks of captures were joined: whether it is no longer than these may be apart
    /// ([`Traces::clock_error_ns`]), so that it may be none, or the other way round. Left out of the JSON where it is not so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub within_clock_error: bool,
}

/// Traces of about one end-to-end time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// Around which percentile; absent: the typical traces, from 40 to 60 %.
    pub percentile: Option<Percentile>,
    /// Ranks by end-to-end time, from 1: the band widened to whole bins.
    pub first_rank: u64,
    /// The last of them.
    pub last_rank: u64,
    /// Traces in it.
    pub count: u64,
    /// Their mean end to end.
    pub mean_ns: u64,
    /// By owner, in the order of [`Flow::owners`]: its contribution. They add up to `mean_ns`, exactly.
    pub owners: Vec<Contribution>,
}

/// The contribution of one owner to the mean of a band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contribution {
    /// ns a trace.
    pub mean_ns: u64,
    /// Its standard error over blocks of time, in ns; absent if the band lies within one block.
    pub standard_error_ns: Option<f64>,
}

/// What went on while traces ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BackgroundKind {
    /// Spans of no trace, or observations in ns, on whatever thread.
    Ran,
    /// A gauge stood above its usual level: the one that it keeps to for 90 % of the time.
    High,
    /// A thread that a trace waited for, in a gap of an eighth of the trace or more, was busy with spans of other traces or of
    /// none. Known of traces that lie in one chunk; of captures with more than 8 Mi records, of a random choice, whose
    /// shares are given.
    Busy,
}

/// How many traces met something else that went on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Background {
    /// What the event did.
    pub kind: BackgroundKind,
    /// The event.
    pub event: String,
    /// Of a gauge: the level above which it stood high; the greatest of several captures' levels.
    pub usual: Option<i64>,
    /// Traces of the flow that it met, of those looked at.
    pub count: u64,
    /// As a share of these.
    pub share: f64,
    /// By band, in the order of [`Flow::bands`]: the share that it met.
    pub bands: Vec<f64>,
}

/// How often an annotation goes with the tail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Annotated {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// Traces of the flow that have it.
    pub count: u64,
    /// As a share of all.
    pub share: f64,
    /// By band, in the order of [`Flow::bands`]: the share that has it.
    pub bands: Vec<f64>,
}

/// An event that occurs several times in a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FanOut {
    /// The event.
    pub event: String,
    /// Traces that have it more than once. All below is of these.
    pub traces: u64,
    /// Its spans a trace.
    pub mean_spans: f64,
    /// At most.
    pub max_spans: u64,
    /// Mean time from the start of the trace to the end of its first span.
    pub first_end_mean_ns: u64,
    /// And to that of its last.
    pub last_end_mean_ns: u64,
}

/// Traces of a flow with one value of an annotation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByValue {
    /// The value.
    pub value: String,
    /// Traces in which a span failed, was cancelled or panicked.
    pub failed: u64,
    /// From the first start to the last end.
    pub end_to_end: Times,
}

/// One trace, whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptTrace {
    /// Its id, 16 hexadecimal digits.
    pub trace: String,
    /// Its flow.
    pub flow: String,
    /// When its first span began.
    pub start_unix_ns: UnixNs,
    /// From the first start to the last end.
    pub end_to_end_ns: u64,
    /// From the due time to the first start; negative when it began early.
    pub lag_ns: Option<i64>,
    /// From the due time to the last end.
    pub response_ns: Option<u64>,
    /// Whether records were lost in its time.
    pub lossy: bool,
    /// Why it could not be measured: `open`, `cut`, `memory`. Absent if it was.
    pub incomplete: Option<&'static str>,
    /// Annotations, keys with values.
    pub annotations: Vec<(String, Scalar)>,
    /// Spans by start; of a very long trace the first.
    pub spans: Vec<KeptSpan>,
    /// Spans beyond those.
    pub more_spans: u64,
    /// Gaps by start.
    pub gaps: Vec<KeptGap>,
}

/// The value of an annotation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// A text; also an integer beyond what all readers of JSON keep exactly.
    Text(String),
    /// An integer.
    Int(i64),
    /// A number.
    Float(f64),
}

/// One span of a [`KeptTrace`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptSpan {
    /// Its event.
    pub event: String,
    /// Its thread.
    pub thread: String,
    /// How it ended.
    pub outcome: Outcome,
    /// From the start of the trace to its start.
    pub start_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The part of that which it owns.
    pub own_ns: u64,
    /// Its parent's place among the spans.
    pub parent: Option<usize>,
}

/// One gap of a [`KeptTrace`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeptGap {
    /// The event before.
    pub from: String,
    /// The event after.
    pub to: String,
    /// From the start of the trace to its start.
    pub start_ns: u64,
    /// How long it is.
    pub duration_ns: u64,
}
