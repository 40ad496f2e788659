//! What a report is asked for.

use crate::value::{Percentile, UnixNs};

/// One end of the selected time. Spans are selected by their **end**.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeBound {
    /// An instant on the wall clock.
    At(UnixNs),
    /// So many nanoseconds after the start of each capture (`+10s`).
    FromStart(u64),
    /// So many nanoseconds before the end of each capture (`-30s`).
    FromEnd(u64),
}

/// What keeps captures apart. Without it they merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// One group a capture, named by its path.
    Capture,
    /// One group for every value of this build label; captures without it form a group of their own.
    Label(String),
}

/// What [`crate::report()`] is asked for. The default is everything, from rollups.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// Globs over event names; an event that matches any is shown. Empty: all.
    pub events: Vec<String>,
    /// Select ends at or after this.
    pub since: Option<TimeBound>,
    /// Select ends before this.
    pub until: Option<TimeBound>,
    /// Leave out this many ns after each capture's start (warm-up).
    pub skip_ns: u64,
    /// Also report by time slots of this many ns, aligned on UTC.
    pub every_ns: Option<u64>,
    /// Keep captures apart.
    pub by: Option<GroupBy>,
    /// Which percentiles.
    pub percentiles: Vec<Percentile>,
    /// Read every record, use no rollup.
    pub scan: bool,
    /// True order statistics in place of bins of three significant digits.
    pub exact: bool,
    /// Fail on the first damage, in place of a warning.
    pub strict: bool,
    /// Worker threads; `None`: one a core. The result does not depend on it.
    pub threads: Option<usize>,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            since: None,
            until: None,
            skip_ns: 0,
            every_ns: None,
            by: None,
            percentiles: Percentile::DEFAULTS.to_vec(),
            scan: false,
            exact: false,
            strict: false,
            threads: None,
        }
    }
}
