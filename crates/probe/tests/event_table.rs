//! The table of events: shared names, clashes, and what happens when it is full. It is the process's, so it has a
//! process of its own.

#![cfg(not(feature = "off"))]

mod common;

use common::Recording;
use perf_probe::{
    Event, Kind, MAX_EVENTS, MAX_NAME_BYTES, RegisterError, events, losses, record_counter,
    record_gauge, scope,
};

events! {
    SHARED: counter("orders") = "SHARED";
    SAME_AGAIN: counter("orders") = "SHARED";
    CLASHING_KIND: gauge("orders") = "SHARED";
    CLASHING_UNIT: counter("bytes") = "SHARED";
    REFUSED: counter = "REFUSED";
    LATE: counter = "LATE";
}

/// One test, since each step needs the table as the one before left it.
#[test]
fn names_are_shared_then_clash_then_run_out() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        a_name_is_one_event();
        a_clash_is_counted(&recording);
        bad_names_are_refused();
        a_recorder_may_refuse(&recording);
        the_table_holds_what_it_says(&recording);
        a_full_table_overflows(&recording);
    });
}

fn a_name_is_one_event() {
    assert_eq!(SHARED.id(), SAME_AGAIN.id());
    let by_name = Event::register("SHARED", Kind::Counter, "orders").expect("the same event");
    assert_eq!(by_name.id(), SHARED.id());
    assert_eq!(losses().events_refused, 0);
}

fn a_clash_is_counted(recording: &Recording) {
    record_gauge(CLASHING_KIND, 1);
    record_counter(CLASHING_UNIT, 2);
    record_counter(SHARED, 3);
    let names: Vec<_> = recording
        .take()
        .1
        .into_iter()
        .map(|value| value.event)
        .collect();
    assert_eq!(
        names,
        ["(overflow: gauges)", "(overflow: counters)", "SHARED"]
    );
    assert_eq!(losses().events_refused, 2);
    let clash = Event::register("SHARED", Kind::Span, "ns");
    let (name, unit) = ("SHARED".to_owned(), "orders".to_owned());
    assert_eq!(
        clash,
        Err(RegisterError::Clash {
            name,
            kind: Kind::Counter,
            unit
        })
    );
    assert_eq!(losses().events_refused, 3);
}

fn bad_names_are_refused() {
    let register = |name: &str| Event::register(name, Kind::Span, "ns");
    assert_eq!(register(""), Err(RegisterError::NoName));
    let long = "x".repeat(1 << 20);
    assert_eq!(
        register(&long),
        Err(RegisterError::NameTooLong { bytes: 1 << 20 })
    );
    assert!(register(&long[..MAX_NAME_BYTES]).is_ok());
    let in_seconds = Event::register("IN SECONDS", Kind::Span, "s");
    assert_eq!(
        in_seconds,
        Err(RegisterError::SpanUnit {
            unit: "s".to_owned()
        })
    );
    assert_eq!(
        Event::register("A SPAN", Kind::Span, "").map(Event::unit),
        Ok("ns")
    );
    for hostile in ["<script>", "\u{1b}[2J", "a\nb", "nul\0", "\u{202e}"] {
        assert_eq!(register(hostile).map(Event::name), Ok(hostile));
    }
}

fn a_recorder_may_refuse(recording: &Recording) {
    recording.refuse_events(true);
    assert_eq!(
        Event::register("NO ROOM THERE", Kind::Counter, ""),
        Err(RegisterError::Full)
    );
    record_counter(REFUSED, 1);
    recording.refuse_events(false);
    let names: Vec<_> = recording
        .take()
        .1
        .into_iter()
        .map(|value| value.event)
        .collect();
    assert_eq!(names, ["(overflow: counters)"]);
    assert!(
        Event::register("NO ROOM THERE", Kind::Counter, "").is_ok(),
        "the name stayed free"
    );
}

fn the_table_holds_what_it_says(recording: &Recording) {
    for number in 0..(1 << 16) {
        let event =
            Event::register(&format!("EVENT-{number}"), Kind::Counter, "").expect("there is room");
        if number % 1_000 == 0 {
            record_counter(event, number);
            let values = recording.take().1;
            assert_eq!(values[0].event, format!("EVENT-{number}"));
        }
    }
    let first = Event::register("EVENT-0", Kind::Counter, "").expect("it is there");
    let last = Event::register("EVENT-65535", Kind::Counter, "").expect("it is there");
    assert_eq!(last.id().raw() - first.id().raw(), 65_535);
}

fn a_full_table_overflows(recording: &Recording) {
    let mut number = 1 << 16;
    let refused = loop {
        match Event::register(&format!("EVENT-{number}"), Kind::Counter, "") {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, RegisterError::Full);
    assert!(perf_probe::registered().len() >= MAX_EVENTS);
    // A static event that comes too late, and one by name, share the stand-in.
    let before = losses().events_refused;
    record_counter(LATE, 1);
    record_counter(LATE, 2);
    record_counter(Event::overflow(Kind::Counter), 3);
    let names: Vec<_> = recording
        .take()
        .1
        .into_iter()
        .map(|value| value.event)
        .collect();
    assert_eq!(names, ["(overflow: counters)"; 3]);
    assert_eq!(losses().events_refused, before + 1);
    // What was there before still is.
    assert!(Event::register("EVENT-7", Kind::Counter, "").is_ok());
}
