//! The page of `verify`: sound or not, and what is wrong where.

use perf_analysis::verify::{FileVerification, Verification};
use perf_analysis::{Warning, WarningKind};
use perf_render::number::{bytes, count};
use perf_render::{Cell, Column, Document, Fact, Note, Row, Table, Tone};

use crate::gate::Unmatched;
use crate::page::{MAX_LISTED, counted, more_than_listed, push_warnings};

pub(crate) fn document(verification: &Verification) -> Document {
    let mut document = Document::new();
    for file in &verification.files {
        document.heading(&file.path);
        document.facts(facts(file));
        for finding in file.findings.iter().take(MAX_LISTED) {
            document.note(Note {
                tone: Tone::Bad,
                message: format!(
                    "offset {}, {} bytes: {}",
                    finding.offset, finding.len, finding.message
                ),
                remedy: None,
            });
        }
        let found = file.findings.len() + usize::try_from(file.more_findings).unwrap_or(usize::MAX);
        if let Some(more) = more_than_listed(found) {
            document.note(Note {
                tone: Tone::Bad,
                message: format!("{more} more findings"),
                remedy: Some("--format csv lists the first thousand of every file".to_owned()),
            });
        }
    }
    let several = verification.files.len() > 1;
    // These are among the findings already, and their remedy is what has just been run.
    let found = |kind: &WarningKind| {
        matches!(
            kind,
            WarningKind::Damage { .. } | WarningKind::TornTail { .. }
        )
    };
    let others = verification.warnings.iter();
    let others: Vec<Warning> = others
        .filter(|warning| !found(&warning.kind))
        .cloned()
        .collect();
    push_warnings(&mut document, &others, several, &Unmatched::default());
    document
}

/// Every finding, one a row.
pub(crate) fn sheet(verification: &Verification) -> Table {
    let rows = verification.files.iter().flat_map(|file| {
        file.findings.iter().map(|finding| {
            Row::new(vec![
                Cell::name(&file.path),
                Cell::Count(finding.offset),
                Cell::Count(finding.len),
                Cell::Text(finding.kind.to_owned()),
                Cell::Text(finding.message.clone()),
            ])
        })
    });
    Table {
        columns: ["file", "offset", "len", "kind", "message"]
            .map(|key| Column::new(key, key))
            .into(),
        rows: rows.collect(),
    }
}

fn facts(file: &FileVerification) -> Vec<Fact> {
    let found = file.findings.len() as u64 + file.more_findings;
    vec![
        match file.intact {
            true => Fact::new("verdict", "intact").tone(Tone::Good),
            false => Fact::new(
                "verdict",
                format!("not intact: {}", counted(found, "finding", "findings")),
            )
            .tone(Tone::Bad),
        },
        Fact::new(
            "checked",
            format!(
                "{}, {}, {}, {}",
                bytes(file.bytes),
                counted(file.chunks, "chunk", "chunks"),
                counted(file.columns, "column", "columns"),
                counted(file.records, "record", "records"),
            ),
        ),
        match file.rollups {
            0 => Fact::new("rollups", "none to compare"),
            rollups => Fact::new(
                "rollups",
                format!(
                    "{} compared with their records, count for count",
                    count(rollups)
                ),
            ),
        },
        match file.closed_cleanly {
            true => Fact::new("end", "closed"),
            false => Fact::new("end", "not closed, which alone is nothing wrong"),
        },
    ]
}
