//! Which columns of a table are shown, how wide, and what stands in them.

use unicode_width::UnicodeWidthStr;

use crate::document::Tone;
use crate::escape::{bounded, elide};
use crate::table::{Cell, Keep, Name, Row, Table};

/// What stands between two columns.
pub(super) const GAP: &str = "  ";
/// A name keeps at least this much before columns are left out for its sake: so that a table of percentiles over a
/// million spans just fits 80 columns.
const COMFORTABLE_NAME_COLUMNS: usize = 13;
/// A name keeps at least this much, even if the line gets too long by it.
const MIN_NAME_COLUMNS: usize = 8;

/// One line of a table: padded cells.
pub(super) struct Line {
    pub(super) cells: Vec<PaddedCell>,
}

/// A cell with the blanks that make it as wide as its column.
pub(super) struct PaddedCell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// A column that is shown.
struct Shown {
    index: usize,
    width: usize,
    /// Numbers stand against the right edge, and so does their title.
    right: bool,
}

/// A table made ready.
pub(super) struct LaidOut {
    /// The titles, then the rows.
    pub(super) lines: Vec<Line>,
    /// The titles of the columns that there was no room for.
    pub(super) left_out: Vec<String>,
}

/// `table` to fit `width` columns where there is such a limit.
pub(super) fn lay_out(table: &Table, width: Option<usize>, wide: bool) -> LaidOut {
    let mut shown = natural(table, width.is_some(), wide);
    let mut left_out = Vec::new();
    if let Some(width) = width {
        left_out = fit(table, &mut shown, width);
    }
    let titles = shown.iter().enumerate().map(|(place, column)| PaddedCell {
        text: pad(
            bounded(&table.columns[column.index].title).into_owned(),
            column,
        ),
        tone: if place == 0 { Tone::Strong } else { Tone::Dim },
    });
    let mut lines = vec![Line {
        cells: titles.collect(),
    }];
    lines.extend(table.rows.iter().map(|row| {
        Line {
            cells: (shown.iter())
                .map(|column| PaddedCell {
                    text: pad(
                        cell_text(row, column.index, width.is_some(), column.width),
                        column,
                    ),
                    tone: cell_tone(row, column.index),
                })
                .collect(),
        }
    }));
    LaidOut { lines, left_out }
}

/// Every column that is asked for, as wide as its widest cell.
fn natural(table: &Table, narrow: bool, wide: bool) -> Vec<Shown> {
    let asked = |keep: Keep| wide || keep != Keep::IfWide;
    (table.columns.iter().enumerate())
        .filter(|(_, column)| asked(column.keep))
        .map(|(index, column)| {
            let cells = table.rows.iter();
            let widths = cells.map(|row| cell_text(row, index, narrow, usize::MAX).width());
            Shown {
                index,
                width: widths
                    .max()
                    .unwrap_or(0)
                    .max(bounded(&column.title).width()),
                right: table.rows.iter().any(|row| row.cell(index).is_numeric()),
            }
        })
        .collect()
}

/// Shortens names as far as is comfortable, then leaves columns out, then shortens names further. Gives the titles of
/// the columns left out.
fn fit(table: &Table, shown: &mut Vec<Shown>, width: usize) -> Vec<String> {
    let mut left_out = Vec::new();
    shrink_names(table, shown, width, COMFORTABLE_NAME_COLUMNS);
    while total(shown) > width {
        let droppable = |column: &Shown| match table.columns[column.index].keep {
            Keep::Always => None,
            Keep::IfRoom(order) => Some(u16::from(order)),
            Keep::IfWide => Some(u16::MAX),
        };
        let first = (shown.iter().enumerate())
            .filter_map(|(place, column)| Some((droppable(column)?, place)))
            .max();
        let Some((_, place)) = first else { break };
        let column = shown.remove(place);
        left_out.push(table.columns[column.index].title.clone());
    }
    // What a dropped column left over goes back to the names.
    restore_names(table, shown, width);
    shrink_names(table, shown, width, MIN_NAME_COLUMNS);
    left_out
}

fn total(shown: &[Shown]) -> usize {
    let gaps = GAP.len() * shown.len().saturating_sub(1);
    shown.iter().map(|column| column.width).sum::<usize>() + gaps
}

fn holds_names(table: &Table, column: &Shown) -> bool {
    let mut cells = table.rows.iter().map(|row| row.cell(column.index));
    cells.any(|cell| matches!(cell, Cell::Name(_)))
}

/// Takes columns from the widest name until the line fits or every name is down to `least`.
fn shrink_names(table: &Table, shown: &mut [Shown], width: usize, least: usize) {
    let mut excess = total(shown).saturating_sub(width);
    for column in shown.iter_mut() {
        if excess > 0 && holds_names(table, column) {
            let taken = column.width.saturating_sub(least).min(excess);
            column.width -= taken;
            excess -= taken;
        }
    }
}

/// Gives the room that is left to the names that were shortened.
fn restore_names(table: &Table, shown: &mut [Shown], width: usize) {
    let mut spare = width.saturating_sub(total(shown));
    for column in shown.iter_mut() {
        if holds_names(table, column) {
            let cells = table.rows.iter();
            let widths = cells.map(|row| cell_text(row, column.index, true, usize::MAX).width());
            let wanted = widths.max().unwrap_or(0).saturating_sub(column.width);
            let given = wanted.min(spare);
            column.width += given;
            spare -= given;
        }
    }
}

/// What stands in a cell, at most `columns` wide.
fn cell_text(row: &Row, index: usize, narrow: bool, columns: usize) -> String {
    match row.cell(index) {
        Cell::Name(Name {
            mark: Some(mark),
            repeated: true,
            ..
        }) if narrow => elide(&format!("  └ {}", bounded(mark)), columns),
        Cell::Name(Name { text, mark, .. }) => {
            let mark = mark.as_deref().map(|mark| format!(" {}", bounded(mark)));
            let mark = mark.unwrap_or_default();
            let room = columns.saturating_sub(mark.width());
            elide(&format!("{}{mark}", elide(&bounded(text), room)), columns)
        }
        cell => elide(&bounded(&cell.shown()), columns),
    }
}

/// A row's tone is its own; in an ordinary row, what is absent or doubtful steps back.
fn cell_tone(row: &Row, index: usize) -> Tone {
    match (row.tone, row.cell(index)) {
        (Tone::Plain, Cell::Absent | Cell::Doubtful(_)) => Tone::Dim,
        (tone, _) => tone,
    }
}

fn pad(text: String, column: &Shown) -> String {
    let blanks = " ".repeat(column.width.saturating_sub(text.width()));
    if column.right {
        blanks + &text
    } else {
        text + &blanks
    }
}
