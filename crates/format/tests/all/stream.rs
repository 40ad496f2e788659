//! The order of chunks in a file, and what the books say.

use perf_format::{
    CaptureWriter, ChunkEncoder, ChunkKind, ChunkStream, Close, CloseReason, EventDescriptor,
    EventId, EventsChunk, Index, Notes, OpenSpan, ROLLUP_SHARE, RingId, Row, RunHead, SegmentId,
    Tables, Tag, ThreadDescriptor, ThreadId, TraceId, Warning, chunk_digest, limits,
};

use crate::sample;

const SECOND: i64 = 1_000_000_000;

fn span(end_ticks: u64, value: u64) -> Row {
    Row {
        end_ticks,
        value,
        trace: TraceId(end_ticks),
        event: EventId(1),
        tag: Tag::SPAN_OK,
    }
}

fn fill(encoder: &mut ChunkEncoder, rows: u64) {
    let head = RunHead {
        ring: RingId(0),
        thread: ThreadId(0),
        first_seq: 0,
    };
    encoder.push_run(
        head,
        (0..rows).map(|number| span(number * 50, number * 31 % 4000)),
    );
}

#[test]
fn rollups_wait_for_a_second_and_for_their_share() {
    let mut stream = ChunkStream::new();
    let (mut encoder, mut out) = (ChunkEncoder::new(), Vec::new());
    let (mut written, mut events, mut rollups) = (0, 0, 0);
    for number in 0..400i64 {
        fill(&mut encoder, 3000);
        let before = out.len();
        stream.events(&mut encoder, &mut out).unwrap();
        events += out.len() - before;
        let before = out.len();
        // Four chunks a second.
        if stream.rollup_if_due(5 * SECOND + number * SECOND / 4, &mut out) {
            assert_eq!(number % 4, 0, "a second has begun");
            rollups += out.len() - before;
            written += 1;
        }
    }
    assert!(written > 5, "{written} rollups");
    assert!(
        rollups as u64 * ROLLUP_SHARE <= events as u64,
        "{rollups} of {events} bytes"
    );
}

#[test]
fn an_idle_stream_writes_nothing() {
    let mut stream = ChunkStream::new();
    let mut out = Vec::new();
    assert!(!stream.rollup_if_due(SECOND, &mut out));
    assert!(!stream.rollup(&mut out));
    assert!(stream.events(&mut ChunkEncoder::new(), &mut out).is_none());
    stream.tables(&perf_format::Tables::default(), &mut out);
    stream.anchors(&[], &mut out);
    stream.notes(&perf_format::Notes::default(), &mut out);
    stream.open_spans(&[], &mut out);
    assert!(out.is_empty());
    assert_eq!(stream.next_seq(), 0);
}

#[test]
fn a_rollup_never_covers_two_segments() {
    let mut writer = CaptureWriter::new(Vec::new(), &sample::header()).unwrap();
    let mut encoder = ChunkEncoder::new();
    for expected in 0..3 {
        assert_eq!(writer.stream().segment(), SegmentId(expected));
        for _ in 0..2 {
            fill(&mut encoder, 100);
            writer.events(&mut encoder).unwrap();
        }
        if expected < 2 {
            assert_eq!(writer.begin_segment().unwrap(), SegmentId(expected + 1));
        }
    }
    let live = writer.stream().since_start();
    assert_eq!(
        live.iter()
            .map(|rollup| rollup.segment.0)
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    let bytes = writer.close(Close::default()).unwrap();
    let index = Index::build(&bytes).unwrap();
    assert_eq!(index.rollups().count(), 3);
    for (entry, coverage) in index.rollups() {
        let covered: Vec<_> = index
            .event_chunks()
            .filter(|chunk| coverage.contains(chunk.head.chunk_seq))
            .collect();
        assert_eq!(covered.len() as u64, coverage.chunks);
        assert!(
            covered
                .iter()
                .all(|chunk| chunk.head.segment == entry.head.segment)
        );
        let digest = covered.iter().fold(0u64, |sum, chunk| {
            sum.wrapping_add(chunk_digest(&chunk.head))
        });
        assert_eq!(digest, coverage.digest);
    }
}

#[test]
fn a_resumed_stream_goes_on_with_the_numbers() {
    let first = sample::capture(20);
    let index = Index::build(&first).unwrap();
    let next = index
        .chunks
        .iter()
        .map(|entry| entry.head.chunk_seq)
        .max()
        .unwrap()
        + 1;
    let stream = ChunkStream::resume(next, SegmentId(4));
    let mut writer = CaptureWriter::resume(first, stream);
    let mut encoder = ChunkEncoder::new();
    sample::fill(&mut encoder, 9_000_000, 10);
    let head = writer.events(&mut encoder).unwrap().unwrap();
    assert_eq!((head.chunk_seq, head.segment), (next, SegmentId(4)));
    let close = Close {
        reason: CloseReason::SALVAGED,
        ..Close::default()
    };
    let bytes = writer.close(close).unwrap();
    let index = Index::build(&bytes).unwrap();
    assert!(index.closed_cleanly() && index.damage.is_empty());
    assert_eq!(index.missing_chunks(), 0);
    assert_eq!(index.close.unwrap().reason, CloseReason::SALVAGED);
}

/// Reads metadata that a stream wrote; how many chunks of `kind` it took.
fn chunks_of(kind: ChunkKind, write: impl FnOnce(&mut ChunkStream, &mut Vec<u8>)) -> (Index, u64) {
    let mut file = Vec::new();
    sample::header().encode(&mut file);
    let mut stream = ChunkStream::new();
    write(&mut stream, &mut file);
    let index = Index::build(&file).unwrap();
    assert_eq!((&index.damage, &index.torn_tail), (&Vec::new(), &None));
    let numbers: Vec<u64> = index.of_kind(kind).map(|it| it.head.chunk_seq).collect();
    assert_eq!(numbers, (0..stream.next_seq()).collect::<Vec<_>>());
    for chunk in &index.chunks {
        assert!(chunk.head.record_count > 0);
        assert!(chunk.head.body_len <= 2 << 20, "{:?}", chunk.head);
    }
    (index, stream.next_seq())
}

#[test]
fn many_descriptors_take_many_chunks() {
    let name = "n".repeat(limits::MAX_NAME_BYTES);
    let tables = Tables {
        events: (0..1000)
            .map(|number| EventDescriptor {
                id: EventId(number),
                name: name.clone(),
                ..EventDescriptor::default()
            })
            .collect(),
        threads: (0..1000)
            .map(|number| ThreadDescriptor {
                id: ThreadId(number),
                ..ThreadDescriptor::default()
            })
            .collect(),
        ..Tables::default()
    };
    let (index, chunks) = chunks_of(ChunkKind::TABLES, |stream, out| stream.tables(&tables, out));
    assert_eq!(index.tables, tables);
    assert_eq!(chunks, 4);
}

/// All together they are more than one chunk may hold.
#[test]
fn long_notes_take_many_chunks() {
    let message = "w".repeat(limits::MAX_RECORD_BYTES / 2);
    let warning = |ticks| Warning {
        ticks,
        message: message.clone(),
        ..Warning::default()
    };
    let count = (limits::MAX_CHUNK_BODY_BYTES / message.len()) as u64 + 1;
    let notes = Notes {
        warnings: (0..count).map(warning).collect(),
        losses: vec![sample::loss(3)],
        ..Notes::default()
    };
    let (index, chunks) = chunks_of(ChunkKind::NOTES, |stream, out| stream.notes(&notes, out));
    assert_eq!(index.notes, notes);
    assert_eq!(chunks, count);
}

#[test]
fn many_small_records_take_many_chunks() {
    let anchors: Vec<_> = (0..60_000).map(sample::anchor).collect();
    let (index, chunks) = chunks_of(ChunkKind::ANCHORS, |stream, out| {
        stream.anchors(&anchors, out)
    });
    assert_eq!((index.anchors.anchors, chunks), (anchors, 3));
    let spans: Vec<_> = (0..60_000)
        .map(|start_ticks| OpenSpan {
            start_ticks,
            ..sample::open_span()
        })
        .collect();
    let (index, chunks) = chunks_of(ChunkKind::OPEN_SPANS, |stream, out| {
        stream.open_spans(&spans, out)
    });
    assert_eq!((index.open_spans, chunks), (spans, 2));
}

/// Whoever goes on with a file of another's making may be given any number.
#[test]
fn chunk_numbers_and_segments_wrap() {
    let mut stream = ChunkStream::resume(u64::MAX, SegmentId(u32::MAX));
    let mut file = Vec::new();
    sample::header().encode(&mut file);
    stream.notes(&sample::notes(), &mut file);
    let mut encoder = ChunkEncoder::new();
    fill(&mut encoder, 50);
    stream.events(&mut encoder, &mut file).unwrap();
    assert_eq!(stream.begin_segment(&mut file), SegmentId(0));
    stream.close(Close::default(), &mut file);
    let index = Index::build(&file).unwrap();
    let numbers: Vec<u64> = index.chunks.iter().map(|it| it.head.chunk_seq).collect();
    assert_eq!(numbers, [u64::MAX, 0, 1, 2]);
    assert_eq!(index.missing_chunks(), u64::MAX - 4);
}

#[test]
fn metadata_in_another_encoding_is_refused() {
    let mut bytes = sample::capture(20);
    let entry = Index::build(&bytes).unwrap().chunks[0].clone();
    let start = entry.offset as usize;
    bytes[start + 72 + 2] = 1;
    let end = start + entry.head.head_len as usize - 4;
    let crc = crc32c::crc32c(&bytes[start..end]);
    bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
    let index = Index::build(&bytes).unwrap();
    assert!(index.tables.is_empty());
    assert_eq!(
        (index.damage.len(), index.damage[0].offset),
        (1, entry.offset)
    );
    let reason = index.damage[0].reason.to_string();
    assert!(reason.contains("the encoding of a column"), "{reason}");
}

/// What the recorder does when the spool is full: the bytes of a chunk are dropped.
#[test]
fn a_dropped_chunk_is_missed_and_its_rollup_is_not() {
    let mut stream = ChunkStream::new();
    let mut file = Vec::new();
    sample::header().encode(&mut file);
    let mut encoder = ChunkEncoder::new();
    for number in 0..5 {
        let mut chunk = Vec::new();
        fill(&mut encoder, 50);
        stream.events(&mut encoder, &mut chunk).unwrap();
        if number != 2 {
            file.extend_from_slice(&chunk);
        }
    }
    stream.close(Close::default(), &mut file);
    let index = Index::build(&file).unwrap();
    assert!(index.damage.is_empty());
    assert_eq!(
        (index.missing_chunks(), index.event_chunks().count()),
        (1, 4)
    );
    let (_, coverage) = index.rollups().next().unwrap();
    assert_eq!((coverage.chunks, coverage.rows), (5, 250));
    assert_eq!(index.close.as_ref().unwrap().rows, 250);
}

#[test]
fn chunks_of_an_unknown_kind_or_version_are_skipped_and_counted() {
    let bytes = sample::capture(20);
    let whole = Index::build(&bytes).unwrap();
    for (at, value) in [(8, 900u16), (10, 2)] {
        let mut changed = bytes.clone();
        let entry = whole.event_chunks().nth(1).unwrap();
        let start = entry.offset as usize;
        changed[start + at..start + at + 2].copy_from_slice(&value.to_le_bytes());
        let end = start + entry.head.head_len as usize - 4;
        let crc = crc32c::crc32c(&changed[start..end]);
        changed[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        let index = Index::build(&changed).unwrap();
        assert!(index.damage.is_empty());
        assert_eq!(
            (index.unknown_chunks, index.chunks.len()),
            (1, whole.chunks.len())
        );
        assert_eq!(index.event_chunks().count(), 2);
        let unknown = index
            .chunks
            .iter()
            .find(|entry| !entry.head.is_known())
            .unwrap();
        // Its sums can be checked all the same.
        let chunk = index.chunk_bytes(&changed, unknown);
        perf_format::Frame::parse(chunk, 0)
            .unwrap()
            .check_body(chunk)
            .unwrap();
        let error = EventsChunk::parse(chunk, 7).unwrap_err().to_string();
        assert!(error.contains("offset 7"), "{error}");
    }
    assert_eq!(ChunkKind(900).name(), "unknown");
}
