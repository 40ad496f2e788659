//! Tables: real ones, whose cells also bear the number that they are sorted by.

use maud::{Markup, PreEscaped, Render, html};

use super::words::{Words, class, name};
use crate::document::Tone;
use crate::escape::bounded;
use crate::number;
use crate::table::{Cell, Column, Name, Row, Table};

/// Rows of one table, at most.
const MAX_ROWS: usize = 1000;
/// Tables of more rows scroll within the page, below a header that stays.
const TALL: usize = 30;

/// A table in at most about `bytes`, and how many of its rows had no room.
pub(super) fn table(table: &Table, bytes: usize) -> (Markup, usize) {
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|index| table.rows.iter().any(|row| row.cell(index).is_numeric()))
        .collect();
    let mut rows = String::new();
    let mut shown = 0;
    for row in table.rows.iter().take(MAX_ROWS) {
        let before = rows.len();
        row_markup(row, &numeric).render_to(&mut rows);
        if rows.len() > bytes {
            rows.truncate(before);
            break;
        }
        shown += 1;
    }
    let markup = framed(&table.columns, &numeric, &rows, shown);
    (markup, table.rows.len() - shown)
}

/// Head and frame around `rows`, which are markup already.
pub(super) fn framed(columns: &[Column], numeric: &[bool], rows: &str, shown: usize) -> Markup {
    let title = columns.first().map_or("", |column| &column.title);
    html! {
        // Wide tables scroll, and the keyboard must be able to.
        div class=(if shown > TALL { "scroll tall" } else { "scroll" }) tabindex="0" role="region" aria-label=(bounded(title)) {
            table {
                thead {
                    tr {
                        @for (column, numeric) in columns.iter().zip(numeric) {
                            th class=[numeric.then_some("n")] scope="col" aria-sort="none" { (bounded(&column.title)) }
                        }
                    }
                }
                tbody { (PreEscaped(rows)) }
            }
        }
    }
}

/// One row. Its first cell is its title.
fn row_markup(row: &Row, numeric: &[bool]) -> Markup {
    html! {
        tr class=[class(row.tone)] {
            @for (index, numeric) in numeric.iter().enumerate() {
                (cell(row.cell(index), index == 0, *numeric))
            }
        }
    }
}

/// A cell; `title` makes it the title of its row.
pub(super) fn cell(cell: &Cell, title: bool, numeric: bool) -> Markup {
    // What cannot be sorted as a number is sorted by its text; absent values stay behind all others.
    let value = match cell {
        Cell::Absent => Some(String::new()),
        _ if cell.is_numeric() => Some(cell.raw()),
        _ => None,
    };
    let class = match (numeric, *cell == Cell::Absent) {
        (true, true) => Some("n dim"),
        (true, false) => Some("n"),
        (false, true) => Some("dim"),
        (false, false) => None,
    };
    if title {
        html! { th class=[class] scope="row" data-v=[value] { (content(cell)) } }
    } else {
        html! { td class=[class] data-v=[value] { (content(cell)) } }
    }
}

/// What is read in a cell.
pub(super) fn content(cell: &Cell) -> Markup {
    match cell {
        Cell::Name(Name { text, mark, .. }) => html! {
            (name(text))
            @if let Some(mark) = mark { " " span.mark { (Words(mark)) } }
        },
        Cell::Sparkline(counts) => sparkline(counts),
        Cell::Doubtful(inner) => html! {
            span.weak title="rests on few samples" { "~" (content(inner)) }
        },
        cell => html! { (Words(cell.shown().trim_end())) },
    }
}

/// The outline of a distribution: a bar a count, each as high as its share of the highest.
fn sparkline(counts: &[u64]) -> Markup {
    const HEIGHT: u128 = 16;
    let highest = counts.iter().copied().max().unwrap_or(0);
    let mut path = String::new();
    for (place, count) in counts.iter().enumerate() {
        if *count > 0 {
            // The least something is the lowest bar, so that a thin tail still shows.
            let high = (u128::from(*count) * HEIGHT).div_ceil(u128::from(highest));
            path.push_str(&format!("M{} {HEIGHT}v-{high}h5v{high}z", place * 6));
        }
    }
    let label = format!(
        "{} values",
        number::count(counts.iter().copied().fold(0, u64::saturating_add))
    );
    html! {
        @if highest > 0 {
            svg.spark role="img" aria-label=(label) viewBox=(format!("0 0 {} {HEIGHT}", counts.len() * 6)) {
                path d=(path) {}
            }
        }
    }
}

/// A table of facts about one thing, a fact a line.
pub(super) fn facts(facts: &[crate::document::Fact]) -> Markup {
    html! {
        dl {
            @for fact in facts {
                div {
                    dt { (Words(&fact.label)) }
                    dd class=[class(fact.tone).filter(|_| fact.tone != Tone::Strong)] { (Words(&fact.value)) }
                }
            }
        }
    }
}
