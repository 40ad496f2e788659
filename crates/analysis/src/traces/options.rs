//! What the trace analysis is asked for.

use perf_format::TraceId;

use crate::options::{ReportOptions, TimeBound};
use crate::value::Percentile;

/// The most traces that are kept whole.
pub const MAX_SLOWEST: usize = 1000;
/// How many flows are shown one by one, unless asked otherwise.
pub const FLOWS: usize = 32;
/// After so long without a record a trace is over, unless asked otherwise: 10 s in ns.
pub const IDLE_NS: u64 = 10_000_000_000;

/// A flow defined by its ends: every trace that has both events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowRule {
    /// What it is called.
    pub name: String,
    /// An event that its traces have.
    pub first: String,
    /// Another.
    pub last: String,
}

/// What [`crate::traces()`] is asked for. The default is everything.
#[derive(Debug, Clone)]
pub struct TraceOptions {
    /// Globs over event names: only flows that have a matching event are shown. Filters output, never assembly.
    pub events: Vec<String>,
    /// Select traces that ended at or after this.
    pub since: Option<TimeBound>,
    /// Select traces that ended before this.
    pub until: Option<TimeBound>,
    /// Leave out traces that ended within so many ns after each capture's start.
    pub skip_ns: u64,
    /// Which percentiles; those of 50 and above also get a tail band.
    pub percentiles: Vec<Percentile>,
    /// A trace is over after so many ns without a record; the same id later is another trace.
    pub idle_ns: u64,
    /// Flows defined by their ends, tried in this order before the sets of events.
    pub flows: Vec<FlowRule>,
    /// How many flows are shown one by one; the rest is summed up.
    pub max_flows: usize,
    /// How many of the slowest traces are kept whole; at most [`MAX_SLOWEST`].
    pub slowest: usize,
    /// Whether to take traces apart. If not, who owns their time stays untold, and much time is saved: flows have no owners,
    /// no bands and no annotations, [`crate::traces::Trace::gaps`] is empty, and so may [`crate::traces::Trace::spans`] be.
    /// Traces that are kept whole are always taken apart.
    pub dissect: bool,
    /// Whether to look at what went on around traces: what overlapped them, levels of gauges, and what threads were busy with.
    pub context: bool,
    /// Also give the curves of distributions: [`crate::traces::Times::curve`].
    pub curves: bool,
    /// Keep these traces whole.
    pub ids: Vec<TraceId>,
    /// Also split each flow by the values of this annotation.
    pub by: Option<String>,
    /// Join traces over captures that do not share a clock, by the wall clock.
    pub join: bool,
    /// Fail on the first damage, in place of a warning.
    pub strict: bool,
    /// Worker threads; `None`: one a core. The result does not depend on it.
    pub threads: Option<usize>,
}

impl TraceOptions {
    /// Whether traces are taken apart: those that are kept whole are shown with their parents.
    pub(crate) fn dissects(&self) -> bool {
        self.dissect || self.slowest > 0 || !self.ids.is_empty()
    }
}

/// The traces of what is selected for a report.
impl From<&ReportOptions> for TraceOptions {
    fn from(options: &ReportOptions) -> Self {
        Self {
            events: options.events.clone(),
            since: options.since,
            until: options.until,
            skip_ns: options.skip_ns,
            percentiles: options.percentiles.clone(),
            strict: options.strict,
            threads: options.threads,
            ..Self::default()
        }
    }
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            since: None,
            until: None,
            skip_ns: 0,
            percentiles: Percentile::DEFAULTS.to_vec(),
            idle_ns: IDLE_NS,
            flows: Vec::new(),
            max_flows: FLOWS,
            slowest: 10,
            dissect: true,
            context: true,
            curves: false,
            ids: Vec::new(),
            by: None,
            join: false,
            strict: false,
            threads: None,
        }
    }
}
