//! What the recorder uses while nothing is recorded.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use perf_probe::measure;
use perf_recorder::Recorder;

use crate::figure;
use crate::sustained::drainer_cpu_ns;

perf_probe::events! {
    ONCE: span = "once";
}

pub(crate) fn run(captures: &Path, seconds: f64) -> Result<()> {
    let recorder = Recorder::builder().capture(captures).start()?;
    // The threads of the load are there, with rings of their own; they only have nothing to say.
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                drop(measure!(ONCE));
                thread::sleep(Duration::from_secs_f64(seconds));
            });
        }
    });
    let start = Instant::now();
    thread::sleep(Duration::from_secs_f64(seconds));
    let took = start.elapsed().as_secs_f64() + seconds;
    let stopped = recorder.stop()?;
    figure(
        "idle_drainer",
        drainer_cpu_ns(&stopped)? as f64 / 1e9 / took * 100.0,
        "% of a core",
    );
    Ok(())
}
