//! The command line: what can be asked, and the groups of arguments that commands share.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use perf_analysis::sla::Rule;
use perf_analysis::sla::config::rules_of_file;
use perf_analysis::{CaptureSet, GroupBy, OpenOptions, Percentile, ReportOptions, TimeBound};

use crate::cmd;
use crate::time::{Moment, Span, Zone};

const EXIT_CODES: &str = "\
Exit codes:
  0  analysed
  1  a gate of --fail-on was breached
  2  the command line is wrong
  3  the input cannot be read, is damaged (with --strict), or a gate names an unknown event
  4  a gate could not be decided

The environment:
  COLUMNS   the width to fit, in place of the terminal's
  NO_COLOR  if set and not empty, no colour anywhere; nor with TERM=dumb";

/// Tells where the time went in a latency capture
#[derive(Debug, Parser)]
#[command(version, after_long_help = EXIT_CODES, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Report(cmd::report::Args),
    Traces(cmd::traces::Args),
    Sla(cmd::sla::Args),
    Diff(cmd::diff::Args),
    Calibrate(cmd::calibrate::Args),
    Plot(cmd::plot::Args),
    Export(cmd::export::Args),
    Import(cmd::import::Args),
    Info(cmd::info::Args),
    Verify(cmd::verify::Args),
    Recover(cmd::recover::Args),
    Attach(cmd::attach::Args),
    Completions(cmd::completions::Args),
    Man(cmd::man::Args),
}

/// Which captures, and how to read them.
#[derive(Debug, Args)]
pub(crate) struct Input {
    /// Capture files, directories of them (every *.bin and *.bin.zst inside), or quoted globs
    #[arg(value_name = "CAPTURE", required = true)]
    captures: Vec<PathBuf>,

    /// Fail with exit code 3 on any damage, in place of a warning and the intact part
    #[arg(long, help_heading = "Reading")]
    strict: bool,

    /// No progress and no warnings on standard error
    #[arg(long, short, help_heading = "Reading")]
    pub(crate) quiet: bool,
}

/// How much of the machine to use.
#[derive(Debug, Args)]
pub(crate) struct Workers {
    /// Worker threads; the answer does not depend on it [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Reading")]
    threads: Option<NonZeroUsize>,
}

/// What of the captures to look at.
#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct Selection {
    /// Only events whose names match; may be given more than once
    #[arg(long = "event", value_name = "GLOB")]
    pub(crate) events: Vec<String>,

    /// Only what ended at this time or later: RFC 3339, +10s from the start, -30s from the end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<Moment>,

    /// Only what ended before this time, written like --since
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<Moment>,

    /// Leave out the start of every capture, such as 10s of warm-up
    #[arg(long, value_name = "SPAN")]
    skip: Option<Span>,

    /// The time zone of every time shown, and of times given without one: UTC, local, Europe/Berlin
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        allow_hyphen_values = true
    )]
    pub(crate) tz: Zone,
}

/// How the answer is computed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Figures")]
pub(crate) struct Figures {
    /// Which percentiles, separated by commas
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "50,95,99,99.9"
    )]
    percentiles: Vec<Percentile>,

    /// Also show each event over time, in slots of this length, such as 1m
    #[arg(long, value_name = "SPAN")]
    every: Option<Span>,

    /// Keep captures apart instead of merging them: capture, or label=KEY
    #[arg(long, value_name = "WHAT", value_parser = parse_by)]
    by: Option<GroupBy>,

    /// Read every record, use no rollup
    #[arg(long)]
    scan: bool,

    /// True order statistics instead of three significant digits; reads every record
    #[arg(long)]
    exact: bool,
}

/// What was promised.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rules")]
pub(crate) struct Rules {
    /// A rule, such as ORDER:p99.9<5ms; may be given more than once
    #[arg(long = "sla", value_name = "RULE")]
    rules: Vec<Rule>,

    /// A YAML file with rules: metrics.sla_thresholds (ns) and metrics.sla
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Where the answer goes, and in which form.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// The form of the answer
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write to a file, which appears whole or not at all; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Show every column, whether or not it fits the terminal
    #[arg(long)]
    pub(crate) wide: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, fitted to the terminal
    Text,
    /// For programs: everything, durations in integer nanoseconds
    Json,
    /// For pull requests and wikis
    Markdown,
    /// For spreadsheets: one table
    Csv,
}

/// A page is a file: standard output has the usual answer.
pub(crate) fn parse_html(text: &str) -> Result<PathBuf, String> {
    match text {
        "" | "-" => Err("expected the name of a file".to_owned()),
        path => Ok(PathBuf::from(path)),
    }
}

impl Input {
    pub(crate) fn is_strict(&self) -> bool {
        self.strict
    }

    /// The captures, opened.
    pub(crate) fn open(&self) -> Result<CaptureSet, perf_analysis::Error> {
        let strict = self.strict;
        CaptureSet::open(&self.captures, &OpenOptions { strict })
    }
}

impl Rules {
    /// All rules: those of the command line first, then those of the file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds something else.
    pub(crate) fn all(&self) -> anyhow::Result<Vec<Rule>> {
        let mut rules = self.rules.clone();
        if let Some(path) = &self.config {
            rules.extend(rules_of_file(path)?);
        }
        Ok(rules)
    }

    /// Ends the program with a usage error: there is no rule to judge.
    pub(crate) fn refuse_none(&self) -> ! {
        let message = match &self.config {
            Some(path) => format!("{} has no rule; give one with --sla", path.display()),
            None => "no rule to judge: give one with --sla, or a file with --config".to_owned(),
        };
        let kind = clap::error::ErrorKind::MissingRequiredArgument;
        Cli::command().error(kind, message).exit();
    }
}

impl Workers {
    pub(crate) fn threads(&self) -> Option<usize> {
        self.threads.map(NonZeroUsize::get)
    }
}

impl Selection {
    /// The bounds of --since and --until.
    ///
    /// # Errors
    /// When a time without an offset does not exist in the zone.
    pub(crate) fn bounds(&self) -> anyhow::Result<(Option<TimeBound>, Option<TimeBound>)> {
        let bound =
            |moment: &Option<Moment>| moment.as_ref().map(|m| m.bound(&self.tz)).transpose();
        Ok((bound(&self.since)?, bound(&self.until)?))
    }

    pub(crate) fn skip_ns(&self) -> u64 {
        self.skip.map_or(0, Span::ns)
    }

    /// Whether anything but the whole of every capture was asked for.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.skip.is_some()
    }
}

/// What the analysis is asked for.
///
/// # Errors
/// When a time without an offset does not exist in the zone.
pub(crate) fn report_options(
    input: &Input,
    workers: &Workers,
    selection: &Selection,
    figures: &Figures,
) -> anyhow::Result<ReportOptions> {
    Ok(ReportOptions {
        every_ns: figures.every.map(Span::ns),
        by: figures.by.clone(),
        percentiles: figures.percentiles.clone(),
        scan: figures.scan,
        exact: figures.exact,
        ..selected(input, workers, selection)?
    })
}

/// What is selected, for an analysis that is the usual one in all else.
///
/// # Errors
/// When a time without an offset does not exist in the zone.
pub(crate) fn selected(
    input: &Input,
    workers: &Workers,
    selection: &Selection,
) -> anyhow::Result<ReportOptions> {
    let (since, until) = selection.bounds()?;
    Ok(ReportOptions {
        events: selection.events.clone(),
        since,
        until,
        skip_ns: selection.skip_ns(),
        strict: input.strict,
        threads: workers.threads(),
        ..ReportOptions::default()
    })
}

fn parse_by(text: &str) -> Result<GroupBy, String> {
    match text.split_once('=') {
        None if text == "capture" => Ok(GroupBy::Capture),
        Some(("label", key)) if !key.is_empty() => Ok(GroupBy::Label(key.to_owned())),
        _ => Err("expected `capture` or `label=KEY`, such as label=version".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_manual_page() {
        let program = super::Cli::command();
        let names: Vec<&str> = program
            .get_subcommands()
            .map(|command| command.get_name())
            .collect();
        assert_eq!(names, crate::cmd::man::COMMANDS);
    }
}
