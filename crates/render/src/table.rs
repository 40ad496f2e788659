//! Tables of typed cells: what a cell means is known, so that each output form can show it in its own way.

use std::borrow::Cow;

use crate::document::Tone;
use crate::number;
use crate::sparkline::sparkline;

/// Rows under named columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// The columns, from left to right. The title of the first is the title of the table.
    pub columns: Vec<Column>,
    /// The rows, each with one cell a column.
    pub rows: Vec<Row>,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What people read above the column.
    pub title: String,
    /// What programs read in CSV: a name with its unit, such as `p99_ns`.
    pub key: String,
    /// When the column may be left out to fit a terminal.
    pub keep: Keep,
}

/// When a column may be left out of a table that has to fit a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Never.
    Always,
    /// When there is no room: the highest number goes first.
    IfRoom(u8),
    /// Unless the reader asked for everything.
    IfWide,
}

/// One row of a [`Table`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// One cell a column; cells that are missing at the end count as absent.
    pub cells: Vec<Cell>,
    /// The tone of the whole row.
    pub tone: Tone,
}

/// One value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No value: `n/a` to people, empty in CSV. Never 0.
    Absent,
    /// Words.
    Text(String),
    /// The name of something in a capture.
    Name(Name),
    /// How many.
    Count(u64),
    /// A whole number that may be negative.
    Integer(i128),
    /// A number shown to three significant digits.
    Number(f64),
    /// A duration in nanoseconds.
    Nanos(f64),
    /// A rate, a second.
    PerSecond(f64),
    /// A share of one, shown as per cent.
    Share(f64),
    /// The outline of a distribution: one count a bar.
    Sparkline(Vec<u64>),
    /// A value that rests on too little to mean much: led by `~`.
    Doubtful(Box<Cell>),
}

/// A name from a capture. It is hostile until escaped, and may be shortened in the middle to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Name {
    /// The name itself.
    pub text: String,
    /// What sets this row apart from the name's first one, such as `error`. Never shortened.
    pub mark: Option<String>,
    /// Whether the row above bears the same name, so that a narrow table need not repeat it.
    pub repeated: bool,
}

impl Column {
    /// A column that is always shown.
    pub fn new(title: impl Into<String>, key: impl Into<String>) -> Column {
        Column {
            title: title.into(),
            key: key.into(),
            keep: Keep::Always,
        }
    }

    /// The same column under another rule for when to leave it out.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Column {
        self.keep = keep;
        self
    }
}

impl Row {
    /// A row in ordinary text.
    pub fn new(cells: Vec<Cell>) -> Row {
        Row {
            cells,
            tone: Tone::Plain,
        }
    }

    /// The same row in another tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Row {
        self.tone = tone;
        self
    }

    /// The cell of column `index`.
    pub(crate) fn cell(&self, index: usize) -> &Cell {
        self.cells.get(index).unwrap_or(&Cell::Absent)
    }
}

impl Cell {
    /// The name of something, alone.
    pub fn name(text: impl Into<String>) -> Cell {
        Cell::Name(Name {
            text: text.into(),
            ..Name::default()
        })
    }

    /// `make` of the value, or absent.
    pub fn or_absent<T>(value: Option<T>, make: impl FnOnce(T) -> Cell) -> Cell {
        value.map_or(Cell::Absent, make)
    }

    /// What people read, not yet escaped. Numbers of one kind end in the same place, so that they line up.
    pub(crate) fn shown(&self) -> Cow<'_, str> {
        match self {
            Cell::Absent => "n/a".into(),
            Cell::Text(text) => text.into(),
            Cell::Name(Name { text, mark, .. }) => match mark {
                Some(mark) => format!("{text} {mark}").into(),
                None => text.into(),
            },
            Cell::Count(count) => number::count(*count).into(),
            Cell::Integer(value) => number::integer(*value).into(),
            Cell::Number(value) => number::number(*value).into(),
            Cell::Nanos(ns) => number::nanos(*ns).into(),
            Cell::PerSecond(rate) => number::per_second(*rate).into(),
            Cell::Share(share) => number::percent(*share).into(),
            Cell::Sparkline(counts) => sparkline(counts).into(),
            Cell::Doubtful(cell) => format!("~{}", cell.shown()).into(),
        }
    }

    /// What programs read: bare numbers in the unit that the column's key names, whole when they are whole.
    pub(crate) fn raw(&self) -> String {
        match self {
            Cell::Absent => String::new(),
            Cell::Number(value)
            | Cell::Nanos(value)
            | Cell::PerSecond(value)
            | Cell::Share(value) => {
                if value.is_finite() {
                    format!("{value}")
                } else {
                    String::new()
                }
            }
            Cell::Count(count) => count.to_string(),
            Cell::Integer(value) => value.to_string(),
            Cell::Sparkline(counts) => {
                let bars: Vec<String> = counts.iter().map(u64::to_string).collect();
                bars.join(" ")
            }
            Cell::Text(_) | Cell::Name(_) => self.shown().into_owned(),
            Cell::Doubtful(cell) => cell.raw(),
        }
    }

    /// Whether the cell stands against the right edge of its column.
    pub(crate) fn is_numeric(&self) -> bool {
        match self {
            Cell::Count(_)
            | Cell::Integer(_)
            | Cell::Number(_)
            | Cell::Nanos(_)
            | Cell::PerSecond(_)
            | Cell::Share(_) => true,
            Cell::Absent | Cell::Text(_) | Cell::Name(_) | Cell::Sparkline(_) => false,
            Cell::Doubtful(cell) => cell.is_numeric(),
        }
    }
}
