//! Writes the inputs from which the fuzzer starts, as `corpus/<target>/seed-<name>`: `cargo run --example seeds`.

use std::error::Error;
use std::fs;
use std::path::Path;

use perf_arena::{
    AnnotationValue as Text, Config, LossCause as Lost, Producer, Rejected, create, layout,
};
use perf_format::load::{self, Load, TightLoop};
use perf_format::{
    Anchor, AnnotationValue, CaptureWriter, ChunkEncoder, ChunkKind, Close, CloseReason,
    EventDescriptor, EventId, EventKind, FileHeader, Index, Label, LossCause, LossEntry, Notes,
    OpenSpan, RingId, Row, RunHead, SegmentId, SelfCost, Tables, Tag, ThreadDescriptor, ThreadId,
    TraceId, Warning, WarningCode,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mixed = mixed_capture()?;
    let loads = load::write_capture(Vec::new(), 400, 7)?;
    let empty = CaptureWriter::new(Vec::new(), &load::header(1))?.close(Close::default())?;
    let captures = [("mixed", &mixed), ("load", &loads), ("empty", &empty)];
    for (name, bytes) in captures {
        save("capture", name, bytes)?;
        save("report", name, bytes)?;
        save("traces", name, bytes)?;
    }
    save("capture", "torn", &mixed[..mixed.len() - 30])?;
    save("report", "torn", &mixed[..mixed.len() - 30])?;
    save("traces", "torn", &mixed[..mixed.len() - 30])?;
    let index = Index::build(&mixed)?;
    for (number, entry) in index.chunks.iter().enumerate() {
        let chunk = index.chunk_bytes(&mixed, entry);
        let kind = entry.head.kind;
        save(
            "chunk",
            &format!("{number}-{}", kind.name().replace(' ', "-")),
            chunk,
        )?;
        if kind != ChunkKind::EVENTS && kind != ChunkKind::ROLLUP {
            let records = &chunk[entry.head.head_len as usize..];
            save(
                "metadata",
                &kind.name().replace(' ', "-"),
                &[&[kind.0 as u8], records].concat(),
            )?;
        }
    }
    let first = index
        .chunks
        .first()
        .map_or(mixed.len(), |entry| entry.offset as usize);
    save("metadata", "header", &mixed[..first])?;
    save(
        "chunk",
        "load",
        &encoded(&mut |encoder| Load::new(3).fill(encoder, 300)),
    )?;
    let tight = |encoder: &mut ChunkEncoder| {
        encoder.push_run(RunHead::default(), TightLoop::new(3).take(300));
    };
    save("chunk", "tight", &encoded(&mut { tight }))?;
    for (name, bytes) in round_trips() {
        save("round_trip", name, &bytes)?;
    }
    save("arena", "drained", &dead_arena(true, 0)?)?;
    save("arena", "full", &dead_arena(false, u64::MAX - 100)?)?;
    Ok(())
}

fn save(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{name}")), bytes)
}

fn encoded(fill: &mut dyn FnMut(&mut ChunkEncoder)) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    fill(&mut encoder);
    let mut bytes = Vec::new();
    encoder.encode(5, SegmentId(0), &mut bytes);
    bytes
}

/// A small capture with something of everything.
fn mixed_capture() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut header = FileHeader {
        start_unix_ns: 1_700_000_000_000_000_000,
        ..load::header(2)
    };
    header.labels.push(Label {
        key: "build".into(),
        value: "1.2".into(),
    });
    let mut writer = CaptureWriter::new(Vec::new(), &header)?;
    let kinds = [
        EventKind::SPAN,
        EventKind::COUNTER,
        EventKind::GAUGE,
        EventKind::OBSERVATION,
    ];
    let events = kinds.iter().zip(1..).map(|(&kind, id)| EventDescriptor {
        id: EventId(id),
        kind,
        name: format!("EVENT_{id}"),
        unit: "ns".into(),
    });
    let threads = vec![ThreadDescriptor {
        id: ThreadId(1),
        os_tid: 77,
        name: "main".into(),
    }];
    writer.tables(&Tables {
        events: events.collect(),
        threads,
        ..Tables::default()
    })?;
    for segment in 0..2u64 {
        let anchors = [0u64, 10_000_000, 20_000_000].map(|ticks| Anchor {
            ticks: ticks + segment * 20_000_000,
            monotonic_raw_ns: (ticks / 2) as i64,
            realtime_ns: header.start_unix_ns + (ticks / 2) as i64,
            uncertainty_ns: 50,
            segment: SegmentId(segment as u32),
        });
        writer.anchors(&anchors)?;
        for part in 0..2 {
            let mut encoder = ChunkEncoder::new();
            mixed_rows(&mut encoder, segment * 20_000_000 + part * 5_000_000)?;
            writer.events(&mut encoder)?;
        }
        if segment == 0 {
            writer.begin_segment()?;
        }
    }
    writer.notes(&Notes {
        self_costs: vec![SelfCost {
            records: 100,
            drainer_cpu_ns: 900,
            ..SelfCost::default()
        }],
        warnings: vec![Warning {
            code: WarningCode::CLOCK,
            ticks: 5,
            message: "a step".into(),
        }],
        losses: vec![loss()],
        ..Notes::default()
    })?;
    let open = OpenSpan {
        thread: ThreadId(1),
        event: EventId(1),
        start_ticks: 40,
        trace: TraceId(9),
    };
    writer.open_spans(&[
        open.clone(),
        OpenSpan {
            start_ticks: 50,
            ..open
        },
    ])?;
    let close = Close {
        reason: CloseReason::STOPPED,
        ticks: 60_000_000,
        lost: 3,
        ..Close::default()
    };
    Ok(writer.close(close)?)
}

fn loss() -> LossEntry {
    let (ring, thread) = (RingId(1), ThreadId(1));
    LossEntry {
        ring,
        thread,
        cause: LossCause::RING_FULL,
        count: 3,
        from_ticks: 10,
        to_ticks: 20,
    }
}

fn mixed_rows(encoder: &mut ChunkEncoder, start: u64) -> Result<(), Box<dyn Error>> {
    let tags = [
        Tag::SPAN_OK,
        Tag::COUNTER,
        Tag::GAUGE,
        Tag::OBSERVATION,
        Tag::SPAN_ERROR,
        Tag::DUE,
        Tag(77),
    ];
    for ring in 0..2 {
        encoder.begin_run(RunHead {
            ring: RingId(ring),
            thread: ThreadId(ring),
            first_seq: start / 1000,
        })?;
        for number in 0..150u64 {
            let tag = tags[number as usize % tags.len()];
            let event = EventId(if tag.is_span() {
                1
            } else {
                (number % 7) as u32 + 1
            });
            let end_ticks = start + number * 30_000;
            let value = (number * number * 37) % 100_000;
            encoder.push(&Row {
                end_ticks,
                value,
                trace: TraceId((number / 8).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                event,
                tag,
            })?;
        }
        let trace = TraceId(5);
        encoder.push_annotation(start, trace, b"symbol", AnnotationValue::Str(b"EURUSD"))?;
        encoder.push_annotation(start, trace, b"size", AnnotationValue::Int(-4))?;
        encoder.push_annotation(start, trace, b"price", AnnotationValue::Float(1.25))?;
        encoder.end_run(160);
    }
    encoder.push_loss(loss())?;
    Ok(())
}

/// Programs of the round trip: see `fill` in `targets/round_trip.rs`.
fn round_trips() -> Vec<(&'static str, Vec<u8>)> {
    let mut spans = vec![0, 0, 0];
    for number in 0..200u8 {
        // An action, a step of the time, a value, an event, and for odd actions a trace.
        spans.extend([
            5 + 16 * (number % 10),
            1,
            number,
            2,
            number,
            number % 3,
            number % 4,
            1,
            number / 8,
        ]);
    }
    let steady = vec![
        0, 1, 5, 9, 0, 0, 4, 2, 16, 1, 255, 4, 0, 200, 4, 8, 1, 2, 3, 4, 5, 6, 7, 8, 200,
    ];
    let texts = [
        0, 2, 8, 0, 2, 1, 5, 1, 7, 3, b'k', b'e', b'y', 0, 2, b'h', b'i', 3, 0, 0, 1, b'n', 1, 1,
        9, 1,
    ]
    .to_vec();
    let ends = [
        0, 1, 252, 4, 243, 200, 5, 252, 252, 1, 252, 21, 243, 243, 1, 252, 7, 252, 252, 1,
    ]
    .to_vec();
    vec![
        ("spans", spans),
        ("steady", steady),
        ("texts", texts),
        ("ends", ends),
    ]
}

/// What a process leaves that dies between draining and writing, made compact.
fn dead_arena(drained: bool, first_seq: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let folder = tempfile::tempdir_in("/dev/shm")?;
    let mut config = Config {
        directory: Some(folder.path().join("arenas")),
        ring_bytes: layout::MIN_SEGMENT_BYTES,
        max_ring_bytes: layout::MIN_SEGMENT_BYTES,
        data_bytes: 256 << 10,
        staging_bytes: 256 << 10,
        spool_bytes: 256 << 10,
        first_seq,
        ..Config::default()
    };
    config.about.capture_path = "/tmp/x.bin".into();
    config.about.metadata = b"metadata".to_vec();
    let mut owner = create(&config)?;
    let arena = owner.arena();
    arena.add_event(1, 1, "ORDER", "ns")?;
    arena.add_event(2, 3, "BACKLOG", "orders")?;
    let producer = Producer::detached();
    arena.attach(&producer, "worker")?;
    let push = |from: u64| -> Result<(), Box<dyn Error>> {
        for number in from..from + 40 {
            producer
                .push([1000 + number, number * 3, number / 8, 1 | 1 << 32])
                .map_err(refused)?;
        }
        producer
            .push_annotation(
                2000,
                5,
                "symbol",
                Text::Str("EURUSD and a value longer than one slot of 32 bytes"),
            )
            .map_err(refused)?;
        producer
            .push_annotation(2001, 5, "size", Text::Int(-4))
            .map_err(refused)?;
        Ok(())
    };
    push(0)?;
    if drained {
        owner.drain(usize::MAX);
        owner
            .spool()
            .push(1, &encoded(&mut |encoder| Load::new(3).fill(encoder, 64)))?;
        owner.spool().push(2, b"not a chunk")?;
        push(50)?;
    } else {
        while producer.push([1, 2, 3, 1 | 1 << 32]).is_ok() {}
    }
    let _open = [producer.begin(3000, 9, 1), producer.begin(3001, 0, 1)];
    arena.count_loss(Lost::NoRing, 3, 900);
    let path = owner.path().ok_or("an arena in a file")?.to_owned();
    Ok(compact(&fs::read(path)?))
}

fn refused(reason: Rejected) -> String {
    format!("the ring refused a record: {reason:?}")
}

/// Moves the sections of an arena together and leaves out what nothing was written to.
fn compact(arena: &[u8]) -> Vec<u8> {
    const SECTIONS: usize = 256;
    const SEGMENTS: usize = 3;
    const BLOCKS: usize = 5;
    const SPOOL: usize = 7;
    const DATA: usize = 8;
    let page = layout::PAGE_BYTES as usize;
    let word = |bytes: &[u8], at: usize| {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
    };
    let mut out = arena[..page].to_vec();
    let mut segments_at = 0;
    for section in 0..9 {
        let entry = SECTIONS + section * 32;
        let (offset, committed) = (
            word(arena, entry) as usize,
            word(arena, entry + 16) as usize,
        );
        let bytes = &arena[offset.min(arena.len())..(offset + committed).min(arena.len())];
        let used = bytes
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        // The spool's positions are modulo its size, and a segment's modulo its own.
        let unit = if section == DATA {
            layout::MIN_SEGMENT_BYTES as usize
        } else {
            page
        };
        let used = used.next_multiple_of(unit).min(bytes.len());
        // Free blocks of open-span slots are not all 0; two blocks are in use at most.
        let used = if section == BLOCKS {
            used.min(2 * page)
        } else {
            used
        };
        let start = out.len();
        out.extend_from_slice(&bytes[..used]);
        out.resize(out.len().next_multiple_of(page), 0);
        for (at, value) in [(0, start), (8, used), (16, used)] {
            out[entry + at..entry + at + 8].copy_from_slice(&(value as u64).to_le_bytes());
        }
        match section {
            SEGMENTS => segments_at = start,
            SPOOL => assert!(
                word(arena, 128) <= used as u64 || used == 0,
                "the spool did not go round"
            ),
            DATA => {
                for segment in 0..page / 32 {
                    let at = segments_at + segment * 32;
                    if let Some(moved) = word(&out, at).checked_sub(offset as u64) {
                        out[at..at + 8].copy_from_slice(&(moved + start as u64).to_le_bytes());
                    }
                }
            }
            _ => {}
        }
    }
    out
}
