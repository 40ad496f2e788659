//! `perf-analyze export`: captures as tables for other tools.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{CommandFactory, ValueEnum};
use perf_analysis::{Warning, WarningKind};
use perf_export::table::Table;
use perf_export::{
    Digits, Exported, Form, Options, Output, PartitionKey, Single, SingleOptions, export,
    export_single,
};

use crate::args::{Cli, Input, Selection, Workers, selected};
use crate::bar::Bar;
use crate::diagnostics;
use crate::file::is_capture;
use crate::gate::{Unmatched, nearest};
use crate::time::Span;
use crate::verdict::Verdict;

const EXAMPLES: &str = "\
Examples:
  perf-analyze export capture.bin -o out
      all tables as Parquet: out/spans/ID.parquet, out/traces/ID.parquet …
  perf-analyze export captures/ -o lake --partition-by date,host,event
      directories that query engines skip by day, host and event
  perf-analyze export capture.bin --to arrow --table spans -o - | python3 plot.py
      spans as an Arrow stream into another program
  perf-analyze export capture.bin --to hlog -o capture.hlog --slot 1s
      a histogram a second and event, for the tools of HdrHistogram
  perf-analyze export capture.bin --to perfetto --since -5s -o last.perfetto-trace
      the last five seconds, for the Perfetto UI";

const ABOUT: &str = "\
Hands captures to other tools: as tables for query engines and notebooks (Parquet, Arrow, CSV, NDJSON), or as the one \
file that a trace viewer or a histogram tool reads (hlog, perfetto, otlp-json).

  spans        every span that ended
  values       every record of a counter, gauge or observation
  traces       every trace, end to end, with who owned its time
  annotations  keys and values of traces, and when they were due
  events       what is recorded
  captures     where captures come from, and how far they are to be trusted
  bins         histograms by event and slot of time: percentiles by SUM

Durations are integers in ns, times are ns since 1970 UTC. crates/export/TABLES.md has every column, and the SQL for percentiles.

perfetto and otlp-json are put together in memory: they take 4 million spans at most, and more are refused.

A table is a directory with one file a capture. A capture that is exported again replaces what it had left there; no file is \
ever seen before it is whole.";

/// Write Parquet, Arrow, CSV, or what Perfetto, OpenTelemetry and HdrHistogram read
#[derive(Debug, clap::Args)]
#[command(long_about = ABOUT, after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    selection: Selection,

    /// In which form: parquet, arrow, csv, ndjson, hlog, perfetto, otlp-json
    #[arg(long, value_enum, value_name = "FORM", default_value_t = To::Parquet, hide_possible_values = true, help_heading = "Tables")]
    to: To,

    /// Which tables, separated by commas [default: all]
    #[arg(
        long = "table",
        value_enum,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Tables"
    )]
    tables: Vec<TableName>,

    /// Only these columns, separated by commas; tables that have none of them are left out
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Tables"
    )]
    columns: Vec<String>,

    /// Beside each time in ns also a column of timestamps: start beside start_ns
    #[arg(long, help_heading = "Tables")]
    timestamps: bool,

    /// Directories by date, host, event, in the order given: date=2026-05-01/host=web1
    #[arg(
        long,
        value_enum,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Tables"
    )]
    partition_by: Vec<Key>,

    /// The length of a slot of time in bins and hlog
    #[arg(
        long,
        value_name = "SPAN",
        default_value = "1m",
        help_heading = "Tables"
    )]
    slot: Span,

    /// Significant digits of bins: 2 (bounds within 1 %) or 3 (0.1 %); hlog has 3
    #[arg(long, value_name = "N", default_value = "2", value_parser = parse_digits, help_heading = "Tables")]
    digits: Digits,

    /// The directory for the tables, made if it is not there; for hlog, perfetto and otlp-json the file; `-` is standard
    /// output
    #[arg(long, short, value_name = "PATH", help_heading = "Output")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    Parquet,
    Arrow,
    Csv,
    Ndjson,
    Hlog,
    Perfetto,
    OtlpJson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TableName {
    Spans,
    Values,
    Traces,
    Annotations,
    Events,
    Captures,
    Bins,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Key {
    Date,
    Host,
    Event,
}

impl From<TableName> for Table {
    fn from(name: TableName) -> Table {
        match name {
            TableName::Spans => Table::Spans,
            TableName::Values => Table::Values,
            TableName::Traces => Table::Traces,
            TableName::Annotations => Table::Annotations,
            TableName::Events => Table::Events,
            TableName::Captures => Table::Captures,
            TableName::Bins => Table::Bins,
        }
    }
}

impl From<Key> for PartitionKey {
    fn from(key: Key) -> PartitionKey {
        match key {
            Key::Date => PartitionKey::Date,
            Key::Host => PartitionKey::Host,
            Key::Event => PartitionKey::Event,
        }
    }
}

fn parse_digits(text: &str) -> Result<Digits, String> {
    match text {
        "2" => Ok(Digits::Two),
        "3" => Ok(Digits::Three),
        _ => Err("expected 2 or 3".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<Verdict> {
    let form = match args.to {
        To::Parquet => Form::Parquet,
        To::Arrow => Form::Arrow,
        To::Csv => Form::Csv,
        To::Ndjson => Form::Ndjson,
        To::Hlog => return single(args, Single::Hlog),
        To::Perfetto => return single(args, Single::Perfetto),
        To::OtlpJson => return single(args, Single::OtlpJson),
    };
    tables(args, form)
}

fn single(args: &Args, form: Single) -> Result<Verdict> {
    let of_tables = [
        ("--table", !args.tables.is_empty()),
        ("--columns", !args.columns.is_empty()),
        ("--timestamps", args.timestamps),
        ("--partition-by", !args.partition_by.is_empty()),
    ];
    if let Some((option, _)) = of_tables.iter().find(|(_, given)| *given) {
        misused(&format!(
            "{option} is for tables, and this form is one file"
        ));
    }
    let path = (args.output != Path::new("-")).then(|| args.output.clone());
    if let Some(path) = &path {
        refuse(path)?;
    }
    let options = SingleOptions {
        select: selected(&args.input, &args.workers, &args.selection)?,
        form,
        path,
        slot_ns: i64::try_from(args.slot.ns()).unwrap_or(i64::MAX),
    };
    let set = args.input.open()?;
    let bar = Bar::start("exporting", args.input.quiet);
    let exported = export_single(&set, &options, &|done, all| bar.at(done, all));
    drop(bar);
    if reader_left(&exported, options.path.is_none()) {
        return Ok(Verdict::Fine);
    }
    if let Err(perf_export::Error::Usage(message)) = &exported {
        misused(message);
    }
    let exported = exported?;
    if !args.input.quiet {
        warn(
            &exported.warnings,
            &Unmatched::find(&set, &exported.warnings)?,
        );
        if exported.left_out > 0 {
            let left_out = perf_render::number::count(exported.left_out);
            diagnostics::warning(&format!(
                "{left_out} spans are in no trace that was measured, and were left out"
            ));
        }
        if options.path.is_some() {
            let what = match form {
                Single::Hlog => "histograms",
                _ => "spans",
            };
            let written = perf_render::number::count(exported.written);
            diagnostics::note(&format!("{written} {what}"));
        }
    }
    Ok(Verdict::Fine)
}

/// Ends the run: it was called in a way that it cannot be.
fn misused(message: &str) -> ! {
    let kind = clap::error::ErrorKind::ArgumentConflict;
    Cli::command().error(kind, message).exit()
}

/// Columns must be of a table, whichever.
fn check_columns(columns: &[String]) {
    let mut known: Vec<String> = { Table::ALL.iter() }
        .flat_map(|table| table.columns())
        .map(|column| column.name.to_owned())
        .collect();
    known.sort_unstable();
    known.dedup();
    if let Some(unknown) = columns.iter().find(|column| !known.contains(column)) {
        let advice = match nearest(unknown, &known) {
            near if near.is_empty() => format!("there are {}", known.join(", ")),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        misused(&format!("no table has a column `{unknown}`; {advice}"));
    }
}

/// Nothing is written over a capture or into a directory.
fn refuse(path: &Path) -> Result<()> {
    if path.is_dir() {
        bail!(
            "cannot write {}: it is a directory; name a file in it",
            path.display()
        );
    }
    if is_capture(path) {
        bail!(
            "{} is a capture and is left alone; write to another file",
            path.display()
        );
    }
    Ok(())
}

/// A reader of standard output that has gone away is no error.
fn reader_left<T>(result: &Result<T, perf_export::Error>, to_stdout: bool) -> bool {
    matches!(result, Err(perf_export::Error::Io { source, .. })
        if to_stdout && source.kind() == ErrorKind::BrokenPipe)
}

fn tables(args: &Args, form: Form) -> Result<Verdict> {
    check_columns(&args.columns);
    let output = match args.output == Path::new("-") {
        true => Output::Stdout,
        false if args.output.is_file() => {
            bail!(
                "{} is a file; name a directory for the tables",
                args.output.display()
            )
        }
        false => Output::Directory(args.output.clone()),
    };
    let mut options = Options::new(output);
    options.select = selected(&args.input, &args.workers, &args.selection)?;
    options.form = form;
    if !args.tables.is_empty() {
        options.tables = args.tables.iter().map(|name| (*name).into()).collect();
    }
    options.columns.clone_from(&args.columns);
    options.timestamps = args.timestamps;
    options.partition_by = args.partition_by.iter().map(|key| (*key).into()).collect();
    options.slot_ns = i64::try_from(args.slot.ns()).unwrap_or(i64::MAX);
    options.digits = args.digits;
    let set = args.input.open()?;
    let bar = Bar::start("exporting", args.input.quiet);
    let exported = export(&set, &options, &|done, all| bar.at(done, all));
    drop(bar);
    if reader_left(&exported, options.output == Output::Stdout) {
        return Ok(Verdict::Fine);
    }
    if let Err(perf_export::Error::Usage(message)) = &exported {
        misused(message);
    }
    let exported = exported?;
    if !args.input.quiet {
        warn(
            &exported.warnings,
            &Unmatched::find(&set, &exported.warnings)?,
        );
        if exported.too_great > 0 {
            diagnostics::warning(&format!(
                "{} observations are above {}, the most that the column holds, and were written as that",
                exported.too_great,
                i64::MAX
            ));
        }
        if options.output != Output::Stdout {
            say(&exported);
        }
    }
    Ok(Verdict::Fine)
}

fn warn(warnings: &[Warning], unmatched: &Unmatched) {
    for warning in warnings {
        let advice = match &warning.kind {
            WarningKind::NoEventMatches { pattern } => unmatched.advice(pattern),
            _ => None,
        };
        diagnostics::warning(&with(warning, advice.as_deref()));
    }
}

fn with(warning: &Warning, advice: Option<&str>) -> String {
    let capture = warning.capture.as_ref();
    let capture = capture.map(|path| format!("{path}: ")).unwrap_or_default();
    let advice = advice
        .map(|advice| format!("; {advice}"))
        .unwrap_or_default();
    format!("{capture}{}{advice}", warning.message())
}

/// What was written, on standard error: standard output is for results, and these are in files.
fn say(exported: &Exported) {
    for table in &exported.tables {
        let files = match table.files {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        let rows = perf_render::number::count(table.rows);
        diagnostics::note(&format!(
            "{:<12} {rows:>12} rows  {files:>9}  {}",
            table.table.name(),
            perf_render::number::bytes(table.bytes),
        ));
    }
}
