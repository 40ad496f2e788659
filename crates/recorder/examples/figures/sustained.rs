//! Minutes of work in seconds: four threads into a file, on schedule or as fast as they can.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use perf_format::Index;
use perf_probe::measure;
use perf_recorder::{Recorder, Stopped};

use crate::figure;
use crate::load::{Load, THREADS};

perf_probe::events! {
    TIGHT: span = "tight";
}

/// Four threads at `rate` spans a second together, in bursts of a tenth of a millisecond, with rings and a priority for such
/// a program: without them the drainer gets two fifths of a core where five threads want two.
pub(crate) fn paced(captures: &Path, rate: f64, seconds: f64) -> Result<()> {
    let recorder = Recorder::builder()
        .capture(captures)
        .ring_bytes(1 << 20)
        .drainer_nice(-10)
        .start()?;
    // When all threads are there: one that comes late would begin with a burst.
    let start = Instant::now() + Duration::from_millis(20);
    let each = rate / THREADS as f64;
    let attempted = on_threads(|thread| {
        let mut load = Load::new(thread);
        let mut spans = 0;
        loop {
            let elapsed = Instant::now()
                .saturating_duration_since(start)
                .as_secs_f64();
            if elapsed >= seconds {
                return spans;
            }
            let owed = (elapsed * each) as u64;
            while spans < owed {
                spans += load.some_spans();
            }
            thread::sleep(Duration::from_micros(100));
        }
    });
    let took = start.elapsed();
    print_figures("paced", attempted, took, &recorder.stop()?)
}

/// Four threads as fast as they can: they share two cores with the drainer and the writer, so some is lost.
pub(crate) fn unpaced(captures: &Path, seconds: f64) -> Result<()> {
    let recorder = Recorder::builder().capture(captures).start()?;
    let start = Instant::now();
    let over = AtomicBool::new(false);
    let attempted = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_secs_f64(seconds));
            over.store(true, Ordering::Relaxed);
        });
        on_threads(|thread| {
            let mut load = Load::new(thread);
            let mut spans = 0;
            while !over.load(Ordering::Relaxed) {
                for _ in 0..64 {
                    spans += load.some_spans();
                }
            }
            spans
        })
    });
    let took = start.elapsed();
    print_figures("unpaced", attempted, took, &recorder.stop()?)
}

/// One thread, one event, no trace; rests so that the drainer keeps up.
pub(crate) fn tight(captures: &Path, seconds: f64) -> Result<()> {
    let recorder = Recorder::builder().capture(captures).start()?;
    let start = Instant::now();
    let mut attempted = 0;
    while start.elapsed().as_secs_f64() < seconds {
        for _ in 0..4_000 {
            let _guard = measure!(TIGHT);
        }
        attempted += 4_000;
        thread::sleep(Duration::from_micros(200));
    }
    let took = start.elapsed();
    print_figures("tight", attempted, took, &recorder.stop()?)
}

/// The drainer's processor time as the capture itself tells it.
pub(crate) fn drainer_cpu_ns(stopped: &Stopped) -> Result<u64> {
    let path = stopped
        .capture
        .as_deref()
        .context("the capture is a file")?;
    let index = Index::read(&File::open(path)?)?;
    Ok(index
        .notes
        .self_costs
        .iter()
        .map(|cost| cost.drainer_cpu_ns)
        .sum())
}

fn on_threads(work: impl Fn(usize) -> u64 + Sync) -> u64 {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let work = &work;
                scope.spawn(move || work(thread))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a recording thread does not panic"))
            .sum()
    })
}

fn print_figures(name: &str, attempted: u64, took: Duration, stopped: &Stopped) -> Result<()> {
    let lost = stopped.lost.total();
    figure(&format!("{name}_attempted"), attempted as f64, "spans");
    figure(
        &format!("{name}_rate"),
        attempted as f64 / took.as_secs_f64(),
        "spans/s",
    );
    figure(&format!("{name}_recorded"), stopped.records as f64, "spans");
    figure(&format!("{name}_lost"), lost as f64, "spans");
    figure(
        &format!("{name}_bytes_per_span"),
        stopped.bytes as f64 / stopped.records as f64,
        "bytes",
    );
    figure(
        &format!("{name}_drainer_per_span"),
        drainer_cpu_ns(stopped)? as f64 / stopped.records as f64,
        "ns",
    );
    ensure!(
        stopped.records + lost == attempted,
        "recorded {} + lost {lost} is not attempted {attempted}",
        stopped.records
    );
    Ok(())
}
