//! What the project measures of itself and of others: `cargo xtask bench`, `soak` and `calibrate-diff` are passed on to here.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod calibrate_diff;
mod overhead;
mod peers;
mod soak;

/// What the project measures of itself and of others.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Measure what recording and reading cost, and print the table
    Bench(bench::Args),
    /// Record for minutes, and hold loss, lag and memory against their bounds
    Soak(soak::Args),
    /// Prove how often `perf-analyze diff` is right, and print the tables
    CalibrateDiff(calibrate_diff::Args),
}

fn main() -> ExitCode {
    xtask::exit_code(match Cli::parse().chore {
        Chore::Bench(args) => bench::run(&args),
        Chore::Soak(args) => soak::run(&args),
        Chore::CalibrateDiff(args) => calibrate_diff::run(&args),
    })
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
