//! `perf-analyze import`: traces of other tools as captures.

use std::path::PathBuf;

use anyhow::{Result, bail};
use perf_export::import;
use perf_render::number::count;

use crate::diagnostics;
use crate::progress::Progress;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze import trace.json -o trace.bin
  perf-analyze report trace.bin";

const ABOUT: &str = "\
Makes a capture of what another tool recorded, so that every report can read it. Two formats are known, by their content:

  Chrome's Trace Event Format  complete, begin and end, asynchronous events; counters become gauges
  OTLP JSON                    what OpenTelemetry collectors write, one object or one a line

The low 64 bits of a trace id become the id here; the high half is kept as the annotation trace_id_high. Ids that agree in \
their low half become one trace, and are counted. A begin without an end is an open span. Parents that spans name are kept, and \
reports go by them, not by what lies within what. Attributes of spans become annotations of their trace.

An existing file is never written over.";

/// Make a capture of a Chrome trace or of OpenTelemetry's JSON
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The trace
    #[arg(value_name = "TRACE")]
    from: PathBuf,

    /// The capture to write [default: beside the trace, named after it, as .bin]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// No progress and no summary on standard error
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let to = match &args.output {
        Some(path) => path.clone(),
        None => args.from.with_extension("bin"),
    };
    if to.exists() {
        bail!(
            "{} exists and is left alone; name another file with -o",
            to.display()
        );
    }
    let progress = Progress::start("importing", args.quiet);
    let imported = import(&args.from, &to)?;
    drop(progress);
    if args.quiet {
        return Ok(Verdict::Fine);
    }
    diagnostics::note(&format!(
        "{}: {} spans in {} traces, {} values",
        to.display(),
        count(imported.spans),
        count(imported.traces),
        count(imported.values)
    ));
    let odd = [
        (
            imported.open,
            "spans had begun and not ended: they are open spans of the capture",
        ),
        (
            imported.unmatched_ends,
            "ends have no begin, and were left out",
        ),
        (
            imported.collisions,
            "trace ids agree with another in their low half: each became one trace with that",
        ),
        (
            imported.parents_missing,
            "spans name a parent that is not among the spans that ended: their times give them one",
        ),
        (
            imported.ignored,
            "entries have no place in a capture, and were left out",
        ),
    ];
    for (number, what) in odd.iter().filter(|(number, _)| *number > 0) {
        diagnostics::warning(&format!("{} {what}", count(*number)));
    }
    Ok(Verdict::Fine)
}
