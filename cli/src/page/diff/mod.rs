//! The page of `diff`: the verdict, both sides, every figure with its interval, and what moved.

mod html;
mod noise;
mod pictures;
mod report;
mod words;

pub(crate) use html::comparison;
pub(crate) use noise::noise;
pub(crate) use pictures::pictures;
pub(crate) use report::{markdown, suite};

use perf_analysis::diff::{Diff, Explanation, Outcome, Row, Side, Verdict};
use perf_render::escape::bounded;
use perf_render::number::{self, count, nanos_inline};
use perf_render::{Cell, Column, Document, Fact, Keep, Name, Note, Row as Line, Table, Tone};

use crate::gate::Unmatched;
use crate::page::push_warnings;
use words::{change, interval, method, of_unit, outcome, reason, share, verdict};

/// Rows that are not gated and say nothing are left out of the page.
pub(crate) fn document(diff: &Diff, wide: bool) -> Document {
    let mut document = Document::new();
    document.heading(title(diff));
    document.facts(facts(diff));
    push_reasons(&mut document, diff);
    document.table(rows("gated", diff.rows.iter().filter(|row| row.gated)));
    let says_something = |row: &&Row| !row.gated && (wide || row.verdict != Verdict::Inconclusive);
    document.table(rows("not gated", diff.rows.iter().filter(says_something)));
    for explanation in &diff.explanations {
        push_explanation(&mut document, explanation);
    }
    push_notes(&mut document, diff);
    push_warnings(&mut document, &diff.warnings, true, &Unmatched::default());
    document
}

/// The verdict in one line.
fn title(diff: &Diff) -> String {
    let certain = diff.provisional.is_empty() || diff.outcome == Outcome::NotComparable;
    let provisional = if certain { "" } else { "provisionally: " };
    format!("{provisional}{}", outcome(diff))
}

fn facts(diff: &Diff) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("base", side(&diff.base)),
        Fact::new("new", side(&diff.new)),
    ];
    if let (Some(base), Some(new)) = (diff.base.throughput_per_s, diff.new.throughput_per_s) {
        let what = if diff.base.traces > 0 {
            "traces"
        } else {
            "spans"
        };
        let moved = if base > 0.0 {
            change(new / base - 1.0)
        } else {
            "n/a".to_owned()
        };
        let (base, new) = (number::per_second(base), number::per_second(new));
        facts.push(Fact::new(
            "done",
            format!("{base} {what}, then {new} ({moved})"),
        ));
    }
    facts.push(Fact::new("method", method(diff)));
    facts
}

fn side(side: &Side) -> String {
    let captures = match side.captures.as_slice() {
        [only] => bounded(only).into_owned(),
        several => format!("{} captures", several.len()),
    };
    let labels: Vec<String> = (side.labels.iter())
        .map(|(key, value)| format!("{} {}", bounded(key), bounded(value)))
        .collect();
    let lost = match side.lost {
        0 => String::new(),
        lost => format!(", {} lost", count(lost)),
    };
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("; {}", labels.join(", "))
    };
    format!(
        "{captures}: {}, {} records{lost} on {}{labels}",
        nanos_inline(side.duration_ns as f64),
        count(side.records),
        bounded(&side.hosts.join(", ")),
    )
}

/// The rows of a table, which bears this title.
fn rows<'a>(title: &str, rows: impl Iterator<Item = &'a Row>) -> Table {
    let room = |order| Keep::IfRoom(order);
    let columns = vec![
        Column::new(title, "name"),
        Column::new("figure", "figure"),
        Column::new("base", "base").keep(room(2)),
        Column::new("new", "new").keep(room(3)),
        Column::new("change", "change"),
        Column::new("between", "between"),
        Column::new("bound", "bound").keep(room(4)),
        Column::new("sees from", "detectable").keep(room(5)),
        Column::new("verdict", "verdict"),
        Column::new("why", "why").keep(room(1)),
    ];
    let mut before: Option<&str> = None;
    let rows: Vec<Line> = rows
        .map(|row| {
            let repeated = before == Some(row.name.as_str());
            before = Some(&row.name);
            let name = Name {
                text: row.name.clone(),
                mark: None,
                repeated,
            };
            let text = |text: String| Cell::Text(text);
            let why = row.why.map(|why| text(reason(why, row)));
            Line::new(vec![
                Cell::Name(name),
                text(row.measure.to_string()),
                of_unit(&row.unit, row.base),
                of_unit(&row.unit, row.new),
                text(share(row, row.change)),
                text(interval(row)),
                text(share(row, row.bound).replace('+', "±")),
                Cell::or_absent(row.detectable, |least| text(share(row, least))),
                text(verdict(row.verdict).to_owned()),
                why.unwrap_or_else(|| text(String::new())),
            ])
            .tone(tone(row))
        })
        .collect();
    Table { columns, rows }
}

fn tone(row: &Row) -> Tone {
    match (row.verdict, row.gated) {
        (Verdict::Regression, true) => Tone::Bad,
        (Verdict::Improvement, true) => Tone::Good,
        (Verdict::Inconclusive, true) => Tone::Caution,
        (Verdict::Same, true) => Tone::Plain,
        (_, false) => Tone::Dim,
    }
}

fn push_explanation(document: &mut Document, explanation: &Explanation) {
    let of = if explanation.of_tail {
        ", in the traces around p99"
    } else {
        ""
    };
    let mut facts = Vec::new();
    for owner in &explanation.owners {
        let (base, new) = (owner.base_ns as f64, owner.new_ns as f64);
        let sign = if new < base { "-" } else { "+" };
        let moved = format!(
            "{} → {} ({sign}{})",
            nanos_inline(base),
            nanos_inline(new),
            nanos_inline((new - base).abs())
        );
        let name = bounded(&owner.owner).replace('→', " → ");
        facts.push(Fact::new(name, moved));
    }
    for outcome in &explanation.outcomes {
        let (base, new) = (number::percent(outcome.base), number::percent(outcome.new));
        facts.push(Fact::new(outcome.outcome, format!("{base} → {new}")));
    }
    if facts.is_empty() {
        return;
    }
    document.heading(format!("what moved in {}{of}", bounded(&explanation.name)));
    document.facts(facts);
}

/// Why the sides cannot be compared, if they cannot.
fn push_reasons(document: &mut Document, diff: &Diff) {
    for reason in &diff.not_comparable {
        document.note(Note {
            tone: Tone::Bad,
            message: format!("not comparable: {reason}"),
            remedy: None,
        });
    }
}

fn push_notes(document: &mut Document, diff: &Diff) {
    for reason in &diff.provisional {
        document.note(Note {
            tone: Tone::Caution,
            message: format!("provisional: {reason}"),
            remedy: None,
        });
    }
    let needed = diff
        .rows
        .iter()
        .filter(|row| row.gated)
        .filter_map(|row| row.runs_needed)
        .max();
    if let Some(runs) = needed {
        document.note(Note {
            tone: Tone::Dim,
            message: format!("about {runs} captures a side would decide what is not certain"),
            remedy: None,
        });
    }
}
