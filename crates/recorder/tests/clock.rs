//! A clock that breaks under the recorder: the capture goes on in a new segment.

mod common;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::{Capture, child, clocks};
use perf_format::{Anchor, Histogram, Rollup, SegmentId, WarningCode};
use perf_probe::clock::{FakeClock, Ticks};
use perf_probe::{events, measure, record_counter, record_end, record_histogram, record_start};
use perf_recorder::Recorder;

events! {
    NUMBER: observation("") = "number";
    STEP: counter("") = "step";
    WORK: span = "work";
}

/// From the fourth reading on a second has gone by that the ticks do not show.
fn jumping() -> Anchor {
    static READ: AtomicU64 = AtomicU64::new(0);
    let has_jumped = READ.fetch_add(1, Ordering::Relaxed) >= 4;
    clocks::read_after(Duration::from_secs(u64::from(has_jumped)))
}

#[test]
fn the_first_anchor_lies_before_the_first_record() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder().capture(&path).scoped();
    let recorder = recorder.start().expect("the recorder starts");
    recorder.scope(|| {
        record_end(WORK, record_start(WORK));
    });
    recorder.stop().expect("a clean end");
    let capture = Capture::open(&path);
    let first = capture.index.anchors.anchors.first().expect("an anchor");
    let chunk = capture.index.event_chunks().next().expect("a chunk");
    assert!(first.ticks < chunk.head.min_start);
    assert_eq!(first.segment, chunk.head.segment);
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

/// Spans of 10 to 13 ticks; the clock steps back over two of them.
fn record_across_a_step(clock: &FakeClock) {
    for ticks in 10..14 {
        let span = measure!(WORK);
        clock.advance(ticks);
        drop(span);
    }
    let span = measure!(WORK);
    clock.set(Ticks(500));
    drop(span);
    let start = record_start(WORK);
    clock.set(Ticks(499));
    record_end(WORK, start);
    // What is no span keeps its highest bit.
    record_histogram(NUMBER, u64::MAX);
    record_counter(STEP, -5);
}

fn assert_only_two_are_reversed(capture: &Capture) {
    assert_eq!(capture.values("work"), [10, 11, 12, 13, 0, 0]);
    assert_eq!(capture.values("number"), [u64::MAX]);
    assert_eq!(capture.values("step"), [(-5_i64).cast_unsigned()]);
    capture.assert_rollups_equal_scan();
    let mut spans = capture.rows.iter().filter(|(_, row)| row.tag.is_span());
    let (_, span) = spans.next().expect("a span");
    let longest = |rollup: &Rollup| rollup.histogram(span.series()).and_then(Histogram::max);
    let max = capture.rollups().iter().filter_map(longest).max();
    assert_eq!(max, Some(13));
    let warnings = &capture.index.notes.warnings;
    let told: Vec<_> = warnings
        .iter()
        .filter(|warning| warning.code == WarningCode::CLOCK)
        .map(|warning| warning.message.as_str())
        .collect();
    assert!(
        told.len() == 1 && told[0].starts_with("2 spans ended before they began"),
        "{told:?}"
    );
}

#[test]
fn a_span_that_ended_before_it_began_has_no_duration_and_is_told_of() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("x.bin");
    let clock = FakeClock::new(Ticks(1_000));
    let recorder = Recorder::builder()
        .capture(&path)
        .clock(clock.clone())
        .interval(Duration::MAX)
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    recorder.scope(|| record_across_a_step(&clock));
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (8, 0));
    assert_only_two_are_reversed(&Capture::open(&path));
}

#[test]
fn so_it_is_when_its_process_died() {
    let directory = child::memory_dir();
    let arenas = child::private_dir(directory.path(), "arena");
    let capture = directory.path().join("x.bin");
    std::fs::write(&capture, []).expect("a file");
    let clock = FakeClock::new(Ticks(1_000));
    let (handle, drainer) = Recorder::builder()
        .capture(&capture)
        .arena_directory(&arenas)
        .clock(clock.clone())
        .manual(&mut Vec::new())
        .expect("the recorder starts");
    perf_probe::scope(&handle, || record_across_a_step(&clock));
    // Dropped, it leaves its arena as a dead process does.
    drop(drainer);
    let arena = child::arenas_in(&arenas).pop().expect("an arena");
    let out = directory.path().join("recovered.bin");
    perf_recorder::salvage::recover(&capture, Some(&arena), &out).expect("recovered");
    assert_only_two_are_reversed(&Capture::open(&out));
}
