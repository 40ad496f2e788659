//! Holds the plain decoder's answer against the fast reader's.

use perf_format::{
    Aggregate, Anchor, ChunkEntry, ClockMap, Columns, EventsChunk, FileHeader, Frame, Index,
    LossEntry, Rollup as FastRollup, RollupChunk, SegmentId, SparseAggregate, SparseRollup,
};

use super::clock::Clock;
use super::events::{self, Events, Row};
use super::file::{Capture, Chunk, Column, Content, Head, decode};
use super::metadata::{self, Header, Metadata};
use super::rollup::{Counter, Distribution, Gauge, Rollup, Summary};

/// Decodes `file` with both, and asserts that they agree in everything; returns what they read, if it is a capture.
#[track_caller]
pub(super) fn assert_same(file: &[u8]) -> Option<Capture> {
    let (plain, fast) = match (decode(file), Index::build(file)) {
        (Ok(plain), Ok(fast)) => (plain, fast),
        (Err(_), Err(_)) => return None,
        (plain, fast) => panic!("one reads it, one does not: {plain:?} and {fast:?}"),
    };
    assert_eq!(plain.header, fast.header.as_ref().map(header));
    assert_eq!(
        plain.damage,
        fast.damage
            .iter()
            .map(|damage| place(damage.offset, damage.len))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        plain.torn_tail,
        fast.torn_tail
            .as_ref()
            .map(|tail| place(tail.offset, tail.len))
    );
    assert_eq!(plain.closed_cleanly(), fast.closed_cleanly());
    assert_eq!(plain.metadata, metadata(&fast));
    assert_eq!(plain.chunks.len(), fast.chunks.len(), "chunks");
    for (chunk, entry) in plain.chunks.iter().zip(&fast.chunks) {
        same_chunk(chunk, entry, fast.chunk_bytes(file, entry));
    }
    assert_eq!(
        plain.events().count(),
        plain
            .chunks
            .iter()
            .filter(|chunk| is_kind(chunk, 1))
            .count()
    );
    same_times(&plain, &fast);
    Some(plain)
}

fn is_kind(chunk: &Chunk, kind: u16) -> bool {
    chunk.head.kind == kind && chunk.head.version <= 1 && chunk.content.is_ok()
}

fn place(offset: u64, len: u64) -> (usize, usize) {
    (offset as usize, len as usize)
}

fn same_chunk(chunk: &Chunk, entry: &ChunkEntry, bytes: &[u8]) {
    assert_eq!(chunk.offset as u64, entry.offset);
    let frame = Frame::parse(bytes, entry.offset).expect("the index found it intact");
    let head = &chunk.head;
    let fast = frame.head;
    assert_eq!((head.kind, head.version), (fast.kind.0, fast.version));
    assert_eq!(
        (head.head_len as u32, head.body_len as u64),
        (fast.head_len, fast.body_len)
    );
    assert_eq!(
        (head.records, head.segment),
        (fast.record_count, fast.segment.0)
    );
    assert_eq!((head.chunk_seq, head.crc), (fast.chunk_seq, fast.head_crc));
    assert_eq!(
        (head.min_start, head.min_end, head.max_end),
        (fast.min_start, fast.min_end, fast.max_end)
    );
    let columns = frame.columns.iter().map(|column| Column {
        id: column.id.0,
        encoding: column.encoding,
        offset: column.offset as usize,
        len: column.len as usize,
        crc: column.crc,
    });
    assert_eq!(head.columns, columns.collect::<Vec<_>>());
    match &chunk.content {
        Ok(Content::Events(events)) => same_events(head, events, bytes, entry.offset),
        Ok(Content::Rollup(rollup)) => same_rollup(rollup, bytes, entry.offset),
        Ok(Content::Metadata) => assert!(frame.check_body(bytes).is_ok()),
        Ok(Content::Unknown) => assert!(!fast.is_known()),
        Err(reason) => assert!(
            !is_readable(head.kind, bytes, entry.offset),
            "only the plain one refuses: {reason}"
        ),
    }
}

/// What the fast reader says of a chunk that the plain one refuses.
fn is_readable(kind: u16, bytes: &[u8], offset: u64) -> bool {
    match kind {
        1 => EventsChunk::parse(bytes, offset)
            .and_then(|chunk| chunk.decode_rows().and(chunk.strings().map(|_| ())))
            .is_ok(),
        5 => RollupChunk::parse(bytes, offset)
            .and_then(|chunk| chunk.rollup())
            .is_ok(),
        // Both put nothing of it into the capture's metadata, which was compared.
        _ => false,
    }
}

fn same_events(head: &Head, plain: &Events, bytes: &[u8], offset: u64) {
    let chunk = EventsChunk::parse(bytes, offset).expect("the plain decoder reads it");
    let ranges = chunk.ranges().iter().map(|range| events::Range {
        ring: range.ring.0,
        thread: range.thread.0,
        first_seq: range.first_seq,
        slots: range.slots,
        rows: range.rows,
        first_end: range.first_end,
    });
    let series = chunk.series().iter().map(|series| events::Series {
        event: series.key.event.0,
        tag: series.key.tag.0,
        rows: series.rows,
        value_offset: series.value_offset,
        max_value: series.max_value,
    });
    let (mut traces, mut columns) = (Vec::new(), Columns::default());
    chunk
        .trace_ids(&mut traces)
        .expect("the plain decoder reads them");
    columns
        .decode(&chunk)
        .expect("the plain decoder reads them");
    let rows = columns.rows().map(|row| Row {
        end: row.end_ticks,
        value: row.value,
        trace: row.trace.0,
        event: row.event.0,
        tag: row.tag.0,
    });
    let mut cpus = Vec::new();
    let cpus = chunk.cpus(&mut cpus).map(|()| {
        // Without the column nothing is known of any.
        cpus.resize(chunk.ranges().len(), None);
        cpus
    });
    let fast = Events {
        ranges: ranges.collect(),
        series: series.collect(),
        losses: chunk.losses().iter().map(loss).collect(),
        traces,
        strings: chunk
            .strings()
            .expect("the plain decoder reads them")
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect(),
        rows: rows.collect(),
        extras: (0..columns.len()).map(|row| extra(&columns, row)).collect(),
        cpus: cpus.ok(),
    };
    assert_eq!(*plain, fast);
    for (index, series) in plain.series.iter().enumerate() {
        let mut values = Vec::new();
        chunk
            .values_of(index, |block| values.extend_from_slice(block))
            .expect("the plain decoder reads them");
        let rows = plain
            .rows
            .iter()
            .filter(|row| (row.event, row.tag) == (series.event, series.tag));
        assert_eq!(values, rows.map(|row| row.value).collect::<Vec<_>>());
    }
    let mut rollup = FastRollup::default();
    chunk
        .roll_into(&mut rollup, |_| true)
        .expect("the plain decoder reads them");
    let scanned = Rollup::of([(head, plain)].into_iter());
    // A series without rows, which this crate never writes, leaves nothing to compare.
    let counted = rollup.series.iter().filter(|(_, all)| all.count() > 0);
    assert_eq!(scanned.series, counted.map(summary).collect());
}

fn extra(columns: &Columns, row: usize) -> events::Extra {
    let extra = columns.extra(row);
    events::Extra {
        weight: extra.weight.get(),
        span_id: extra.span_id.0,
        parent_id: extra.parent_id.0,
        is_lone: extra.is_lone,
    }
}

/// What FORMAT.md says of the figures in a head that a reader may skip chunks by.
pub(super) fn assert_sound(head: &Head, events: &Events) {
    let ends = || events.rows.iter().map(|row| row.end);
    let starts = events.rows.iter().map(Row::start);
    assert_eq!(head.min_start, starts.min().unwrap_or(0));
    assert_eq!(
        (head.min_end, head.max_end),
        (ends().min().unwrap_or(0), ends().max().unwrap_or(0))
    );
    for series in &events.series {
        let values = events
            .rows
            .iter()
            .filter(|row| (row.event, row.tag) == (series.event, series.tag));
        let values = values.map(|row| row.value);
        let expected = match series.tag {
            1..=4 | 10 => values.max().unwrap_or(0),
            8 | 9 | 17 | 20 => values.map(|value| value as i64).max().unwrap_or(0) as u64,
            _ => 0,
        };
        assert_eq!(series.max_value, expected, "tag {}", series.tag);
    }
}

fn same_rollup(plain: &Rollup, bytes: &[u8], offset: u64) {
    let chunk = RollupChunk::parse(bytes, offset).expect("the plain decoder reads it");
    let coverage = chunk.coverage();
    assert_eq!(
        (plain.first_chunk, plain.last_chunk),
        (coverage.first_chunk, coverage.last_chunk)
    );
    assert_eq!(
        (plain.chunks, plain.rows, plain.digest),
        (coverage.chunks, coverage.rows, coverage.digest)
    );
    let dense = chunk.rollup().expect("the plain decoder reads it");
    assert_eq!(plain.series, dense.series.iter().map(summary).collect());
    let mut sparse = SparseRollup::default();
    chunk
        .decode_sparse(&mut sparse)
        .expect("the plain decoder reads it");
    for (key, aggregate) in sparse.series() {
        if let SparseAggregate::Distribution(histogram) = aggregate {
            let bins = sparse
                .bins(histogram)
                .iter()
                .map(|(bin, count)| (u64::from(*bin), *count))
                .collect();
            let found = Distribution {
                count: histogram.count,
                sum: histogram.sum,
                min: histogram.min,
                max: histogram.max,
                bins,
            };
            assert_eq!(
                plain.series.get(&(key.event.0, key.tag.0)),
                Some(&Summary::Distribution(found))
            );
        }
    }
}

fn summary((key, aggregate): (&perf_format::SeriesKey, &Aggregate)) -> ((u32, u8), Summary) {
    let summary = match aggregate {
        Aggregate::Distribution(all) => Summary::Distribution(Distribution {
            count: all.count(),
            sum: all.sum(),
            min: all.min().unwrap_or(0),
            max: all.max().unwrap_or(0),
            bins: all
                .nonempty()
                .map(|(bin, count)| (bin as u64, count))
                .collect(),
        }),
        Aggregate::Counter(all) => Summary::Counter(Counter {
            count: all.count,
            sum: all.sum,
            min: all.min,
            max: all.max,
        }),
        Aggregate::Gauge(all) => Summary::Gauge(Gauge {
            count: all.count,
            sum: all.sum,
            min: all.min,
            max: all.max,
            first: (all.first_ticks, all.first),
            last: (all.last_ticks, all.last),
            integral: all.integral,
        }),
    };
    ((key.event.0, key.tag.0), summary)
}

fn header(fast: &FileHeader) -> Header {
    Header {
        minor: fast.minor_version,
        capture_id: fast.capture_id.0,
        start_unix_ns: fast.start_unix_ns,
        part: fast.part,
        origin: metadata::Origin {
            host: fast.origin.host.clone(),
            pid: fast.origin.pid,
            boot_id: fast.origin.boot_id.clone(),
            command: fast.origin.command.clone(),
            arena: fast.origin.arena.clone(),
        },
        clock: metadata::Clock {
            source: fast.clock.source.0,
            reason: fast.clock.reason.clone(),
            ticks_per_second: fast.clock.ticks_per_second,
        },
        labels: fast
            .labels
            .iter()
            .map(|label| (label.key.clone(), label.value.clone()))
            .collect(),
        unknown_records: fast.unknown_records,
    }
}

fn metadata(fast: &Index) -> Metadata {
    let events = fast.tables.events.iter().map(|event| metadata::Event {
        id: event.id.0,
        kind: event.kind.0,
        name: event.name.clone(),
        unit: event.unit.clone(),
    });
    let threads = fast.tables.threads.iter().map(|thread| metadata::Thread {
        id: thread.id.0,
        os_tid: thread.os_tid,
        name: thread.name.clone(),
    });
    let self_costs = fast.notes.self_costs.iter().map(|cost| metadata::SelfCost {
        numbers: [
            cost.from_ticks,
            cost.to_ticks,
            cost.records,
            cost.file_bytes,
            cost.drainer_cpu_ns,
            cost.writer_cpu_ns,
            cost.drain_lag_max_ns,
            cost.ring_high_water_slots,
            cost.ring_slots,
            cost.spool_high_water_bytes,
        ],
        ns_per_record: cost.ns_per_record,
    });
    let warnings = fast.notes.warnings.iter().map(|warning| metadata::Warning {
        code: warning.code.0,
        ticks: warning.ticks,
        message: warning.message.clone(),
    });
    let open_spans = fast.open_spans.iter().map(|span| metadata::OpenSpan {
        thread: span.thread.0,
        event: span.event.0,
        start_ticks: span.start_ticks,
        trace: span.trace.0,
    });
    Metadata {
        events: events.collect(),
        threads: threads.collect(),
        anchors: fast.anchors.anchors.iter().map(anchor).collect(),
        self_costs: self_costs.collect(),
        warnings: warnings.collect(),
        losses: fast.notes.losses.iter().map(loss).collect(),
        open_spans: open_spans.collect(),
        close: fast.close.as_ref().map(|close| metadata::Close {
            reason: close.reason.0,
            ticks: close.ticks,
            unix_ns: close.unix_ns,
            event_chunks: close.event_chunks,
            rows: close.rows,
            lost: close.lost,
        }),
        unknown_records: fast.tables.skipped_records
            + fast.anchors.skipped_records
            + fast.notes.skipped_records,
    }
}

fn loss(fast: &LossEntry) -> metadata::Loss {
    metadata::Loss {
        ring: fast.ring.0,
        thread: fast.thread.0,
        cause: fast.cause.0,
        count: fast.count,
        from_ticks: fast.from_ticks,
        to_ticks: fast.to_ticks,
    }
}

fn anchor(fast: &Anchor) -> metadata::Anchor {
    metadata::Anchor {
        ticks: fast.ticks,
        raw: fast.monotonic_raw_ns,
        realtime: fast.realtime_ns,
        uncertainty: fast.uncertainty_ns,
        segment: fast.segment.0,
    }
}

/// Both convert the ticks around every anchor and a few more alike, in every segment and in one that there is not.
fn same_times(plain: &Capture, fast: &Index) {
    let map = fast.clock_map();
    let anchors = &plain.metadata.anchors;
    let mut segments: Vec<u32> = anchors.iter().map(|anchor| anchor.segment).collect();
    segments.extend(plain.chunks.iter().map(|chunk| chunk.head.segment));
    segments.push(u32::MAX);
    segments.sort_unstable();
    segments.dedup();
    let mut ticks = vec![0, 1, 999, 1 << 40, u64::MAX / 3, u64::MAX];
    for anchor in anchors {
        ticks.extend([
            anchor.ticks.wrapping_sub(1),
            anchor.ticks,
            anchor.ticks.wrapping_add(12_345),
        ]);
    }
    let mut steps = Vec::new();
    for segment in segments {
        let clock = Clock::new(plain.header.as_ref(), anchors, segment);
        let fast_steps = map
            .steps()
            .iter()
            .filter(|step| step.segment == SegmentId(segment));
        let fast_steps: Vec<_> = fast_steps
            .map(|step| (step.from_ticks, step.to_ticks, step.step_ns))
            .collect();
        assert_eq!(clock.steps(), fast_steps);
        steps.extend(fast_steps);
        for ticks in &ticks {
            same_time(&clock, &map, segment, *ticks);
        }
    }
    assert_eq!(steps.len(), map.steps().len());
}

fn same_time(clock: &Clock, map: &ClockMap, segment: u32, ticks: u64) {
    let id = SegmentId(segment);
    assert_eq!(
        clock.duration_ns(ticks),
        map.duration_ns(id, ticks),
        "duration {ticks} in segment {segment}"
    );
    assert_eq!(
        clock.unix_ns(ticks),
        map.unix_ns(id, ticks),
        "instant {ticks} in segment {segment}"
    );
}
