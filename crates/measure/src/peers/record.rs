//! The recording half: every subject in turns, round by round, each in a process of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::build::Bench;
use super::raw::{Figures, Raw, Recording};
use super::subject::{OURS, Subject};
use xtask::shell;

/// How much is measured.
pub(crate) struct Extent {
    /// Processes of each subject.
    pub(crate) rounds: usize,
    /// Bursts of each process.
    pub(crate) bursts: usize,
    /// Seconds at full speed.
    pub(crate) seconds: f64,
    /// The most spans of a thread at full speed.
    pub(crate) spans: u64,
}

/// Threads whose cost is measured.
pub(crate) const THREADS: [usize; 3] = [1, 2, 4];
/// Threads at full speed.
pub(crate) const AT_SPEED: [usize; 2] = [1, 2];

/// Starts `perf-bench`, one process a measure.
pub(crate) struct Runner<'a> {
    pub(crate) bench: &'a Bench,
    /// Where the subjects' files lie, until they were looked at.
    pub(crate) scratch: &'a Path,
}

impl Runner<'_> {
    /// An empty directory for the next process.
    pub(crate) fn directory(&self, name: &str) -> Result<PathBuf> {
        let dir = self.scratch.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// `program`, which is `perf-bench` or what runs it, with the environment of the subjects.
    fn environment(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        // Nothing of the caller's may switch captures or filters on.
        for name in ["PERF_CAPTURE", "RUST_LOG", "MICROMEGAS_FLUSH_PERIOD"] {
            command.env_remove(name);
        }
        if let Some(library) = &self.bench.lttng {
            command.env("PERF_BENCH_LTTNG", library);
        }
        command
    }

    /// `perf-bench` with these arguments.
    pub(crate) fn command(&self, measure: &str, subject: &Subject, dir: &Path) -> Command {
        let mut command = self.environment(&self.bench.program);
        command.args([measure, subject.name, "--dir"]).arg(dir);
        command
    }

    /// Runs it in an empty directory and reads its figures.
    fn figures(&self, measure: &str, subject: &Subject, arguments: &[&str]) -> Result<Figures> {
        let dir = self.directory("spans")?;
        read_figures(self.command(measure, subject, &dir).args(arguments))
    }

    /// How many spans of the subject its files in `dir` have.
    pub(crate) fn written(&self, subject: &Subject, dir: &Path) -> Result<Option<u64>> {
        if !subject.has_file {
            return Ok(None);
        }
        if subject.name == OURS {
            return spans_of(&dir.join("capture.bin")).map(Some);
        }
        let figures = read_figures(&mut self.command("written", subject, dir))?;
        Ok(figures.get("written").map(|&written| written as u64))
    }

    /// A second at full speed, and what is left of it.
    fn speed(&self, subject: &Subject, threads: usize, extent: &Extent) -> Result<Figures> {
        let dir = self.directory("spans")?;
        let mut figures = read_figures(self.command("speed", subject, &dir).args([
            "--threads",
            &threads.to_string(),
            "--seconds",
            &extent.seconds.to_string(),
            "--spans",
            &extent.spans.to_string(),
        ]))?;
        if let Some(written) = self.written(subject, &dir)? {
            figures.insert("written".to_owned(), written as f64);
        }
        Ok(figures)
    }

    /// Instructions of a span, counted by callgrind on the thread that records.
    fn instructions(&self, subject: &Subject) -> Result<f64> {
        let dir = self.directory("spans")?;
        let output = self
            .environment(Path::new("valgrind"))
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg("--toggle-collect=*counted_burst*")
            .arg(&self.bench.program)
            .args(["instructions", subject.name, "--dir"])
            .arg(&dir)
            .output()
            .context("cannot start `valgrind`")?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.success(),
            "valgrind ended with {}",
            output.status
        );
        let figures = parse(&String::from_utf8_lossy(&output.stdout))?;
        let collected = errors
            .lines()
            .find_map(|line| line.split_once("Collected : "));
        let (_, collected) = collected.context("callgrind says nothing")?;
        let spans = figures
            .get("spans")
            .context("it says nothing of its spans")?;
        Ok(collected.trim().parse::<f64>()? / spans)
    }
}

/// Measures all of `subjects` into `raw`. A peer that fails is left out from there on, and the page says so.
///
/// # Errors
/// When we ourselves cannot be measured.
pub(crate) fn run(
    runner: &Runner<'_>,
    subjects: &[&'static Subject],
    extent: &Extent,
    raw: &mut Raw,
) -> Result<()> {
    let bursts = extent.bursts.to_string();
    let mut failed = Vec::new();
    for round in 0..extent.rounds {
        println!("── recording, round {} of {}", round + 1, extent.rounds);
        // Forth and back, so that what changes with time hits all alike.
        let mut order = subjects.to_vec();
        if round % 2 == 1 {
            order.reverse();
        }
        for subject in order {
            if failed.contains(&subject.name) {
                continue;
            }
            let kept = raw.recording.entry(subject.name.to_owned()).or_default();
            match one_round(runner, subject, extent, &bursts, kept) {
                Ok(()) => {}
                Err(error) if subject.is_peer() => {
                    raw.skip("recording", format!("{}: {error:#}", subject.title));
                    failed.push(subject.name);
                }
                Err(error) => return Err(error.context(subject.title)),
            }
        }
    }
    for subject in subjects {
        let kept = raw.recording.entry(subject.name.to_owned()).or_default();
        match runner.instructions(subject) {
            Ok(instructions) => kept.instructions = Some(instructions),
            Err(error) => raw.skip(
                "recording",
                format!("instructions of {}: {error:#}", subject.title),
            ),
        }
    }
    runner.directory("spans")?;
    Ok(())
}

fn one_round(
    runner: &Runner<'_>,
    subject: &Subject,
    extent: &Extent,
    bursts: &str,
    kept: &mut Recording,
) -> Result<()> {
    for threads in THREADS {
        let arguments = ["--rounds", bursts, "--threads", &threads.to_string()];
        let figures = runner.figures("cost", subject, &arguments)?;
        kept.cost.entry(threads).or_default().push(figures);
    }
    kept.off
        .push(runner.figures("cost", subject, &["--rounds", bursts, "--off"])?);
    for threads in AT_SPEED {
        let figures = runner.speed(subject, threads, extent)?;
        kept.speed.entry(threads).or_default().push(figures);
    }
    Ok(())
}

/// Runs a program that prints figures.
fn read_figures(command: &mut Command) -> Result<Figures> {
    let output = command
        .stderr(Stdio::piped())
        .output()
        .context("cannot start perf-bench")?;
    ensure!(
        output.status.success(),
        "perf-bench ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `name value` lines.
fn parse(text: &str) -> Result<Figures> {
    let figure = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines()
        .map(|line| figure(line).with_context(|| format!("not a figure: {line}")))
        .collect()
}

/// The spans that `perf-analyze` reads in a capture.
pub(crate) fn spans_of(capture: &Path) -> Result<u64> {
    let output = Command::new(shell::root().join("target/release/perf-analyze"))
        .args(["report", "--scan", "--quiet", "--format", "json"])
        .arg(capture)
        .stdin(Stdio::null())
        .output()
        .context("cannot start perf-analyze")?;
    ensure!(
        output.status.success(),
        "perf-analyze cannot read {}: {}",
        capture.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    spans_in(&serde_json::from_slice(&output.stdout)?)
}

/// The spans of the only capture of a report.
pub(crate) fn spans_in(report: &serde_json::Value) -> Result<u64> {
    report["captures"][0]["spans"]
        .as_u64()
        .context("the report has no count of spans")
}
