//! The comparison as a page.

use perf_analysis::diff::{Diff, Outcome, Row};
use perf_render::html::Comparison;
use perf_render::plot::Picture;
use perf_render::{Block, Document, Note, Table, Tone};

use super::{facts, push_explanation, push_notes, push_reasons, rows, title};
use crate::gate::Unmatched;
use crate::page::push_warnings;

/// Everything that `diff` shows, with its pictures. `again` gives the same answer, `whole` all rows and pictures.
pub(crate) fn comparison(
    diff: &Diff,
    plots: Vec<Picture>,
    (again, whole): (String, String),
) -> Comparison {
    let mut sides = Document::new();
    sides.facts(facts(diff));
    let mut moved = Document::new();
    for explanation in &diff.explanations {
        push_explanation(&mut moved, explanation);
    }
    let (word, tone) = verdict(diff);
    Comparison {
        verdict: title(diff),
        word: word.to_owned(),
        tone,
        maker: format!("perf-analyze {}", env!("CARGO_PKG_VERSION")),
        sides,
        notes: notes(diff),
        gated: table("gated", diff.rows.iter().filter(|row| row.gated)),
        moved,
        plots,
        others: table("not gated", diff.rows.iter().filter(|row| !row.gated)),
        again,
        whole,
    }
}

fn table<'a>(name: &str, of: impl Iterator<Item = &'a Row>) -> Document {
    let mut document = Document::new();
    let table: Table = rows(name, of);
    if !table.rows.is_empty() {
        document.table(table);
    }
    document
}

fn notes(diff: &Diff) -> Vec<Note> {
    let mut document = Document::new();
    push_reasons(&mut document, diff);
    push_notes(&mut document, diff);
    push_warnings(&mut document, &diff.warnings, true, &Unmatched::default());
    let notes = document.blocks.into_iter().filter_map(|block| match block {
        Block::Note(note) => Some(note),
        _ => None,
    });
    notes.collect()
}

/// The outcome in capitals, as rules have it on the page of a report.
fn verdict(diff: &Diff) -> (&'static str, Tone) {
    let provisional = !diff.provisional.is_empty();
    match diff.outcome {
        Outcome::NotComparable => ("NOT COMPARABLE", Tone::Bad),
        Outcome::Regression if provisional => ("REGRESSION?", Tone::Caution),
        Outcome::Regression => ("REGRESSION", Tone::Bad),
        Outcome::Inconclusive => ("INCONCLUSIVE", Tone::Caution),
        Outcome::Improvement if provisional => ("IMPROVEMENT?", Tone::Caution),
        Outcome::Improvement => ("IMPROVEMENT", Tone::Good),
        Outcome::Same if provisional => ("SAME?", Tone::Caution),
        Outcome::Same => ("SAME", Tone::Good),
    }
}
