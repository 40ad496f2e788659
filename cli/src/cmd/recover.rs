//! `perf-analyze recover`: one sound file out of all that is left of a capture.

use std::io;
use std::path::PathBuf;

use anyhow::{Result, bail};
use perf_recorder::salvage::recover;
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{Format, OutputArgs};
use crate::output::{Answer, give};
use crate::page;
use crate::page::recover::Summary;
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze recover capture.bin -o recovered.bin
      all that is left of a capture whose process was killed, or whose file is damaged
  perf-analyze recover capture.bin --arena /dev/shm/perf-1000/4711.arena -o recovered.bin
      the same from an arena that lies elsewhere than when it was recorded";

const ABOUT: &str = "\
Writes a new capture with all that is left of another: the intact chunks of its file, byte for byte; those of a remainder \
that was saved beside it; and what its dead process left in shared memory (its arena). Each record is in it once.

The old file is left as it is, and so is the arena: the next recorder of the same user removes it.";

/// Save all that is left of a damaged capture or a dead process in a new file
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The capture file
    capture: PathBuf,

    /// The new capture; an existing file is not overwritten
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// The dead process's arena [default: the one that the capture names]
    #[arg(long, value_name = "FILE")]
    arena: Option<PathBuf>,

    /// The form of the answer, on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    // What goes wrong most often, in words; whatever happens in between, nothing is overwritten.
    let missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
    if args.capture.metadata().is_err_and(missing) {
        bail!("{}: no such file; check the path", args.capture.display());
    }
    if args.output.symlink_metadata().is_ok() {
        bail!(
            "{}: is there already and is not overwritten; name a new file",
            args.output.display()
        );
    }
    let progress = Progress::start("saving what is left", args.quiet);
    let recovered = recover(&args.capture, args.arena.as_deref(), &args.output)?;
    drop(progress);
    let answer = RecoverAnswer(Summary::new(&recovered, &args.output));
    let output = OutputArgs {
        format: args.format,
        output: None,
        wide: false,
    };
    give(&answer, &output)?;
    Ok(Verdict::Fine)
}

struct RecoverAnswer(Summary);

impl Answer for RecoverAnswer {
    fn value(&self) -> &impl Serialize {
        &self.0
    }

    fn document(&self) -> Document {
        page::recover::document(&self.0)
    }

    fn sheet(&self) -> Table {
        page::recover::sheet(&self.0)
    }
}
