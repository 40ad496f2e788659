//! What an export is asked for.

use std::path::PathBuf;

use perf_analysis::ReportOptions;

use crate::table::Table;

/// How tables are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// An Apache Arrow IPC stream.
    Arrow,
    /// Comma-separated values with a header line.
    Csv,
    /// A JSON object a line.
    Ndjson,
}

impl Form {
    /// What its files are called at the end, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Form::Parquet => "parquet",
            Form::Arrow => "arrow",
            Form::Csv => "csv",
            Form::Ndjson => "ndjson",
        }
    }
}

/// Where tables go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Into a directory: `TABLE/CAPTURE.EXTENSION` below it.
    Directory(PathBuf),
    /// To standard output; then one table is asked for.
    Stdout,
}

/// What directories are made by, in the order given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartitionKey {
    /// The UTC day of the end.
    Date,
    /// The host that recorded.
    Host,
    /// The name of the event.
    Event,
}

impl PartitionKey {
    /// What the directories are called: `NAME=value`.
    pub fn name(self) -> &'static str {
        match self {
            PartitionKey::Date => "date",
            PartitionKey::Host => "host",
            PartitionKey::Event => "event",
        }
    }
}

/// Significant digits of bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// A bin is at most 1/128 of its lowest value wide.
    Two,
    /// A bin is at most 1/1024 of its lowest value wide.
    Three,
}

/// What an export is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Events, bounds in time, `strict` and `threads`; the rest does not count.
    pub select: ReportOptions,
    /// How tables are written.
    pub form: Form,
    /// Where they go.
    pub output: Output,
    /// Which tables, in any order.
    pub tables: Vec<Table>,
    /// Only these columns; empty: all. A table that has none of them is left out.
    pub columns: Vec<String>,
    /// Beside each time in ns also a column of nanosecond timestamps.
    pub timestamps: bool,
    /// Hive-style directories.
    pub partition_by: Vec<PartitionKey>,
    /// Length of a slot of `bins`, in ns, above 0.
    pub slot_ns: i64,
    /// Significant digits of `bins`.
    pub digits: Digits,
}

impl Options {
    /// All tables as Parquet.
    pub fn new(output: Output) -> Self {
        Self {
            select: ReportOptions::default(),
            form: Form::Parquet,
            output,
            tables: Table::ALL.to_vec(),
            columns: Vec::new(),
            timestamps: false,
            partition_by: Vec::new(),
            slot_ns: 60_000_000_000,
            digits: Digits::Two,
        }
    }
}
