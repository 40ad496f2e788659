//! What a span costs through the layer, next to one of `perf-probe` and to the registry alone in the same run.
//!
//! `cargo run --release -p perf-tracing --example cost`
//!
//! Rounds of all cases are interleaved, so that a change of the machine's speed hits them alike; each figure is the median
//! over the rounds. A real recorder drains meanwhile.

use std::hint::black_box;
use std::time::{Duration, Instant};

use perf_probe::{measure, record_counter};
use perf_recorder::Recorder;
use perf_tracing::Layer;
use tracing::Dispatch;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

perf_probe::events! {
    SPAN: span = "SPAN";
    COUNT: counter = "COUNT";
}

/// Calls in a round; their records fit the ring.
const CALLS: u32 = 1_000;
const ROUNDS: usize = 1_001;

struct Case {
    name: &'static str,
    dispatch: Dispatch,
    run: fn(),
    ns: Vec<f64>,
}

fn case(name: &'static str, dispatch: &Dispatch, run: fn()) -> Case {
    Case {
        name,
        dispatch: dispatch.clone(),
        run,
        ns: Vec::with_capacity(ROUNDS),
    }
}

fn probe_span() {
    for _ in 0..CALLS {
        let _span = measure!(SPAN);
    }
}

fn probe_counter() {
    for _ in 0..CALLS {
        record_counter(COUNT, 1);
    }
}

fn span() {
    for _ in 0..CALLS {
        let _span = tracing::info_span!("span").entered();
    }
}

fn nested() {
    for _ in 0..CALLS / 2 {
        let _outer = tracing::info_span!("outer").entered();
        let _inner = tracing::info_span!("inner").entered();
    }
}

fn with_field() {
    for number in 0..CALLS {
        let _span = tracing::info_span!("with field", number = black_box(number)).entered();
    }
}

fn event() {
    for _ in 0..CALLS {
        tracing::info!("event");
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let recorder = Recorder::builder().capture(directory.path()).start()?;
    let alone = Dispatch::new(registry());
    let layer = Dispatch::new(registry().with(Layer::new()));
    let busy = Dispatch::new(registry().with(Layer::new().busy(true)));
    let notes = Dispatch::new(registry().with(Layer::new().annotate(["number"])));
    let mut cases = [
        case("perf-probe: span", &alone, probe_span),
        case("perf-probe: counter", &alone, probe_counter),
        case("registry alone: span", &alone, span),
        case("layer: span", &layer, span),
        case("layer: span, two nested, each", &layer, nested),
        case("layer: span and its busy time", &busy, span),
        case("layer: span with an annotation", &notes, with_field),
        case("registry alone: event", &alone, event),
        case("layer: event", &layer, event),
    ];
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let elapsed = tracing::dispatcher::with_default(&case.dispatch, || {
                let begin = Instant::now();
                (case.run)();
                begin.elapsed()
            });
            case.ns.push(elapsed.as_nanos() as f64 / f64::from(CALLS));
        }
        // The drainer catches up.
        std::thread::sleep(Duration::from_micros(500));
    }
    println!("{:<36} {:>8}", "median", "ns");
    for case in &mut cases {
        println!("{:<36} {:>8.1}", case.name, median(&mut case.ns));
    }
    println!("records lost: {}", recorder.stop()?.lost);
    Ok(())
}
