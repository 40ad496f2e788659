//! Trace scopes, annotations and due times.

#![cfg(not(feature = "off"))]

mod common;

use common::{Note, NoteValue, Recording, block_on};
use perf_probe::trace::HIGH_HALF_KEY;
use perf_probe::{InTraceExt, TraceId, events, measure, scope, trace};

events! {
    STEP: span = "STEP";
}

const ONE: TraceId = TraceId::from_raw(1);
const TWO: TraceId = TraceId::from_raw(2);

fn traces_of(recording: &Recording) -> Vec<u64> {
    recording.spans().iter().map(|span| span.trace).collect()
}

fn step() {
    drop(measure!(STEP));
}

#[test]
fn scopes_nest_and_are_restored() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        step();
        {
            let _one = trace::enter(ONE);
            step();
            {
                let _two = trace::enter(TWO);
                assert_eq!(trace::current(), TWO);
                step();
            }
            step();
            let _none = trace::enter(TraceId::NONE);
            step();
        }
        step();
        assert_eq!(trace::current(), TraceId::NONE);
    });
    assert_eq!(traces_of(&recording), [0, 1, 2, 1, 0, 0]);
}

#[test]
fn a_panic_restores_the_trace() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let _one = trace::enter(ONE);
        let panicked = std::panic::catch_unwind(|| {
            let _two = trace::enter(TWO);
            panic!("as planned");
        });
        assert!(panicked.is_err());
        assert_eq!(trace::current(), ONE);
    });
    assert_eq!(trace::current(), TraceId::NONE);
}

#[test]
fn a_span_belongs_to_the_trace_in_which_it_began() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let one = trace::enter(ONE);
        let span = measure!(STEP);
        drop(one);
        drop(span);
    });
    assert_eq!(traces_of(&recording), [1]);
}

#[test]
fn a_trace_needs_no_recorder() {
    let _one = trace::enter(ONE);
    trace::annotate("nobody", "listens");
    trace::due(1);
    assert_eq!(trace::current(), ONE);
}

#[test]
fn notes_keep_their_types() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        trace::annotate("outside", "of any trace");
        trace::due(5);
        let _one = trace::enter(ONE);
        trace::annotate("symbol", "EURUSD");
        trace::annotate("empty", "");
        trace::annotate("count", -3_i64);
        trace::annotate("price", 1.25);
        trace::annotate("good", true);
        trace::annotate("owned", &"a string".to_owned());
        trace::annotate_id(TWO, "other", 7_u32);
        trace::due(-1);
    });
    let text = |key: &str, text: &str| Note::new(1, key, NoteValue::Str(text.to_owned()));
    let expected = [
        text("symbol", "EURUSD"),
        text("empty", ""),
        Note::new(1, "count", NoteValue::Int(-3)),
        Note::new(1, "price", NoteValue::Float(1.25)),
        Note::new(1, "good", NoteValue::Int(1)),
        text("owned", "a string"),
        Note::new(2, "other", NoteValue::Int(7)),
    ];
    assert_eq!(recording.notes(), expected);
    assert_eq!(recording.dues(), [(1, -1)]);
}

#[test]
fn hostile_texts_are_kept_as_they_are() {
    let recording = Recording::new();
    let texts = [
        "<script>alert(1)</script>",
        "\u{1b}[31mred\u{1b}[0m",
        "two\nlines\r\n",
        "nul\0nul",
        "\u{202e}abc",
        "😀",
    ];
    scope(recording.handle(), || {
        let _one = trace::enter(ONE);
        for text in texts {
            trace::annotate(text, text);
        }
        trace::annotate("", "no key");
    });
    let mut expected: Vec<_> = texts
        .iter()
        .map(|text| Note::new(1, text, NoteValue::Str((*text).to_owned())))
        .collect();
    expected.push(Note::new(1, "", NoteValue::Str("no key".to_owned())));
    assert_eq!(recording.notes(), expected);
}

#[test]
fn long_texts_are_cut_at_a_character_and_say_so() {
    let mut cut = 0;
    // Four bytes a character, with every remainder in front: cut it where one may.
    for shift in 0..4 {
        let recording = Recording::new();
        let long = format!("{}{}", "x".repeat(shift), "😀".repeat(500_000));
        scope(recording.handle(), || {
            let _one = trace::enter(ONE);
            trace::annotate("key", &long);
            trace::annotate(&long, 1_i64);
            trace::annotate(&long, &long);
        });
        for note in recording.notes() {
            assert!(note.key == "key" || long.starts_with(&note.key));
            assert!(note.key.len() <= 1024);
            if let NoteValue::Str(text) = &note.value {
                assert!(long.starts_with(text.as_str()));
                assert!(text.len() + note.key.len() <= trace::MAX_ANNOTATION_BYTES);
                assert!(text.len() + note.key.len() > trace::MAX_ANNOTATION_BYTES - 8);
            }
            assert!(note.truncated);
            cut += 1;
        }
    }
    assert_eq!(cut, 12);
}

#[test]
fn a_traceparents_high_half_is_noted_once() {
    let recording = Recording::new();
    scope(recording.handle(), || {
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let id = TraceId::from_traceparent(header).expect("a good header");
        let _trace = trace::enter(id);
        step();
        let low = "00-0000000000000000a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceId::from_traceparent(low), Ok(id));
    });
    let low = 0xa3ce_929d_0e0e_4736;
    assert_eq!(
        recording.notes(),
        [Note::new(
            low,
            HIGH_HALF_KEY,
            NoteValue::Str("4bf92f3577b34da6".to_owned())
        )]
    );
    assert_eq!(traces_of(&recording), [low]);
}

#[test]
fn a_future_carries_its_trace_between_threads() {
    let recording = Recording::new();
    let handle = recording.handle();
    let mut work = Box::pin(
        async {
            step();
            common::yield_once().await;
            step();
            // Left open over an await: it ends with the poll.
            std::mem::forget(trace::enter(TWO));
            common::yield_once().await;
            step();
        }
        .in_trace(ONE),
    );
    scope(handle, || {
        let _outer = trace::enter(TraceId::from_raw(7));
        assert!(common::poll_once(work.as_mut()).is_pending());
        assert_eq!(trace::current(), TraceId::from_raw(7));
    });
    std::thread::scope(|threads| {
        threads.spawn(|| scope(handle, || block_on(work)));
    });
    assert_eq!(traces_of(&recording), [1, 1, 1]);
}

#[test]
fn a_dropped_futures_cleanup_belongs_to_its_trace() {
    struct StepAtEnd;
    impl Drop for StepAtEnd {
        fn drop(&mut self) {
            step();
        }
    }
    let recording = Recording::new();
    scope(recording.handle(), || {
        let work = async {
            let _at_end = StepAtEnd;
            std::future::pending::<()>().await;
        };
        let mut work = Box::pin(work.in_trace(ONE));
        assert!(common::poll_once(work.as_mut()).is_pending());
        drop(work);
        assert_eq!(trace::current(), TraceId::NONE);
    });
    assert_eq!(traces_of(&recording), [1]);
}

#[test]
fn a_panicking_poll_leaves_the_trace() {
    let work = async { panic!("as planned") }.in_trace(ONE);
    assert!(std::panic::catch_unwind(|| block_on(work)).is_err());
    assert_eq!(trace::current(), TraceId::NONE);
}
