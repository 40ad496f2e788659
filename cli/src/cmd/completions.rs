//! `perf-analyze completions`: completion scripts for shells.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::output::to_stdout;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze completions bash > ~/.local/share/bash-completion/completions/perf-analyze
  perf-analyze completions fish > ~/.config/fish/completions/perf-analyze.fish";

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which shell it is for
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "perf-analyze", &mut script);
    to_stdout(&script)?;
    Ok(Verdict::Fine)
}
