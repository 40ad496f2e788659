//! A clock that breaks under the recorder: the capture goes on in a new segment.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{Capture, clocks};
use perf_format::{Anchor, SegmentId, WarningCode};
use perf_probe::{events, record_histogram};
use perf_recorder::Recorder;

events! {
    NUMBER: observation("") = "number";
}

/// From the fourth reading on a second has gone by that the ticks do not show.
fn jumping() -> Anchor {
    static READ: AtomicU64 = AtomicU64::new(0);
    let has_jumped = READ.fetch_add(1, Ordering::Relaxed) >= 4;
    clocks::read_after(Duration::from_secs(u64::from(has_jumped)))
}

#[test]
fn a_jump_begins_a_segment_and_no_chunk_or_rollup_crosses_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .anchor_source(jumping)
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    recorder.scope(|| {
        for number in 0..300 {
            record_histogram(NUMBER, number);
            thread::sleep(Duration::from_millis(1));
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (300, 0));
    let capture = Capture::open(&path);
    let segments: Vec<u32> = capture
        .index
        .event_chunks()
        .map(|entry| entry.head.segment.0)
        .collect();
    assert!(segments.is_sorted());
    assert_eq!((segments.first(), segments.last()), (Some(&0), Some(&1)));
    assert_eq!(capture.values("number"), (0..300).collect::<Vec<u64>>());
    let told = capture
        .index
        .notes
        .warnings
        .iter()
        .filter(|warning| warning.code == WarningCode::CLOCK)
        .count();
    assert_eq!(told, 1);
    let anchors = &capture.index.anchors.anchors;
    assert!(
        anchors.iter().any(|anchor| anchor.segment.0 == 0)
            && anchors.iter().any(|anchor| anchor.segment.0 == 1)
    );
    capture.assert_rollups_equal_scan();
}

static IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// Once it is broken a second has gone by that the ticks do not show.
fn breaking_at_the_end() -> Anchor {
    let is_broken = IS_BROKEN.load(Ordering::Relaxed);
    clocks::read_after(Duration::from_secs(u64::from(is_broken)))
}

#[test]
fn a_break_at_the_very_end_records_nothing_twice() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .anchor_source(breaking_at_the_end)
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    thread::sleep(Duration::from_millis(150));
    recorder.scope(|| (0..10).for_each(|number| record_histogram(NUMBER, number)));
    IS_BROKEN.store(true, Ordering::Relaxed);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (10, 0));
    assert_eq!(Capture::open(&path).records(), 10);
}

#[test]
fn an_ordinary_capture_has_one_segment_and_two_anchors_at_least() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .scoped()
        .start()
        .expect("the recorder starts");
    recorder.scope(|| record_histogram(NUMBER, 1));
    thread::sleep(Duration::from_millis(30));
    recorder.stop().expect("a clean end");
    let capture = Capture::open(&path);
    let anchors = &capture.index.anchors.anchors;
    assert!(anchors.len() >= 3, "{anchors:?}");
    assert!(anchors.iter().all(|anchor| anchor.segment == SegmentId(0)));
    // The header's estimate and the anchors agree.
    let header = capture.index.header.as_ref().expect("a header");
    let (first, last) = (&anchors[0], &anchors[anchors.len() - 1]);
    let rate = (last.ticks - first.ticks) as f64 * 1e9
        / (last.monotonic_raw_ns - first.monotonic_raw_ns) as f64;
    let off = (header.clock.ticks_per_second / rate - 1.0).abs();
    assert!(off < 0.02, "{} and {rate}", header.clock.ticks_per_second);
}
