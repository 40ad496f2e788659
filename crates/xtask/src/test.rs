//! `cargo xtask test`: every test of the project, installing what it needs.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

use xtask::{chromium, python, shell};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Thousands of kills and restarts instead of hundreds (many minutes)
    #[arg(long)]
    long: bool,
}

/// How the tests of one step, or of all of them, went.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    /// The lines that say what failed, to be repeated at the end of some ten thousand others.
    complaints: Vec<String>,
}

impl Tally {
    /// Adds the figures of a `test result: …` line, if `line` is one, and keeps what says that a test failed, or
    /// that its whole process ended before it could.
    fn read(&mut self, line: &str) {
        let is_failure = (line.starts_with("test ") && line.ends_with(" ... FAILED"))
            || line.starts_with("error: ")
            || (line.starts_with("thread '") && line.contains("panicked at"))
            || line.contains("process didn't exit successfully");
        if is_failure {
            self.complaints.push(line.to_owned());
        }
        let Some(figures) = line.strip_prefix("test result: ") else {
            return;
        };
        for part in figures.split(['.', ';']) {
            if let Some((count, what)) = part.trim().split_once(' ')
                && let Ok(count) = count.parse::<u64>()
            {
                match what {
                    "passed" => self.passed += count,
                    "failed" => self.failed += count,
                    "ignored" => self.ignored += count,
                    _ => {}
                }
            }
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    chromium::ensure();
    python::ensure();
    let mut tally = Tally::default();
    let mut broken = Vec::new();
    for (name, mut command) in steps(args) {
        println!("── {name}");
        let start = Instant::now();
        if !shell::run_and_read(&mut command, |line| tally.read(line))? {
            broken.push(name);
        }
        println!("── {name}: {:.0} s\n", start.elapsed().as_secs_f64());
    }
    if tally.ignored > 0 {
        println!(
            "{} tests are ignored: the project allows none",
            tally.ignored
        );
    }
    if !broken.is_empty() {
        for line in &tally.complaints {
            println!("{line}");
        }
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.passed == 0 || tally.ignored > 0 || !broken.is_empty() {
        bail!("not every test passed: {}", broken.join(", "));
    }
    Ok(())
}

/// What is run, in order: the quick and broad first.
fn steps(args: &Args) -> Vec<(&'static str, Command)> {
    let mut rust = shell::cargo();
    rust.args(["test", "--workspace", "--no-fail-fast"]);
    if args.long {
        rust.env("PERF_LONG", "1");
    }

    // Every interleaving of the ring and the slots, by loom's model checker. A build of its own,
    // because loom replaces the atomics of the whole crate.
    let mut loom = shell::cargo();
    loom.args([
        "test",
        "--package",
        "perf-arena",
        "--release",
        "--test",
        "loom",
    ])
    .env("RUSTFLAGS", "--cfg loom")
    .env("CARGO_TARGET_DIR", shell::root().join("target/loom"));

    // Probes compiled out: the same program must build and record nothing.
    let mut off = shell::cargo();
    off.args([
        "test",
        "--package",
        "perf-probe",
        "--features",
        "off",
        "--test",
        "off",
    ]);

    vec![
        ("tests", rust),
        ("probes compiled out", off),
        // The first step has built the program.
        (
            "exports read back by others",
            python::python(&[
                "tests/ecosystem/run.py",
                "target/debug/perf-analyze",
                "captures/trading.bin",
            ]),
        ),
        ("notebooks", python::python(&["notebooks/run.py"])),
        ("interleavings (loom)", loom),
    ]
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn result_lines_are_counted() {
        let mut tally = Tally::default();
        tally.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s");
        tally.read("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.read("test speaks::of_12_passed ... ok");
        assert_eq!((tally.passed, tally.failed, tally.ignored), (13, 2, 1));
        assert_eq!(tally.complaints, [] as [&str; 0]);
    }

    #[test]
    fn failures_are_kept_for_the_end() {
        let mut tally = Tally::default();
        let said = [
            "test a_thing ... FAILED",
            "thread 'a_thing' (7) panicked at tests/x.rs:1:2:",
            "  process didn't exit successfully: `x` (signal: 9, SIGKILL: kill)",
        ];
        tally.read("test another ... ok");
        said.iter().for_each(|line| tally.read(line));
        assert_eq!(tally.complaints, said);
    }
}
