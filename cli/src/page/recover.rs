//! The page of `recover`: what was saved, and what was past saving.

use std::path::Path;

use perf_recorder::salvage::Recovered;
use perf_render::number::bytes;
use perf_render::{Cell, Column, Document, Fact, Note, Row, Table, Tone};
use serde::Serialize;

use crate::page::{MAX_LISTED, counted, more_than_listed};

/// The schema of [`Summary`].
const SCHEMA: &str = "perf-analyze/recover/1";

/// What was saved, as JSON shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    schema: &'static str,
    /// The new capture.
    path: String,
    /// Its size.
    bytes: u64,
    /// Files of the old capture.
    files: Vec<String>,
    /// Records in the intact chunks of these files.
    kept_records: u64,
    /// These chunks.
    kept_chunks: u64,
    /// The dead process's arena, if there was one.
    arena: Option<String>,
    /// Chunks that were on their way from the arena to the file.
    saved_chunks: u64,
    /// Records out of the arena that were in no chunk yet.
    saved_records: u64,
    /// Spans that had not ended when the process died.
    open_spans: u64,
    /// Records that the process had lost, as far as no file told of them.
    lost: u64,
    /// What did not hold together, one sentence each.
    damage: Vec<String>,
}

impl Summary {
    pub(crate) fn new(recovered: &Recovered, out: &Path) -> Summary {
        let shown = |path: &Path| path.display().to_string();
        let damage = recovered.damage.iter().chain(&recovered.saved.damage);
        Summary {
            schema: SCHEMA,
            path: shown(out),
            bytes: recovered.bytes,
            files: recovered.files.iter().map(|path| shown(path)).collect(),
            kept_records: recovered.kept_records,
            kept_chunks: recovered.kept_chunks,
            arena: recovered.arena.as_deref().map(shown),
            saved_chunks: recovered.saved.chunks,
            saved_records: recovered.saved.records,
            open_spans: recovered.saved.open_spans,
            lost: recovered.saved.lost,
            damage: damage.cloned().collect(),
        }
    }
}

pub(crate) fn document(summary: &Summary) -> Document {
    let mut document = Document::new();
    document.heading(&summary.path);
    document.facts(vec![
        Fact::new(
            "kept",
            format!(
                "{} in {} of {}",
                counted(summary.kept_records, "record", "records"),
                counted(summary.kept_chunks, "chunk", "chunks"),
                summary.files.join(" and "),
            ),
        ),
        Fact::new("saved", saved(summary)),
        match summary.lost {
            0 => Fact::new("lost", "nothing that was not known before"),
            lost => Fact::new("lost", counted(lost, "more record", "more records")).tone(Tone::Bad),
        },
        Fact::new("size", bytes(summary.bytes)),
    ]);
    for message in summary.damage.iter().take(MAX_LISTED) {
        document.note(Note {
            tone: Tone::Caution,
            message: message.clone(),
            remedy: None,
        });
    }
    if let Some(more) = more_than_listed(summary.damage.len()) {
        document.note(Note {
            tone: Tone::Caution,
            message: format!("{more} more damaged places"),
            remedy: Some("--format json lists them all".to_owned()),
        });
    }
    document
}

fn saved(summary: &Summary) -> String {
    let Some(arena) = &summary.arena else {
        return "nothing: no arena of its process is there".to_owned();
    };
    format!(
        "{}, {} and {} out of {arena}",
        counted(summary.saved_records, "record", "records"),
        counted(summary.saved_chunks, "finished chunk", "finished chunks"),
        counted(summary.open_spans, "open span", "open spans"),
    )
}

/// One row: how much of what.
pub(crate) fn sheet(summary: &Summary) -> Table {
    let cells = [
        ("path", Cell::name(&summary.path)),
        ("bytes", Cell::Count(summary.bytes)),
        ("kept_records", Cell::Count(summary.kept_records)),
        ("kept_chunks", Cell::Count(summary.kept_chunks)),
        ("arena", Cell::or_absent(summary.arena.clone(), Cell::Text)),
        ("saved_chunks", Cell::Count(summary.saved_chunks)),
        ("saved_records", Cell::Count(summary.saved_records)),
        ("open_spans", Cell::Count(summary.open_spans)),
        ("lost", Cell::Count(summary.lost)),
        ("damaged_places", Cell::Count(summary.damage.len() as u64)),
    ];
    let (keys, cells): (Vec<&str>, Vec<Cell>) = cells.into_iter().unzip();
    Table {
        columns: keys.into_iter().map(|key| Column::new(key, key)).collect(),
        rows: vec![Row::new(cells)],
    }
}
