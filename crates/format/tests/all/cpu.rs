//! Where threads ran: a column of ranges, there if it says something.

use perf_format::{ChunkEncoder, ColumnId, EventsChunk, Frame, RingId, Row, RunHead, SegmentId};

/// A chunk with a range of `rows` rows for each entry, on that processor.
fn chunk_of(encoder: &mut ChunkEncoder, ranges: &[(u64, Option<u32>)]) -> Vec<u8> {
    for (ring, (rows, cpu)) in ranges.iter().enumerate() {
        let head = RunHead {
            ring: RingId(ring as u32),
            ..RunHead::default()
        };
        encoder.begin_run(head).unwrap();
        if let Some(cpu) = cpu {
            encoder.set_cpu(*cpu);
        }
        (0..*rows).for_each(|_| encoder.push(&Row::default()).unwrap());
        encoder.end_run(0);
    }
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    encoder.clear();
    bytes
}

fn cpus(chunk: &[u8]) -> Vec<Option<u32>> {
    let mut cpus = vec![Some(99)];
    EventsChunk::parse(chunk, 0)
        .unwrap()
        .cpus(&mut cpus)
        .unwrap();
    cpus
}

#[test]
fn what_was_said_of_ranges_comes_back() {
    let mut encoder = ChunkEncoder::new();
    // More than a block of 128, with gaps in front, between and behind.
    let cpu = |range: u32| (range % 3 == 1 && range < 280).then_some(range / 2);
    let ranges: Vec<_> = (0..300).map(|range| (2, cpu(range))).collect();
    let said: Vec<_> = ranges.iter().map(|range| range.1).collect();
    assert_eq!(cpus(&chunk_of(&mut encoder, &ranges)), said);
    let ends = [(1, Some(u32::MAX)), (1, Some(0)), (1, None)];
    let chunk = chunk_of(&mut encoder, &ends);
    assert_eq!(cpus(&chunk), [Some(u32::MAX), Some(0), None]);
    // An encoder that is used again forgets them, and a chunk that says nothing has no column.
    let chunk = chunk_of(&mut encoder, &[(1, None), (1, None)]);
    assert_eq!(cpus(&chunk), []);
    let frame = Frame::parse(&chunk, 0).unwrap();
    assert!(frame.column(ColumnId::CPU).is_none());
}

#[test]
fn a_run_without_rows_leaves_no_processor_to_the_next() {
    let mut encoder = ChunkEncoder::new();
    encoder.set_cpu(5);
    let chunk = chunk_of(&mut encoder, &[(0, Some(7)), (1, None)]);
    assert_eq!(cpus(&chunk), []);
    let chunk = chunk_of(&mut encoder, &[(1, Some(3)), (0, Some(7)), (1, None)]);
    assert_eq!(cpus(&chunk), [Some(3), None]);
}

#[test]
fn a_processor_beyond_32_bits_is_refused() {
    let mut chunk = chunk_of(&mut ChunkEncoder::new(), &[(1, Some(u32::MAX))]);
    let frame = Frame::parse(&chunk, 0).unwrap();
    let index = frame
        .columns
        .iter()
        .position(|column| column.id == ColumnId::CPU)
        .unwrap();
    let (head_len, column) = (frame.head.head_len as usize, frame.columns[index]);
    let start = head_len + column.offset as usize;
    // 2³² as its base, zigzagged: the bytes `00 80 80 80 80 20`; a bit more is too much.
    let bytes = [0x00, 0x80, 0x80, 0x80, 0x80, 0x20];
    assert_eq!(chunk[start..start + column.len as usize], bytes);
    chunk[start + 1] = 0x82;
    let bytes = &chunk[start..start + bytes.len()];
    let sum = crc32c::crc32c(bytes).to_le_bytes();
    let entry = 72 + 16 * index;
    chunk[entry + 12..entry + 16].copy_from_slice(&sum);
    let sum = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&sum.to_le_bytes());
    let chunk = EventsChunk::parse(&chunk, 0).unwrap();
    let error = chunk.cpus(&mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().contains("the processor of a range"),
        "{error}"
    );
    assert_eq!(chunk.decode_rows().unwrap().len(), 1, "rows do not need it");
}
