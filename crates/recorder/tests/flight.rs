//! The flight recorder in one process: what triggers a part, what is in it, and what is not.

mod common;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child};
use perf_format::{CloseReason, WarningCode};
use perf_probe::{events, measure, record_end, record_histogram, record_start};
use perf_recorder::{Builder, Flight, Recorder, SnapshotError, StartError, StopError};

events! {
    NUMBER: observation("") = "number";
    STEP: span = "step";
    OTHER: span = "other";
}

const LONG: Duration = Duration::from_secs(3_600);
/// What a loaded machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn builder(dir: &Path, flight: Flight) -> Builder {
    Recorder::builder()
        .capture(dir.join("flight.bin"))
        .arena_directory(dir.join("arena"))
        .patience(PATIENCE)
        .flight(flight)
        .scoped()
}

fn start(dir: &Path, flight: Flight) -> Recorder {
    builder(dir, flight).start().expect("the recorder starts")
}

fn numbers(recorder: &Recorder, range: std::ops::Range<u64>) {
    recorder.scope(|| range.for_each(|number| record_histogram(NUMBER, number)));
}

/// A span that is at least so long.
fn slow(recorder: &Recorder, event: perf_probe::Event, ms: u64) {
    recorder.scope(|| {
        let started = record_start(event);
        thread::sleep(Duration::from_millis(ms));
        record_end(event, started);
    });
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn label<'c>(capture: &'c Capture, key: &str) -> Option<&'c str> {
    let header = capture.index.header.as_ref().expect("a header");
    let found = header.labels.iter().find(|label| label.key == key);
    found.map(|label| label.value.as_str())
}

fn parts(dir: &Path) -> Vec<PathBuf> {
    child::captures_in(dir)
}

#[test]
fn nothing_is_written_until_somebody_asks_and_then_all_is_there() {
    let dir = child::memory_dir();
    let recorder = start(dir.path(), Flight::last(LONG));
    numbers(&recorder, 0..10_000);
    let open = recorder.scope(|| measure!(OTHER));
    recorder.flush().expect("a flush");
    assert_eq!(parts(dir.path()), Vec::<PathBuf>::new());
    let status = recorder.status().flight.expect("a flight recorder");
    assert_eq!((status.window_records, status.snapshots), (10_000, 0));

    numbers(&recorder, 10_000..10_005);
    let path = recorder.snapshot("an odd reply").expect("a snapshot");
    assert_eq!(path, dir.path().join("flight.00000.bin"));
    let capture = Capture::open(&path);
    assert_eq!(capture.values("number"), (0..10_005).collect::<Vec<_>>());
    assert_eq!(
        label(&capture, "perf.trigger"),
        Some("snapshot an odd reply")
    );
    assert_eq!(label(&capture, "perf.triggers_more"), None);
    let at: i64 = label(&capture, "perf.trigger_at")
        .and_then(|at| at.parse().ok())
        .expect("a time");
    let header = capture.index.header.as_ref().expect("a header");
    assert!(header.start_unix_ns < at, "{} {at}", header.start_unix_ns);
    let close = capture.index.close.as_ref().expect("a clean end");
    assert_eq!(close.reason, CloseReason::SNAPSHOT);
    assert_eq!((close.rows, close.lost), (10_005, 0));
    assert_eq!(
        close.event_chunks,
        capture.index.event_chunks().count() as u64
    );
    assert!(capture.index.closed_cleanly());
    assert_eq!(capture.index.open_spans.len(), 1);
    assert!(capture.index.anchors.anchors.len() >= 2);
    assert!(capture.index.rollups().next().is_none());

    // What was written has left the window: parts do not overlap.
    numbers(&recorder, 20_000..20_001);
    let next = recorder.snapshot("").expect("a second snapshot");
    let capture = Capture::open(&next);
    assert_eq!(next, dir.path().join("flight.00001.bin"));
    assert_eq!(capture.values("number"), [20_000]);
    assert_eq!(label(&capture, "perf.trigger"), Some("snapshot"));
    assert_eq!(
        capture.index.header.as_ref().map(|header| header.part),
        Some(1)
    );
    drop(open);
    let live: u64 = recorder
        .live()
        .iter()
        .map(|rollup| rollup.coverage.rows)
        .sum();
    assert!(live >= 10_006, "the histograms count everything: {live}");

    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.capture, Some(next));
    assert_eq!(parts(dir.path()).len(), 2, "a stop writes nothing");
    assert_eq!(
        child::arenas_in(&dir.path().join("arena")),
        Vec::<PathBuf>::new()
    );
}

#[test]
fn the_oldest_go_when_the_window_is_full_or_they_are_too_old() {
    let dir = child::memory_dir();
    let full = Flight::last(LONG).max_bytes(256 << 10);
    let recorder = start(dir.path(), full);
    let mut noise = 1_u64;
    for number in 0..400_000_u64 {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        recorder.scope(|| record_histogram(NUMBER, number << 24 | noise >> 40));
        if number % 4_096 == 0 {
            recorder.flush().expect("a flush");
        }
    }
    let path = recorder.snapshot("full").expect("a snapshot");
    let capture = Capture::open(&path);
    let kept: Vec<u64> = capture
        .values("number")
        .iter()
        .map(|value| value >> 24)
        .collect();
    assert!(
        kept.len() > 10_000 && kept.len() < 200_000,
        "{}",
        kept.len()
    );
    assert_eq!(
        kept,
        (400_000 - kept.len() as u64..400_000).collect::<Vec<_>>()
    );
    // Their anchors went with them, and were said again.
    assert!(!capture.index.anchors.anchors.is_empty());
    let close = capture.index.close.as_ref().expect("a clean end");
    assert_eq!((close.rows, close.lost), (kept.len() as u64, 0));
    recorder.stop().expect("a clean end");

    let dir = child::memory_dir();
    let recorder = start(
        dir.path(),
        Flight::last(Duration::from_millis(100)).after(Duration::ZERO),
    );
    numbers(&recorder, 0..10);
    recorder.flush().expect("a flush");
    thread::sleep(Duration::from_millis(300));
    numbers(&recorder, 10..20);
    let path = recorder.snapshot("old").expect("a snapshot");
    let capture = Capture::open(&path);
    assert_eq!(capture.values("number"), (10..20).collect::<Vec<_>>());
    recorder.stop().expect("a clean end");
}

#[test]
fn a_slow_span_writes_what_was_before_and_after_it() {
    let dir = child::memory_dir();
    let flight = Flight::last(LONG)
        .keep_above("step", Duration::from_millis(20))
        .after(Duration::from_millis(300));
    let recorder = start(dir.path(), flight);
    numbers(&recorder, 0..10);
    slow(&recorder, OTHER, 40);
    slow(&recorder, STEP, 30);
    until("somebody saw it", || {
        numbers(&recorder, 10..11);
        recorder
            .status()
            .flight
            .is_some_and(|flight| flight.snapshots == 1)
    });
    // Within the minute after it, further ones are only counted.
    slow(&recorder, STEP, 25);
    slow(&recorder, STEP, 35);
    until("two were seen", || {
        recorder
            .status()
            .flight
            .is_some_and(|flight| flight.suppressed == 2)
    });
    let last = recorder.snapshot("").expect("a snapshot");

    let capture = Capture::open(&dir.path().join("flight.00000.bin"));
    let trigger = label(&capture, "perf.trigger").expect("a trigger");
    assert!(trigger.starts_with("sla step took "), "{trigger}");
    assert!(trigger.ends_with(" ms, more than 20 ms"), "{trigger}");
    assert_eq!(
        (capture.values("step").len(), capture.values("other").len()),
        (1, 1)
    );
    let after = capture
        .values("number")
        .iter()
        .filter(|number| **number == 10)
        .count();
    assert!(after >= 2, "it went on recording: {after}");
    let more = Capture::open(&last);
    let more = label(&more, "perf.triggers_more").expect("what triggered besides");
    assert!(more.starts_with("2 sla step took "), "{more}");
    recorder.stop().expect("a clean end");
}

#[test]
fn whoever_asks_is_not_made_to_wait_for_what_comes_after_a_slow_span() {
    let dir = child::memory_dir();
    let flight = Flight::last(LONG)
        .keep_above("step", Duration::from_millis(1))
        .after(LONG);
    let recorder = start(dir.path(), flight);
    slow(&recorder, STEP, 5);
    // It may be seen before or after the next line asks.
    until("it was seen", || {
        let path = recorder.snapshot("now").expect("a snapshot");
        let capture = Capture::open(&path);
        label(&capture, "perf.trigger").is_some_and(|words| words.starts_with("sla"))
            || label(&capture, "perf.triggers_more").is_some()
    });
    // One that is still waiting is written at the stop.
    let last = parts(dir.path()).len();
    recorder.stop().expect("a clean end");
    assert!(parts(dir.path()).len() - last <= 1);
}

#[test]
fn what_is_triggered_is_written_before_the_stop() {
    let dir = child::memory_dir();
    let flight = Flight::last(LONG)
        .keep_above("step", Duration::from_millis(1))
        .after(LONG);
    let recorder = start(dir.path(), flight);
    slow(&recorder, STEP, 5);
    recorder.flush().expect("a flush");
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::open(&stopped.capture.expect("a part"));
    assert_eq!(capture.values("step").len(), 1);
}

#[test]
fn threads_that_are_gone_and_sampled_traces_stay_known() {
    let dir = child::memory_dir();
    let recorder = builder(dir.path(), Flight::last(LONG))
        .sampling(perf_recorder::Sampling::new().rate(0.01))
        .start()
        .expect("the recorder starts");
    for number in 0..20 {
        thread::scope(|scope| {
            let worker = thread::Builder::new().name(format!("worker {number}"));
            worker
                .spawn_scoped(scope, || numbers(&recorder, 0..1_000))
                .expect("a thread");
        });
    }
    let capture = Capture::open(&recorder.snapshot("").expect("a snapshot"));
    let counted: u64 = capture
        .rollups()
        .iter()
        .map(|rollup| rollup.coverage.rows)
        .sum();
    let known: u64 = capture
        .rollups()
        .iter()
        .flat_map(|rollup| rollup.series.values())
        .map(|series| series.count())
        .sum();
    assert_eq!(known, 20_000);
    assert_eq!(counted, capture.records());
    assert!(counted < 2_000, "{counted}");
    let names: HashSet<_> = capture
        .rows
        .iter()
        .map(|(thread, _)| capture.thread_name(*thread).to_owned())
        .collect();
    assert_eq!(names.len(), 20, "{names:?}");
    recorder.stop().expect("a clean end");
}

#[test]
fn a_disk_that_takes_nothing_leaves_the_window_alone() {
    let dir = child::memory_dir();
    let there = dir.path().join("there");
    std::fs::create_dir(&there).expect("a directory");
    let recorder = Recorder::builder()
        .capture(there.join("flight.bin"))
        .arena_directory(dir.path().join("arena"))
        .patience(Duration::from_millis(500))
        .flight(Flight::last(LONG))
        .scoped()
        .start()
        .expect("the recorder starts");
    numbers(&recorder, 0..100);
    std::fs::remove_dir(&there).expect("the directory goes");
    let error = recorder.snapshot("in vain").expect_err("no place for it");
    assert!(
        matches!(error, SnapshotError::Write { .. } | SnapshotError::TimedOut),
        "{error}"
    );
    until("it is told", || {
        recorder
            .status()
            .flight
            .is_some_and(|flight| flight.failing.is_some())
    });
    numbers(&recorder, 100..200);
    std::fs::create_dir(&there).expect("the directory comes back");
    let path = recorder.snapshot("again").expect("a snapshot");
    assert_eq!(path, there.join("flight.00000.bin"));
    let capture = Capture::open(&path);
    assert_eq!(capture.values("number"), (0..200).collect::<Vec<_>>());
    let warned = capture.index.notes.warnings.iter();
    let warned: Vec<_> = warned
        .filter(|warning| warning.code == WarningCode::WRITE_FAILED)
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("snapshot in vain"), "{warned:?}");
    recorder.stop().expect("a clean end");
}

#[test]
fn what_could_not_be_written_at_the_stop_is_there_for_the_next_recorder() {
    let dir = child::memory_dir();
    let there = dir.path().join("there");
    std::fs::create_dir(&there).expect("a directory");
    let start = || {
        Recorder::builder()
            .capture(there.join("flight.bin"))
            .arena_directory(dir.path().join("arena"))
            .patience(Duration::from_millis(300))
            .flight(Flight::last(LONG))
            .scoped()
            .start()
            .expect("the recorder starts")
    };
    let recorder = start();
    numbers(&recorder, 0..100);
    std::fs::remove_dir(&there).expect("the directory goes");
    recorder.snapshot("in vain").expect_err("no place for it");
    until("it is told", || {
        recorder
            .status()
            .flight
            .is_some_and(|flight| flight.failing.is_some())
    });
    let error = recorder.stop().expect_err("not all was written");
    assert!(matches!(error, StopError::Unwritten { .. }), "{error}");
    std::fs::create_dir(&there).expect("the directory comes back");
    start().stop().expect("a clean end");
    let capture = Capture::open(&there.join("flight.salvaged.bin"));
    assert_eq!(capture.values("number"), (0..100).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let dir = child::memory_dir();
    let flight = || Flight::last(LONG);
    let refused = |builder: Builder| builder.start().expect_err("refused");
    let error = refused(Recorder::builder().flight(flight()));
    assert!(matches!(error, StartError::NoDestination), "{error}");
    let error = refused(Recorder::builder().sink(Vec::new()).flight(flight()));
    assert!(matches!(error, StartError::FlightWithoutPath), "{error}");
    let error = refused(builder(dir.path(), flight()).rotate_bytes(1 << 20));
    assert!(matches!(error, StartError::Setting { .. }), "{error}");
    for signal in [0, -3, 9, 11, 4_000] {
        let error = refused(builder(dir.path(), flight().on_signal(signal)));
        let told = matches!(error, StartError::Signal { .. } | StartError::System { .. });
        assert!(told, "{signal}: {error}");
    }
    assert_eq!(
        child::arenas_in(&dir.path().join("arena")),
        Vec::<PathBuf>::new()
    );
    let mine = dir.path().join("flight.00000.bin");
    std::fs::write(&mine, "precious").expect("a file");
    let error = refused(builder(dir.path(), flight()));
    assert!(matches!(error, StartError::CaptureExists { .. }), "{error}");
    assert_eq!(std::fs::read(&mine).expect("still there"), b"precious");
    // One that comes later is left alone as well.
    std::fs::remove_file(&mine).expect("a file");
    let recorder = start(dir.path(), flight());
    std::fs::write(&mine, "precious").expect("a file");
    let error = recorder.snapshot("").expect_err("refused");
    assert!(matches!(error, SnapshotError::Write { .. }), "{error}");
    assert_eq!(std::fs::read(&mine).expect("still there"), b"precious");
    assert!(!dir.path().join("flight.bin.tmp").exists());
}

#[test]
fn a_plain_capture_flushes_when_asked_for_a_snapshot() {
    let dir = child::memory_dir();
    let recorder = Recorder::builder()
        .capture(dir.path().join("plain.bin"))
        .arena_directory(dir.path().join("arena"))
        .scoped()
        .start()
        .expect("the recorder starts");
    numbers(&recorder, 0..100);
    let path = recorder.snapshot("now").expect("a flush");
    assert_eq!(Some(path.as_path()), recorder.capture_path());
    assert_eq!(Capture::open(&path).values("number").len(), 100);
    recorder.stop().expect("a clean end");
    let sink = Recorder::builder()
        .sink(Vec::new())
        .scoped()
        .start()
        .expect("a start");
    assert_eq!(sink.snapshot(""), Err(SnapshotError::NoFile));
}
