//! What the heads of one file say of its contents.

use std::collections::BTreeMap;

use perf_format::{
    ChunkEntry, ChunkKind, ColumnId, EventId, EventsChunk, FileHeader, Frame, ThreadId,
};

use super::{AnchorInfo, ChunkCount, ColumnSize, DamageInfo, EventInfo, FileInfo, ThreadInfo};
use crate::capture::CaptureFile;
use crate::error::Error;
use crate::report::EventKind;
use crate::report::rows::reported;
use crate::snapshot::{self, Snapshot};
use crate::value::UnixNs;

pub(super) fn file_info(file: &CaptureFile) -> Result<FileInfo, Error> {
    let heads = Heads::read(file)?;
    let index = &file.index;
    // A damaged header leaves its fields empty.
    let header = index.header.clone().unwrap_or_default();
    let known = index.header.is_some();
    let snapshot = Snapshot::of(&header);
    let FileHeader { origin, clock, .. } = header;
    let some = |text: String| (!text.is_empty()).then_some(text);
    Ok(FileInfo {
        path: file.path.clone(),
        bytes: file.source.stored_len(),
        plain_bytes: file.source.len(),
        format_version: format!("{}.{}", perf_format::VERSION_MAJOR, header.minor_version),
        capture_id: if known {
            header.capture_id.to_string()
        } else {
            String::new()
        },
        boot_id: origin.boot_id,
        host: origin.host,
        pid: origin.pid,
        command: some(origin.command),
        start_unix_ns: known.then_some(UnixNs(header.start_unix_ns)),
        part: header.part,
        snapshot,
        labels: header
            .labels
            .into_iter()
            .filter(|label| !snapshot::is_told(&label.key))
            .map(|label| (label.key, label.value))
            .collect(),
        arena: some(origin.arena),
        clock_source: clock.source.name().to_owned(),
        clock_reason: clock.reason,
        ticks_per_second: clock.ticks_per_second,
        closed_cleanly: index.closed_cleanly(),
        chunks: chunk_counts(&index.chunks),
        columns: heads.column_sizes(),
        events: events(file, &heads),
        threads: threads(file, &heads),
        anchors: anchors(file),
        damage: damage(file),
    })
}

/// Sums over the heads of all Events chunks.
#[derive(Default)]
struct Heads {
    records: u64,
    head_bytes: u64,
    columns: BTreeMap<ColumnId, u64>,
    events: BTreeMap<EventId, u64>,
    threads: BTreeMap<ThreadId, u64>,
    cpus: BTreeMap<ThreadId, BTreeMap<u32, u64>>,
}

impl Heads {
    fn read(file: &CaptureFile) -> Result<Self, Error> {
        let mut heads = Self::default();
        let mut buffer = Vec::new();
        for entry in file.index.event_chunks() {
            file.read_head(entry, &mut buffer)?;
            // Tables that cannot be read are a finding of `verify`.
            let (Ok(chunk), Ok(frame)) = (
                EventsChunk::parse(&buffer, entry.offset),
                Frame::parse(&buffer, entry.offset),
            ) else {
                continue;
            };
            heads.add(&chunk, &frame);
            if let Some(&column) = frame.column(ColumnId::CPU) {
                file.read_body(entry, column.offset, column.len, &mut buffer)?;
                heads.add_cpus(&buffer, entry.offset);
            }
        }
        Ok(heads)
    }

    fn add(&mut self, chunk: &EventsChunk<'_>, frame: &Frame<'_>) {
        self.records += chunk.rows() as u64;
        self.head_bytes += u64::from(frame.head.head_len);
        for column in &frame.columns {
            *self.columns.entry(column.id).or_default() += u64::from(column.len);
        }
        for series in chunk
            .series()
            .iter()
            .filter(|series| reported(series.key.tag).is_some())
        {
            *self.events.entry(series.key.event).or_default() += u64::from(series.rows);
        }
        for range in chunk.ranges().iter().filter(|range| range.rows > 0) {
            *self.threads.entry(range.thread).or_default() += u64::from(range.rows);
        }
    }

    /// Adds where the threads of a chunk ran, of which the head and that column were read. A column that cannot be read is a
    /// finding of `verify`.
    fn add_cpus(&mut self, bytes: &[u8], offset: u64) {
        let mut cpus = Vec::new();
        let Ok(chunk) = EventsChunk::parse(bytes, offset) else {
            return;
        };
        if chunk.cpus(&mut cpus).is_err() {
            return;
        }
        for (range, cpu) in chunk.ranges().iter().zip(cpus) {
            if let Some(cpu) = cpu {
                let seen = self.cpus.entry(range.thread).or_default();
                *seen.entry(cpu).or_default() += 1;
            }
        }
    }

    fn column_sizes(&self) -> Vec<ColumnSize> {
        let size = |column: String, bytes: u64| ColumnSize {
            column,
            bytes,
            bytes_per_record: (self.records > 0).then(|| bytes as f64 / self.records as f64),
        };
        let mut sizes: Vec<_> = self
            .columns
            .iter()
            .map(|(id, bytes)| size(column_name(*id), *bytes))
            .collect();
        sizes.sort_by_key(|size| std::cmp::Reverse(size.bytes));
        sizes.push(size("head".to_owned(), self.head_bytes));
        sizes
    }
}

fn column_name(id: ColumnId) -> String {
    let name = match id {
        ColumnId::SERIES => "series",
        ColumnId::END => "end",
        ColumnId::VALUE => "value",
        ColumnId::TRACE => "trace",
        ColumnId::TRACE_RUNS => "trace_runs",
        ColumnId::TRACE_DICT => "trace_dict",
        ColumnId::STRINGS => "strings",
        ColumnId::WEIGHT => "weight",
        ColumnId::CPU => "cpu",
        ColumnId::SPAN_ID => "span_id",
        ColumnId::PARENT_ID => "parent_id",
        ColumnId(code) => return format!("unknown#{code}"),
    };
    name.to_owned()
}

fn chunk_counts(chunks: &[ChunkEntry]) -> Vec<ChunkCount> {
    let mut counts: BTreeMap<(ChunkKind, bool), ChunkCount> = BTreeMap::new();
    for ChunkEntry { head, .. } in chunks {
        let kind = match head.is_known() {
            true => head.kind.name().replace(' ', "_"),
            false => format!("unknown#{}", head.kind.0),
        };
        let count = counts.entry((head.kind, !head.is_known()));
        let count = count.or_insert(ChunkCount {
            kind,
            chunks: 0,
            bytes: 0,
            records: 0,
        });
        count.chunks += 1;
        count.bytes += head.chunk_len();
        count.records += u64::from(head.record_count);
    }
    counts.into_values().collect()
}

fn events(file: &CaptureFile, heads: &Heads) -> Vec<EventInfo> {
    let mut events: BTreeMap<u32, EventInfo> = BTreeMap::new();
    // A later descriptor replaces an earlier one.
    for event in &file.index.tables.events {
        let records = heads.events.get(&event.id).copied().unwrap_or(0);
        let (id, kind) = (event.id.0, EventKind::of_format(event.kind));
        events.insert(
            id,
            EventInfo {
                id,
                name: event.name.clone(),
                kind,
                unit: event.unit.clone(),
                records,
            },
        );
    }
    for (id, records) in &heads.events {
        let name = crate::report::rows::unnamed(*id);
        let unnamed = EventInfo {
            id: id.0,
            name,
            kind: None,
            unit: String::new(),
            records: *records,
        };
        events.entry(id.0).or_insert(unnamed);
    }
    events.into_values().collect()
}

fn threads(file: &CaptureFile, heads: &Heads) -> Vec<ThreadInfo> {
    let mut threads: BTreeMap<u32, ThreadInfo> = BTreeMap::new();
    for thread in &file.index.tables.threads {
        let records = heads.threads.get(&thread.id).copied().unwrap_or(0);
        threads.insert(
            thread.id.0,
            ThreadInfo {
                id: thread.id.0,
                name: thread.name.clone(),
                records,
                cpus: heads.cpus.get(&thread.id).cloned().unwrap_or_default(),
            },
        );
    }
    for (id, records) in &heads.threads {
        threads.entry(id.0).or_insert(ThreadInfo {
            id: id.0,
            name: String::new(),
            records: *records,
            cpus: heads.cpus.get(id).cloned().unwrap_or_default(),
        });
    }
    threads.into_values().collect()
}

fn anchors(file: &CaptureFile) -> Vec<AnchorInfo> {
    let anchors = file.index.anchors.anchors.iter();
    let info = anchors.map(|anchor| AnchorInfo {
        segment: anchor.segment.0,
        ticks: anchor.ticks,
        monotonic_ns: anchor.monotonic_raw_ns,
        unix_ns: UnixNs(anchor.realtime_ns),
        uncertainty_ns: anchor.uncertainty_ns,
    });
    info.collect()
}

fn damage(file: &CaptureFile) -> Vec<DamageInfo> {
    let index = &file.index;
    let damage = index.damage.iter();
    let mut damage: Vec<_> = damage
        .map(|damage| DamageInfo {
            offset: damage.offset,
            len: damage.len,
            reason: file.reason(damage),
        })
        .collect();
    damage.extend(index.torn_tail.as_ref().map(|tail| DamageInfo {
        offset: tail.offset,
        len: tail.len,
        reason: "an unfinished chunk: the file was cut, or is still being written".to_owned(),
    }));
    damage
}
