//! What to read for an answer: rollups where they fit, Events chunks elsewhere.
//!
//! A rollup answers for its chunks when all of them lie in one slot of the selection, and when the chunks that are
//! there are the ones that it covers. Then it also answers for chunks that are damaged. Files of one capture are
//! planned together: a rollup may lie in one and some of its chunks in another.

mod cover;

use perf_format::SegmentId;

use super::scan::Place;
use super::survey::Survey;
use super::timeline::{Parts, SlotNumber, Timeline};
use crate::capture::{Capture, CaptureFile};
use crate::warning::{Warning, WarningKind};
use cover::CoverPlan;

/// Units of work of one capture, at most about this many: each keeps its gauges apart until the end.
const UNITS: usize = 2048;

/// Some chunks of one capture and clock segment, in the order of their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) capture: usize,
    pub(crate) segment: SegmentId,
    pub(crate) jobs: Vec<Job>,
}

/// Where a chunk lies in a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    /// Number of its file.
    pub(crate) file: u32,
    /// Its place in the index of the file.
    pub(crate) entry: u32,
}

/// One chunk to be read.
#[derive(Debug, Clone)]
pub(crate) enum Job {
    Rollup(RollupJob),
    Chunk(ChunkJob),
}

/// A rollup to be read.
#[derive(Debug, Clone)]
pub(crate) struct RollupJob {
    pub(crate) spot: Spot,
    pub(crate) slot: SlotNumber,
    /// The chunks that it stands for: read when it turns out to be damaged.
    pub(crate) chunks: Vec<ChunkJob>,
    pub(crate) missing: Missing,
}

/// One Events chunk to be read.
#[derive(Debug, Clone)]
pub(crate) struct ChunkJob {
    pub(crate) spot: Spot,
    pub(crate) place: Place,
}

/// Chunks that a rollup covers and that cannot be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) chunks: u64,
    pub(crate) rows: u64,
}

impl Missing {
    /// What to say when no rollup stands in for them.
    pub(crate) fn warning(self, file: &CaptureFile) -> Option<Warning> {
        let kind = WarningKind::RecordsUnknown {
            chunks: self.chunks,
            records: Some(self.rows),
        };
        (self.chunks > 0).then(|| file.warning(kind))
    }
}

/// Plans the reading of one capture.
pub(crate) struct Planner<'a> {
    pub(crate) number: usize,
    pub(crate) capture: &'a Capture,
    pub(crate) survey: &'a Survey,
    pub(crate) timeline: Timeline,
    pub(crate) use_rollups: bool,
}

impl Planner<'_> {
    /// The units, and what cannot be read at all.
    pub(crate) fn units(&self) -> (Vec<Unit>, Vec<Warning>) {
        let mut plan = CoverPlan::new(self);
        plan.rollups();
        plan.gaps();
        plan.chunks();
        (self.cut(plan.jobs), plan.warnings)
    }

    fn cut(&self, mut jobs: Vec<(u64, SegmentId, Job)>) -> Vec<Unit> {
        // Stable: chunks of the same number stay in the order of files.
        jobs.sort_by_key(|(seq, segment, _)| (*segment, *seq));
        let per_unit = jobs.len().div_ceil(UNITS).max(1);
        let mut units: Vec<Unit> = Vec::new();
        for (_, segment, job) in jobs {
            match units.last_mut() {
                Some(unit) if unit.segment == segment && unit.jobs.len() < per_unit => {
                    unit.jobs.push(job)
                }
                _ => units.push(Unit {
                    capture: self.number,
                    segment,
                    jobs: vec![job],
                }),
            }
        }
        units
    }

    /// The parts of the timeline that the ticks `first..=last` fall into.
    pub(crate) fn parts(&self, segment: SegmentId, first: u64, last: u64) -> Parts {
        let last = last.max(first);
        let breaks = self.capture.clock_breaks(segment, first, last);
        self.timeline.parts(first, last, breaks, |ticks| {
            self.capture.clock.unix_ns(segment, ticks)
        })
    }
}
