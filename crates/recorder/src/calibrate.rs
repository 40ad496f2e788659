//! What one record costs the program, measured at the start.

use perf_arena::{Owner, Producer, Record, tag};
use perf_probe::clock;

/// Spans of one measurement. Few enough that the smallest ring holds them all.
const SPANS: u64 = 64;
/// Measurements, of which the quickest counts: the others were disturbed.
const ATTEMPTS: usize = 6;

/// Ticks that one tracked span takes, with both readings of the clock, in a ring of its own that nobody else sees. It
/// takes some tens of microseconds, and leaves nothing behind. `None` if there is no ring.
pub(crate) fn ticks_per_record(owner: &mut Owner) -> Option<f64> {
    let producer = Producer::detached();
    owner.arena().attach(&producer, "calibration").ok()?;
    let mut best = u64::MAX;
    for _ in 0..ATTEMPTS {
        let start = clock::now();
        for _ in 0..SPANS {
            let begin = clock::now().0;
            let slot = producer.begin(begin, 0, 0);
            let end = clock::now().0;
            // Its outcome does not matter; the ring has room for all.
            let _ = producer.end(
                slot,
                Record::new(end, end.wrapping_sub(begin), 0, 0, tag::SPAN_OK).0,
            );
        }
        best = best.min(clock::now().0.wrapping_sub(start.0));
    }
    producer.detach();
    owner.drain(usize::MAX);
    owner.clear_staged();
    owner.maintain();
    owner.take_new_threads();
    Some(best as f64 / SPANS as f64)
}
