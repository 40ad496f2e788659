//! The golden capture: small, the same bytes every time, with every kind of chunk and every tag.

use std::io;

use perf_format::{
    Anchor, AnnotationValue, CaptureId, CaptureWriter, ChunkEncoder, ClockDescriptor, ClockSource,
    Close, CloseReason, EventDescriptor, EventId, EventKind, FileHeader, Label, LossCause,
    LossEntry, Notes, OpenSpan, Origin, RingId, Row, RunHead, SegmentId, SelfCost, Tables, Tag,
    ThreadDescriptor, ThreadId, TraceId, Warning, WarningCode,
};

const CANDLE: EventId = EventId(0);
const ORDER: EventId = EventId(1);
const SUBMITTED: EventId = EventId(2);
const BACKLOG: EventId = EventId(3);
const PAUSE: EventId = EventId(4);
/// 2026-01-01T00:00:00Z.
const START_UNIX_NS: i64 = 1_767_225_600_000_000_000;
/// Two ticks a ns.
const FIRST_TICKS: u64 = 10_000_000;

/// The bytes of the file.
pub(crate) fn bytes() -> io::Result<Vec<u8>> {
    let mut writer = CaptureWriter::new(Vec::new(), &header())?;
    let mut encoder = ChunkEncoder::new();
    writer.tables(&tables())?;
    writer.anchors(&[anchor(0, 0, 0), anchor(2_000_000, 150, 0)])?;
    first_window(&mut encoder);
    writer.events(&mut encoder)?;
    writer.notes(&notes())?;
    losses_only(&mut encoder);
    writer.events(&mut encoder)?;
    writer.rollup()?;
    extremes(&mut encoder);
    writer.events(&mut encoder)?;
    writer.begin_segment()?;
    // The wall clock was set back by three seconds in the second segment.
    writer.anchors(&[
        anchor(4_000_000, 0, 1),
        anchor(9_000_000, -3_000_000_000, 1),
    ])?;
    second_segment(&mut encoder);
    writer.events(&mut encoder)?;
    writer.open_spans(&[
        OpenSpan {
            thread: ThreadId(1),
            event: ORDER,
            start_ticks: FIRST_TICKS + 17_000_000,
            trace: TraceId(0xFEED),
        },
        OpenSpan {
            thread: ThreadId(2),
            event: CANDLE,
            start_ticks: FIRST_TICKS + 17_500_000,
            trace: TraceId::NONE,
        },
    ])?;
    writer.close(Close {
        reason: CloseReason::STOPPED,
        ticks: FIRST_TICKS + 18_000_000,
        unix_ns: START_UNIX_NS - 2_991_000_000,
        lost: 12,
        ..Close::default()
    })
}

fn header() -> FileHeader {
    let label = |key: &str, value: &str| Label {
        key: key.into(),
        value: value.into(),
    };
    FileHeader {
        capture_id: CaptureId(*b"golden version 1"),
        start_unix_ns: START_UNIX_NS,
        origin: Origin {
            host: "build-7".into(),
            pid: 4711,
            boot_id: "8c3f7e1a-0000-4000-8000-000000000001".into(),
            command: "trading".into(),
            arena: "/dev/shm/perf-1000/golden".into(),
        },
        clock: ClockDescriptor {
            source: ClockSource::SYNTHETIC,
            reason: "made by an example".into(),
            ticks_per_second: 2e9,
        },
        labels: vec![label("version", "1.4.2"), label("größe", "klein")],
        ..FileHeader::default()
    }
}

fn tables() -> Tables {
    let event = |id, kind, name: &str, unit: &str| EventDescriptor {
        id,
        kind,
        name: name.into(),
        unit: unit.into(),
    };
    let thread = |id, os_tid, name: &str| ThreadDescriptor {
        id: ThreadId(id),
        os_tid,
        name: name.into(),
    };
    Tables {
        events: vec![
            event(CANDLE, EventKind::SPAN, "CANDLE_PROCESSING", "ns"),
            event(ORDER, EventKind::SPAN, "ORDER_EXECUTION", "ns"),
            event(SUBMITTED, EventKind::COUNTER, "ORDERS_SUBMITTED", "orders"),
            event(BACKLOG, EventKind::GAUGE, "QUEUE_BACKLOG", "orders"),
            event(PAUSE, EventKind::OBSERVATION, "GC_PAUSE", "ns"),
        ],
        threads: vec![thread(1, 4712, "feed"), thread(2, 0, "")],
        ..Tables::default()
    }
}

fn anchor(ns: i64, drift_ns: i64, segment: u32) -> Anchor {
    Anchor {
        ticks: FIRST_TICKS + 2 * ns as u64,
        monotonic_raw_ns: 5_000_000_000 + ns,
        realtime_ns: START_UNIX_NS + ns + drift_ns,
        uncertainty_ns: 45,
        segment: SegmentId(segment),
    }
}

fn notes() -> Notes {
    Notes {
        self_costs: vec![SelfCost {
            from_ticks: FIRST_TICKS,
            to_ticks: FIRST_TICKS + 4_000_000,
            records: 163,
            file_bytes: 2048,
            drainer_cpu_ns: 3000,
            writer_cpu_ns: 4000,
            drain_lag_max_ns: 1_100_000,
            ring_high_water_slots: 160,
            ring_slots: 8192,
            spool_high_water_bytes: 2048,
            ns_per_record: 17.25,
        }],
        warnings: vec![Warning {
            code: WarningCode::SMALL_MEMORY,
            ticks: FIRST_TICKS,
            message: "/dev/shm is small: rings of 16 KiB".into(),
        }],
        losses: vec![loss(LossCause::NO_RING, 5)],
        ..Notes::default()
    }
}

fn loss(cause: LossCause, count: u64) -> LossEntry {
    LossEntry {
        ring: RingId(1),
        thread: ThreadId(2),
        cause,
        count,
        from_ticks: FIRST_TICKS + 100,
        to_ticks: FIRST_TICKS + 900,
    }
}

fn row(ticks: u64, event: EventId, tag: Tag, value: u64, trace: u64) -> Row {
    Row {
        end_ticks: FIRST_TICKS + ticks,
        value,
        trace: TraceId(trace),
        event,
        tag,
    }
}

fn begin(encoder: &mut ChunkEncoder, ring: u32, first_seq: u64) {
    let head = RunHead {
        ring: RingId(ring),
        thread: ThreadId(ring + 1),
        first_seq,
    };
    encoder
        .begin_run(head)
        .expect("an empty chunk takes a few runs");
}

fn push(encoder: &mut ChunkEncoder, rows: impl IntoIterator<Item = Row>) {
    rows.into_iter()
        .for_each(|row| encoder.push(&row).expect("a few rows fit"));
}

/// Two rings, every tag, more than one block a column.
fn first_window(encoder: &mut ChunkEncoder) {
    let candles = (0..150).map(|number| {
        let value = 800 + number * number % 977;
        row(
            1000 + 20_000 * number,
            CANDLE,
            Tag::SPAN_OK,
            value,
            0xC0FF_EE00 + number / 3,
        )
    });
    begin(encoder, 0, 100);
    push(encoder, candles);
    encoder.end_run(150);
    begin(encoder, 1, 0);
    let trace = TraceId(0xFEED_0000_0000_0001);
    let at = |ticks| FIRST_TICKS + ticks;
    let annotate = |encoder: &mut ChunkEncoder, ticks, key: &str, value| {
        let taken = encoder.push_annotation(at(ticks), trace, key.as_bytes(), value);
        taken.expect("a few annotations fit");
    };
    annotate(encoder, 50, "symbol", AnnotationValue::Str(b"EURUSD"));
    annotate(encoder, 51, "raw", AnnotationValue::Str(b"\xFF not text"));
    annotate(encoder, 52, "size", AnnotationValue::Int(-3));
    annotate(encoder, 53, "price", AnnotationValue::Float(1.0825));
    let due = (START_UNIX_NS - 250) as u64;
    push(
        encoder,
        [
            row(54, EventId(0), Tag::DUE, due, trace.0),
            row(2000, ORDER, Tag::SPAN_OK, 1500, trace.0),
            row(2100, ORDER, Tag::SPAN_ERROR, 1600, trace.0),
            row(2200, ORDER, Tag::SPAN_CANCELLED, 40, trace.0),
            row(2300, ORDER, Tag::SPAN_PANICKED, 2_000_000, 0),
            row(2400, SUBMITTED, Tag::COUNTER, 1, trace.0),
            row(2500, SUBMITTED, Tag::COUNTER, (-1i64) as u64, 0),
            row(2600, BACKLOG, Tag::GAUGE, 7, 0),
            row(2900, BACKLOG, Tag::GAUGE, (-2i64) as u64, 0),
            row(3000, PAUSE, Tag::OBSERVATION, 125_000, 0),
        ],
    );
    encoder.end_run(22);
}

/// A chunk without rows: what was lost, and the slots that told of it.
fn losses_only(encoder: &mut ChunkEncoder) {
    begin(encoder, 1, 22);
    encoder.end_run(1);
    encoder
        .push_loss(loss(LossCause::RING_FULL, 4))
        .expect("a few losses fit");
    encoder
        .push_loss(loss(LossCause::TOO_LONG, 3))
        .expect("a few losses fit");
}

/// Values at the ends of their ranges, and ends that fall.
fn extremes(encoder: &mut ChunkEncoder) {
    begin(encoder, 0, 250);
    push(
        encoder,
        [
            row(3_100_000, CANDLE, Tag::SPAN_OK, 0, u64::MAX),
            row(3_000_000, CANDLE, Tag::SPAN_OK, u64::MAX, 1),
            row(3_200_000, PAUSE, Tag::OBSERVATION, u64::MAX, 0),
            row(3_200_000, PAUSE, Tag::OBSERVATION, 0, 0),
            row(3_300_000, BACKLOG, Tag::GAUGE, i64::MIN as u64, 0),
            row(3_400_000, BACKLOG, Tag::GAUGE, i64::MAX as u64, 0),
            row(3_500_000, SUBMITTED, Tag::COUNTER, i64::MAX as u64, 0),
            row(3_600_000, SUBMITTED, Tag::COUNTER, i64::MAX as u64, 0),
        ],
    );
    encoder.end_run(8);
}

/// Rows without any trace, at a steady pace.
fn second_segment(encoder: &mut ChunkEncoder) {
    begin(encoder, 0, 258);
    let steady =
        (0..200).map(|number| row(9_000_000 + 40_000 * number, CANDLE, Tag::SPAN_OK, 1000, 0));
    push(encoder, steady);
    encoder.end_run(200);
}
