//! `scan_speed FILE [THREADS]`: how fast a capture is reported on, by each way there is. Write one with
//! `cargo run --release -p perf-format --example synth 100_000_000 /tmp/big.bin`.

use std::error::Error;
use std::time::Instant;

use perf_analysis::{CaptureSet, OpenOptions, ReportOptions, report};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: scan_speed FILE [THREADS] [WAY]")?;
    let threads = arguments
        .next()
        .map(|threads| threads.parse())
        .transpose()?;
    let only = arguments.next();
    let base = ReportOptions {
        threads,
        ..ReportOptions::default()
    };
    let ways = [
        ("rollups", base.clone()),
        (
            "scan",
            ReportOptions {
                scan: true,
                ..base.clone()
            },
        ),
        (
            "exact",
            ReportOptions {
                exact: true,
                ..base.clone()
            },
        ),
        (
            "every",
            ReportOptions {
                every_ns: Some(1_000_000_000),
                ..base.clone()
            },
        ),
        (
            "skip",
            ReportOptions {
                skip_ns: 1_500_000_000,
                ..base
            },
        ),
    ];
    for (name, options) in ways {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let before = Instant::now();
        let set = CaptureSet::open(&[path.clone().into()], &OpenOptions::default())?;
        let opened = before.elapsed();
        let report = report(&set, &options)?;
        let took = before.elapsed();
        let spans = report
            .captures
            .iter()
            .map(|capture| capture.spans)
            .sum::<u64>();
        println!(
            "{name:8} {:8.1} ms (opened in {:.1})  {:7.0} M spans/s  {} rows  {} slots  peak {} MiB anonymous",
            took.as_secs_f64() * 1e3,
            opened.as_secs_f64() * 1e3,
            spans as f64 / took.as_secs_f64() / 1e6,
            report.events.len(),
            report.slots.map_or(0, |slots| slots.len()),
            peak_rss_mib().unwrap_or(0),
        );
    }
    Ok(())
}

/// The most memory that the process ever had resident. Files are not mapped, so it is all anonymous but the program.
fn peak_rss_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}
