//! `perf-analyze info`: what a capture file is made of.

use anyhow::Result;
use perf_analysis::info::{Info, info};
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{Input, OutputArgs};
use crate::output::{Answer, give};
use crate::page;
use crate::progress::Progress;
use crate::time::Zone;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze info capture.bin
      where it comes from, its clock, its events and threads, where its bytes went
  perf-analyze info capture.bin --wide
      the same, with every clock anchor
  perf-analyze info captures/ --format csv
      the events of all captures of a directory, one a line";

/// Say what a capture is made of: origin, clock, events, threads, sizes
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    output: OutputArgs,

    /// The time zone of every time shown: UTC, local, Europe/Berlin
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    tz: Zone,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let progress = Progress::start("reading captures", args.input.quiet);
    let info = info(&args.input.open()?)?;
    drop(progress);
    give(&InfoAnswer { args, info: &info }, &args.output)?;
    Ok(Verdict::Fine)
}

struct InfoAnswer<'a> {
    args: &'a Args,
    info: &'a Info,
}

impl Answer for InfoAnswer<'_> {
    fn value(&self) -> &impl Serialize {
        self.info
    }

    fn document(&self) -> Document {
        page::info::document(self.info, &self.args.tz, self.args.output.wide)
    }

    fn sheet(&self) -> Table {
        page::info::sheet(self.info)
    }
}
