//! Bytes made to do harm: heads with right checksums and wrong numbers.

use std::cell::Cell;
use std::io;

use perf_format::{
    ChunkEncoder, ChunkStream, Columns, EventsChunk, FileHeader, FormatError, Frame, Index, ReadAt,
    Rollup, RollupChunk, SegmentId,
};
use proptest::prelude::*;

use crate::sample;

/// Writes `value` over the bytes at `at` of a chunk and makes the head's sum right again.
fn patched(chunk: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
    let mut chunk = chunk.to_vec();
    chunk[at..at + value.len()].copy_from_slice(value);
    seal(&mut chunk);
    chunk
}

/// Makes the sum of a chunk's head right, if its length lies within the chunk.
fn seal(chunk: &mut [u8]) {
    let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
    if (4..=chunk.len()).contains(&head_len) {
        let crc = crc32c::crc32c(&chunk[..head_len - 4]);
        chunk[head_len - 4..head_len].copy_from_slice(&crc.to_le_bytes());
    }
}

fn events_chunk() -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    sample::fill(&mut encoder, 1000, 40);
    let mut chunk = Vec::new();
    encoder.encode(3, SegmentId(0), &mut chunk);
    chunk
}

fn rollup_chunk() -> Vec<u8> {
    let mut stream = ChunkStream::new();
    let (mut encoder, mut chunk) = (ChunkEncoder::new(), Vec::new());
    sample::fill(&mut encoder, 1000, 200);
    stream.events(&mut encoder, &mut chunk).unwrap();
    chunk.clear();
    assert!(stream.rollup(&mut chunk));
    chunk
}

/// Reads the chunk in every way; what comes out does not matter, only that it ends.
fn read(chunk: &[u8]) {
    if let Ok(events) = EventsChunk::parse(chunk, 0) {
        let _ = Columns::default().decode(&events);
        let _ = events.strings();
        let _ = events.roll_into(&mut Rollup::default(), |_| true);
        for index in 0..events.series().len() {
            let _ = events.values_of(index, |_| ());
        }
    }
    if let Ok(rollup) = RollupChunk::parse(chunk, 0) {
        let _ = rollup.rollup();
    }
}

/// Numbers at which arithmetic goes wrong.
const EXTREMES: [u32; 9] = [
    0,
    1,
    127,
    0x7FFF,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    u32::MAX,
];

#[test]
fn extreme_numbers_in_every_field_of_a_head() {
    for chunk in [events_chunk(), rollup_chunk()] {
        let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
        for at in (8..head_len - 4).step_by(2) {
            for value in EXTREMES {
                let len = 4.min(head_len - 4 - at);
                read(&patched(&chunk, at, &value.to_le_bytes()[..len]));
            }
        }
    }
}

#[test]
fn counts_above_the_limits_are_refused_by_name() {
    let chunk = events_chunk();
    let columns = u16::from_le_bytes(chunk[64..66].try_into().unwrap()) as usize;
    let tables = 72 + 16 * columns;
    let fields = [
        (24, "rows"),
        (tables, "ranges"),
        (tables + 4, "series"),
        (tables + 8, "loss entries"),
        (tables + 12, "strings"),
        (tables + 16, "traces"),
        (tables + 20, "trace runs"),
    ];
    for (at, name) in fields {
        let hostile = patched(&chunk, at, &u32::MAX.to_le_bytes());
        let error = EventsChunk::parse(&hostile, 64).unwrap_err();
        assert!(
            matches!(error, FormatError::Limit { .. }),
            "{name}: {error}"
        );
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.offset(), Some(64));
    }
    let hostile = patched(&chunk, 16, &u64::MAX.to_le_bytes());
    assert!(matches!(
        EventsChunk::parse(&hostile, 0),
        Err(FormatError::Limit { .. })
    ));
}

/// Each listing of the same bytes would cost a checksum of them.
#[test]
fn columns_that_share_bytes_are_refused() {
    let chunk = events_chunk();
    for column in 0..7 {
        let entry = 72 + 16 * column;
        let body_len = chunk[16..20].to_vec();
        let whole = [&[0; 4][..], &body_len].concat();
        let hostile = patched(&chunk, entry + 4, &whole);
        for result in [
            EventsChunk::parse(&hostile, 0).map(drop),
            Frame::parse(&hostile, 0).map(drop),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("where another one ends"), "{error}");
        }
    }
}

#[test]
fn a_head_longer_than_the_file_is_cut_short() {
    let mut chunk = events_chunk();
    chunk[12..16].copy_from_slice(&(4u32 << 20).to_le_bytes());
    assert!(matches!(
        EventsChunk::parse(&chunk, 0),
        Err(FormatError::CutShort { .. })
    ));
    chunk[12..16].copy_from_slice(&75u32.to_le_bytes());
    assert!(matches!(
        EventsChunk::parse(&chunk, 0),
        Err(FormatError::Malformed { .. })
    ));
}

#[test]
fn files_that_are_no_captures() {
    assert_eq!(Index::build(&[]), Err(FormatError::Empty));
    let foreign = b"PAR1 this is no capture";
    assert!(matches!(
        Index::build(foreign),
        Err(FormatError::NotACapture { .. })
    ));
    assert!(matches!(
        Index::build(&[0x89]),
        Err(FormatError::CutShort { .. })
    ));

    let mut newer = Vec::new();
    sample::header().encode(&mut newer);
    newer[8..10].copy_from_slice(&9u16.to_le_bytes());
    newer[10..12].copy_from_slice(&4u16.to_le_bytes());
    let end = newer.len() - 4;
    let crc = crc32c::crc32c(&newer[..end]);
    newer[end..].copy_from_slice(&crc.to_le_bytes());
    let expected = FormatError::NewerVersion {
        major: 9,
        minor: 4,
        supported: 1,
    };
    assert_eq!(Index::build(&newer), Err(expected.clone()));
    let message = expected.to_string();
    assert!(
        message.contains("9.4") && message.contains("newer perf-analyze"),
        "{message}"
    );
}

#[test]
fn a_damaged_header_does_not_hide_the_chunks() {
    let bytes = sample::capture(20);
    let (_, header_len) = FileHeader::parse(&bytes).unwrap();
    for at in 0..header_len {
        let mut damaged = bytes.clone();
        damaged[at] = !damaged[at];
        let index = Index::build(&damaged).unwrap();
        assert_eq!(index.header, None);
        assert_eq!(index.chunks.len(), 11);
        assert_eq!(
            (index.damage[0].offset, index.damage[0].len),
            (0, header_len as u64)
        );
    }
}

/// Counts the bytes that are asked for.
struct Counting<'a>(&'a [u8], Cell<u64>);

impl ReadAt for Counting<'_> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn bytes_at<'a>(
        &'a self,
        offset: u64,
        len: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        self.1.set(self.1.get() + len as u64);
        self.0.bytes_at(offset, len, buffer)
    }
}

/// A file full of marks, each with a head whose sum would take megabytes to check.
/// The search gives up in work proportional to the file.
#[test]
fn a_file_full_of_marks_is_given_up() {
    let mut bytes = Vec::new();
    sample::header().encode(&mut bytes);
    let mut head = events_chunk()[..24].to_vec();
    head[12..16].copy_from_slice(&(1u32 << 20).to_le_bytes());
    while bytes.len() < 3 << 20 {
        bytes.extend_from_slice(&head);
    }
    let source = Counting(&bytes, Cell::new(0));
    let index = Index::read(&source).unwrap();
    assert!(index.chunks.is_empty());
    assert_eq!(
        index.damage.len() + usize::from(index.torn_tail.is_some()),
        1
    );
    // Without the budget it would be 130 GB; with it, 112 MB of heads and a window a mark.
    let read = source.1.get();
    assert!(read < 1 << 30, "{read} bytes");
}

proptest! {
    #[test]
    fn any_head_with_a_right_sum(
        changes in proptest::collection::vec((8usize..600, any::<u8>()), 1..12),
        rollup in any::<bool>(),
    ) {
        let mut chunk = if rollup { rollup_chunk() } else { events_chunk() };
        for (at, value) in changes {
            let len = chunk.len();
            chunk[at % len] = value;
        }
        seal(&mut chunk);
        read(&chunk);
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        read(&bytes);
        let _ = Index::build(&bytes);
        let mut behind_a_header = Vec::new();
        sample::header().encode(&mut behind_a_header);
        behind_a_header.extend_from_slice(&bytes);
        prop_assert!(Index::build(&behind_a_header).is_ok());
    }
}
