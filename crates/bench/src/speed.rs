//! As fast as it goes, for a while: what is lost, what is written, how much memory that takes.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::cost::BATCH;
use crate::figure;
use crate::peer::Peer;

pub(crate) fn run<P: Peer>(dir: &Path, threads: usize, most: u64, seconds: f64) -> Result<()> {
    let peer = P::start(dir, true)?;
    let before_kib = peak_kib();
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let attempted: u64 = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| work(&peer, most, end)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a thread that records does not panic"))
            .sum()
    });
    let took = start.elapsed().as_secs_f64();
    let dropped = peer.finish()?;
    figure("attempted", attempted as f64);
    figure("recording_s", took);
    figure("finished_s", start.elapsed().as_secs_f64());
    figure("bytes", bytes_below(dir)? as f64);
    figure("idle_peak_kib", before_kib);
    figure("peak_kib", peak_kib());
    if let Some(dropped) = dropped {
        figure("dropped", dropped as f64);
    }
    Ok(())
}

fn work<P: Peer>(peer: &P, most: u64, end: Instant) -> u64 {
    let mut thread = peer.thread();
    let mut attempted = 0;
    while attempted < most && Instant::now() < end {
        for _ in 0..16 {
            peer.spans(&mut thread, BATCH);
        }
        attempted += 16 * BATCH as u64;
    }
    attempted
}

/// The most memory that this process had resident so far, KiB.
fn peak_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0.0)
}

/// The size of all files below `dir`.
fn bytes_below(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() {
            bytes_below(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}
