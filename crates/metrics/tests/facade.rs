//! A program that reports through the facade, and what its capture has of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use metrics::{
    Unit, counter, describe_gauge, describe_histogram, gauge, histogram, with_local_recorder,
};
use perf_analysis::report::EventStats;
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, TraceOptions, report, traces};
use perf_metrics::Recorder;
use perf_probe::{TraceId, measure, trace};

perf_probe::events! { WORK: span = "WORK"; }

/// A capture is of the whole process, since programs have threads.
static ALONE: Mutex<()> = Mutex::new(());

/// The rows of a report of `program`, by event.
fn record(program: impl FnOnce()) -> BTreeMap<String, EventStats> {
    let set = record_set(program);
    let report = report(&set, &ReportOptions::default()).expect("a report");
    let rows = report.events.into_iter();
    rows.map(|row| (row.event.clone(), row)).collect()
}

fn record_set(program: impl FnOnce()) -> CaptureSet {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let recorder = perf_recorder::Recorder::builder()
        .capture(directory.path())
        .start()
        .expect("nothing else records");
    // A reader takes what began before the first anchor for cut off: the drainer must have read it.
    recorder.flush().expect("a drainer that runs");
    program();
    let path = recorder.capture_path().expect("a file").to_owned();
    assert_eq!(recorder.stop().expect("a clean end").lost.total(), 0);
    // An open file stays readable when its directory is gone.
    CaptureSet::open(&[path], &OpenOptions::default()).expect("a capture")
}

#[test]
fn every_kind_comes_back_in_its_unit() {
    let recorder = Recorder::new();
    let rows = record(|| {
        with_local_recorder(&recorder, || {
            describe_histogram!("batch", Unit::Kibibytes, "how large");
            describe_gauge!("cpu", Unit::Percent, "how busy");
            let orders = counter!("orders_total");
            orders.increment(3);
            orders.increment(4);
            counter!("sent_bytes_total").absolute(100);
            counter!("sent_bytes_total").absolute(250);
            counter!("sent_bytes_total").absolute(200);
            gauge!("depth").set(10.0);
            gauge!("depth").increment(5.0);
            gauge!("depth").decrement(7.0);
            gauge!("cpu").set(12.5);
            for micros in 1..=100 {
                histogram!("latency_seconds").record(Duration::from_micros(micros));
            }
            histogram!("batch").record(1.5);
            histogram!("batch").record_many(2.0, 3);
        });
    });
    let get = |event: &str| &rows[event];
    assert_eq!(
        (get("orders_total").sum, get("orders_total").unit.as_str()),
        (Some(7), "")
    );
    let sent = get("sent_bytes_total");
    assert_eq!(
        (sent.count, sent.sum, sent.unit.as_str()),
        (2, Some(250), "bytes")
    );
    let depth = get("depth");
    assert_eq!(
        (depth.min, depth.max, depth.last),
        (Some(8), Some(15), Some(8))
    );
    assert_eq!(
        (get("cpu").last, get("cpu").unit.as_str()),
        (Some(125_000), "ppm")
    );
    let latency = get("latency_seconds");
    assert_eq!((latency.count, latency.unit.as_str()), (100, "ns"));
    assert_eq!(
        (latency.min, latency.max, latency.sum),
        (Some(1_000), Some(100_000), Some(5_050_000))
    );
    let batch = get("batch");
    assert_eq!(
        (batch.count, batch.min, batch.sum, batch.unit.as_str()),
        (4, Some(1536), Some(1536 + 3 * 2048), "bytes")
    );
    assert_eq!((recorder.overflowed(), recorder.misfits()), (0, 0));
}

#[test]
fn labels_make_series_and_series_are_bounded() {
    let recorder = Recorder::new().max_series(3);
    let rows = record(|| {
        with_local_recorder(&recorder, || {
            for round in 0..2 {
                for user in 0..10_u64 {
                    counter!("logins", "user" => user.to_string(), "how" => "sso")
                        .increment(user + round);
                }
            }
            // No other kind has room either.
            gauge!("late").set(1.0);
        });
    });
    let logins = |user: u32| rows.get(&format!("logins{{how=\"sso\",user=\"{user}\"}}"));
    assert_eq!((0..10).filter(|user| logins(*user).is_some()).count(), 3);
    assert_eq!(logins(2).and_then(|row| row.sum), Some(2 + 3));
    assert_eq!(
        rows["(overflow: counters)"].sum,
        Some((3..10).map(|user| 2 * user + 1).sum())
    );
    assert_eq!(rows["(overflow: gauges)"].count, 1);
    assert_eq!(recorder.overflowed(), 2 * 7 + 1);
}

#[test]
fn what_cannot_be_recorded_is_counted() {
    let recorder = Recorder::new();
    let rows = record(|| {
        with_local_recorder(&recorder, || {
            counter!("one name").increment(1);
            gauge!("one name").set(2.0);
            counter!("x".repeat(300)).increment(5);
            histogram!("odd").record(f64::NAN);
            histogram!("odd").record(-1.0);
            histogram!("odd").record(2.0);
        });
    });
    assert_eq!(rows["one name"].sum, Some(1));
    assert_eq!(rows["(overflow: gauges)"].last, Some(2));
    assert_eq!(rows["(overflow: counters)"].sum, Some(5));
    assert_eq!(
        (rows["odd"].count, rows["odd"].min, rows["odd"].max),
        (2, Some(0), Some(2))
    );
    assert_eq!((recorder.overflowed(), recorder.misfits()), (2, 2));
}

#[test]
fn threads_share_a_series_and_lose_nothing() {
    let recorder = Recorder::new();
    let rows = record(|| {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    with_local_recorder(&recorder, || {
                        for _ in 0..1000 {
                            counter!("hits").increment(1);
                            gauge!("in flight").increment(1.0);
                            gauge!("in flight").decrement(1.0);
                        }
                    });
                });
            }
        });
    });
    assert_eq!((rows["hits"].count, rows["hits"].sum), (4000, Some(4000)));
    let flying = &rows["in flight"];
    assert_eq!((flying.count, flying.min), (8000, Some(0)));
    assert!(
        (1..=4).contains(&flying.max.expect("a level")),
        "{flying:?}"
    );
}

#[test]
fn a_value_belongs_to_the_current_trace() {
    let recorder = Recorder::new();
    let set = record_set(|| {
        let _trace = trace::enter(TraceId::from_raw(7));
        let _span = measure!(WORK);
        with_local_recorder(&recorder, || histogram!("rows").record(3.0));
    });
    let found = traces(&set, &TraceOptions::default()).expect("traces");
    assert_eq!(
        (found.traces, found.slowest[0].trace.as_str()),
        (1, "0000000000000007")
    );
    assert_eq!(found.without_spans, 0);
}
