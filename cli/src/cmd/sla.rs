//! `perf-analyze sla`: whether what was promised was kept.

use std::path::PathBuf;

use anyhow::Result;
use perf_analysis::sla::{MAX_VIOLATIONS, Sla};
use perf_analysis::{SlaOptions, sla};
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{Format, Input, OutputArgs, Rules, Selection, Workers};
use crate::file::write_whole;
use crate::gate::{self, FailOn, Unmatched};
use crate::output::{Answer, give};
use crate::page;
use crate::progress::Progress;
use crate::time::Span;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze sla capture.bin --sla 'ORDER_EXECUTION:p99.9<5ms' --sla 'GC_PAUSE:max<10ms'
      two rules: their verdicts, violations, and what else happened then
  perf-analyze sla capture.bin --sla 'ORDER_SUBMIT/ok:p99<2ms over 1m' --fail-on sla
      minute by minute; exit code 1 if a minute broke the rule, 4 if that cannot be told
  perf-analyze sla captures/ --config service.yaml --skip 10s
      the rules of a configuration file: its metrics.sla_thresholds and metrics.sla
  perf-analyze sla capture.bin --config service.yaml --format csv -o violations.csv
      every violation, one a line; --parquet violations.parquet for notebooks

Rules: TARGET:STAT OP VALUE [over WINDOW]
  TARGET  EVENT or EVENT/OUTCOME (ok, error, cancelled, panicked), e2e,
          e2e[FLOW], response[FLOW], A->B; a name that reads as something else
          stands in double quotes
  STAT    max, p50 ... p99.99, mean, rate (records a second), error_rate
          (errors and panics)
  OP      <, <=, >, >=
  VALUE   5ms (ns, us, ms, s); 100/s of a rate; 0.1% of an error rate; 8 of an
          observation in another unit
  WINDOW  1m (ms, s, m, h, d): windows begin at multiples of it in UTC";

const ABOUT: &str = "\
Judges rules on events. A percentile is decided by the exact count of samples over the bound, not by bins: p99.9<5ms \
bears one in a thousand, and each of these is listed, marked as within or beyond that budget. A span that was still open \
at the end and already older than the bound counts as over it.

A rule passes, fails, has no data (fewer than 3/(1-p) samples of a percentile), or is unproven: it would pass, but records \
were lost, were left out by sampling or cannot be read, and had all of these been over the bound, it would not.

Violations whose ends are no further apart than --gap make an episode.";

/// Say whether promised limits were kept, and what broke them when
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
    output: OutputArgs,

    #[command(flatten)]
    rules: Rules,

    /// Violations no further apart than this are of one episode
    #[arg(
        long,
        value_name = "SPAN",
        default_value = "1s",
        help_heading = "Figures"
    )]
    gap: Span,

    /// How many violations and episodes to show as text or Markdown; CSV and JSON have up to 100,000
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Figures")]
    limit: usize,

    /// Also write every violation, up to 100,000, to this Parquet file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    parquet: Option<PathBuf>,

    /// Exit with code 1 if this is found, 3 if a rule names an unknown event, 4 if it cannot be told
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        value_delimiter = ',',
        help_heading = "Gates"
    )]
    fail_on: Vec<FailOn>,
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let options = options(args)?;
    let progress = Progress::start("judging rules", args.input.quiet);
    let set = args.input.open()?;
    let sla = sla(&set, &options)?;
    let unmatched = Unmatched::find(&set, &sla.warnings)?;
    drop(progress);

    // A rule is a gate by itself: on a misspelt event it says nothing.
    gate::check_matched(&unmatched)?;
    if !args.fail_on.is_empty() {
        gate::check_usable(&sla.warnings, &unmatched)?;
    }
    if let Some(path) = &args.parquet {
        write_whole(path, &perf_export::violations(&sla)?)?;
    }
    page::warn_beside_csv(&sla.warnings, &args.output, args.input.quiet);
    let answer = SlaAnswer {
        args,
        sla: &sla,
        unmatched: &unmatched,
    };
    give(&answer, &args.output)?;
    Ok(gate::judge(&args.fail_on, &sla.warnings, Some(&sla)))
}

fn options(args: &Args) -> Result<SlaOptions> {
    let rules = args.rules.all()?;
    if rules.is_empty() {
        args.rules.refuse_none();
    }
    let (since, until) = args.selection.bounds()?;
    let listed = matches!(args.output.format, Format::Text | Format::Markdown);
    Ok(SlaOptions {
        events: args.selection.events.clone(),
        since,
        until,
        skip_ns: args.selection.skip_ns(),
        gap_ns: args.gap.ns(),
        violations: match listed && args.parquet.is_none() {
            true => args.limit.saturating_mul(rules.len()),
            false => MAX_VIOLATIONS,
        },
        rules,
        details: true,
        strict: args.input.is_strict(),
        threads: args.workers.threads(),
    })
}

struct SlaAnswer<'a> {
    args: &'a Args,
    sla: &'a Sla,
    unmatched: &'a Unmatched,
}

impl Answer for SlaAnswer<'_> {
    fn value(&self) -> &impl Serialize {
        self.sla
    }

    fn document(&self) -> Document {
        let page = page::sla::Page {
            sla: self.sla,
            zone: &self.args.selection.tz,
            narrowed: self.args.selection.is_narrowed(),
            limit: self.args.limit,
            unmatched: self.unmatched,
        };
        page.document()
    }

    fn sheet(&self) -> Table {
        page::sla_sheet::violations(self.sla, &self.args.selection.tz)
    }
}
