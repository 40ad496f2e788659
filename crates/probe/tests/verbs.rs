//! Each verb, read back from the arena.

#![cfg(not(feature = "off"))]

mod common;

use common::{Recording, Span, record};
use perf_probe::clock::FakeClock;
use perf_probe::{
    Event, Kind, Outcome, Ticks, TraceId, events, laps, measure, record_counter, record_end,
    record_end_as, record_gauge, record_histogram, record_start, scope, trace,
};

events! {
    OUTER: span = "OUTER";
    INNER: span = "INNER";
    THIRD: span = "THIRD";
    SUBMITTED: counter("orders") = "SUBMITTED";
    BACKLOG: gauge = "BACKLOG";
    PAUSE: observation("ns") = "PAUSE";
}

fn span(event: &str, outcome: Outcome, start: u64, end: u64) -> Span {
    Span {
        event: event.to_owned(),
        outcome,
        start,
        end,
        trace: 0,
    }
}

#[test]
fn nested_guards_end_inside_out() {
    let (recording, clock) = Recording::with_clock(100);
    scope(recording.handle(), || {
        let _outer = measure!(OUTER);
        clock.advance(5);
        {
            let _inner = measure!(INNER);
            clock.advance(7);
        }
        clock.advance(11);
    });
    let expected = [
        span("INNER", Outcome::Ok, 105, 112),
        span("OUTER", Outcome::Ok, 100, 123),
    ];
    assert_eq!(recording.spans(), expected);
    assert_eq!(recording.open_spans(), []);
}

#[test]
fn guards_say_how_it_ended() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        measure!(OUTER).end();
        measure!(OUTER).fail();
        measure!(OUTER).cancel();
        measure!(OUTER).end_as(Outcome::Panicked);
        let mut marked = measure!(OUTER);
        marked.set_outcome(Outcome::Error);
        drop(marked);
    });
    use Outcome::{Cancelled, Error, Ok, Panicked};
    assert_eq!(
        recording.outcomes(),
        [Ok, Error, Cancelled, Panicked, Error]
    );
}

#[test]
fn a_panic_ends_every_guard_it_passes() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let panicked = std::panic::catch_unwind(|| {
            let _outer = measure!(OUTER);
            let _inner = measure!(INNER);
            panic!("as planned");
        });
        assert!(panicked.is_err());
        drop(measure!(THIRD));
    });
    use Outcome::{Ok, Panicked};
    assert_eq!(recording.outcomes(), [Panicked, Panicked, Ok]);
    assert_eq!(recording.open_spans(), []);
}

#[test]
fn a_forgotten_guard_leaves_an_open_span() {
    let (recording, clock) = Recording::with_clock(1_000);
    scope(recording.handle(), || {
        let _trace = trace::enter(TraceId::from_raw(42));
        std::mem::forget(measure!(OUTER));
        clock.advance(1);
        drop(measure!(INNER));
    });
    assert_eq!(recording.open_spans(), [("OUTER".to_owned(), 1_000, 42)]);
    assert_eq!(recording.spans().len(), 1);
}

#[test]
fn many_open_spans_are_tracked_and_those_beyond_are_still_recorded() {
    const DEEP: usize = 5_000;
    let recording = Recording::new();
    scope(recording.handle(), || {
        let guards: Vec<_> = (0..DEEP).map(|_| measure!(OUTER)).collect();
        assert!(recording.open_spans().len() >= 64);
        drop(guards);
    });
    assert_eq!(recording.spans().len(), DEEP);
    assert_eq!(recording.open_spans(), []);
}

#[test]
fn a_start_and_its_end_make_a_span() {
    let (recording, clock) = Recording::with_clock(10);
    scope(recording.handle(), || {
        let first = record_start(OUTER);
        clock.advance(3);
        let second = record_start(INNER);
        clock.advance(4);
        record_end(OUTER, first);
        record_end_as(INNER, second, Outcome::Error);
    });
    let expected = [
        span("OUTER", Outcome::Ok, 10, 17),
        span("INNER", Outcome::Error, 13, 17),
    ];
    assert_eq!(recording.spans(), expected);
}

#[test]
fn a_start_may_end_on_another_thread() {
    let (recording, clock) = Recording::with_clock(10);
    let queued = scope(recording.handle(), || record_start(OUTER));
    clock.advance(90);
    std::thread::scope(|threads| {
        threads.spawn(|| scope(recording.handle(), || record_end(OUTER, queued)));
    });
    assert_eq!(recording.spans(), [span("OUTER", Outcome::Ok, 10, 100)]);
}

#[test]
fn values_keep_their_signs_and_their_extremes() {
    let (recording, _clock) = Recording::with_clock(77);
    scope(recording.handle(), || {
        let _trace = trace::enter(TraceId::from_raw(9));
        for delta in [1, -1, i64::MAX, i64::MIN] {
            record_counter(SUBMITTED, delta);
            record_gauge(BACKLOG, delta);
        }
        record_histogram(PAUSE, 0);
        record_histogram(PAUSE, u64::MAX);
    });
    let mut expected = Vec::new();
    for delta in [1_i64, -1, i64::MAX, i64::MIN] {
        expected.push(record(
            "SUBMITTED",
            Kind::Counter,
            delta.cast_unsigned(),
            77,
            9,
        ));
        expected.push(record("BACKLOG", Kind::Gauge, delta.cast_unsigned(), 77, 9));
    }
    expected.push(record("PAUSE", Kind::Observation, 0, 77, 9));
    expected.push(record("PAUSE", Kind::Observation, u64::MAX, 77, 9));
    assert_eq!(recording.values(), expected);
}

#[test]
fn laps_share_their_ticks() {
    let (recording, clock) = Recording::with_clock(100);
    scope(recording.handle(), || {
        let mut laps = laps(OUTER);
        clock.advance(10);
        laps.set_outcome(Outcome::Error);
        laps.next(INNER);
        clock.advance(20);
        laps.next(THIRD);
        clock.advance(30);
        laps.cancel();
        clock.advance(40);
        laps_end_by_drop(&clock);
    });
    let expected = [
        span("OUTER", Outcome::Error, 100, 110),
        span("INNER", Outcome::Ok, 110, 130),
        span("THIRD", Outcome::Cancelled, 130, 160),
        span("OUTER", Outcome::Ok, 200, 250),
    ];
    assert_eq!(recording.spans(), expected);
    assert_eq!(recording.open_spans(), []);
}

fn laps_end_by_drop(clock: &FakeClock) {
    let _laps = laps(OUTER);
    clock.advance(50);
}

#[test]
fn real_laps_leave_no_gap() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let mut laps = laps(OUTER);
        for _ in 0..100 {
            laps.next(INNER);
        }
    });
    let spans = recording.spans();
    assert_eq!(spans.len(), 101);
    assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].start));
}

#[test]
fn a_clock_that_steps_back_gives_a_negative_difference() {
    let (recording, clock) = Recording::with_clock(1_000);
    scope(recording.handle(), || {
        let _span = measure!(OUTER);
        clock.set(Ticks(400));
    });
    assert_eq!(recording.durations(), [-600]);
}

#[test]
fn events_by_name_and_static_ones_are_the_same_event() {
    let recording = Recording::new();
    let named = Event::register("OUTER", Kind::Span, "ns").expect("the same kind and unit");
    scope(recording.handle(), || {
        drop(measure!(OUTER));
        drop(measure!(named));
    });
    assert_eq!(named, OUTER);
    assert_eq!(named.id(), OUTER.id());
    assert_eq!(
        recording
            .spans()
            .iter()
            .filter(|span| span.event == "OUTER")
            .count(),
        2
    );
}

#[test]
fn scopes_nest_and_a_span_ends_where_it_began() {
    let outer = Recording::new();
    let inner = Recording::new();
    scope(outer.handle(), || {
        let spanning = measure!(OUTER);
        scope(inner.handle(), || {
            drop(measure!(INNER));
            drop(spanning);
        });
        drop(measure!(THIRD));
        let escaped = scope(inner.handle(), || measure!(INNER));
        drop(escaped);
    });
    let names = |recording: &Recording| {
        recording
            .spans()
            .into_iter()
            .map(|span| span.event)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&outer), ["OUTER", "THIRD"]);
    assert_eq!(names(&inner), ["INNER", "INNER"]);
}

#[test]
fn a_scope_ends_with_a_panic() {
    let recording = Recording::new();
    let outside = Recording::new();
    scope(outside.handle(), || {
        let inside =
            std::panic::AssertUnwindSafe(|| scope(recording.handle(), || panic!("as planned")));
        assert!(std::panic::catch_unwind(inside).is_err());
        record_counter(SUBMITTED, 1);
    });
    assert_eq!(recording.values(), []);
    assert_eq!(outside.values().len(), 1);
}

#[test]
fn without_a_recorder_nothing_happens() {
    let span = measure!(OUTER);
    record_counter(SUBMITTED, 1);
    record_end(OUTER, record_start(OUTER));
    span.fail();
    let mut laps = laps(OUTER);
    laps.next(INNER);
    assert!(!perf_probe::is_enabled());
}

#[test]
fn a_closed_recorder_gets_nothing_more() {
    let recording = Recording::new();
    let before = perf_probe::losses().after_shutdown;
    scope(recording.handle(), || {
        let open = measure!(OUTER);
        record_counter(SUBMITTED, 1);
        recording.handle().close();
        record_counter(SUBMITTED, 1);
        drop(open);
    });
    assert_eq!((recording.values().len(), recording.spans().len()), (1, 0));
    assert!(perf_probe::losses().after_shutdown >= before + 2);
}
