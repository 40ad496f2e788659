//! A small capture that has a chunk of every kind.

use perf_format::{
    Anchor, AnnotationValue, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource,
    Close, CloseReason, EventDescriptor, EventId, EventKind, FileHeader, Label, LossCause,
    LossEntry, Notes, OpenSpan, Origin, RingId, Row, RunHead, SegmentId, SelfCost, Tables, Tag,
    ThreadDescriptor, ThreadId, TraceId, Warning, WarningCode,
};

pub(crate) fn header() -> FileHeader {
    FileHeader {
        capture_id: CaptureId([7; 16]),
        start_unix_ns: 1_790_000_000_000_000_000,
        origin: Origin {
            host: "trader-3".into(),
            pid: 4711,
            boot_id: "b00t".into(),
            command: "trading".into(),
            arena: "/dev/shm/perf-0/x".into(),
        },
        clock: ClockDescriptor {
            source: ClockSource::TSC,
            reason: "invariant".into(),
            ticks_per_second: 2.5e9,
        },
        labels: vec![Label {
            key: "version".into(),
            value: "1.2".into(),
        }],
        ..FileHeader::default()
    }
}

pub(crate) fn tables() -> Tables {
    let event = |id, kind, name: &str, unit: &str| EventDescriptor {
        id: EventId(id),
        kind,
        name: name.into(),
        unit: unit.into(),
    };
    Tables {
        events: vec![
            event(1, EventKind::SPAN, "ORDER_SUBMIT", "ns"),
            event(2, EventKind::COUNTER, "ORDERS", "orders"),
            event(3, EventKind::GAUGE, "BACKLOG", "orders"),
            event(4, EventKind::OBSERVATION, "GC_PAUSE", "ns"),
        ],
        threads: vec![ThreadDescriptor {
            id: ThreadId(1),
            os_tid: 4712,
            name: "worker".into(),
        }],
        skipped_records: 0,
    }
}

pub(crate) fn anchor(ns: i64) -> Anchor {
    Anchor {
        ticks: 1000 + 5 * ns as u64 / 2,
        monotonic_raw_ns: ns,
        realtime_ns: 1_790_000_000_000_000_000 + ns,
        uncertainty_ns: 40,
        segment: SegmentId(0),
    }
}

pub(crate) fn notes() -> Notes {
    Notes {
        self_costs: vec![SelfCost {
            records: 90,
            ns_per_record: 18.5,
            ..SelfCost::default()
        }],
        warnings: vec![Warning {
            code: WarningCode::SMALL_MEMORY,
            ticks: 5,
            message: "rings are small".into(),
        }],
        losses: vec![loss(3)],
        skipped_records: 0,
    }
}

pub(crate) fn loss(count: u64) -> LossEntry {
    LossEntry {
        ring: RingId(2),
        thread: ThreadId(3),
        cause: LossCause::RING_FULL,
        count,
        from_ticks: 10,
        to_ticks: 20,
    }
}

pub(crate) fn open_span() -> OpenSpan {
    OpenSpan {
        thread: ThreadId(1),
        event: EventId(1),
        start_ticks: 5555,
        trace: TraceId(9),
    }
}

/// Rows of the four kinds, `count` of them from `start` ticks on.
pub(crate) fn rows(start: u64, count: usize) -> Vec<Row> {
    let kinds = [
        (1, Tag::SPAN_OK),
        (1, Tag::SPAN_ERROR),
        (2, Tag::COUNTER),
        (3, Tag::GAUGE),
        (4, Tag::OBSERVATION),
    ];
    (0..count as u64)
        .map(|number| {
            let (event, tag) = kinds[(number % 5) as usize];
            let end_ticks = start + number * 37 + number % 3;
            let trace = TraceId(if number % 4 == 0 {
                0
            } else {
                number / 7 + start
            });
            Row {
                end_ticks,
                value: number * number % 901,
                trace,
                event: EventId(event),
                tag,
            }
        })
        .collect()
}

/// Fills `encoder` with `count` rows, two annotations and a loss.
pub(crate) fn fill(encoder: &mut ChunkEncoder, start: u64, count: usize) {
    let head = RunHead {
        ring: RingId(1),
        thread: ThreadId(1),
        first_seq: start,
    };
    encoder.begin_run(head).unwrap();
    for row in rows(start, count) {
        encoder.push(&row).unwrap();
    }
    let text = AnnotationValue::Str(b"EURUSD");
    encoder
        .push_annotation(start + 1, TraceId(9), b"symbol", text)
        .unwrap();
    let price = AnnotationValue::Float(1.25);
    encoder
        .push_annotation(start + 2, TraceId(9), b"price", price)
        .unwrap();
    encoder.end_run(count as u32 + 5);
    encoder.push_loss(loss(1)).unwrap();
}

/// The capture: three Events chunks of `rows` rows, the last after a rollup.
pub(crate) fn capture(rows: usize) -> Vec<u8> {
    let mut writer = CaptureWriter::new(Vec::new(), &header()).unwrap();
    writer.tables(&tables()).unwrap();
    writer.anchors(&[anchor(0)]).unwrap();
    let mut encoder = ChunkEncoder::new();
    for number in 0..2 {
        fill(&mut encoder, 1000 + number * 100_000, rows);
        writer.events(&mut encoder).unwrap();
    }
    writer.rollup().unwrap();
    writer.notes(&notes()).unwrap();
    fill(&mut encoder, 300_000, rows);
    writer.events(&mut encoder).unwrap();
    writer.anchors(&[anchor(2_000_000)]).unwrap();
    writer.open_spans(&[open_span()]).unwrap();
    let close = Close {
        reason: CloseReason::STOPPED,
        ticks: 9,
        unix_ns: 8,
        ..Close::default()
    };
    writer.close(close).unwrap()
}
