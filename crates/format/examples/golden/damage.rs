//! What can happen to a capture, once each.

use std::ops::Range;

use perf_format::{ChunkKind, ColumnId, Frame, Index};

/// Damaged copies of the capture `golden`, with the names of their files.
pub(crate) fn files(golden: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let events = events_chunks(golden);
    let values = value_column(golden, &events[0]);
    let last = events.last().expect("it has Events chunks");

    let torn_tail = golden[..last.start + last.len() / 2].to_vec();
    let mut flipped_bit = golden.to_vec();
    flipped_bit[values.start + values.len() / 2] ^= 0x10;
    let mut garbage = golden.to_vec();
    let rubbish = b"\xABPERFCK\xBB a mark, and then nothing that a chunk would have";
    garbage.splice(events[1].start..events[1].start, rubbish.iter().copied());
    let mut missing_bytes = golden.to_vec();
    missing_bytes.drain(values.start + 10..values.start + 40);
    let mut header = golden.to_vec();
    header[20] ^= 0xFF;

    vec![
        ("torn_tail.bin", torn_tail),
        ("flipped_bit.bin", flipped_bit),
        ("garbage.bin", garbage),
        ("missing_bytes.bin", missing_bytes),
        ("header.bin", header),
        ("newer.bin", newer(golden)),
        (
            "foreign.bin",
            b"\x7fELF\x02\x01\x01 is how programs begin, not captures\n".to_vec(),
        ),
        ("empty.bin", Vec::new()),
    ]
}

/// Where the Events chunks are.
fn events_chunks(golden: &[u8]) -> Vec<Range<usize>> {
    let index = Index::build(golden).expect("it is a capture");
    let place = |offset, len| offset as usize..(offset + len) as usize;
    let entries = index.of_kind(ChunkKind::EVENTS);
    entries
        .map(|entry| place(entry.offset, entry.head.chunk_len()))
        .collect()
}

/// Where the values of a chunk are.
fn value_column(golden: &[u8], chunk: &Range<usize>) -> Range<usize> {
    let frame = Frame::parse(&golden[chunk.clone()], chunk.start as u64).expect("it is intact");
    let column = frame.column(ColumnId::VALUE).expect("it has rows");
    let start = chunk.start + frame.head.head_len as usize + column.offset as usize;
    start..start + column.len as usize
}

/// The same of major version 2, with a header that is otherwise sound.
fn newer(golden: &[u8]) -> Vec<u8> {
    let mut bytes = golden.to_vec();
    bytes[8] = 2;
    let mut length = [0; 4];
    length.copy_from_slice(&bytes[12..16]);
    let sum_at = u32::from_le_bytes(length) as usize - 4;
    let sum = crc32c::crc32c(&bytes[..sum_at]);
    bytes[sum_at..sum_at + 4].copy_from_slice(&sum.to_le_bytes());
    bytes
}
