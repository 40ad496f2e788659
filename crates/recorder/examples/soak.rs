//! A program that works at a steady pace for as long as it is told, and says every few seconds what its recorder takes: what
//! `cargo xtask soak` runs.
//!
//! ```text
//! cargo run --release -p perf-recorder --example soak -- --seconds 60 --out captures/
//! ```
//!
//! Steady threads record nested spans with traces, counters and gauges; now and then one does a burst; and all the time short
//! threads come and go. Standard output gets a line of comma-separated figures a sample, below a line of their names, and at
//! the end `end,<attempted>,<records>,<lost>,<path>`.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use perf_probe::{TraceId, measure, record_counter, record_gauge, trace};
use perf_recorder::{Recorder, Status};

perf_probe::events! {
    REQUEST: span = "REQUEST";
    LOOKUP: span = "LOOKUP";
    REQUESTS: counter("requests") = "REQUESTS";
    BACKLOG: gauge("requests") = "BACKLOG";
    SHORT: span = "SHORT";
}

/// Records of one request: two spans, a counter, a gauge.
const A_REQUEST: u64 = 4;
/// Requests of a burst, as fast as they can.
const A_BURST: u64 = 1_000;
/// How often each steady thread does one.
const BETWEEN_BURSTS: Duration = Duration::from_secs(3);
/// How often a short thread comes.
const BETWEEN_THREADS: Duration = Duration::from_millis(100);
/// Records of a short thread.
const A_SHORT: u64 = 50;
/// How often the status is looked at: once for each of the recorder's own intervals.
const LOOK: Duration = Duration::from_secs(1);

/// Works for a while, and says what recording it takes
#[derive(Parser)]
struct Args {
    #[arg(long)]
    seconds: f64,
    /// Steady threads
    #[arg(long, default_value_t = 4)]
    threads: u64,
    /// Requests a second of each of them, of four records
    #[arg(long, default_value_t = 2_500.0)]
    rate: f64,
    /// Seconds between two samples
    #[arg(long, default_value_t = 5)]
    every: u64,
    /// A directory for the capture
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let recorder = Recorder::builder()
        .capture(args.out.join(""))
        .label("soak", format!("{} s", args.seconds))
        .start()?;
    let path = recorder.capture_path().context("it is a file")?.to_owned();
    let (attempted, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let start = Instant::now();
    thread::scope(|scope| -> Result<()> {
        for number in 0..args.threads {
            let (attempted, is_over) = (&attempted, &is_over);
            let rate = args.rate;
            let work = move || steady(number, rate, attempted, is_over);
            let named = thread::Builder::new().name(format!("steady-{number}"));
            named.spawn_scoped(scope, work)?;
        }
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // Not the scope's own: those it would all remember.
                if let Err(panic) = thread::spawn(short).join() {
                    std::panic::resume_unwind(panic);
                }
                attempted.fetch_add(A_SHORT, Ordering::Relaxed);
                thread::sleep(BETWEEN_THREADS);
            }
        });
        let sampled = sample(&args, &recorder, start, &attempted);
        is_over.store(true, Ordering::Relaxed);
        sampled
    })?;
    let stopped = recorder.stop()?;
    println!(
        "end,{},{},{},{}",
        attempted.into_inner(),
        stopped.records,
        stopped.lost.total(),
        path.display()
    );
    Ok(())
}

/// Requests at a steady rate, in pieces of a millisecond, and a burst now and then.
fn steady(number: u64, rate: f64, attempted: &AtomicU64, is_over: &AtomicBool) {
    let start = Instant::now();
    let (mut paced, mut done, mut bursts) = (0, 0, 0);
    while !is_over.load(Ordering::Relaxed) {
        let elapsed = start.elapsed();
        let mut owed = (elapsed.as_secs_f64() * rate) as u64 - paced;
        paced += owed;
        if elapsed > BETWEEN_BURSTS * (bursts + 1) {
            bursts += 1;
            owed += A_BURST;
        }
        for _ in 0..owed {
            request(number << 48 | done, owed);
            done += 1;
        }
        attempted.fetch_add(owed * A_REQUEST, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1));
    }
}

fn request(number: u64, backlog: u64) {
    let _trace = trace::enter(TraceId::from_key("soak", number.cast_signed()));
    let _request = measure!(REQUEST);
    record_counter(REQUESTS, 1);
    record_gauge(BACKLOG, backlog.cast_signed());
    let lookup = measure!(LOOKUP);
    std::hint::black_box(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    drop(lookup);
}

fn short() {
    for _ in 0..A_SHORT {
        drop(measure!(SHORT));
    }
}

/// A line of figures every so many seconds, until the time is over.
fn sample(args: &Args, recorder: &Recorder, start: Instant, attempted: &AtomicU64) -> Result<()> {
    println!("{}", Sample::NAMES);
    let mut lag_ns = 0;
    let mut looks = 0;
    while start.elapsed().as_secs_f64() < args.seconds {
        thread::sleep(LOOK);
        looks += 1;
        let status = recorder.status();
        lag_ns = status.self_cost.drain_lag_max_ns.max(lag_ns);
        if looks % args.every == 0 {
            let sample = Sample {
                seconds: start.elapsed().as_secs_f64(),
                attempted: attempted.load(Ordering::Relaxed),
                lag_ns: std::mem::take(&mut lag_ns),
                recorder_cpu_ns: recorder_cpu_ns()?,
                status,
            };
            println!("{}", sample.line()?);
        }
    }
    Ok(())
}

struct Sample {
    seconds: f64,
    attempted: u64,
    /// The longest since the sample before.
    lag_ns: u64,
    recorder_cpu_ns: u64,
    status: Status,
}

impl Sample {
    const NAMES: &'static str = "seconds,attempted,records,lost,file_bytes,drain_lag_ns,recorder_cpu_ns,ring_bytes,spool_bytes,\
        threads,rss_bytes,pss_bytes,anonymous_bytes,warnings";

    fn line(&self) -> Result<String> {
        let status = &self.status;
        let maps = fs::read_to_string("/proc/self/smaps_rollup")?;
        let of_maps = |name: &str| {
            let line = maps.lines().find(|line| line.starts_with(name));
            let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            kib.map(|kib| kib << 10).context("smaps_rollup has it")
        };
        Ok(format!(
            "{:.1},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            self.seconds,
            self.attempted,
            status.records,
            status.lost.total(),
            status.bytes,
            self.lag_ns,
            self.recorder_cpu_ns,
            status.memory_bytes,
            status.spool_used_bytes,
            status.rings.len(),
            of_maps("Rss:")?,
            of_maps("Pss:")?,
            of_maps("Anonymous:")?,
            status.warnings.len(),
        ))
    }
}

/// Processor time of the recorder's own threads so far.
fn recorder_cpu_ns() -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")?.flatten() {
        // A thread may end meanwhile; the recorder's do not.
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").starts_with("perf-") {
            let schedstat = read("schedstat");
            let ns = schedstat.split(' ').next().and_then(|ns| ns.parse().ok());
            sum += ns.unwrap_or(0);
        }
    }
    Ok(sum)
}
