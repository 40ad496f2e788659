//! The page of `info`: what a capture file is made of.

use perf_analysis::info::{FileInfo, Info};
use perf_render::escape::bounded;
use perf_render::number::{bytes, nanos_inline, number};
use perf_render::{Cell, Column, Document, Fact, Keep, Row, Table, Tone};

use crate::gate::Unmatched;
use crate::page::sheet::kind;
use crate::page::{MAX_LISTED, capture, more_than_listed, push_warnings};
use crate::time::Zone;

/// Runs of processors that a thread's row lists.
const MAX_RUNS: usize = 8;

/// The page. Clock anchors are many, so only `wide` lists them.
pub(crate) fn document(info: &Info, zone: &Zone, wide: bool) -> Document {
    let mut document = Document::new();
    for file in &info.files {
        document.heading(&file.path);
        document.facts(facts(file, zone));
        document.table(events(file, "events"));
        document.table(threads(file));
        document.table(chunks(file));
        document.table(columns(file));
        document.table(damage(file));
        if let Some(more) = more_than_listed(file.damage.len()) {
            document.paragraph(format!(
                "{more} more damaged places; --format json lists them all."
            ));
        }
        if wide {
            document.table(anchors(file, zone));
        }
    }
    push_warnings(
        &mut document,
        &info.warnings,
        info.files.len() > 1,
        &Unmatched::default(),
    );
    document
}

/// The events of every file, one a row.
pub(crate) fn sheet(info: &Info) -> Table {
    let mut sheet = Table {
        columns: vec![Column::new("file", "file")],
        rows: Vec::new(),
    };
    sheet.columns.extend(event_columns("event"));
    for file in &info.files {
        for row in events(file, "event").rows {
            let mut cells = vec![Cell::name(&file.path)];
            cells.extend(row.cells);
            sheet.rows.push(Row::new(cells));
        }
    }
    sheet
}

fn facts(file: &FileInfo, zone: &Zone) -> Vec<Fact> {
    let command = file.command.as_deref().unwrap_or("unknown");
    let host = if file.host.is_empty() {
        "an unknown host"
    } else {
        &file.host
    };
    let mut facts = vec![
        Fact::new(
            "capture",
            format!(
                "{}, part {}, format {}",
                file.capture_id, file.part, file.format_version
            ),
        ),
        Fact::new(
            "program",
            format!(
                "{}, pid {} on {}",
                bounded(command),
                file.pid,
                bounded(host)
            ),
        ),
        Fact::new("boot", &file.boot_id),
        Fact::new(
            "start",
            file.start_unix_ns
                .map_or_else(|| "unknown".to_owned(), |start| zone.instant(start)),
        ),
        Fact::new(
            "clock",
            format!(
                "{}, {} MHz: {}",
                bounded(&file.clock_source),
                number(file.ticks_per_second / 1e6),
                bounded(&file.clock_reason)
            ),
        ),
        Fact::new("anchors", anchors_in_short(file)),
        Fact::new("size", size(file)),
    ];
    facts.extend(
        file.snapshot
            .iter()
            .map(|each| capture::snapshot(each, zone)),
    );
    for (key, value) in &file.labels {
        facts.push(Fact::new(
            "label",
            format!("{} {}", bounded(key), bounded(value)),
        ));
    }
    if let Some(arena) = &file.arena {
        facts.push(Fact::new("arena", bounded(arena)));
    }
    facts.push(match file.closed_cleanly {
        true => Fact::new("end", "closed"),
        false => Fact::new("end", "not closed").tone(Tone::Caution),
    });
    facts
}

fn size(file: &FileInfo) -> String {
    match file.plain_bytes == file.bytes {
        true => bytes(file.bytes),
        false => format!(
            "{}, {} before it was compressed",
            bytes(file.bytes),
            bytes(file.plain_bytes)
        ),
    }
}

fn anchors_in_short(file: &FileInfo) -> String {
    let worst = file
        .anchors
        .iter()
        .map(|anchor| anchor.uncertainty_ns)
        .max();
    match worst {
        None => "none".to_owned(),
        Some(worst) => format!(
            "{}, each within {}",
            file.anchors.len(),
            nanos_inline(worst as f64)
        ),
    }
}

fn event_columns(title: &str) -> [Column; 5] {
    [
        Column::new(title, "event"),
        Column::new("kind", "kind"),
        Column::new("unit", "unit"),
        Column::new("records", "records"),
        Column::new("id", "id").keep(Keep::IfRoom(1)),
    ]
}

fn events(file: &FileInfo, title: &str) -> Table {
    let rows = file.events.iter().map(|event| {
        Row::new(vec![
            Cell::name(&event.name),
            Cell::Text(event.kind.map_or("unknown", kind).to_owned()),
            Cell::Text(event.unit.clone()),
            Cell::Count(event.records),
            Cell::Count(u64::from(event.id)),
        ])
    });
    Table {
        columns: event_columns(title).into(),
        rows: rows.collect(),
    }
}

fn threads(file: &FileInfo) -> Table {
    let were_seen = file.threads.iter().any(|thread| !thread.cpus.is_empty());
    let rows = file.threads.iter().map(|thread| {
        let mut cells = vec![
            Cell::name(&thread.name),
            Cell::Count(thread.records),
            Cell::Count(u64::from(thread.id)),
        ];
        if were_seen {
            cells.push(Cell::Text(runs_of(thread.cpus.keys().copied())));
        }
        Row::new(cells)
    });
    let mut columns = vec![
        Column::new("threads", "thread"),
        Column::new("records", "records"),
        Column::new("id", "id").keep(Keep::IfRoom(1)),
    ];
    if were_seen {
        columns.push(Column::new("processors", "processors").keep(Keep::IfRoom(2)));
    }
    Table {
        columns,
        rows: rows.collect(),
    }
}

/// Ascending numbers, with those that follow one another as one: `0-3, 7`. A machine has at most some hundreds.
fn runs_of(numbers: impl Iterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |&(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let mut text: Vec<String> = runs.iter().take(MAX_RUNS).map(run).collect();
    if runs.len() > MAX_RUNS {
        text.push("…".to_owned());
    }
    text.join(", ")
}

fn chunks(file: &FileInfo) -> Table {
    let rows = file.chunks.iter().map(|chunks| {
        Row::new(vec![
            Cell::name(&chunks.kind),
            Cell::Count(chunks.chunks),
            Cell::Count(chunks.records),
            Cell::Count(chunks.bytes),
        ])
    });
    Table {
        columns: vec![
            Column::new("chunks", "kind"),
            Column::new("number", "chunks"),
            Column::new("records", "records"),
            Column::new("bytes", "bytes"),
        ],
        rows: rows.collect(),
    }
}

fn columns(file: &FileInfo) -> Table {
    let rows = file.columns.iter().map(|column| {
        Row::new(vec![
            Cell::name(&column.column),
            Cell::Count(column.bytes),
            Cell::or_absent(column.bytes_per_record, Cell::Number),
        ])
    });
    Table {
        columns: vec![
            Column::new("columns", "column"),
            Column::new("bytes", "bytes"),
            Column::new("a record", "bytes_per_record"),
        ],
        rows: rows.collect(),
    }
}

fn damage(file: &FileInfo) -> Table {
    let rows = file.damage.iter().take(MAX_LISTED).map(|damage| {
        Row::new(vec![
            Cell::Count(damage.offset),
            Cell::Count(damage.len),
            Cell::Text(damage.reason.clone()),
        ])
        .tone(Tone::Bad)
    });
    Table {
        columns: vec![
            Column::new("damage at", "offset"),
            Column::new("bytes", "len"),
            Column::new("what is wrong", "reason"),
        ],
        rows: rows.collect(),
    }
}

fn anchors(file: &FileInfo, zone: &Zone) -> Table {
    let rows = file.anchors.iter().map(|anchor| {
        Row::new(vec![
            Cell::Text(zone.instant(anchor.unix_ns)),
            Cell::Count(anchor.ticks),
            Cell::Nanos(anchor.uncertainty_ns as f64),
            Cell::Count(u64::from(anchor.segment)),
        ])
    });
    Table {
        columns: vec![
            Column::new("anchors", "unix"),
            Column::new("ticks", "ticks"),
            Column::new("within", "uncertainty_ns"),
            Column::new("segment", "segment"),
        ],
        rows: rows.collect(),
    }
}
