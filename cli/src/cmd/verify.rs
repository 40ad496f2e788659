//! `perf-analyze verify`: whether every byte of a capture is what its writer wrote.

use anyhow::Result;
use perf_analysis::verify::{Verification, verify};
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{Input, OutputArgs, Workers};
use crate::output::{Answer, give};
use crate::page;
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze verify capture.bin
      exit code 0 if every byte is sound, 3 if not
  perf-analyze verify captures/ --format csv -o findings.csv
      everything that is wrong with the captures of a directory, one finding a line";

const ABOUT: &str = "\
Checks every chunk of a capture: its checksums, every row in it, what its head says about them, clock anchors, and the \
histograms that the recorder kept (rollups) against a count of the records themselves.

The exit code is 3 if anything is wrong. A capture whose process was killed is not closed, which alone is nothing wrong.";

/// Check every byte of a capture, and its rollups against its records
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let progress = Progress::start("checking every byte", args.input.quiet);
    let verification = verify(&args.input.open()?, args.workers.threads())?;
    drop(progress);
    give(&VerifyAnswer(&verification), &args.output)?;
    let left_out = verification
        .warnings
        .iter()
        .any(|warning| warning.kind.is_damage());
    Ok(match verification.intact && !left_out {
        true => Verdict::Fine,
        false => Verdict::Unreadable,
    })
}

struct VerifyAnswer<'a>(&'a Verification);

impl Answer for VerifyAnswer<'_> {
    fn value(&self) -> &impl Serialize {
        self.0
    }

    fn document(&self) -> Document {
        page::verify::document(self.0)
    }

    fn sheet(&self) -> Table {
        page::verify::sheet(self.0)
    }
}
