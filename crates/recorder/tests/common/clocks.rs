//! The machine's clocks, made to disagree.

use std::time::Duration;

use perf_format::{Anchor, SegmentId};
use perf_probe::clock;

/// A reading of the machine's clocks after a time that the ticks do not show.
pub(crate) fn read_after(unseen: Duration) -> Anchor {
    let read = clock::anchor();
    let unseen_ns = u64::try_from(unseen.as_nanos()).expect("a short time");
    Anchor {
        ticks: read.ticks.0,
        monotonic_raw_ns: (read.monotonic_raw_ns + unseen_ns).cast_signed(),
        realtime_ns: (read.realtime_ns + unseen_ns).cast_signed(),
        uncertainty_ns: read.uncertainty_ns,
        segment: SegmentId(0),
    }
}
