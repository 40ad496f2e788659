//! `cargo xtask bench --peers`: this project and everything else a user could pick, on the same machine in the same run.
//!
//! `crates/bench` has the peers' recorders, a process a measure; this starts them in turns, asks the analysis engines the
//! same questions, and makes the tables. What is hard to compare is in `crates/bench/README.md`.

mod analysis;
mod ask;
mod build;
mod chart;
mod durability;
mod raw;
mod reading;
mod record;
mod subject;
mod table;
mod wins;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use perf_render::{TextStyle, markdown, text};

use raw::{Raw, Run};
use record::{Extent, Runner};
use subject::Subject;
use xtask::shell;

#[derive(clap::Args)]
#[group(id = "peers-args")]
pub(crate) struct Args {
    /// Measure against what else a user could pick instead
    #[arg(long)]
    pub(crate) peers: bool,
    /// With --peers: little of everything, in a few minutes
    #[arg(long, requires = "peers")]
    quick: bool,
    /// With --peers: read a capture of a billion spans, too (some 12 GB of disk)
    #[arg(long, requires = "peers")]
    huge: bool,
    /// With --peers: keep the tables as crates/bench/RESULTS.md
    #[arg(long, requires = "peers")]
    keep: bool,
    /// With --peers: only make the tables anew from these raw figures
    #[arg(long, requires = "peers", value_name = "JSON")]
    from: Option<PathBuf>,
}

/// The parts of a run, which `--only` may name beside subjects.
const PARTS: [&str; 4] = ["recording", "durability", "reading", "analysis"];

/// The file of the raw figures.
const KEPT: &str = "peers.json";

/// What `--only` leaves.
struct Choice {
    parts: Vec<&'static str>,
    subjects: Vec<&'static Subject>,
}

impl Choice {
    fn of(only: Option<&str>) -> Result<Self> {
        let names: Vec<String> = only
            .into_iter()
            .flat_map(|only| only.split(','))
            .map(str::to_owned)
            .collect();
        for name in &names {
            let is_known = PARTS.contains(&name.as_str()) || subject::named(name).is_some();
            ensure!(is_known, "--only knows no {name:?}: {}", known());
        }
        let is_part = |name: &String| PARTS.contains(&name.as_str());
        let (parts, subjects): (Vec<_>, Vec<_>) = names.into_iter().partition(is_part);
        // Who names subjects alone means their recording and durability.
        let wanted = |part: &str| match (parts.is_empty(), subjects.is_empty()) {
            (true, true) => true,
            (true, false) => part == "recording" || part == "durability",
            _ => parts.iter().any(|name| name == part),
        };
        Ok(Self {
            parts: PARTS.into_iter().filter(|part| wanted(part)).collect(),
            subjects: subject::chosen(&subjects).collect(),
        })
    }

    fn has(&self, part: &str) -> bool {
        self.parts.contains(&part)
    }
}

fn known() -> String {
    let subjects = subject::SUBJECTS.iter().map(|subject| subject.name);
    PARTS
        .into_iter()
        .chain(subjects)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Measures what `args` and `only` ask for, prints the tables, and keeps the raw figures in `scratch`.
pub(crate) fn run(args: &Args, only: Option<&str>, scratch: &Path, machine: String) -> Result<()> {
    if let Some(path) = &args.from {
        let kept = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        return show(args, &serde_json::from_slice(&kept)?, scratch);
    }
    let choice = Choice::of(only)?;
    let kept = scratch.join(KEPT);
    // Parts that are not measured now stay as they were measured last.
    let mut raw: Raw = fs::read(&kept)
        .ok()
        .and_then(|kept| serde_json::from_slice(&kept).ok())
        .unwrap_or_default();
    for part in &choice.parts {
        let run = Run {
            date: today()?,
            machine: machine.clone(),
            quick: args.quick,
            skipped: Vec::new(),
        };
        raw.runs.insert((*part).to_owned(), run);
        match *part {
            "recording" => raw.recording.clear(),
            "durability" => raw.deaths.clear(),
            "reading" => raw.reading.clear(),
            _ => raw.analysis.clear(),
        }
    }
    let build = |arguments: &[&str]| {
        shell::run(shell::cargo().args(["build", "--release"]).args(arguments))
    };
    build(&["--package", "perf-analyze"])?;
    if choice.parts.iter().any(|&part| part != "analysis") {
        record(args, &choice, scratch, &mut raw)?;
    }
    if choice.has("analysis") {
        build(&["--package", "perf-format", "--example", "synth"])?;
        let sizes: &[u64] = match (args.quick, args.huge) {
            (true, _) => &[1_000_000, 10_000_000],
            (false, false) => &[1_000_000, 10_000_000, 100_000_000],
            (false, true) => &[1_000_000, 10_000_000, 100_000_000, 1_000_000_000],
        };
        let threads = analysis_threads(args.quick);
        analysis::run(sizes, &threads, scratch, &mut raw)?;
    }
    keep(&raw, scratch)?;
    show(args, &raw, scratch)?;
    println!("raw figures: {}", kept.display());
    Ok(())
}

fn record(args: &Args, choice: &Choice, scratch: &Path, raw: &mut Raw) -> Result<()> {
    let mut skipped = Vec::new();
    let bench = build::bench(&mut skipped)?;
    let mut subjects = choice.subjects.clone();
    if !bench.has_tracy {
        subjects.retain(|subject| subject.name != "tracy");
    }
    let wants_lttng = subjects.iter().any(|subject| subject.name == "lttng");
    let mut daemon = None;
    if wants_lttng && bench.lttng.is_some() {
        match build::SessionDaemon::start() {
            Ok(started) => daemon = Some(started),
            Err(error) => skipped.push(format!("LTTng-UST: {error:#}")),
        }
    }
    if daemon.is_none() {
        subjects.retain(|subject| subject.name != "lttng");
    }
    for part in choice
        .parts
        .iter()
        .filter(|&&part| part != "analysis")
        .take(1)
    {
        skipped.drain(..).for_each(|why| raw.skip(part, why));
    }
    let runner = Runner {
        bench: &bench,
        scratch,
    };
    if choice.has("recording") {
        let extent = if args.quick {
            Extent {
                rounds: 1,
                bursts: 40,
                seconds: 0.2,
                spans: 1_000_000,
            }
        } else {
            Extent {
                rounds: 3,
                bursts: 150,
                seconds: 1.0,
                spans: 10_000_000,
            }
        };
        record::run(&runner, &subjects, &extent, raw)?;
        keep(raw, scratch)?;
    }
    if choice.has("durability") {
        durability::run(&runner, &subjects, if args.quick { 2 } else { 10 }, raw)?;
        keep(raw, scratch)?;
    }
    if choice.has("reading") {
        let (sizes, rounds): (&[u64], usize) = if args.quick {
            (&[1_000_000], 3)
        } else {
            (&[1_000_000, 10_000_000], 5)
        };
        reading::run(&runner, &subjects, sizes, rounds, raw)?;
        keep(raw, scratch)?;
    }
    Ok(())
}

/// On how many threads questions are asked: one, two, and twice as many while the machine has them; the most alone if it has to
/// be quick.
fn analysis_threads(is_quick: bool) -> Vec<usize> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let doubled = std::iter::successors(Some(1), |threads| Some(threads * 2));
    let mut threads: Vec<usize> = doubled.take_while(|&it| it <= cores.max(2)).collect();
    if is_quick {
        threads.drain(..threads.len() - 1);
    }
    threads
}

/// Writes the raw figures. A run that is broken off has those of the parts that were done.
fn keep(raw: &Raw, scratch: &Path) -> Result<()> {
    let path = scratch.join(KEPT);
    fs::write(&path, serde_json::to_string_pretty(raw)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Prints the tables, and writes them and the charts beside the raw figures.
fn show(args: &Args, raw: &Raw, scratch: &Path) -> Result<()> {
    let document = table::document(raw);
    println!("\n{}", text(&document, TextStyle::default()));
    let mut page = markdown(&document, true);
    let mut charts = Vec::new();
    let bars = chart::recording(raw);
    if !bars.is_empty() {
        let below =
            "One thread, median; log scale. What becomes of the span differs: the table says it.";
        let svg = chart::bars("A span, in pairs of bare clock reads", below, &bars)?;
        charts.push(("recording.svg", svg));
    }
    let bars = chart::analysis(raw);
    if !bars.is_empty() {
        let below = "The largest capture of which all was asked, on the most threads; log scale.";
        charts.push((
            "analysis.svg",
            chart::bars("How long an answer takes", below, &bars)?,
        ));
    }
    let lines = chart::scaling(raw);
    if !lines.is_empty() {
        charts.push((
            "scaling.svg",
            chart::lines("How answers take longer with the capture", &lines)?,
        ));
    }
    let mut places = vec![scratch.to_path_buf()];
    if args.keep {
        places.push(shell::root().join("crates/bench"));
    }
    for (name, _) in &charts {
        page.push_str(&format!("\n![{}]({name})\n", name.trim_end_matches(".svg")));
    }
    page.push_str("\nAgain: `cargo xtask bench --peers --keep`. What each row includes: [README.md](README.md).\n");
    for place in places {
        fs::write(place.join("RESULTS.md"), &page)?;
        for (name, svg) in &charts {
            fs::write(place.join(name), svg)?;
        }
    }
    Ok(())
}

/// The day, UTC.
fn today() -> Result<String> {
    let output = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%d %H:%M UTC"])
        .output();
    let output = output.context("cannot start `date`")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
