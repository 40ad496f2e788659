//! The tables, column by column: the one place that says what there is.

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Every span that ended.
    Spans,
    /// Every record of a counter, gauge or observation.
    Values,
    /// Every trace that was measured, end to end.
    Traces,
    /// Keys and values of traces, and their due times.
    Annotations,
    /// What is recorded, by capture.
    Events,
    /// Where captures come from and how far they are to be trusted.
    Captures,
    /// Histograms of spans by capture, event, outcome and slot of time.
    Bins,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `int64`, ns since 1970-01-01 UTC.
    Time,
    /// `int64`, null where it is not known.
    OptTime,
    /// `int64`.
    Int,
    /// `int64`, null where there is none.
    OptInt,
    /// `uint64`, null for none.
    Id,
    /// `double`, null where it is not known.
    Float,
    /// `string`, dictionary-encoded, null where there is none.
    Name,
    /// `string`, null where there is none.
    Text,
    /// A list of `{owner: string, own_ns: int64}`.
    Owners,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// What it holds.
    pub what: &'static str,
}

const fn column(name: &'static str, kind: Kind, what: &'static str) -> Column {
    Column { name, kind, what }
}

const TRACE: Column = column("trace_id", Kind::Id, "the trace, null for none");
const THREAD: Column = column("thread", Kind::Name, "the thread that recorded");
const CAPTURE: Column = column(
    "capture",
    Kind::Name,
    "the id of the capture, in hexadecimal",
);
const HOST: Column = column("host", Kind::Name, "the host that recorded");
const EVENT: Column = column("event", Kind::Name, "the name of the event");
const OUTCOME: Column = column(
    "outcome",
    Kind::Name,
    "`ok`, `error`, `cancelled` or `panicked`",
);

/// [`Table::Spans`].
const SPANS: &[Column] = &[
    column("start_ns", Kind::Time, "when it began"),
    column("duration_ns", Kind::Int, "how long it took, in ns"),
    EVENT,
    OUTCOME,
    TRACE,
    THREAD,
    CAPTURE,
    HOST,
];

/// [`Table::Values`].
const VALUES: &[Column] = &[
    column("time_ns", Kind::Time, "when it was recorded"),
    EVENT,
    column("kind", Kind::Name, "`counter`, `gauge` or `observation`"),
    column(
        "value",
        Kind::Int,
        "a counter's step, a gauge's new level, or what was observed",
    ),
    column("unit", Kind::Name, "the unit of the value"),
    TRACE,
    THREAD,
    CAPTURE,
    HOST,
];

/// [`Table::Traces`].
const TRACES: &[Column] = &[
    column("start_ns", Kind::Time, "the first start of its spans"),
    column(
        "end_to_end_ns",
        Kind::Int,
        "from the first start to the last end, in ns",
    ),
    TRACE,
    column(
        "flow",
        Kind::Name,
        "the name of its flow, as in `perf-analyze traces`",
    ),
    column("spans", Kind::Int, "how many spans it has"),
    column("failed", Kind::Int, "how many of them did not end well"),
    column(
        "due_ns",
        Kind::OptTime,
        "when it ought to have begun, null if nothing says so",
    ),
    column(
        "lag_ns",
        Kind::OptInt,
        "from then to its start, in ns; negative if it began early",
    ),
    column(
        "response_ns",
        Kind::OptInt,
        "from then to its end, in ns; a trace that began early waited for nobody",
    ),
    column(
        "lossy",
        Kind::Int,
        "1 if records were lost while it ran: spans may be missing",
    ),
    column(
        "stages",
        Kind::Owners,
        "who owned its time: an event (its spans without what is in them), or the gap `A→B`; adds up to end_to_end_ns",
    ),
];

/// [`Table::Annotations`].
const ANNOTATIONS: &[Column] = &[
    column("time_ns", Kind::Time, "when it was recorded"),
    TRACE,
    column("key", Kind::Text, "the key; `due` for a due time"),
    column("kind", Kind::Name, "`text`, `int`, `float` or `due`"),
    column("text", Kind::Text, "the value, as text, whatever its kind"),
    column(
        "int",
        Kind::OptInt,
        "the value of an `int`; of a `due` the unix ns",
    ),
    column("float", Kind::Float, "the value of a `float`"),
    THREAD,
    CAPTURE,
];

/// [`Table::Events`].
const EVENTS: &[Column] = &[
    EVENT,
    column(
        "kind",
        Kind::Name,
        "`span`, `counter`, `gauge` or `observation`",
    ),
    column("unit", Kind::Name, "the unit of its values"),
    column(
        "records",
        Kind::Int,
        "its records in the capture, selected or not",
    ),
    column("open", Kind::Int, "spans that had not ended"),
    CAPTURE,
];

/// [`Table::Captures`].
const CAPTURES: &[Column] = &[
    CAPTURE,
    column("path", Kind::Text, "its first file, as given"),
    HOST,
    column("pid", Kind::Int, "the process"),
    column("command", Kind::Text, "the program"),
    column("labels", Kind::Text, "build labels, a JSON object"),
    column("start_ns", Kind::OptTime, "when recording began"),
    column("end_ns", Kind::OptTime, "the last thing known of it"),
    column(
        "state",
        Kind::Text,
        "`closed`, `salvaged`, `live`, `salvageable` or `unclosed`",
    ),
    column("records", Kind::Int, "records of every kind"),
    column("spans", Kind::Int, "spans among them"),
    column("open_spans", Kind::Int, "spans that had not ended"),
    column("lost", Kind::Int, "records lost while recording"),
    column(
        "lost_by_cause",
        Kind::Text,
        "the same by cause, a JSON object",
    ),
    column("damaged_bytes", Kind::Int, "bytes that are no intact chunk"),
    column("bytes", Kind::Int, "bytes of its files"),
    column("threads", Kind::Int, "threads that recorded something"),
    column("clock", Kind::Text, "the clock: `tsc`, `monotonic` …"),
    column(
        "clock_error_ns",
        Kind::OptInt,
        "how far times of day may be off",
    ),
    column(
        "ns_per_record",
        Kind::Float,
        "what a record costs the program, in ns",
    ),
    column(
        "drainer_ns_per_record",
        Kind::Float,
        "processor time of the recorder a record, in ns",
    ),
    column(
        "drainer_cpu",
        Kind::Float,
        "the same by wall time: 0.01 is 1 % of a core",
    ),
    column(
        "max_drain_lag_ns",
        Kind::OptInt,
        "the longest a record waited for the drainer",
    ),
    column(
        "ring_high_water",
        Kind::Float,
        "the fullest any ring was, as a fraction",
    ),
];

/// [`Table::Bins`].
const BINS: &[Column] = &[
    column(
        "slot_unix_ns",
        Kind::Time,
        "the first instant of the slot; spans belong to the slot of their end",
    ),
    EVENT,
    OUTCOME,
    column(
        "bin_low_ns",
        Kind::Int,
        "the least duration of the bin, in ns",
    ),
    column(
        "bin_high_ns",
        Kind::Int,
        "the greatest duration of the bin, in ns",
    ),
    column("count", Kind::Int, "spans in the bin"),
    CAPTURE,
    HOST,
];

impl Table {
    /// Every table.
    pub const ALL: [Table; 7] = [
        Table::Spans,
        Table::Values,
        Table::Traces,
        Table::Annotations,
        Table::Events,
        Table::Captures,
        Table::Bins,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Values => "values",
            Table::Traces => "traces",
            Table::Annotations => "annotations",
            Table::Events => "events",
            Table::Captures => "captures",
            Table::Bins => "bins",
        }
    }

    /// Its columns, in order.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Spans => SPANS,
            Table::Values => VALUES,
            Table::Traces => TRACES,
            Table::Annotations => ANNOTATIONS,
            Table::Events => EVENTS,
            Table::Captures => CAPTURES,
            Table::Bins => BINS,
        }
    }

    /// The column that its rows are sorted by within a row group.
    pub(crate) fn sort_column(self) -> Option<usize> {
        match self.columns()[0].kind {
            Kind::Time => Some(0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Table};

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/TABLES.md");
    const BEGIN: &str = "<!-- columns -->\n";
    const END: &str = "<!-- end of columns -->";

    fn kind(kind: Kind) -> &'static str {
        match kind {
            Kind::Time | Kind::Int => "int64",
            Kind::OptTime | Kind::OptInt => "int64, or null",
            Kind::Id => "uint64, or null",
            Kind::Float => "double, or null",
            Kind::Name => "string (dictionary)",
            Kind::Text => "string",
            Kind::Owners => "list of {owner: string, own_ns: int64}",
        }
    }

    /// The page lists what there is: `UPDATE_EXPECT=1` writes it anew.
    #[test]
    fn the_page_has_every_column() {
        let mut listing = String::new();
        for table in Table::ALL {
            listing.push_str(&format!(
                "### `{}`\n\n| column | type | what |\n|---|---|---|\n",
                table.name()
            ));
            for column in table.columns() {
                let kind = kind(column.kind);
                listing.push_str(&format!(
                    "| `{}` | {kind} | {} |\n",
                    column.name, column.what
                ));
            }
            listing.push('\n');
        }
        let page = std::fs::read_to_string(PAGE).expect("the page is there");
        let (before, rest) = page.split_once(BEGIN).expect("a place for the columns");
        let (told, after) = rest.split_once(END).expect("an end of it");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(PAGE, format!("{before}{BEGIN}{listing}{END}{after}")).expect("written");
        } else {
            assert_eq!(told, listing, "run with UPDATE_EXPECT=1");
        }
    }
}
