//! The shape of a judgement, in Rust and in JSON (`"schema": "perf-analyze/sla/1"`).
//!
//! Rules of the JSON as in [`crate::report`]: absent is `null`, never 0; durations are integers in ns; instants are unix ns
//! as decimal strings; ids are strings.

use serde::Serialize;

use super::rule::Rule;
use crate::report::{CaptureSummary, Outcome, Selected};
use crate::value::{Number, UnixNs};
use crate::warning::Warning;

/// The schema of [`Sla`].
pub const SCHEMA: &str = "perf-analyze/sla/1";

/// The answer of [`crate::sla()`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sla {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// One entry a capture, in the order given.
    pub captures: Vec<CaptureSummary>,
    /// The selected time; absent without any record.
    pub selected: Option<Selected>,
    /// Of all rules: failed if one did, else unproven if one is, else without data if one is, else passed. Without data
    /// when there is no rule.
    pub verdict: Verdict,
    /// Every rule, in the order given; a rule about each flow once for each of them.
    pub rules: Vec<RuleResult>,
    /// Violations, by time: of each rule the greatest, when there are more than are listed.
    pub violations: Vec<Violation>,
    /// Violations that are not listed.
    pub more_violations: u64,
    /// Violations of one rule that are close in time, by start: of each rule those with most violations, when there are more
    /// than are listed.
    pub episodes: Vec<Episode>,
    /// Episodes that are not listed.
    pub more_episodes: u64,
    /// Ends of violations of one episode are no further apart than this.
    pub episode_gap_ns: u64,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

/// Whether a rule was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Pass,
    /// Too few samples to tell.
    NoData,
    /// It was, as far as can be seen; but records were lost, not kept or not readable: had these been over the threshold, it
    /// was not.
    Unproven,
    /// It was broken.
    Fail,
}

/// How one rule fared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleResult {
    /// The rule, such as `ORDER:p99<5ms over 1m`.
    pub rule: Rule,
    /// Of a rule about each flow: which; `other` is all of those that are too many to be told apart.
    pub flow: Option<String>,
    /// The verdict. With windows: fail if one failed, else unproven if one is, else pass if one passed, else no data.
    pub verdict: Verdict,
    /// The unit of every value here: `ns`, that of the observation, `%` or `1/s`.
    pub unit: String,
    /// All that is selected, as one window; its own verdict counts only when the rule has no windows.
    pub total: Judged,
    /// With windows: how many there are of each verdict.
    pub windows: Option<Windows>,
}

/// What was seen in one window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The verdict on it.
    pub verdict: Verdict,
    /// Samples: spans, observations or traces that ended in it, and spans that were still open at the end of the capture
    /// and already over the threshold.
    pub samples: u64,
    /// How many it takes for a verdict.
    pub samples_needed: u64,
    /// Samples on the wrong side of the bound; absent where single samples have no side (`mean`, `rate`).
    pub over: Option<u64>,
    /// How many may be: `count − ⌈p·count⌉` of a percentile. Of an error rate the whole number below.
    pub allowed: Option<u64>,
    /// Open spans among `over`.
    pub open: u64,
    /// The share of samples on the right side.
    pub compliance: Option<f64>,
    /// The statistic: exact, but for percentiles, which come from bins (at most 0.1 % above), and are absent in windows.
    pub measured: Option<Number>,
    /// The greatest sample.
    pub worst: Option<u64>,
    /// Records that may have been samples over the threshold: lost, not readable, or left out by sampling. Absent: nobody
    /// knows how many.
    pub unknown: Option<u64>,
}

/// The windows of a rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Windows {
    /// The length of each, in ns. They begin at multiples of it since 1970 UTC.
    pub length_ns: u64,
    /// Windows that passed.
    pub pass: u64,
    /// Windows with too few samples.
    pub no_data: u64,
    /// Windows in which lost records could overturn the pass.
    pub unproven: u64,
    /// Windows that failed.
    pub fail: u64,
    /// The worst: of the most severe verdict the one that is furthest on the wrong side, and the earliest of these. Absent
    /// when all are without data.
    pub worst: Option<Window>,
}

/// One window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Window {
    /// Its first instant.
    pub start_unix_ns: UnixNs,
    /// The first instant after it.
    pub end_unix_ns: UnixNs,
    /// What was seen in it.
    pub judged: Judged,
}

/// One sample on the wrong side of a rule's bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Violation {
    /// Which rule: a place in [`Sla::rules`].
    pub rule: usize,
    /// When it ended; of an open span the end of its capture.
    pub end_unix_ns: UnixNs,
    /// The event, or the flow, or the gap.
    pub event: String,
    /// How the span ended; absent for other samples and for open spans.
    pub outcome: Option<Outcome>,
    /// Its duration in ns, or the value of the observation; of an open span its age.
    pub value: u64,
    /// By how much it is above the bound; absent for a rule of an error rate.
    pub over_by: Option<Number>,
    /// Whether its window keeps the rule in spite of it.
    pub budget: Budget,
    /// True of a span that had not ended.
    pub open: bool,
    /// The thread's name, or `thread#ID`; absent for traces.
    pub thread: Option<String>,
    /// The trace, in hexadecimal; absent without one.
    pub trace: Option<String>,
    /// What the trace was annotated with: keys and values, in the order of time; at most [`super::MAX_ANNOTATIONS`].
    pub annotations: Vec<(String, String)>,
    /// The capture, as in [`CaptureSummary::path`].
    pub capture: String,
}

/// Whether the rule bears a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Its window has no more of them than the rule allows.
    Within,
    /// Its window has more.
    Beyond,
    /// Its window has too few samples to tell.
    Undecided,
}

/// Violations of one rule that are close in time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// Which rule: a place in [`Sla::rules`].
    pub rule: usize,
    /// When the first of its violations began.
    pub start_unix_ns: UnixNs,
    /// When the last of them ended.
    pub end_unix_ns: UnixNs,
    /// From start to end.
    pub length_ns: u64,
    /// How many.
    pub violations: u64,
    /// The greatest of them.
    pub worst: u64,
    /// What else happened from start to end, in the order of kinds; absent for all but the [`super::MAX_TOLD`] largest episodes.
    pub also: Option<Vec<Also>>,
}

/// Something that happened during an episode.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Also {
    /// What kind of thing.
    pub kind: AlsoKind,
    /// The other rule's text, or the event's name; empty for losses.
    pub what: String,
    /// The unit of `greatest`.
    pub unit: String,
    /// How many records.
    pub count: u64,
    /// The greatest value among them; absent for losses.
    pub greatest: Option<i128>,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlsoKind {
    /// Violations of another rule.
    Violations,
    /// Observations, such as pauses of a collector.
    Observations,
    /// Levels of a gauge.
    Gauge,
    /// Records that were lost in intervals that touch it.
    Lost,
}
