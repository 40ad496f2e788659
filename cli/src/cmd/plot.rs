//! `perf-analyze plot`: pictures of a capture, one file a plot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use perf_analysis::{ReportOptions, TraceOptions, WarningKind, plot_data, traces};
use perf_format::TraceId;
use perf_render::plot::Theme;

use super::report::judged;
use super::traces::parse_id;
use crate::args::{Input, Rules, Selection, Workers, selected};
use crate::diagnostics;
use crate::file::write_whole;
use crate::gate::Unmatched;
use crate::output::to_stdout;
use crate::page;
use crate::page::plot::{Drawn, draw};
use crate::page::promised::promised;
use crate::progress::Progress;
use crate::time::Span;
use crate::verdict::Verdict;

/// Slowest traces that get a waterfall.
const SLOWEST: usize = 3;

const EXAMPLES: &str = "\
Examples:
  perf-analyze plot capture.bin -o plots
      every plot that the capture has figures for, in the directory plots
  perf-analyze plot capture.bin -o plots --event 'ORDER_*' --since -5m --every 5s
      the order events in the last five minutes, in slots of five seconds
  perf-analyze plot capture.bin -o plots --sla 'ORDER_EXECUTION:p99.9<5ms'
      the same, with the limit as a line, what is over it marked, and when the rule was broken shaded
  perf-analyze plot captures/ -o plots --only percentiles,throughput --theme dark
      two plots of all captures of a directory together, on dark ground";

const ABOUT: &str = "\
Draws a capture: how long the usual and the slowest took, when it was slow, how much happened and what was lost. Every \
plot is an SVG file of its own that needs nothing else, opens in any browser, and shows its figures under the pointer. \
Its title says what is seen.

  percentiles          from the least value to the slowest, a line an event
  latency-over-time    a heat map with percentile lines, a file an event
  distribution         a histogram on a log scale, a file an event
  cdf                  the share of values below each value, a line an event
  throughput           records a second by event, and what was lost
  gauges-and-counters  levels and rates over time
  flows                traces end to end and from when due, a line a flow
  stages               which stage or queue owns a flow's time, a file a flow
  waterfall            a trace's spans by thread: the slowest three, or --trace

Files are named after the plot, those of one event also after the event: latency-over-time-ORDER_SUBMIT.svg. Files of the \
same name are replaced, others in the directory are left alone. The eight events that took longest in all are drawn; \
--event chooses others. Captures are merged.

With rules (--sla, --config) percentiles, latency-over-time, distribution and cdf have a line for the limit of each rule on the \
values of their event, flows one for each rule on e2e or response, and latency-over-time marks the slots with values beyond the lowest limit, and shades when a rule was \
broken. Other rules have no line: `perf-analyze sla` says what became of all.

Figures come from the histograms that the recorder keeps in the capture, and from its records where slots of time cut \
through one, as in `perf-analyze report`.";

/// Draw percentiles, latency over time, distributions, throughput, gauges: SVG files
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    selection: Selection,

    #[command(flatten)]
    rules: Rules,

    /// The length of a slot in plots over time, such as 1s; a multiple of it where there would be more than 120
    /// [default: the shortest that fits]
    #[arg(long, value_name = "SPAN", help_heading = "Plots")]
    every: Option<Span>,

    /// Which plots, separated by commas [default: all]
    #[arg(
        long,
        value_enum,
        value_name = "NAME",
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = "Plots"
    )]
    only: Vec<Kind>,

    /// The trace whose waterfall to draw, in place of the slowest: its id in hexadecimal, or in decimal as `dec:ID`; may
    /// be given more than once
    #[arg(long = "trace", value_name = "ID", value_parser = parse_id, help_heading = "Plots")]
    traces: Vec<TraceId>,

    /// On which ground: light, dark, or auto, which is dark where the reader's system is
    #[arg(long, value_enum, default_value_t = Ground::Auto, hide_possible_values = true, help_heading = "Plots")]
    theme: Ground,

    /// The directory for the files; it is made if it is not there
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    output: PathBuf,
}

/// A plot, or several of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Percentiles,
    LatencyOverTime,
    Distribution,
    Cdf,
    Throughput,
    GaugesAndCounters,
    Flows,
    Stages,
    Waterfall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ground {
    Light,
    Dark,
    Auto,
}

impl From<Ground> for Theme {
    fn from(ground: Ground) -> Theme {
        match ground {
            Ground::Light => Theme::Light,
            Ground::Dark => Theme::Dark,
            Ground::Auto => Theme::Auto,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    make_directory(&args.output)?;
    let options = ReportOptions {
        every_ns: args.every.map(Span::ns),
        ..selected(&args.input, &args.workers, &args.selection)?
    };
    let progress = Progress::start("drawing", args.input.quiet);
    let set = args.input.open()?;
    let data = plot_data(&set, &options)?;
    let unmatched = Unmatched::find(&set, &data.report.warnings)?;
    let sla = judged(&set, &options, args.rules.all()?)?;
    let promised = sla.as_ref().map(|sla| promised(&set, &data, sla, &options));
    let promised = promised.transpose()?.unwrap_or_default();
    let wanted = |kind| args.only.is_empty() || args.only.contains(&kind);
    let traced = [Kind::Flows, Kind::Stages, Kind::Waterfall]
        .into_iter()
        .any(wanted);
    let trace_options = TraceOptions {
        // Those that are asked for take the place of the slowest.
        slowest: if args.traces.is_empty() { SLOWEST } else { 0 },
        ids: args.traces.clone(),
        curves: true,
        ..TraceOptions::from(&options)
    };
    let traces = traced.then(|| traces(&set, &trace_options));
    let traces = traces.transpose()?;
    let drawn = draw(
        &data,
        &promised,
        sla.as_ref(),
        traces.as_ref(),
        &args.selection.tz,
        args.theme.into(),
        wanted,
    );
    for each in &drawn {
        write_whole(&args.output.join(&each.file), each.picture.svg.as_bytes())?;
    }
    drop(progress);
    if !args.input.quiet {
        for warning in &data.report.warnings {
            match &warning.kind {
                // A plot says how many values it rests on.
                WarningKind::FewSamples { .. } => {}
                WarningKind::NoEventMatches { pattern } => {
                    let remedy = unmatched.advice(pattern);
                    let remedy = remedy.unwrap_or_else(|| warning.kind.remedy().to_owned());
                    diagnostics::warning(&format!("{}; {remedy}", warning.message()));
                }
                _ => diagnostics::warning(&page::warning_line(warning)),
            }
        }
    }
    let found = traces.as_ref().map_or(0, |traces| traces.asked.len());
    if !args.traces.is_empty() && found == 0 && wanted(Kind::Waterfall) && !args.input.quiet {
        diagnostics::warning(
            "no trace has an id of --trace, so there is no waterfall; `perf-analyze traces` lists the slowest",
        );
    }
    if data.series_left_out > 0 && !args.input.quiet {
        diagnostics::warning(&format!(
            "{} more events, or outcomes of events, took less time and have no plot of their own; choose with --event",
            data.series_left_out
        ));
    }
    to_stdout(listing(&args.output, &drawn).as_bytes())?;
    Ok(Verdict::Fine)
}

fn make_directory(path: &Path) -> Result<()> {
    if path.exists() && !path.is_dir() {
        bail!(
            "{}: is no directory; name one for the plots",
            path.display()
        );
    }
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

/// A line a file: where it is, and what is seen in it.
fn listing(directory: &Path, drawn: &[Drawn]) -> String {
    let lines = drawn.iter().map(|each| {
        let path = directory.join(&each.file);
        let path = path.to_string_lossy();
        format!(
            "{}  {}\n",
            perf_render::escape::visible(&path),
            each.picture.title
        )
    });
    lines.collect()
}
