//! Everything that a program can record comes back out of the file as it went in.

mod common;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;

use common::Capture;
use perf_format::{Aggregate, CloseReason, SeriesKey, Tag};
use perf_probe::{
    InTraceExt, TraceId, events, laps, measure, measured, measured_result, record_counter,
    record_end, record_gauge, record_histogram, record_start, trace,
};
use perf_recorder::Recorder;

events! {
    GUARDED: span = "guarded";
    BARE: span = "bare";
    FIRST: span = "first lap";
    SECOND: span = "second lap";
    FUTURE: span = "future";
    OPEN: span = "open at the end";
    HITS: counter("hits") = "hits";
    DEPTH: gauge("items") = "depth";
    SIZE: observation("bytes") = "size";
}

fn recorder(path: impl AsRef<std::path::Path>) -> Recorder {
    Recorder::builder()
        .capture(path)
        .scoped()
        .start()
        .expect("the recorder starts")
}

fn name(text: &str, tag: Tag) -> (String, u8) {
    (text.to_owned(), tag.0)
}

#[test]
fn every_kind_of_record_comes_back() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let recorder = recorder(dir.path());
    let id = TraceId::from_key("EURUSD", 7);
    recorder.scope(|| {
        let _trace = trace::enter(id);
        trace::annotate("symbol", "EURUSD");
        trace::annotate("attempt", 3);
        trace::annotate("ratio", 0.5);
        trace::due(1_234_567_890);
        drop(measure!(GUARDED));
        measure!(GUARDED).fail();
        measure!(GUARDED).cancel();
        let start = record_start(BARE);
        record_end(BARE, start);
        let mut laps = laps(FIRST);
        laps.next(SECOND);
        laps.end();
        record_counter(HITS, 5);
        record_counter(HITS, -2);
        record_gauge(DEPTH, -9);
        record_histogram(SIZE, u64::MAX);
        // Never ended: what a crash or the end of the capture leaves behind.
        std::mem::forget(measure!(OPEN));
    });
    let path = recorder.capture_path().expect("a file").to_owned();
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::open(&path);

    let expected = [
        (name("(due)", Tag::DUE), 1),
        (name("bare", Tag::SPAN_OK), 1),
        (name("depth", Tag::GAUGE), 1),
        (name("first lap", Tag::SPAN_OK), 1),
        (name("guarded", Tag::SPAN_OK), 1),
        (name("guarded", Tag::SPAN_ERROR), 1),
        (name("guarded", Tag::SPAN_CANCELLED), 1),
        (name("hits", Tag::COUNTER), 2),
        (name("second lap", Tag::SPAN_OK), 1),
        (name("size", Tag::OBSERVATION), 1),
    ];
    assert_eq!(capture.counts().into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(capture.values("hits"), [5, (-2i64).cast_unsigned()]);
    assert_eq!(capture.values("depth"), [(-9i64).cast_unsigned()]);
    assert_eq!(capture.values("size"), [u64::MAX]);
    assert_eq!(capture.values("(due)"), [1_234_567_890]);
    let told: Vec<(&str, &str)> = capture
        .annotations
        .iter()
        .map(|(_, key, value)| (key.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        told,
        [("symbol", "EURUSD"), ("attempt", "3"), ("ratio", "0.5")]
    );
    assert!(capture.rows.iter().all(|(_, row)| row.trace.0 == id.raw()));
    assert!(
        capture
            .annotations
            .iter()
            .all(|(trace, ..)| *trace == id.raw())
    );

    let [open] = capture.index.open_spans.as_slice() else {
        panic!("{:?}", capture.index.open_spans)
    };
    let event = capture
        .index
        .tables
        .event(open.event)
        .expect("a known event");
    assert_eq!(
        (event.name.as_str(), open.trace.0),
        ("open at the end", id.raw())
    );
    assert_eq!(
        (stopped.open_spans, stopped.lost.total(), capture.lost),
        (1, 0, 0)
    );
    assert_eq!(stopped.records, capture.records());
    assert_eq!(stopped.bytes, capture.bytes.len() as u64);
    let close = capture.index.close.as_ref().expect("a clean close");
    assert_eq!(
        (close.reason, close.rows, close.lost),
        (CloseReason::STOPPED, stopped.records, 0)
    );
    assert!(capture.index.closed_cleanly());
    capture.assert_each_slot_once();
    capture.assert_rollups_equal_scan();
}

#[test]
fn panics_and_dropped_futures_have_their_outcomes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let recorder = recorder(dir.path());
    let (inside, outside) = (TraceId::from_raw(77), TraceId::from_raw(88));
    recorder.scope(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _span = measure!(GUARDED);
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        let mut context = Context::from_waker(Waker::noop());
        {
            let pending = pin!(measured(FUTURE, std::future::pending::<()>()).in_trace(inside));
            let _outer = trace::enter(outside);
            assert!(pending.poll(&mut context).is_pending());
            drop(measure!(BARE));
        }
        let failing = pin!(measured_result(FUTURE, async { Err::<(), &str>("no") }));
        assert!(failing.poll(&mut context).is_ready());
        let fine = pin!(measured_result(FUTURE, async { Ok::<u8, &str>(1) }));
        assert!(fine.poll(&mut context).is_ready());
    });
    let path = recorder.capture_path().expect("a file").to_owned();
    assert_eq!(recorder.stop().expect("a clean end").open_spans, 0);
    let capture = Capture::open(&path);
    let expected = [
        (name("bare", Tag::SPAN_OK), 1),
        (name("future", Tag::SPAN_OK), 1),
        (name("future", Tag::SPAN_ERROR), 1),
        (name("future", Tag::SPAN_CANCELLED), 1),
        (name("guarded", Tag::SPAN_PANICKED), 1),
    ];
    assert_eq!(capture.counts().into_iter().collect::<Vec<_>>(), expected);
    let trace_of = |tag| {
        let found = capture
            .named()
            .find(|(named, row)| *named == "future" && row.tag == tag);
        found.map(|(_, row)| row.trace.0)
    };
    assert_eq!(trace_of(Tag::SPAN_CANCELLED), Some(inside.raw()));
    let bare = capture
        .named()
        .find(|(named, _)| *named == "bare")
        .expect("the span between");
    assert_eq!(bare.1.trace.0, outside.raw());
}

#[test]
fn threads_keep_their_names_and_their_order() {
    const EACH: u64 = 40_000;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let recorder = recorder(dir.path());
    let names = [
        "feed",
        "a thread with a name that is longer than the kernel keeps",
        "naïve",
    ];
    thread::scope(|scope| {
        for (number, name) in (0u64..).zip(names) {
            let handle = recorder.handle();
            let work = move || {
                perf_probe::scope(handle, || {
                    (0..EACH).for_each(|value| record_histogram(SIZE, number << 32 | value));
                });
            };
            thread::Builder::new()
                .name(name.into())
                .spawn_scoped(scope, work)
                .expect("a thread starts");
        }
    });
    let path = recorder.capture_path().expect("a file").to_owned();
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::open(&path);
    assert_eq!(stopped.records + stopped.lost.total(), EACH * 3);
    assert_eq!(capture.lost, stopped.lost.total());
    for (number, name) in (0u64..).zip(names) {
        let values = capture
            .values("size")
            .into_iter()
            .filter(|value| value >> 32 == number);
        assert!(values.is_sorted(), "the order of {name}");
        let thread = capture
            .rows
            .iter()
            .find(|(_, row)| row.value >> 32 == number)
            .expect("a row")
            .0;
        assert_eq!(capture.thread_name(thread), name);
    }
    capture.assert_each_slot_once();
    capture.assert_rollups_equal_scan();
}

#[test]
fn numbers_that_wrap_lose_nothing() {
    for first_seq in [u64::from(u32::MAX) - 700, u64::MAX - 700] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let recorder = Recorder::builder()
            .capture(dir.path())
            .scoped()
            .first_seq(first_seq)
            .start()
            .expect("the recorder starts");
        recorder.scope(|| (0..5_000).for_each(|value| record_histogram(SIZE, value)));
        let path = recorder.capture_path().expect("a file").to_owned();
        let stopped = recorder.stop().expect("a clean end");
        assert_eq!((stopped.records, stopped.lost.total()), (5_000, 0));
        let capture = Capture::open(&path);
        assert_eq!(capture.values("size"), (0..5_000).collect::<Vec<u64>>());
    }
}

#[test]
fn the_status_and_the_live_histograms_tell_what_is_going_on() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .label("version", "1.2.3")
        .scoped()
        .start()
        .expect("the recorder starts");
    recorder.scope(|| {
        for value in 1..=1_000 {
            record_histogram(SIZE, value);
        }
        recorder.flush().expect("flushed");
        let status = recorder.status();
        assert!(status.running);
        assert_eq!((status.records, status.lost.total()), (1_000, 0));
        assert_eq!(status.capture.as_deref(), Some(path.as_path()));
        assert_eq!(
            status.bytes,
            std::fs::metadata(&path).expect("the file").len()
        );
        assert!((status.sampling_rate - 1.0).abs() < f64::EPSILON);
        assert!(
            status.ns_per_record > 1.0 && status.ns_per_record < 10_000.0,
            "{}",
            status.ns_per_record
        );
        let [ring] = status.rings.as_slice() else {
            panic!("one ring: {:?}", status.rings)
        };
        assert_eq!(
            (ring.write_index, ring.used_slots, ring.lost),
            (1_000, 0, 0)
        );
        assert_eq!(ring.capacity_slots, 8_192);
    });
    // What is flushed can be read while the recorder runs on.
    let so_far = Capture::open(&path);
    assert_eq!(so_far.values("size").len(), 1_000);
    assert!(!so_far.index.closed_cleanly());
    let label = &so_far.index.header.as_ref().expect("a header").labels[0];
    assert_eq!(
        (label.key.as_str(), label.value.as_str()),
        ("version", "1.2.3")
    );

    let live = recorder.live();
    let [rollup] = live.as_slice() else {
        panic!("one segment")
    };
    let event = perf_format::EventId(SIZE.id().raw());
    let Some(Aggregate::Distribution(histogram)) = rollup.series.get(&SeriesKey {
        event,
        tag: Tag::OBSERVATION,
    }) else {
        panic!("a histogram of sizes: {:?}", rollup.series.keys())
    };
    assert_eq!((histogram.count(), histogram.sum()), (1_000, 500_500));
    drop(recorder);
    assert!(
        Capture::open(&path).index.closed_cleanly(),
        "dropping a recorder stops it"
    );
}

#[test]
fn the_status_of_a_full_ring_tells_its_use_and_its_losses() {
    const BURST: u64 = 100_000;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let recorder = Recorder::builder()
        .capture(dir.path().join("x.bin"))
        .ring_bytes(16 << 10)
        .max_ring_bytes(16 << 10)
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    recorder.scope(|| {
        let mut attempted = 0;
        // A ring of 512 slots is full long before the drainer comes, unless this thread is stopped at every turn.
        while recorder.status().lost.total() == 0 {
            assert!(attempted < 1_000 * BURST, "the ring was never full");
            (0..BURST).for_each(|value| record_histogram(SIZE, value));
            attempted += BURST;
        }
        recorder.flush().expect("flushed");
        let status = recorder.status();
        assert!(status.running && !status.enabled, "it is not installed");
        assert_eq!(status.records + status.lost.total(), attempted);
        let [ring] = status.rings.as_slice() else {
            panic!("one ring: {:?}", status.rings)
        };
        assert_eq!((ring.capacity_slots, ring.used_slots), (512, 0));
        assert_eq!(ring.lost, status.lost.total());
        assert!(ring.write_index >= status.records, "{ring:?}");
    });
    let last = recorder.status().lost;
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.lost, last);
}
