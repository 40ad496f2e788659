//! `perf-analyze traces`: end to end, which flows are slow and which of their stages cost it.

use std::str::FromStr;

use anyhow::Result;
use perf_analysis::traces::{FlowRule, MAX_SLOWEST, Traces};
use perf_analysis::{Percentile, TraceOptions, traces};
use perf_format::TraceId;
use perf_render::{Document, Table};
use serde::Serialize;

use crate::args::{Input, OutputArgs, Selection, Workers};
use crate::output::{Answer, give};
use crate::page;
use crate::progress::Progress;
use crate::time::Span;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze traces capture.bin
      which flows are slow end to end, and which stage or queue costs it
  perf-analyze traces capture.bin --by symbol --slowest 3
      the same by the values of an annotation, and the three slowest traces
  perf-analyze traces capture.bin --trace 4bf92f3577b34da6
      one trace as a waterfall
  perf-analyze traces capture.bin --flow 'tick to fill=CANDLE_PROCESSING..ORDER_FILL'
      all traces that have both events as one flow
  perf-analyze traces capture.bin --no-owners
      only how long flows took, two to three times as fast
  perf-analyze traces gateway.bin engine.bin --format json | jq '.flows[].bands'
      traces that cross two processes of one host, for programs";

const ABOUT: &str = "\
Puts together the spans of each trace, over all threads, and says how long it took from its first start to its last end. \
Traces with the same events are a flow. Every nanosecond of a trace has one owner: a stage (a span without what is in it) or \
a gap, in which nothing of the trace ran. So stages and gaps add up to the end-to-end time, on the mean and in each band of \
the tail, and the difference between the tail and the typical traces says why the slow ones were slow.";

/// Say how long traces took end to end, and which stage or queue cost it
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    pub(crate) selection: Selection,
    #[command(flatten)]
    assembly: Assembly,
    #[command(flatten)]
    output: OutputArgs,
}

/// How traces are put together, and what is shown of them.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Traces")]
struct Assembly {
    /// Show this trace as a waterfall: its id in hexadecimal, or in decimal as `dec:ID`; may be given more than once
    #[arg(long = "trace", value_name = "ID", value_parser = parse_id)]
    traces: Vec<TraceId>,

    /// How many of the slowest traces to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=MAX_SLOWEST as u64))]
    slowest: u64,

    /// Only tell how long traces took, not what their time went into: two to three times as fast
    #[arg(long, conflicts_with_all = ["slowest", "traces"])]
    no_owners: bool,

    /// Also split each flow by the values of this annotation
    #[arg(long, value_name = "KEY")]
    by: Option<String>,

    /// Take all traces that have both events for one flow; may be given more than once
    #[arg(long = "flow", value_name = "NAME=FIRST..LAST")]
    flows: Vec<Rule>,

    /// A trace is over after so long without a record
    #[arg(long, value_name = "SPAN", default_value = "10s")]
    trace_idle: Span,

    /// Which percentiles, separated by commas; from 50 on each is also explained
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "50,95,99,99.9"
    )]
    percentiles: Vec<Percentile>,

    /// Join traces by the wall clock over captures that share no counter
    #[arg(long)]
    join: bool,
}

#[derive(Debug, Clone)]
struct Rule(FlowRule);

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Rule, String> {
        let parts = text
            .split_once('=')
            .and_then(|(name, ends)| Some((name, ends.split_once("..")?)));
        match parts {
            Some((name, (first, last)))
                if ![name, first, last].iter().any(|part| part.is_empty()) =>
            {
                Ok(Rule(FlowRule {
                    name: name.to_owned(),
                    first: first.to_owned(),
                    last: last.to_owned(),
                }))
            }
            _ => Err("expected NAME=FIRST..LAST, such as fill=ORDER_PREP..ORDER_FILL".to_owned()),
        }
    }
}

/// Ids are shown as 16 hexadecimal digits, and are read as such; a W3C trace id of 32 by its lower half.
pub(super) fn parse_id(text: &str) -> Result<TraceId, String> {
    let expected = "expected a trace id: up to 16 hexadecimal digits, 32 as in `traceparent`, or dec:ID in decimal";
    let id = match text.strip_prefix("dec:") {
        Some(decimal) => decimal.parse().ok(),
        None => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            let digits = match digits.len() {
                32 => digits.get(16..),
                _ => Some(digits),
            };
            digits.and_then(|digits| u64::from_str_radix(digits, 16).ok())
        }
    };
    match id {
        Some(0) => Err("0 is no trace".to_owned()),
        Some(id) => Ok(TraceId(id)),
        None => Err(expected.to_owned()),
    }
}

impl Args {
    fn options(&self) -> Result<TraceOptions> {
        let (since, until) = self.selection.bounds()?;
        Ok(TraceOptions {
            events: self.selection.events.clone(),
            since,
            until,
            skip_ns: self.selection.skip_ns(),
            percentiles: self.assembly.percentiles.clone(),
            idle_ns: self.assembly.trace_idle.ns(),
            flows: self
                .assembly
                .flows
                .iter()
                .map(|rule| rule.0.clone())
                .collect(),
            slowest: match self.assembly.no_owners {
                true => 0,
                false => usize::try_from(self.assembly.slowest).unwrap_or(MAX_SLOWEST),
            },
            dissect: !self.assembly.no_owners,
            context: !self.assembly.no_owners,
            ids: self.assembly.traces.clone(),
            by: self.assembly.by.clone(),
            join: self.assembly.join,
            strict: self.input.is_strict(),
            threads: self.workers.threads(),
            ..TraceOptions::default()
        })
    }
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let options = args.options()?;
    let progress = Progress::start("putting traces together", args.input.quiet);
    let traces = traces(&args.input.open()?, &options)?;
    drop(progress);
    page::warn_beside_csv(&traces.warnings, &args.output, args.input.quiet);
    give(
        &TracesAnswer {
            args,
            traces: &traces,
        },
        &args.output,
    )?;
    Ok(Verdict::Fine)
}

struct TracesAnswer<'a> {
    args: &'a Args,
    traces: &'a Traces,
}

impl Answer for TracesAnswer<'_> {
    fn value(&self) -> &impl Serialize {
        self.traces
    }

    fn document(&self) -> Document {
        let page = page::traces::Page {
            traces: self.traces,
            zone: &self.args.selection.tz,
            asked: !self.args.assembly.traces.is_empty(),
        };
        page.document()
    }

    fn sheet(&self) -> Table {
        page::traces::sheet(self.traces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_shown() {
        assert_eq!(
            parse_id("4bf92f3577b34da6"),
            Ok(TraceId(0x4bf9_2f35_77b3_4da6))
        );
        assert_eq!(parse_id("0xff"), Ok(TraceId(255)));
        assert_eq!(parse_id("dec:255"), Ok(TraceId(255)));
        let whole = "00112233445566774bf92f3577b34da6";
        assert_eq!(parse_id(whole), Ok(TraceId(0x4bf9_2f35_77b3_4da6)));
        for text in ["", "0", "dec:", "xyz", "11112222333344445", "dec:ff"] {
            assert!(parse_id(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flows_have_a_name_and_two_ends() {
        let rule: Rule = "fill=A..B".parse().unwrap();
        assert_eq!(
            (
                rule.0.name.as_str(),
                rule.0.first.as_str(),
                rule.0.last.as_str()
            ),
            ("fill", "A", "B")
        );
        for text in ["fill", "fill=A", "=A..B", "fill=..B", "fill=A.."] {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
