//! The Anchors chunk: instants read on three clocks.

use crate::SegmentId;
use crate::error::Result;
use crate::limits;
use crate::metadata::{read_records, record};

record! {
    /// One instant on the capture's clock, the monotonic raw clock, and the wall clock.
    pub struct Anchor = 1 {
        /// The capture's clock, in ticks.
        pub ticks: u64,
        /// `CLOCK_MONOTONIC_RAW` (or the nearest that the system has), in ns.
        pub monotonic_raw_ns: i64,
        /// Wall clock, in ns since 1970-01-01 UTC.
        pub realtime_ns: i64,
        /// Width of the bracket around the reading, in ns.
        pub uncertainty_ns: u64,
        /// The segment to which the ticks belong.
        pub segment: SegmentId,
    }
}

/// What Anchors chunks hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Anchors {
    /// Anchors, in the order written.
    pub anchors: Vec<Anchor>,
    /// Records that were skipped on reading: unknown tags, or beyond the limits.
    pub skipped_records: u64,
}

impl Anchors {
    /// Adds the records of a body that lies at `offset` in the file.
    pub(crate) fn read_records(&mut self, body: &[u8], offset: u64) -> Result<()> {
        read_records(body, offset, &mut self.skipped_records, |record| {
            record.push_to(&mut self.anchors, limits::MAX_ANCHORS)
        })
    }
}
