//! Recording runs of the trading example, and reducing them to what is kept.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Instant, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use perf_analysis::diff::summarise;
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions};

use super::store::Stored;
use xtask::shell;

/// Traces that a flow needs to be kept.
const LEAST_TRACES: u64 = 1000;
/// A run that takes so many seconds longer than it records was held up by something else, and is left out.
const HELD_UP_S: f64 = 2.0;

/// Of ten runs, which have a busy wait, in µs.
fn wait_of(run: u32) -> u32 {
    match run % 10 {
        8 => 5,
        9 => 20,
        _ => 0,
    }
}

/// Records what is not there yet of `runs` runs of `seconds`, into `folder`.
///
/// # Errors
/// When the example cannot be built or run.
pub(crate) fn record(folder: &Path, runs: u32, seconds: u32) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut build = shell::cargo();
    build.args([
        "build",
        "--release",
        "--package",
        "perf-recorder",
        "--example",
        "trading",
    ]);
    shell::run(&mut build)?;
    let program = shell::root().join("target/release/examples/trading");
    for run in 1..=runs {
        if find(folder, run)?.is_some() {
            continue;
        }
        let wait = wait_of(run);
        let begun = folder.join(format!("begun-{run:04}"));
        if begun.exists() {
            std::fs::remove_file(&begun)?;
        }
        let start = Instant::now();
        let status = Command::new(&program)
            .args([
                "--seconds",
                &seconds.to_string(),
                "--spin-us",
                &wait.to_string(),
                "--out",
            ])
            .arg(&begun)
            .stdout(std::process::Stdio::null())
            .status()
            .context("the trading example does not start")?;
        ensure!(status.success(), "run {run} ended with {status}");
        let held_up = start.elapsed().as_secs_f64() > f64::from(seconds) + HELD_UP_S;
        let name = match (held_up, wait) {
            (true, _) => format!("paused-{run:04}.bin"),
            (false, 0) => format!("run-{run:04}.bin"),
            (false, wait) => format!("spin{wait}-{run:04}.bin"),
        };
        std::fs::rename(&begun, folder.join(name))?;
        println!("run {run} of {runs}");
    }
    Ok(())
}

/// The file of a run, whatever became of it.
fn find(folder: &Path, run: u32) -> Result<Option<String>> {
    let ending = format!("-{run:04}.bin");
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(&ending) && !name.starts_with("tmp") {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// Reduces every chosen run in `folder` into the store `out`, one line a run.
///
/// # Errors
/// When a run cannot be read.
pub(crate) fn reduce(folder: &Path, out: &Path, chosen: impl Fn(u32) -> bool) -> Result<()> {
    let mut lines = Vec::new();
    for run in 1..=9999 {
        let Some(name) = find(folder, run)?.filter(|name| !name.starts_with("paused")) else {
            continue;
        };
        if !chosen(run) {
            continue;
        }
        let path = folder.join(&name);
        let set = CaptureSet::open(std::slice::from_ref(&path), &OpenOptions::default())?;
        let (summaries, _) = summarise(set, &ReportOptions::default())?;
        let wait = name
            .strip_prefix("spin")
            .and_then(|rest| rest.split('-').next());
        let wait = wait.map_or(Ok(0), str::parse)?;
        let written = std::fs::metadata(&path)?.modified()?;
        let at = written.duration_since(UNIX_EPOCH)?.as_secs() as i64;
        let stored = Stored::of(&summaries[0], run, at, wait, LEAST_TRACES);
        lines.push(serde_json::to_string(&stored)?);
    }
    let mut file = std::fs::File::create(out)?;
    for line in &lines {
        writeln!(file, "{line}")?;
    }
    println!("{} runs in {}", lines.len(), out.display());
    Ok(())
}
