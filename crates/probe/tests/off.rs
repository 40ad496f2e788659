//! With the feature `off` there is nothing: `cargo test -p perf-probe --features off --test off`.

#![cfg(feature = "off")]

mod common;

use common::{Recording, block_on};
use perf_probe::attribute::*;
use perf_probe::{
    InTraceExt, TraceId, events, install, is_enabled, laps, measure, measured, record_counter,
    record_end, record_gauge, record_histogram, record_start, scope, trace,
};

events! {
    WORK: span = "WORK";
    COUNT: counter = "COUNT";
}

#[measure(WORK)]
fn work() -> Result<u8, ()> {
    Ok(1)
}

#[test]
fn nothing_is_recorded_and_everything_still_runs() {
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    let mut seen = 0;
    scope(recording.handle(), || {
        let _trace = trace::enter(TraceId::from_raw(1));
        trace::annotate("key", "value");
        trace::due(1);
        measure!(WORK).fail();
        let mut laps = laps(WORK);
        laps.next(WORK);
        record_end(WORK, record_start(WORK));
        record_counter(COUNT, 1);
        record_gauge(COUNT, 1);
        record_histogram(COUNT, 1);
        assert_eq!(work(), Ok(1));
        seen = block_on(measured(WORK, async { 2 }).in_trace(TraceId::from_raw(1)));
    });
    assert_eq!(seen, 2);
    assert!(!is_enabled());
    assert_eq!(trace::current(), TraceId::NONE);
    let (spans, values) = recording.take();
    assert!(spans.is_empty() && values.is_empty() && recording.notes().is_empty());
    assert!(recording.names().is_empty(), "no event was interned");
    assert_eq!(perf_probe::losses(), perf_probe::Losses::default());
}
