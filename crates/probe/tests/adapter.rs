//! What adapters of other facades record.

#![cfg(not(feature = "off"))]

mod common;

use common::{Recording, Span};
use perf_probe::adapter::{Detached, record_span, swap_trace};
use perf_probe::{Outcome, Ticks, TraceId, clock, events, measure, scope, trace};

events! {
    WORK: span = "WORK";
    SUM: span = "SUM";
}

fn span(event: &str, outcome: Outcome, (start, end): (u64, u64), trace: u64) -> Span {
    Span {
        event: event.to_owned(),
        outcome,
        start,
        end,
        trace,
    }
}

#[test]
fn a_detached_span_ends_when_it_is_told_that_it_did() {
    let (recording, time) = Recording::with_clock(100);
    scope(recording.handle(), || {
        let work = Detached::begin(WORK, TraceId::from_raw(7));
        assert!(work.is_recorded() && trace::current().is_none());
        assert_eq!(recording.open_spans(), [("WORK".to_owned(), 100, 7)]);
        time.advance(20);
        let end = clock::now();
        time.advance(1_000);
        work.end_at(end, Outcome::Error);
        assert_eq!(recording.open_spans(), []);
    });
    assert_eq!(
        recording.spans(),
        [span("WORK", Outcome::Error, (100, 120), 7)]
    );
}

#[test]
fn it_ends_on_another_thread_in_the_recorder_in_which_it_began() {
    let recording = Recording::new();
    let work = scope(recording.handle(), || {
        Detached::begin(WORK, TraceId::from_raw(7))
    });
    let thread = std::thread::spawn(move || work.end_at(clock::now(), Outcome::Ok));
    thread.join().expect("it ends");
    assert_eq!(recording.outcomes(), [Outcome::Ok]);
}

#[test]
fn dropped_without_an_end_it_is_open() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        drop(Detached::begin(WORK, TraceId::NONE))
    });
    assert_eq!(recording.open_spans().len(), 1);
    assert_eq!(recording.spans(), []);
}

#[test]
fn without_a_recorder_there_is_none() {
    let work = Detached::begin(WORK, TraceId::from_raw(7));
    assert!(!work.is_recorded());
    work.end_at(clock::now(), Outcome::Ok);
}

#[test]
fn a_span_can_be_given_whole_and_a_trace_without_a_scope() {
    let (recording, time) = Recording::with_clock(1_000);
    scope(recording.handle(), || {
        record_span(SUM, TraceId::NONE, Ticks(900), 300, Outcome::Cancelled);
        let outer = swap_trace(TraceId::from_raw(9));
        assert!(outer.is_none());
        record_span(SUM, TraceId::from_raw(8), Ticks(950), 50, Outcome::Ok);
        let work = measure!(WORK);
        time.advance(1);
        drop(work);
        assert_eq!(swap_trace(outer), TraceId::from_raw(9));
    });
    let expected = [
        span("SUM", Outcome::Cancelled, (600, 900), 0),
        span("SUM", Outcome::Ok, (900, 950), 8),
        span("WORK", Outcome::Ok, (1_000, 1_001), 9),
    ];
    assert_eq!(recording.spans(), expected);
}
