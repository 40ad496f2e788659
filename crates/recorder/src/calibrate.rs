//! What one record costs the program, measured at the start.

use perf_arena::{Owner, Producer, Record, tag};
use perf_probe::clock;

/// Spans of one measurement. Few enough that the smallest ring holds them all.
const SPANS: u64 = 64;
/// Measurements, of which the quickest counts: the others were disturbed.
const ATTEMPTS: usize = 6;

/// What no event of a program has as its id.
pub(crate) const NO_EVENT: u32 = 0;

/// Ticks that one tracked span takes, with both readings of the clock, in a ring of its own that nobody else sees. It
/// takes some tens of microseconds, and leaves nothing behind. `None` if there is no ring.
pub(crate) fn ticks_per_record(owner: &mut Owner) -> Option<f64> {
    let producer = Producer::detached();
    owner.arena().attach(&producer, "calibration").ok()?;
    let best = measure(&producer);
    producer.detach();
    owner.drain(usize::MAX);
    owner.clear_staged();
    owner.maintain();
    owner.take_new_threads();
    Some(best as f64 / SPANS as f64)
}

/// Ticks of the quickest of several measurements.
fn measure(producer: &Producer) -> u64 {
    let mut best = u64::MAX;
    for _ in 0..ATTEMPTS {
        let start = clock::now();
        for _ in 0..SPANS {
            let begin = clock::now().0;
            let slot = producer.begin(begin, 0, NO_EVENT);
            let end = clock::now().0;
            // Its outcome does not matter; the ring has room for all. Padding, so that a salvager finds no record of the
            // program's, should it be killed in here.
            let _ = producer.end(
                slot,
                Record::new(end, end.wrapping_sub(begin), 0, NO_EVENT, tag::PAD).0,
            );
        }
        best = best.min(clock::now().0.wrapping_sub(start.0));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salvage::saved_from;

    #[test]
    fn a_process_that_is_killed_meanwhile_leaves_no_record() {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(directory.path(), private).expect("a private directory");
        let owner = perf_arena::create(&perf_arena::Config {
            directory: Some(directory.path().to_owned()),
            ..Default::default()
        })
        .expect("an arena");
        let producer = Producer::detached();
        owner
            .arena()
            .attach(&producer, "calibration")
            .expect("a ring");
        measure(&producer);
        producer.begin(1, 0, NO_EVENT);

        let path = owner.path().expect("a file of its own");
        let saved = saved_from(&std::fs::read(path).expect("the arena's bytes"));
        assert_eq!((saved.records, saved.open_spans, saved.lost), (0, 0, 0));
        assert_eq!(saved.damage, [] as [String; 0]);
        producer.detach();
        owner.close().expect("it is closed");
    }
}
