//! A thousand recording threads in the shared memory that a container has by default.

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::thread;

use anyhow::{Result, ensure};
use perf_probe::measure;
use perf_recorder::Recorder;

use crate::figure;

perf_probe::events! {
    WORK: span = "work";
}

const SPANS: u64 = 5_000;

pub(crate) fn run(captures: &Path, threads: usize, shared_memory: Option<PathBuf>) -> Result<()> {
    let mut builder = Recorder::builder().capture(captures);
    if let Some(directory) = shared_memory {
        builder = builder.arena_directory(directory);
    }
    let recorder = builder.start()?;
    let together = Barrier::new(threads);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                together.wait();
                for span in 0..SPANS {
                    drop(measure!(WORK));
                    if span % 50 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    let stopped = recorder.stop()?;
    let (attempted, lost) = (SPANS * threads as u64, stopped.lost.total());
    figure("threads_attempted", attempted as f64, "spans");
    figure("threads_recorded", stopped.records as f64, "spans");
    figure("threads_lost", lost as f64, "spans");
    ensure!(
        stopped.records + lost == attempted,
        "recorded {} + lost {lost} is not {attempted}",
        stopped.records
    );
    Ok(())
}
