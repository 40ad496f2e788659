//! What a probe costs, next to two bare readings of the clock in the same run.
//!
//! `cargo run --release -p perf-probe --example cost`
//!
//! Rounds of all cases are interleaved, so that a change of the machine's speed hits them alike; each figure is the median
//! over the rounds. The ring is emptied between rounds, outside of the timing: what a running drainer adds is measured by
//! `cargo xtask bench`.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};

use common::Recording;
use perf_probe::clock::{anchor, now};
use perf_probe::{
    Event, TraceId, events, install, laps, measure, measured, record_counter, record_end,
    record_start, set_enabled, trace,
};

events! {
    SPAN: span = "SPAN";
    STAGE: span = "STAGE";
    COUNT: counter = "COUNT";
}

/// Calls in a round; their records fit the ring.
const CALLS: u32 = 2_000;
const ROUNDS: usize = 2_001;

struct Case {
    name: &'static str,
    run: fn(u32),
    ns: Vec<f64>,
}

fn case(name: &'static str, run: fn(u32)) -> Case {
    Case {
        name,
        run,
        ns: Vec::with_capacity(ROUNDS),
    }
}

fn two_readings(calls: u32) {
    for _ in 0..calls {
        black_box(bare_reading());
        black_box(bare_reading());
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn bare_reading() -> u64 {
    // SAFETY: `rdtsc` has no precondition; `main` has made sure that it is the clock.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn bare_reading() -> u64 {
    now().0
}

fn span(calls: u32) {
    for _ in 0..calls {
        let _span = measure!(SPAN);
    }
}

fn span_in_trace(calls: u32) {
    for call in 0..calls {
        let _trace = trace::enter(TraceId::from_raw(u64::from(call)));
        let _span = measure!(SPAN);
    }
}

fn start_and_end(calls: u32) {
    for _ in 0..calls {
        let start = record_start(SPAN);
        record_end(SPAN, start);
    }
}

fn nested_spans(calls: u32) {
    for _ in 0..calls / 2 {
        let _outer = measure!(SPAN);
        let _inner = measure!(STAGE);
    }
}

fn stages(calls: u32) {
    let mut laps = laps(SPAN);
    for _ in 0..calls {
        laps.next(STAGE);
    }
}

fn counter(calls: u32) {
    for call in 0..calls {
        record_counter(COUNT, i64::from(call));
    }
}

fn async_span(calls: u32) {
    let mut context = Context::from_waker(Waker::noop());
    for call in 0..calls {
        let future = pin!(measured(SPAN, async move { black_box(call) }));
        let _ = black_box(future.poll(&mut context));
    }
}

fn bare_future(calls: u32) {
    let mut context = Context::from_waker(Waker::noop());
    for call in 0..calls {
        let future = pin!(async move { black_box(call) });
        let _ = black_box(future.poll(&mut context));
    }
}

fn empty_loop(calls: u32) {
    for call in 0..calls {
        black_box(call);
    }
}

/// A counter, so that nothing of the loop can be kept in registers from call to call.
fn counter_site(calls: u32) {
    for call in 0..calls {
        record_counter(black_box(COUNT), i64::from(black_box(call)));
    }
}

fn span_site(calls: u32) {
    for call in 0..calls {
        let _span = measure!(SPAN);
        black_box(call);
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn round(cases: &mut [Case], ns_per_tick: f64, recording: &Recording) {
    for case in cases {
        let before = now().0;
        (case.run)(CALLS);
        let ticks = now().0.wrapping_sub(before);
        case.ns.push(ticks as f64 * ns_per_tick / f64::from(CALLS));
        recording.discard();
    }
}

fn ns_per_tick() -> f64 {
    let first = anchor();
    std::thread::sleep(std::time::Duration::from_millis(50));
    let last = anchor();
    (last.monotonic_raw_ns - first.monotonic_raw_ns) as f64 / (last.ticks.0 - first.ticks.0) as f64
}

fn table(title: &str, cases: &mut [Case]) {
    println!("{title:<44} {:>8} {:>8}", "ns", "ratio");
    let mut base = None;
    for case in cases {
        let ns = median(&mut case.ns);
        let base = *base.get_or_insert(ns);
        println!("  {:<42} {ns:>8.2} {:>8.3}", case.name, ns / base);
    }
}

/// Each call timed by itself: what the slow ones cost, the clock's own cost included.
fn single_calls(ns_per_tick: f64, recording: &Recording) {
    let mut ns = Vec::new();
    for _ in 0..500 {
        for _ in 0..CALLS {
            let before = now().0;
            drop(measure!(SPAN));
            ns.push(now().0.wrapping_sub(before) as f64 * ns_per_tick);
        }
        recording.discard();
    }
    ns.sort_unstable_by(f64::total_cmp);
    let at = |quantile: f64| ns[((ns.len() - 1) as f64 * quantile) as usize];
    println!(
        "one span alone, {} calls: p50 {:.0} ns, p99 {:.0}, p99.9 {:.0}, max {:.0}",
        ns.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

fn main() {
    let ns_per_tick = ns_per_tick();
    println!(
        "clock: {:?} ({})",
        perf_probe::clock::status().source,
        perf_probe::clock::status().reason
    );
    let recording = Recording::new();

    let off = || {
        [
            case("empty loop", empty_loop),
            case("counter", counter_site),
            case("span", span_site),
        ]
    };
    let mut never = off();
    for _ in 0..ROUNDS {
        round(&mut never, ns_per_tick, &recording);
    }

    let _installed = install(recording.handle().clone()).expect("nothing else is installed");
    let mut on = [
        case("two bare readings of the clock", two_readings),
        case("span (measure!)", span),
        case("span, trace entered around it", span_in_trace),
        case("span, two nested, each", nested_spans),
        case("span (record_start, record_end)", start_and_end),
        case("stage of laps", stages),
        case("counter", counter),
        case("async span", async_span),
        case("the same future, not measured", bare_future),
    ];
    for _ in 0..ROUNDS {
        round(&mut on, ns_per_tick, &recording);
    }
    single_calls(ns_per_tick, &recording);

    set_enabled(false);
    let mut disabled = off();
    for _ in 0..ROUNDS {
        round(&mut disabled, ns_per_tick, &recording);
    }

    table("recording", &mut on);
    table("no recorder was ever installed", &mut never);
    table("installed, but disabled", &mut disabled);
    assert_eq!(
        recording.lost(),
        0,
        "the ring was full: the figures are not those of recording"
    );
    let _: Event = SPAN;
}
