//! The blocks of a document as markup, within a budget of bytes.

use maud::{Markup, PreEscaped, Render, html};

use super::table;
use super::words::{Words, class, command};
use crate::document::{Block, Document, Note, Tone};
use crate::number::count;

/// Notes on one page, at most.
const MAX_NOTES: usize = 50;

/// How tables stand in a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// One below the other, open.
    Open,
    /// Each under its title, folded.
    Folded,
}

/// `document` in at most about `bytes`. What is cut off is said, with the `whole` command that shows it.
pub(super) fn document(document: &Document, bytes: usize, fold: Fold, whole: &str) -> Markup {
    let mut out = String::new();
    let mut left_out = 0;
    let is_table = |block: &&Block| matches!(block, Block::Table(_));
    let mut tables = document.blocks.iter().filter(is_table).count();
    for block in &document.blocks {
        let room = bytes.saturating_sub(out.len());
        let markup = match block {
            Block::Table(table) => {
                // An equal share of what is left to each, so that a huge table does not hide those after it.
                let share = room / tables;
                tables -= 1;
                table_block(table, share, fold, whole)
            }
            block => other_block(block),
        };
        if markup.0.len() > room {
            left_out += 1;
        } else {
            markup.render_to(&mut out);
        }
    }
    html! {
        (PreEscaped(out))
        @if left_out > 0 {
            p.cut { (count(left_out)) " more parts have no room on this page. All of them: " (command(whole)) }
        }
    }
}

fn table_block(of: &crate::table::Table, bytes: usize, fold: Fold, whole: &str) -> Markup {
    let (table, left_out) = table::table(of, bytes);
    let title = of.columns.first().map_or("", |column| &column.title);
    let cut = html! {
        @if left_out > 0 {
            p.cut { (count(left_out as u64)) " more rows have no room on this page. All of them: " (command(whole)) }
        }
    };
    match fold {
        Fold::Open => html! { (table) (cut) },
        Fold::Folded => html! {
            details.fold {
                summary { code { (crate::escape::bounded(title)) } }
                (table) (cut)
            }
        },
    }
}

fn other_block(block: &Block) -> Markup {
    match block {
        Block::Heading(title) => html! { h3 { (Words(title)) } },
        Block::Paragraph(words) => html! { p { (Words(words)) } },
        Block::Facts(facts) => table::facts(facts),
        Block::Note(each) => note(each),
        Block::Table(_) => html! {},
    }
}

/// The notes, as many as a reader would read and there are `bytes` for.
pub(super) fn notes(notes: &[Note], bytes: usize) -> Markup {
    let mut out = String::new();
    let mut shown = 0;
    for each in notes.iter().take(MAX_NOTES) {
        let markup = note(each);
        if out.len() + markup.0.len() > bytes {
            break;
        }
        markup.render_to(&mut out);
        shown += 1;
    }
    let left_out = (notes.len() - shown) as u64;
    html! {
        (PreEscaped(out))
        @if left_out > 0 { p.cut { (count(left_out)) " more warnings are left out." } }
    }
}

/// Something that the reader must know, and what to do about it.
pub(super) fn note(note: &Note) -> Markup {
    let kind = match note.tone {
        Tone::Bad => "Error",
        Tone::Caution => "Warning",
        _ => "Note",
    };
    html! {
        div.note.(class(note.tone).unwrap_or("plain")) {
            p { strong { (kind) ": " } (Words(&note.message)) }
            @if let Some(remedy) = &note.remedy { p.remedy { (Words(remedy)) } }
        }
    }
}
