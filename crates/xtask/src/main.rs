//! `cargo xtask …`: the project's own chores, so that nobody has to remember a flag.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::shell;

mod test;

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every test of the project and print how many passed
    Test(test::Args),
    /// Measure what recording and reading cost, and print the table
    #[command(disable_help_flag = true)]
    Bench(Passed),
    /// Record for minutes, and hold loss, lag and memory against their bounds
    #[command(disable_help_flag = true)]
    Soak(Passed),
    /// Prove how often `perf-analyze diff` is right, and print the tables
    #[command(disable_help_flag = true)]
    CalibrateDiff(Passed),
}

/// What another program is asked.
#[derive(clap::Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    xtask::exit_code(match Cli::parse().chore {
        Chore::Test(args) => test::run(&args),
        Chore::Bench(passed) => measure("bench", &passed),
        Chore::Soak(passed) => measure("soak", &passed),
        Chore::CalibrateDiff(passed) => measure("calibrate-diff", &passed),
    })
}

/// Has `crates/measure` do it. It needs half of the project, which tests build with other features: were it in here, that half
/// would be built twice before the first test.
fn measure(chore: &str, passed: &Passed) -> Result<()> {
    let mut command = shell::cargo();
    command.args(["run", "--quiet", "--package", "measure", "--", chore]);
    command.args(&passed.arguments);
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_passed_on_whole() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| cli.chore);
        let line = "xtask bench --peers --only puffin --help";
        match parse(line) {
            Ok(Chore::Bench(passed)) => {
                assert_eq!(passed.arguments, ["--peers", "--only", "puffin", "--help"]);
            }
            _ => panic!("{line}"),
        }
        assert!(parse("xtask test --longer").is_err());
    }
}
