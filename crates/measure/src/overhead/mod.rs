//! `cargo xtask bench --overhead`: what capture costs whole programs, with and without it in turns.
//!
//! A round starts each program once in every way that is compared. All of them live through the round, and the load goes to
//! them in turns, in short blocks, forth and back: whatever else the machine does hits them alike. Their processor time is
//! counted from one of their blocks to the next, so that what the recorder does after a block is its own too. Each round gives
//! one ratio a figure; the interval is Student's t over the logarithms of the rounds' ratios.

mod clients;
mod figures;
mod process;
mod subject;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use figures::{Comparison, Round};
use process::Running;
use subject::Subject;
use xtask::shell;

/// Visits to each process of a round; the first one warms it up and does not count.
const VISITS: usize = 13;
/// After so long the recorder has dealt with everything that came before.
const SETTLED: Duration = Duration::from_millis(1_300);

/// All that was measured of a subject, as kept in the JSON.
#[derive(Serialize)]
struct Kept<'a> {
    subject: &'a str,
    arms: Vec<&'a str>,
    rounds: &'a [Vec<Round>],
    comparisons: &'a [Comparison],
}

/// Measures `rounds` rounds of each program and prints the tables; the raw figures go to `overhead.json` in `scratch`.
pub(crate) fn run(rounds: usize, scratch: &Path) -> Result<()> {
    for (package, example) in [("perf-recorder", "trading"), ("perf-tracing", "service")] {
        let build = ["build", "--release", "--package", package];
        shell::run(shell::cargo().args(build).args(["--example", example]))?;
    }
    let captures = scratch.join("overhead");
    println!(
        "\nOverhead ({rounds} rounds of {} blocks each; 95 % intervals: t over the rounds' log ratios)",
        VISITS - 1
    );
    let mut kept = Vec::new();
    for subject in subject::all() {
        fs::create_dir_all(&captures)?;
        let mut measured: Vec<Vec<Round>> = Vec::new();
        for number in 0..rounds {
            measured.push(round(&subject, number, &captures)?);
        }
        fs::remove_dir_all(&captures)?;
        let comparisons = figures::compare(&subject, &measured);
        figures::print(&subject, &measured, &comparisons);
        kept.push(serde_json::to_value(Kept {
            subject: subject.name,
            arms: subject.arms.iter().map(|arm| arm.name).collect(),
            rounds: &measured,
            comparisons: &comparisons,
        })?);
    }
    let path = scratch.join("overhead.json");
    let text = serde_json::to_string_pretty(&kept)?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\n  raw figures: {}", path.display());
    Ok(())
}

/// One round: a process of each arm, in the order of the arms or, every other time, against it.
fn round(subject: &Subject, number: usize, captures: &Path) -> Result<Vec<Round>> {
    let mut running = subject
        .arms
        .iter()
        .map(|arm| Running::start(subject, arm, captures))
        .collect::<Result<Vec<_>>>()?;
    for visit in 0..VISITS {
        let mut order: Vec<usize> = (0..running.len()).collect();
        if (visit + number) % 2 == 1 {
            order.reverse();
        }
        for arm in order {
            running[arm].block(subject)?;
        }
    }
    std::thread::sleep(SETTLED);
    running.into_iter().map(Running::end).collect()
}
