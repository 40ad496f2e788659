//! `perf-analyze man`: manual pages.

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap::builder::PossibleValuesParser;

use crate::args::Cli;
use crate::output::to_stdout;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze man | man -l -
  perf-analyze man report > perf-analyze-report.1";

/// What there is a page of.
pub(crate) const COMMANDS: [&str; 14] = [
    "report",
    "traces",
    "sla",
    "diff",
    "calibrate",
    "plot",
    "export",
    "import",
    "info",
    "verify",
    "recover",
    "attach",
    "completions",
    "man",
];

/// Print the manual page of the program or of one command
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which command [default: the program as a whole]
    #[arg(value_name = "COMMAND", value_parser = PossibleValuesParser::new(COMMANDS))]
    of: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let mut program = Cli::command();
    program.build();
    let command = match &args.of {
        None => program,
        Some(name) => {
            let command = program.find_subcommand(name).context("no such command")?;
            command.clone()
        }
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .source(concat!("perf-analyze ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    to_stdout(&page)?;
    Ok(Verdict::Fine)
}
