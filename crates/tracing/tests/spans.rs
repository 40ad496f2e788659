//! Programs of one thread: what the capture has of their spans, events and fields.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use common::{Recorded, family, record};
use perf_analysis::traces::Scalar;
use perf_probe::{TraceId, measure, trace};
use perf_tracing::{Layer, Traceparent, current_traceparent, enter_remote};
use tracing::{error, error_span, field, info, info_span, instrument, warn};
use tracing_subscriber::layer::SubscriberExt;

perf_probe::events! { PROBE: span = "probe"; }

/// Records `program`, which `layer` listens to.
fn record_with(layer: Layer, program: impl FnOnce()) -> Recorded {
    let subscriber = tracing_subscriber::registry().with(layer);
    record(|| tracing::subscriber::with_default(subscriber, program))
}

#[instrument]
fn outer(times: u32) {
    for _ in 0..times {
        middle();
    }
}

#[instrument]
fn middle() {
    let _probe = measure!(PROBE);
    inner();
}

#[instrument]
fn inner() {
    std::hint::black_box(());
}

#[test]
fn nested_spans_are_one_trace_with_their_parents() {
    let recorded = record_with(Layer::new(), || {
        outer(2);
        outer(1);
    });
    let expected = [
        ("inner/ok", 3),
        ("middle/ok", 3),
        ("outer/ok", 2),
        ("probe/ok", 3),
    ];
    let counts = recorded.counts();
    let counts: Vec<_> = { counts.iter() }
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(counts, expected);
    assert_eq!(recorded.traces.traces, 2);
    let mut families: Vec<_> = recorded.with("outer").into_iter().map(family).collect();
    families.sort_by_key(Vec::len);
    let once = [
        ("inner", Some("probe")),
        ("middle", Some("outer")),
        ("outer", None),
        ("probe", Some("middle")),
    ];
    let twice: Vec<_> = once
        .into_iter()
        .flat_map(|each| vec![each; if each.0 == "outer" { 1 } else { 2 }])
        .collect();
    assert_eq!(families, [once.to_vec(), twice]);
}

#[test]
fn outcomes_are_those_that_the_code_tells() {
    #[instrument(err)]
    fn fails() -> Result<(), &'static str> {
        Err("no")
    }
    let recorded = record_with(Layer::new(), || {
        drop(info_span!("plain"));
        let _ = fails();
        info_span!("told", error = true);
        info_span!("told", error = false);
        info_span!("told later", error = field::Empty).record("error", "timed out");
        info_span!("given up", outcome = field::Empty).record("outcome", "cancelled");
        info_span!("around").in_scope(|| info_span!("within").in_scope(|| error!("bad")));
        info_span!("says ok", outcome = "ok").in_scope(|| error!("bad"));
        let elsewhere = info_span!("elsewhere");
        error!(parent: &elsewhere, "bad");
        drop(elsewhere);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            info_span!("panics").in_scope(|| resume_unwind(Box::new("on purpose")))
        }));
        assert!(panicked.is_err());
    });
    let counts = recorded.counts();
    let expected = [
        ("around/ok", 1),
        ("elsewhere/error", 1),
        ("fails/error", 1),
        ("given up/cancelled", 1),
        ("panics/panicked", 1),
        ("plain/ok", 1),
        ("says ok/ok", 1),
        ("spans ERROR", 4),
        ("told later/error", 1),
        ("told/error", 1),
        ("told/ok", 1),
        ("within/error", 1),
    ];
    let counts: Vec<_> = { counts.iter() }
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(counts, expected);
}

#[test]
fn what_a_destructor_does_in_a_panic_has_not_panicked() {
    struct OnDrop;
    impl Drop for OnDrop {
        fn drop(&mut self) {
            info_span!("tidies up").in_scope(|| ());
        }
    }
    let recorded = record_with(Layer::new(), || {
        let _ = catch_unwind(|| {
            let _tidy = OnDrop;
            resume_unwind(Box::new("on purpose"));
        });
    });
    assert_eq!(recorded.ok("tidies up").count, 1);
}

#[test]
fn marks_belong_to_the_trace_and_are_counted_by_name_or_place() {
    let layer = Layer::new().annotate(["symbol", "size", "ratio", "side", "first", "whom"]);
    let recorded = record_with(layer, || {
        let span = info_span!(
            "order",
            symbol = "EURUSD",
            size = 7_u64,
            ratio = 0.5,
            whom = field::Empty
        );
        span.record("whom", field::display("Ann"));
        span.in_scope(|| {
            info!(name: "sent", side = ?Some(1), first = true, other = 5);
            info!(name: "sent", "again");
            warn!(target: "app::book", "thin");
        });
    });
    let counts = recorded.counts();
    assert_eq!((counts["sent"], counts["app::book WARN"]), (2, 1));
    assert_eq!(recorded.row("sent", None).unit, "events");
    let mut annotations = recorded.only("order").annotations.clone();
    annotations.sort_by(|a, b| a.0.cmp(&b.0));
    let text = |text: &str| Scalar::Text(text.to_owned());
    let expected = [
        ("first", Scalar::Int(1)),
        ("ratio", Scalar::Float(0.5)),
        ("side", text("Some(1)")),
        ("size", Scalar::Int(7)),
        ("symbol", text("EURUSD")),
        ("whom", text("Ann")),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    assert_eq!(annotations, expected);
}

#[test]
fn a_layer_can_leave_out_marks_and_name_targets() {
    let layer = Layer::new()
        .marks(false)
        .errors_of_events(false)
        .targets(true);
    let recorded = record_with(layer, || {
        error_span!(target: "app", "work").in_scope(|| error!("bad"));
    });
    let counts: Vec<_> = recorded.counts().into_iter().collect();
    assert_eq!(counts, [("app::work/ok".to_owned(), 1)]);
}

#[test]
fn traces_can_be_given() {
    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let header = Traceparent::parse(HEADER).expect("the standard's example");
    let recorded = record_with(Layer::new(), || {
        info_span!("by number", trace_id = 0xabc_u64).in_scope(|| info_span!("child"));
        info_span!("by text", trace_id = %"order 17");
        info_span!("by header", traceparent = HEADER).in_scope(|| {
            let outgoing = current_traceparent().expect("a trace");
            assert_eq!(
                (outgoing.trace(), outgoing.high()),
                (header.trace(), header.high())
            );
            assert!(!outgoing.is_sampled() && outgoing.parent_id() != header.parent_id());
        });
        info_span!("by bad header", traceparent = "00-");
        let scope =
            enter_remote(Traceparent::parse(&HEADER.replace("4736-", "4737-")).expect("another"));
        let remote = info_span!("by scope");
        let root = info_span!(parent: None, "of its own");
        drop(scope);
        assert_eq!(current_traceparent(), None);
        remote.in_scope(|| {
            let outgoing = current_traceparent().expect("a trace");
            assert_eq!(outgoing.high(), header.high());
        });
        drop((remote, root));
        let _trace = trace::enter(TraceId::from_raw(0xdef));
        info_span!("by probe");
    });
    let id = |event: &str| recorded.only(event).trace.clone();
    assert_eq!(id("by number"), "0000000000000abc");
    assert_eq!(id("child"), "0000000000000abc");
    assert_eq!(id("by text"), TraceId::from_key("order 17", 0).to_string());
    assert_eq!(id("by header"), "a3ce929d0e0e4736");
    assert_eq!(id("by scope"), "a3ce929d0e0e4737");
    assert_eq!(id("by probe"), "0000000000000def");
    assert_eq!(recorded.only("by bad header").spans.len(), 1);
    assert_eq!(recorded.only("of its own").spans.len(), 1);
    for event in ["by header", "by scope"] {
        let high = Scalar::Text("4bf92f3577b34da6".to_owned());
        let expected = [("trace_id_high".to_owned(), high)];
        assert_eq!(recorded.only(event).annotations, expected);
    }
}

#[test]
fn a_span_lasts_until_it_is_left_though_children_keep_it_open() {
    let mut until_left = Duration::ZERO;
    let recorded = record_with(Layer::new(), || {
        let before = Instant::now();
        let parent = info_span!("answers");
        let child = parent.in_scope(|| info_span!("goes on"));
        drop(parent);
        until_left = before.elapsed();
        child.in_scope(|| std::thread::sleep(Duration::from_millis(30)));
    });
    let parent = recorded.ok("answers").max.expect("a time");
    let child = recorded.ok("goes on").min.expect("a time");
    // The clocks of the capture and of the standard library may differ a little.
    assert!(
        parent <= until_left.as_nanos() as i128 * 101 / 100,
        "{parent} ns, {until_left:?}"
    );
    assert!(child >= 29_700_000, "{child} ns");
}

#[test]
fn spans_need_not_be_left_in_order() {
    let recorded = record_with(Layer::new(), || {
        let (first, second) = (info_span!("first"), info_span!(parent: None, "second"));
        let (in_first, in_second) = (first.enter(), second.enter());
        drop(in_first);
        // Still in the second.
        drop(measure!(PROBE));
        drop(in_second);
        assert!(trace::current().is_none());
    });
    assert_eq!(
        family(recorded.only("probe")),
        [("probe", Some("second")), ("second", None)]
    );
    assert_eq!(recorded.only("first").spans.len(), 1);
}

#[test]
fn a_span_that_is_never_closed_is_open() {
    let recorded = record_with(Layer::new(), || std::mem::forget(info_span!("hangs")));
    assert_eq!(recorded.report.captures[0].open_spans_by_event["hangs"], 1);
}
