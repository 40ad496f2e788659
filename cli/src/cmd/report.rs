//! `perf-analyze report`: how long things took, behind how far the capture is to be trusted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use perf_analysis::report::Report;
use perf_analysis::sla::{Rule, RuleResult, Sla};
use perf_analysis::traces::{Flow, Traces};
use perf_analysis::{
    CaptureSet, ReportOptions, SlaOptions, TraceOptions, plot_data, report, sla, traces,
};
use perf_render::html::MAX_WATERFALLS;
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{
    Figures, Format, Input, OutputArgs, Rules, Selection, Workers, parse_html, report_options,
};
use crate::command;
use crate::file::write_whole;
use crate::follow::{Page, Seen, follow};
use crate::gate::{self, FailOn, Unmatched};
use crate::output::{Answer, give, is_to_file};
use crate::page;
use crate::page::in_short::InShort;
use crate::page::promised::promised;
use crate::progress::Progress;
use crate::time::Span;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze report capture.bin
      where the time went, percentiles of every event
  perf-analyze report captures/ --skip 10s --event 'ORDER_*' --wide
      the order events of all captures of a directory, without their warm-up, every column
  perf-analyze report capture.bin --since -5m --every 1m
      the last five minutes, also minute by minute
  perf-analyze report captures/ --since -30s --follow
      the last half minute of what a service is recording, again every two seconds
  perf-analyze report old.bin new.bin --by capture --format markdown -o report.md
      two captures apart, as a Markdown file
  perf-analyze report capture.bin --sla 'ORDER_EXECUTION:p99.9<5ms' --html report.html
      a page for a browser, beside the usual answer: verdicts, flows, slowest traces, plots
  perf-analyze report capture.bin --fail-on loss --format json | jq '.events[].percentiles'
      for programs; exit code 1 if a record was lost";

const ABOUT: &str = "\
Says how long things took: percentiles of every span, counters, gauges and observations. First of all comes how far \
the capture is to be trusted: what it covers, what was lost, how exact its clock was, what recording cost.

Figures come from the histograms that the recorder keeps in the capture (rollups), and from its records where there \
is no such histogram or --since, --until, --skip or --every cut through one. Counts, sums, least and greatest values are exact; \
percentiles are within 0.1 % of the true value, or exact with --exact.

Below them stand traces in short: the flows that took most time, and what makes the slow ones slow. They are put together from \
the records, which is why captures of more than 4 million spans only name the command that does it (--traces).";

/// Say where the time went: percentiles of every event
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
    figures: Figures,
    #[command(flatten)]
    output: OutputArgs,

    /// Also write the report as one HTML page, for any browser, that needs no network and no other file
    #[arg(long, value_name = "FILE", value_parser = parse_html, help_heading = "Output")]
    html: Option<PathBuf>,

    /// Write it again, every two seconds or as often as given, until the capture has ended
    #[arg(
        long,
        value_name = "SPAN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "2s",
        help_heading = "Output"
    )]
    follow: Option<Span>,

    #[command(flatten)]
    rules: Rules,

    /// Whether to put traces together for the flows in short; auto does so for up to 4 million spans
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        help_heading = "Figures"
    )]
    traces: When,

    /// Exit with code 1 if this is found, 3 if an --event matches nothing, 4 if it cannot be told
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        help_heading = "Gates"
    )]
    fail_on: Vec<FailOn>,
}

/// Spans up to which traces are put together unasked: a fraction of a second.
const FEW_SPANS: u64 = 4_000_000;

/// When traces are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum When {
    /// When there are not too many spans
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    match args.follow {
        None => Ok(answer(args, None)?.0),
        Some(every) => follow(
            Duration::from_nanos(every.ns()),
            is_to_file(&args.output),
            |page| answer(args, Some(page)),
        ),
    }
}

/// Reads the captures and writes the answer.
fn answer(args: &Args, page: Option<&Page>) -> Result<(Verdict, Seen)> {
    let options = report_options(&args.input, &args.workers, &args.selection, &args.figures)?;
    let rules = args.rules.all()?;
    if rules.is_empty() && args.fail_on.contains(&FailOn::Sla) {
        args.rules.refuse_none();
    }
    let progress = Progress::start("reading captures", args.input.quiet);
    let set = args.input.open()?;
    let report = report(&set, &options)?;
    let unmatched = Unmatched::find(&set, &report.warnings)?;
    let sla = judged(&set, &options, rules)?;
    let traces = args.put_together(&set, &options, &report)?;
    drop(progress);

    if !args.fail_on.is_empty() {
        gate::check_usable(&report.warnings, &unmatched)?;
    }
    page::warn_beside_csv(&report.warnings, &args.output, args.input.quiet);
    let answer = ReportAnswer {
        args,
        told: Told {
            report: &report,
            sla: sla.as_ref().map(|sla| &sla.rules[..]),
            flows: traces.as_ref().map(|traces| &traces.flows[..]),
        },
        traces: traces.as_ref(),
        unmatched: &unmatched,
    };
    if let Some(path) = &args.html {
        write_page(&answer, &set, &options, sla.as_ref(), path)?;
    }
    if let Some(page) = page {
        page.begin()?;
    }
    give(&answer, &args.output)?;
    let verdict = gate::judge(&args.fail_on, &report.warnings, sla.as_ref());
    Ok((verdict, Seen::of(&report.captures)))
}

impl Args {
    /// The traces, if they are wanted: by the page with its slowest, by a report in short.
    fn put_together(
        &self,
        set: &CaptureSet,
        options: &ReportOptions,
        report: &Report,
    ) -> Result<Option<Traces>> {
        let in_short = match self.traces {
            _ if self.output.format == Format::Csv => false,
            When::Auto => spans(report) <= FEW_SPANS,
            When::Always => true,
            When::Never => false,
        };
        if !in_short && self.html.is_none() {
            return Ok(None);
        }
        let options = TraceOptions {
            slowest: self.html.as_ref().map_or(0, |_| MAX_WATERFALLS),
            curves: self.html.is_some(),
            ..TraceOptions::from(options)
        };
        Ok(Some(traces(set, &options)?))
    }
}

fn spans(report: &Report) -> u64 {
    report.captures.iter().map(|capture| capture.spans).sum()
}

/// The judgement of the rules, if there are any.
///
/// # Errors
/// When captures cannot be read, or a rule names an unknown event: it would say nothing.
pub(super) fn judged(
    set: &CaptureSet,
    options: &ReportOptions,
    rules: Vec<Rule>,
) -> Result<Option<Sla>> {
    if rules.is_empty() {
        return Ok(None);
    }
    let sla = sla(
        set,
        &SlaOptions {
            rules,
            events: options.events.clone(),
            since: options.since,
            until: options.until,
            skip_ns: options.skip_ns,
            strict: options.strict,
            threads: options.threads,
            // The page has episodes; `perf-analyze sla` lists each violation.
            violations: 0,
            ..SlaOptions::default()
        },
    )?;
    gate::check_matched(&Unmatched::find(set, &sla.warnings)?)?;
    Ok(Some(sla))
}

/// Writes the report as a page, with what traces and plots add to it.
fn write_page(
    answer: &ReportAnswer<'_>,
    set: &CaptureSet,
    options: &ReportOptions,
    sla: Option<&Sla>,
    path: &Path,
) -> Result<()> {
    let Some(traces) = answer.traces else {
        return Ok(());
    };
    let progress = Progress::start("putting the page together", answer.args.input.quiet);
    let plots = plot_data(
        set,
        &ReportOptions {
            by: None,
            every_ns: None,
            ..options.clone()
        },
    )?;
    let promised = sla.map(|sla| promised(set, &plots, sla, options));
    let promised = promised.transpose()?.unwrap_or_default();
    let page = page::html::page(&page::html::Source {
        report: answer.page(),
        traces,
        plots: &plots,
        sla,
        promised: &promised,
        arguments: &command::of_this_run(),
    });
    let written = perf_render::html::html(&page);
    drop(progress);
    write_whole(path, written.as_bytes())
}

/// What programs read: the report, and how its rules fared if there are any.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    sla: Option<&'a [RuleResult]>,
    /// As in `perf-analyze/traces/1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<&'a [Flow]>,
}

struct ReportAnswer<'a> {
    args: &'a Args,
    told: Told<'a>,
    traces: Option<&'a Traces>,
    unmatched: &'a Unmatched,
}

impl ReportAnswer<'_> {
    fn page(&self) -> page::report::Page<'_> {
        page::report::Page {
            report: self.told.report,
            rules: self.told.sla.unwrap_or_default(),
            traces: match (self.traces, self.args.traces) {
                (_, When::Never) => InShort::Nothing,
                (Some(traces), _) => InShort::Found(traces),
                (None, _) => InShort::TooMany(spans(self.told.report)),
            },
            zone: &self.args.selection.tz,
            narrowed: self.args.selection.is_narrowed(),
            unmatched: self.unmatched,
        }
    }
}

impl Answer for ReportAnswer<'_> {
    fn value(&self) -> &impl Serialize {
        &self.told
    }

    fn document(&self) -> Document {
        self.page().document()
    }

    fn sheet(&self) -> Table {
        page::sheet::report(self.told.report, &self.args.selection.tz)
    }
}
