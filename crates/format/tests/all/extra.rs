//! Weights, span ids and parents: there if a row has them, and no byte of them if none does.

use std::num::NonZeroU32;

use perf_format::{
    ChunkEncoder, ColumnId, Columns, EventsChunk, Extra, FormatError, Frame, RingId, Row, RunHead,
    SegmentId, SpanId, Tag, ThreadId, TraceId,
};
use proptest::prelude::*;

const COLUMNS: [ColumnId; 4] = [
    ColumnId::WEIGHT,
    ColumnId::SPAN_ID,
    ColumnId::PARENT_ID,
    ColumnId::LONE,
];

fn row(number: usize) -> Row {
    Row {
        end_ticks: 100 * number as u64,
        value: 7,
        trace: TraceId(number as u64 / 5),
        tag: Tag::SPAN_OK,
        ..Row::default()
    }
}

fn chunk_of(encoder: &mut ChunkEncoder, extras: &[Extra]) -> Vec<u8> {
    let head = RunHead {
        ring: RingId(1),
        thread: ThreadId(1),
        first_seq: 0,
    };
    encoder.push_run(head, (0..extras.len()).map(row));
    for (number, extra) in extras.iter().enumerate() {
        if *extra != Extra::default() {
            encoder.set_extra(number, *extra);
        }
    }
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    bytes
}

fn columns_of(chunk: &[u8]) -> Vec<ColumnId> {
    let frame = Frame::parse(chunk, 0).unwrap();
    frame.columns.iter().map(|column| column.id).collect()
}

fn any_extra() -> impl Strategy<Value = Extra> {
    let weight = prop_oneof![4 => Just(1), 1 => 1..100u32, 1 => 1..=u32::MAX];
    let id = || prop_oneof![3 => Just(0), 2 => 1..100u64, 1 => any::<u64>()];
    let alone = proptest::bool::weighted(0.02);
    (weight, id(), id(), alone).prop_map(|(weight, span_id, parent_id, is_lone)| Extra {
        weight: NonZeroU32::new(weight).unwrap(),
        span_id: SpanId(span_id),
        parent_id: SpanId(parent_id),
        is_lone,
    })
}

proptest! {
    #[test]
    fn what_was_said_of_rows_comes_back(
        extras in proptest::collection::vec(any_extra(), 0..400),
        plain in 0..200usize,
    ) {
        // Rows that say nothing, at both ends.
        let extras = [vec![Extra::default(); plain], extras, vec![Extra::default(); plain]].concat();
        let mut encoder = ChunkEncoder::new();
        let bytes = chunk_of(&mut encoder, &extras);
        let chunk = EventsChunk::parse(&bytes, 0).unwrap();
        let mut columns = Columns::default();
        columns.decode(&chunk).unwrap();
        let got: Vec<Extra> = (0..columns.len()).map(|row| columns.extra(row)).collect();
        prop_assert_eq!(&got, &extras);
        prop_assert!(columns.rows().eq((0..extras.len()).map(row)));
        // A column is there if, and only if, a row needs it.
        let needed = [
            extras.iter().any(|extra| extra.weight.get() != 1),
            extras.iter().any(|extra| extra.span_id != SpanId::NONE),
            extras.iter().any(|extra| extra.parent_id != SpanId::NONE),
            extras.iter().any(|extra| extra.is_lone),
        ];
        let there = columns_of(&bytes);
        let lengths = [columns.weights.len(), columns.span_ids.len(), columns.parent_ids.len(), columns.lone.len()];
        for ((id, needed), length) in COLUMNS.iter().zip(needed).zip(lengths) {
            prop_assert_eq!(there.contains(id), needed);
            prop_assert_eq!(length, if needed { extras.len() } else { 0 });
        }
        // An encoder that is used again forgets them.
        encoder.clear();
        let blank = vec![Extra::default(); extras.len()];
        prop_assert_eq!(chunk_of(&mut encoder, &blank), chunk_of(&mut ChunkEncoder::new(), &blank));
    }
}

#[test]
fn what_is_said_last_holds() {
    let (mut encoder, extra) = (ChunkEncoder::new(), Extra::default());
    encoder.push_run(RunHead::default(), (0..3).map(row));
    let weight = |weight| NonZeroU32::new(weight).unwrap();
    for (number, of) in [(2, 9), (0, 4), (2, 1), (0, 5)] {
        let weight = weight(of);
        encoder.set_extra(number, Extra { weight, ..extra });
    }
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    let mut weights = Vec::new();
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    chunk.weights(&mut weights).unwrap();
    assert_eq!(weights, [5, 1, 1]);
    // And if nothing is left of it, there is no column.
    encoder.clear();
    encoder.push_run(RunHead::default(), (0..3).map(row));
    encoder.set_extra(
        1,
        Extra {
            weight: weight(3),
            ..extra
        },
    );
    encoder.set_extra(1, extra);
    bytes.clear();
    encoder.encode(0, SegmentId(0), &mut bytes);
    assert!(!columns_of(&bytes).contains(&ColumnId::WEIGHT));
}

#[test]
#[should_panic(expected = "row 3 of 3")]
fn a_row_that_is_not_there_has_nothing_to_say() {
    let mut encoder = ChunkEncoder::new();
    encoder.push_run(RunHead::default(), (0..3).map(row));
    encoder.set_extra(3, Extra::default());
}

/// Overwrites the column `id`, as long as it was, and makes all sums right again.
fn forged(chunk: &[u8], id: ColumnId, bytes: &[u8]) -> Vec<u8> {
    let mut chunk = chunk.to_vec();
    let frame = Frame::parse(&chunk, 0).unwrap();
    let index = frame.columns.iter().position(|each| each.id == id).unwrap();
    let head_len = frame.head.head_len as usize;
    let start = head_len + frame.columns[index].offset as usize;
    assert_eq!(frame.columns[index].len as usize, bytes.len());
    chunk[start..start + bytes.len()].copy_from_slice(bytes);
    let entry = 72 + 16 * index;
    chunk[entry + 12..entry + 16].copy_from_slice(&crc32c::crc32c(bytes).to_le_bytes());
    let sum = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&sum.to_le_bytes());
    chunk
}

#[test]
fn hostile_columns_are_refused() {
    let extra = |number: u32| Extra {
        weight: NonZeroU32::new(1 + number).unwrap(),
        span_id: SpanId(u64::from(number) + 1),
        parent_id: SpanId(u64::from(number)),
        is_lone: number % 2 == 1,
    };
    let extras: Vec<Extra> = (0..8).map(extra).collect();
    let good = chunk_of(&mut ChunkEncoder::new(), &extras);
    let decode = |chunk: &[u8]| {
        let chunk = EventsChunk::parse(chunk, 0)?;
        let mut columns = Columns::default();
        let result = columns.decode(&chunk);
        assert!(result.is_ok() || (columns.is_empty() && columns.weights.is_empty()));
        result
    };
    decode(&good).unwrap();
    // Weights 1 to 8 are three bits above the base 1: `03 02` and three bytes.
    let weights = [3, 2, 0x88, 0xC6, 0xFA];
    assert_eq!(forged(&good, ColumnId::WEIGHT, &weights), good);
    for (bytes, why) in [
        // Base 0: the first is 0.
        ([3, 0, 0x88, 0xC6, 0xFA], "the weight of a row"),
        // Base −1: 2⁶⁴ − 1, 0, 1 …
        ([3, 1, 0x88, 0xC6, 0xFA], "the weight of a row"),
        // Eight values of width 2 end early, of width 4 late.
        ([2, 2, 0x88, 0xC6, 0xFA], "length of a column"),
        ([4, 2, 0x88, 0xC6, 0xFA], "cut short"),
        ([65, 2, 0x88, 0xC6, 0xFA], "width"),
    ] {
        let error = decode(&forged(&good, ColumnId::WEIGHT, &bytes)).unwrap_err();
        assert!(error.to_string().contains(why), "{bytes:?}: {error}");
    }
    for id in [ColumnId::SPAN_ID, ColumnId::PARENT_ID] {
        for width in [2, 4] {
            let bytes = [width, 2, 0x88, 0xC6, 0xFA];
            decode(&forged(&good, id, &bytes)).unwrap_err();
        }
    }
    let mut damaged = good.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    let error = decode(&damaged).unwrap_err();
    assert!(matches!(error, FormatError::Checksum { .. }), "{error}");
}
