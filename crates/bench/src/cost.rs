//! What a span costs its thread: bursts of spans, each after as many pairs of bare clock reads, so that both see the same
//! machine. A burst is short and followed by a pause, so that the peer's own threads keep up, as they do in a program that
//! does something else between its spans.

use std::hint::black_box;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::clock::{ns_per_tick, ticks};
use crate::figure;
use crate::peer::Peer;

/// Spans that are timed together: the reads around them cost each of them little.
pub(crate) const BATCH: usize = 64;
/// Batches of a burst. Its 4 096 spans fit every peer's default buffers.
const BATCHES: usize = 64;
const PAUSE: Duration = Duration::from_millis(4);

/// What one thread measured.
#[derive(Default)]
struct Times {
    /// Ticks of each round's clock reads and spans.
    rounds: Vec<(u64, u64)>,
    /// Ticks of each batch of spans.
    batches: Vec<u64>,
}

pub(crate) fn run<P: Peer>(dir: &Path, on: bool, threads: usize, rounds: usize) -> Result<()> {
    let peer = P::start(dir, on)?;
    let ns_per_tick = ns_per_tick();
    let barrier = Barrier::new(threads);
    let times: Vec<Times> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(&peer, &barrier, rounds)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a thread that records does not panic"))
            .collect()
    });
    peer.finish()?;
    let per_span = ns_per_tick / (BATCH * BATCHES) as f64;
    let all = || times.iter().flat_map(|times| &times.rounds);
    let mut reads: Vec<f64> = all().map(|&(reads, _)| reads as f64 * per_span).collect();
    let mut spans: Vec<f64> = all().map(|&(_, spans)| spans as f64 * per_span).collect();
    let mut ratios: Vec<f64> = all()
        .map(|&(reads, spans)| spans as f64 / reads as f64)
        .collect();
    figure("reads_ns", quantile(&mut reads, 0.5));
    figure("span_ns", quantile(&mut spans, 0.5));
    figure("ratio", quantile(&mut ratios, 0.5));
    let mut batches: Vec<f64> = times
        .iter()
        .flat_map(|times| &times.batches)
        .map(|&ticks| ticks as f64 * ns_per_tick / BATCH as f64)
        .collect();
    for (name, at) in [("p50", 0.5), ("p99", 0.99), ("p99_9", 0.999), ("max", 1.0)] {
        figure(&format!("batch_{name}_ns"), quantile(&mut batches, at));
    }
    Ok(())
}

/// All rounds of one thread.
fn work<P: Peer>(peer: &P, barrier: &Barrier, rounds: usize) -> Times {
    let mut thread = peer.thread();
    let mut times = Times::default();
    times.batches.reserve(rounds * BATCHES);
    let warm_up = rounds / 10 + 1;
    for round in 0..warm_up + rounds {
        barrier.wait();
        let start = ticks();
        for _ in 0..BATCHES {
            clock_reads(BATCH);
        }
        let reads = ticks().wrapping_sub(start);
        barrier.wait();
        let first = ticks();
        let mut last = first;
        for _ in 0..BATCHES {
            peer.spans(&mut thread, BATCH);
            let now = ticks();
            if round >= warm_up {
                times.batches.push(now.wrapping_sub(last));
            }
            last = now;
        }
        if round >= warm_up {
            times.rounds.push((reads, last.wrapping_sub(first)));
        }
        barrier.wait();
        thread::sleep(PAUSE);
    }
    times
}

/// So many pairs of bare clock reads: the least that a span can cost that knows its begin and its end.
#[inline(never)]
pub(crate) fn clock_reads(count: usize) {
    let mut sum = 0_u64;
    for _ in 0..count {
        let start = ticks();
        let end = ticks();
        sum = sum.wrapping_add(end.wrapping_sub(start));
    }
    black_box(sum);
}

/// The value at rank `at` of 0 to 1.
fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let rank = (values.len() as f64 * at) as usize;
    values[rank.min(values.len() - 1)]
}
