//! What one tracked span costs beside two bare clock reads, in one run: rounds of both are interleaved and the medians
//! compared, so that a busy or throttled machine moves both.
//!
//! `cargo run --release -p perf-arena --example push_cost`

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use perf_arena::{Config, Producer, Record, SpanSlot, create, tag};

const ROUNDS: usize = 401;
const SPANS_A_ROUND: u64 = 4096;

thread_local! {
    static PRODUCER: Producer = const { Producer::detached() };
}
static ENABLED: AtomicBool = AtomicBool::new(true);

#[inline(always)]
fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Instant::now().elapsed().as_nanos() as u64
    }
}

/// Nanoseconds of each of a round's calls.
fn time(mut call: impl FnMut(u64)) -> f64 {
    let start = Instant::now();
    for n in 0..SPANS_A_ROUND {
        call(n);
    }
    start.elapsed().as_nanos() as f64 / SPANS_A_ROUND as f64
}

fn two_clock_reads(_: u64) {
    let start = black_box(ticks());
    let end = black_box(ticks());
    black_box(end - start);
}

/// This thread's producer. A pointer, because a closure of any size given to `with` is not always inlined.
#[inline(always)]
fn producer() -> *const Producer {
    PRODUCER.with(std::ptr::from_ref)
}

#[inline(always)]
fn begin(trace: u64, event: u32) -> (u64, SpanSlot) {
    let start = ticks();
    // SAFETY: a thread-local of the running thread, which has no destructor.
    (start, unsafe { &*producer() }.begin(start, trace, event))
}

#[inline(always)]
fn end((start, slot): (u64, SpanSlot), trace: u64, event: u32) {
    let end = ticks();
    let record = Record::new(end, end.wrapping_sub(start), trace, event, tag::SPAN_OK);
    // SAFETY: as above.
    if unsafe { &*producer() }.end(slot, record.0).is_err() {
        LOST.store(true, Ordering::Relaxed);
    }
}
static LOST: AtomicBool = AtomicBool::new(false);

fn tracked_span(n: u64) {
    if !ENABLED.load(Ordering::Relaxed) {
        return;
    }
    let span = begin(n, 7);
    black_box(());
    end(span, n, 7);
}

fn untracked_span(n: u64) {
    if !ENABLED.load(Ordering::Relaxed) {
        return;
    }
    let start = ticks();
    black_box(());
    end((start, SpanSlot::NONE), n, 7);
}

fn tracked_pair(n: u64) {
    let outer = begin(n, 8);
    let inner = begin(n, 7);
    black_box(());
    end(inner, n, 7);
    end(outer, n, 8);
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn main() {
    println!(
        "{ROUNDS} rounds of {SPANS_A_ROUND} spans; medians, ns a span, and the ratio to two clock reads"
    );
    for (name, bytes) in [
        ("ring 256 KiB", 256 << 10),
        ("ring 4 MiB", 4 << 20),
        ("ring 16 MiB", 16 << 20),
    ] {
        let mut owner = create(&Config {
            ring_bytes: bytes,
            max_ring_bytes: bytes,
            data_bytes: 8 << 30,
            ..Config::default()
        })
        .expect("an arena");
        PRODUCER
            .with(|it| owner.arena().attach(it, "main"))
            .expect("a ring");
        let mut columns: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            columns[0].push(time(two_clock_reads));
            columns[1].push(time(tracked_span));
            columns[2].push(time(untracked_span));
            owner.drain(usize::MAX);
            owner.clear_staged();
            columns[3].push(time(tracked_pair) / 2.0);
            owner.drain(usize::MAX);
            owner.clear_staged();
        }
        let [clock, tracked, untracked, pair] = columns.map(median);
        println!(
            "{name:13} two reads {clock:5.1}   tracked {tracked:5.1} {:.3}   untracked {untracked:5.1} {:.3}   nested pair, each {pair:5.1} {:.3}",
            tracked / clock,
            untracked / clock,
            pair / clock,
        );
        PRODUCER.with(Producer::detach);
        owner.close().expect("the file is removed");
    }
    assert!(!LOST.load(Ordering::Relaxed), "no ring was ever full");
}
