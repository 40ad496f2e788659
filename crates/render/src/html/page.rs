//! What an HTML page is made from: plain values, whoever computed them.

use crate::document::{Document, Note};
use crate::plot::Picture;
use crate::table::{Cell, Column};

/// A report as one page. Parts that are empty are not shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// What was looked at, such as the path of the capture.
    pub title: String,
    /// What made the page, such as `perf-analyze 0.1.0`.
    pub maker: String,
    /// Which part of the captures was looked at, as facts; and how far the captures are to be trusted.
    pub integrity: Document,
    /// A verdict for each SLA rule.
    pub rules: Vec<RuleVerdict>,
    /// The flow with the longest tail.
    pub slowest: Option<SlowestFlow>,
    /// What the reader must know.
    pub notes: Vec<Note>,
    /// Percentiles of every event.
    pub events: Document,
    /// Every event over time: each table is folded under its title.
    pub over_time: Document,
    /// End-to-end latency of flows, and where their time goes.
    pub flows: Document,
    /// Traces as waterfalls, the slowest first; [`MAX_WATERFALLS`](super::MAX_WATERFALLS) are shown.
    pub waterfalls: Vec<Waterfall>,
    /// When rules were broken; [`MAX_EPISODES`](super::MAX_EPISODES) are shown.
    pub episodes: Episodes,
    /// Pictures, the most telling first; [`MAX_PLOTS`](super::MAX_PLOTS) are shown. Episodes are marked on the first in
    /// which time runs from left to right.
    pub plots: Vec<Picture>,
    /// The commands that show all of what the page has no room for.
    pub commands: Commands,
}

/// Commands that show in whole what a page shows in part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// All rows of all tables of events.
    pub events: String,
    /// All flows and traces.
    pub traces: String,
    /// All violations and episodes.
    pub sla: String,
    /// All pictures.
    pub plots: String,
}

/// What became of one SLA rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleVerdict {
    /// The rule as it was given: `ORDER_SUBMIT:p99<5ms`.
    pub rule: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// The figure that the rule is about.
    pub measured: Cell,
    /// How it was decided, in a sentence.
    pub detail: String,
}

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Pass,
    /// It was broken.
    Fail,
    /// What was lost could overturn it.
    Unproven,
    /// Too little was recorded to tell.
    NoData,
}

impl Verdict {
    /// The verdict as a word, as it is read everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Unproven => "UNPROVEN",
            Verdict::NoData => "NO DATA",
        }
    }
}

/// A flow, and what makes its slow traces slow.
#[derive(Debug, Clone, PartialEq)]
pub struct SlowestFlow {
    /// Its name.
    pub name: String,
    /// Traces of it.
    pub count: u64,
    /// Which of its traces are the tail, such as `p99.9`.
    pub tail: String,
    /// Their mean, end to end, in ns.
    pub tail_ns: f64,
    /// The mean of its typical traces, in ns.
    pub typical_ns: Option<f64>,
    /// What owns most of the tail, the largest first.
    pub owners: Vec<TailOwner>,
}

/// A stage or a queue, and its part in the tail of a flow.
#[derive(Debug, Clone, PartialEq)]
pub struct TailOwner {
    /// The stage, or the gap as `A→B`.
    pub name: String,
    /// Its mean within the tail, in ns.
    pub tail_ns: f64,
    /// Its mean within typical traces, in ns.
    pub typical_ns: Option<f64>,
}

/// One trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Waterfall {
    /// What is read while it is folded: how long, which trace, its annotations.
    pub title: String,
    /// The picture of it.
    pub picture: Picture,
}

/// When rules were broken: a table whose rows have a place in time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Episodes {
    /// The columns.
    pub columns: Vec<Column>,
    /// The episodes, in the order in which they are read.
    pub rows: Vec<Episode>,
    /// How many more there are than `rows` holds.
    pub left_out: u64,
}

/// Violations that stand close together in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// When it began, unix ns.
    pub from_unix_ns: i64,
    /// When it ended, unix ns.
    pub to_unix_ns: i64,
    /// One cell a column.
    pub cells: Vec<Cell>,
}
