//! Single calls: what the slowest of many spans cost its caller.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use perf_probe::measure;
use perf_recorder::Recorder;

use crate::figure;
use crate::rounds::clock;

perf_probe::events! {
    CALL: span = "call";
}

const CALLS: usize = 2_000_000;
/// Paced, so that the caller and not the drainer is what is measured.
const BETWEEN: Duration = Duration::from_micros(2);

pub(crate) fn run(captures: &Path) -> Result<()> {
    let recorder = Recorder::builder().capture(captures).start()?;
    let ns_per_tick = {
        let (ticks, time) = (clock(), Instant::now());
        std::thread::sleep(Duration::from_millis(50));
        time.elapsed().as_nanos() as f64 / (clock() - ticks) as f64
    };
    // The same with nothing between the reads is what the machine itself adds: interrupts, the hypervisor.
    let empty = times(|| ());
    let spans = times(|| drop(measure!(CALL)));
    for (name, mut ticks) in [("empty", empty), ("span", spans)] {
        ticks.sort_unstable();
        for (label, rank) in [("p50", 0.5), ("p99_9", 0.999), ("p99_99", 0.9999)] {
            let index = ((ticks.len() as f64 * rank) as usize).min(ticks.len() - 1);
            figure(
                &format!("single_{name}_{label}"),
                ticks[index] as f64 * ns_per_tick,
                "ns",
            );
        }
        figure(
            &format!("single_{name}_max"),
            ticks[ticks.len() - 1] as f64 * ns_per_tick,
            "ns",
        );
    }
    figure("lost", recorder.stop()?.lost.total() as f64, "records");
    Ok(())
}

fn times(mut work: impl FnMut()) -> Vec<u64> {
    let mut ticks = Vec::with_capacity(CALLS);
    let mut next = Instant::now();
    for _ in 0..CALLS {
        while Instant::now() < next {
            std::hint::spin_loop();
        }
        next += BETWEEN;
        let start = clock();
        work();
        ticks.push(clock().wrapping_sub(start));
    }
    ticks
}
