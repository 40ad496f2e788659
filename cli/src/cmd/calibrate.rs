//! `perf-analyze calibrate`: how captures of one build differ.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use perf_analysis::diff::{Gate, MIN_RUNS, calibrate, summarise};
use perf_analysis::{CaptureSet, OpenOptions, ReportOptions};

use crate::args::Workers;
use crate::diagnostics;
use crate::output::{as_text, put, to_stdout};
use crate::page;
use crate::progress::Progress;
use crate::time::Span;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze calibrate runs/*.bin -o noise.json
      learn from ten or more captures of one build, in one scenario, on one host
  perf-analyze calibrate runs/ --gate ORDER_SUBMIT:p99.99 -o noise.json
      also of a figure that is not one of the usual ones
  perf-analyze diff base.bin new.bin --noise noise.json
      use it";

/// Learn how much captures of one build differ, for `diff`
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Captures of one build: files, directories of them, or quoted globs
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,

    #[command(flatten)]
    workers: Workers,

    /// Leave out the start of every capture, such as 10s of warm-up
    #[arg(long, value_name = "SPAN")]
    skip: Option<Span>,

    /// One more figure, such as ORDER:p99.99; may be given more than once
    #[arg(long, value_name = "EVENT:FIGURE")]
    gate: Vec<Gate>,

    /// Where to write what was learnt, as JSON [default: standard output]
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// Fail with exit code 3 on any damage
    #[arg(long, help_heading = "Reading")]
    strict: bool,

    /// No progress and no warnings on standard error
    #[arg(long, short, help_heading = "Reading")]
    quiet: bool,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let progress = Progress::start("calibrating", args.quiet);
    let strict = args.strict;
    let set = CaptureSet::open(&args.captures, &OpenOptions { strict })?;
    let options = ReportOptions {
        skip_ns: args.skip.map_or(0, Span::ns),
        strict,
        threads: args.workers.threads(),
        ..ReportOptions::default()
    };
    let (runs, warnings) = summarise(set, &options)?;
    drop(progress);
    if runs.len() < MIN_RUNS {
        bail!(
            "{} captures are too few: how runs differ takes {MIN_RUNS} or more",
            runs.len()
        );
    }
    for gate in &args.gate {
        let mut series = runs.iter().flat_map(|run| &run.series);
        if !series.any(|series| series.name == gate.name) {
            bail!(
                "no event or flow is called `{}`, so nothing can be learnt of it",
                gate.name
            );
        }
    }
    if !args.quiet {
        for warning in &warnings {
            diagnostics::warning(&page::warning_line(warning));
        }
    }
    let noise = calibrate(&runs, &args.gate);
    let json = perf_render::json::json(&noise)?;
    let file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    put(json.as_bytes(), file)?;
    if file.is_some() {
        to_stdout(as_text(&page::diff::noise(&noise), false, None).as_bytes())?;
    }
    Ok(Verdict::Fine)
}
