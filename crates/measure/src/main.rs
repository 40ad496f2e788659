//! `cargo xtask …`: the project's own chores, so that nobody has to remember a flag.
#![forbid(unsafe_code)]

use clap::{Parser, Subcommand};

mod bench;
mod calibrate_diff;
mod chromium;
mod overhead;
mod peers;
mod python;
mod shell;
mod soak;
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
    Bench(bench::Args),
    /// Record for minutes, and hold loss, lag and memory against their bounds
    Soak(soak::Args),
    /// Prove how often `perf-analyze diff` is right, and print the tables
    CalibrateDiff(calibrate_diff::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Test(args) => test::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Soak(args) => soak::run(&args),
        Chore::CalibrateDiff(args) => calibrate_diff::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("xtask bench --peers --quick --only puffin,durability").is_ok());
        assert!(parse("xtask bench --only read").is_ok());
        assert!(
            parse("xtask bench --quick").is_err(),
            "there is no quick run but of --peers"
        );
    }
}
