//! One span, in rounds: two bare clock reads and each kind of span in turn, so that all see the same machine.

use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use perf_probe::{laps, measure, measured, record_end, record_start};
use perf_recorder::{Flight, Recorder};

use crate::figure;

perf_probe::events! {
    GUARDED: span = "guarded";
    BARE: span = "bare";
    LAP: span = "lap";
    ASYNC: span = "async";
    OFF: span = "off";
}

const ROUNDS: usize = 301;

/// A kind of span: its name, so many of it, and what each round took.
type Kind = (&'static str, Box<dyn FnMut(usize)>, Vec<f64>);

pub(crate) fn run(captures: &Path, ring_bytes: usize, armed: bool) -> Result<()> {
    let mut builder = Recorder::builder()
        .capture(captures)
        .ring_bytes(ring_bytes as u64);
    if armed {
        builder = builder.flight(Flight::last(Duration::from_secs(30)));
    }
    let recorder = builder.start()?;
    // A round fits in the ring, and the drainer empties it before the next.
    let spans = (ring_bytes / 32 / 2).min(100_000);
    let mut kinds: [Kind; 6] = [
        ("two_clock_reads", Box::new(two_clock_reads), Vec::new()),
        ("guarded_span", Box::new(guarded), Vec::new()),
        ("bare_span", Box::new(bare), Vec::new()),
        ("lap", Box::new(lap), Vec::new()),
        ("async_span", Box::new(asynchronous), Vec::new()),
        ("disabled_span", Box::new(disabled), Vec::new()),
    ];
    for round in 0..ROUNDS {
        for (name, work, times) in &mut kinds {
            if *name == "disabled_span" {
                recorder.disable();
            }
            work(64);
            let start = Instant::now();
            work(spans);
            times.push(start.elapsed().as_secs_f64() * 1e9 / spans as f64);
            recorder.enable();
            thread::sleep(Duration::from_millis(if ring_bytes > 1 << 20 {
                6
            } else {
                2
            }));
        }
        if round == 0 {
            kinds.iter_mut().for_each(|(.., times)| times.clear());
        }
    }
    let reads = kinds[0].2.clone();
    for (name, _, times) in &mut kinds {
        let mut ratios: Vec<f64> = times
            .iter()
            .zip(&reads)
            .map(|(time, read)| time / read)
            .collect();
        figure(name, median(times), "ns");
        figure(&format!("{name}_ratio"), median(&mut ratios), "x");
    }
    let stopped = recorder.stop()?;
    figure("lost", stopped.lost.total() as f64, "records");
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn two_clock_reads(spans: usize) {
    let mut sum = 0_u64;
    for _ in 0..spans {
        let start = clock();
        let end = clock();
        sum = sum.wrapping_add(end.wrapping_sub(start));
    }
    black_box(sum);
}

fn guarded(spans: usize) {
    for _ in 0..spans {
        let _guard = measure!(GUARDED);
    }
}

fn bare(spans: usize) {
    for _ in 0..spans {
        let start = record_start(BARE);
        record_end(BARE, start);
    }
}

fn lap(spans: usize) {
    let mut laps = laps(LAP);
    for _ in 1..spans {
        laps.next(LAP);
    }
}

fn disabled(spans: usize) {
    for _ in 0..spans {
        let _guard = measure!(OFF);
        // Keeps the loop from being folded into one check.
        black_box(());
    }
}

fn asynchronous(spans: usize) {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..spans {
        let future = pin!(measured(ASYNC, async {}));
        black_box(future.poll(&mut context).is_ready());
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn clock() -> u64 {
    // SAFETY: reads the time-stamp counter; every x86-64 has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn clock() -> u64 {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}
