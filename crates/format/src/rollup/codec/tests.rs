//! Rollups with right sums and wrong numbers.

use super::*;
use crate::chunk::Column;
use crate::{EventId, Tag};

fn rollup() -> Rollup {
    let mut rollup = Rollup::default();
    let key = SeriesKey {
        event: EventId(1),
        tag: Tag::SPAN_OK,
    };
    if let Some(Aggregate::Distribution(histogram)) = rollup.aggregate(key) {
        histogram.record_all(&[5, 5, 9, 9, 9, 70]);
    }
    rollup
}

fn encoded(rollup: &Rollup) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_rollup(rollup, 0, &mut bytes).unwrap();
    bytes
}

/// Overwrites bytes of a column and makes all sums right again.
fn forge(chunk: &mut [u8], id: ColumnId, at: usize, bytes: &[u8]) {
    let frame = Frame::parse(chunk, 0).unwrap();
    let index = frame
        .columns
        .iter()
        .position(|column| column.id == id)
        .unwrap();
    let Column { offset, len, .. } = frame.columns[index];
    let head_len = frame.head.head_len as usize;
    let start = head_len + offset as usize;
    chunk[start + at..start + at + bytes.len()].copy_from_slice(bytes);
    let crc = crc32c::crc32c(&chunk[start..start + len as usize]);
    let entry = 72 + 16 * index + 12;
    chunk[entry..entry + 4].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn numbers_that_contradict_the_bins_are_refused() {
    let good = encoded(&rollup());
    assert_eq!(
        RollupChunk::parse(&good, 0).unwrap().rollup().unwrap(),
        rollup()
    );
    // Count, minimum (no such bin, above the maximum), maximum, number of bins.
    let forgeries: [(usize, u64); 7] = [
        (8, 7),
        (32, 6),
        (32, 71),
        (40, 69),
        (40, 71),
        (40, u64::MAX),
        (48, 2),
    ];
    for (at, value) in forgeries {
        let mut chunk = good.clone();
        forge(&mut chunk, ColumnId::SUMMARIES, at, &value.to_le_bytes());
        let result = RollupChunk::parse(&chunk, 0).unwrap().rollup();
        assert!(result.is_err(), "{value} at {at}: {result:?}");
    }
}

#[test]
fn a_series_twice_is_refused() {
    let mut two = rollup();
    let key = SeriesKey {
        event: EventId(2),
        tag: Tag::SPAN_OK,
    };
    two.series
        .insert(key, two.series.values().next().unwrap().clone());
    let mut chunk = encoded(&two);
    forge(
        &mut chunk,
        ColumnId::SUMMARIES,
        SUMMARY_BYTES,
        &1u32.to_le_bytes(),
    );
    let error = RollupChunk::parse(&chunk, 0).unwrap().rollup().unwrap_err();
    assert!(error.to_string().contains("each once"), "{error}");
}

#[test]
fn series_of_an_unknown_tag_are_skipped() {
    let mut two = rollup();
    let key = SeriesKey {
        event: EventId(0),
        tag: Tag::COUNTER,
    };
    two.aggregate(key).unwrap();
    let mut chunk = encoded(&two);
    forge(&mut chunk, ColumnId::SUMMARIES, 4, &[200]);
    let decoded = RollupChunk::parse(&chunk, 0).unwrap().rollup().unwrap();
    assert_eq!(decoded.series, rollup().series);
}

#[test]
fn another_kind_of_chunk_is_no_rollup() {
    let mut chunk = encoded(&rollup());
    chunk[8] = 1;
    let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
    let crc = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&crc.to_le_bytes());
    let error = RollupChunk::parse(&chunk, 0).unwrap_err();
    assert!(error.to_string().contains("expected rollup"), "{error}");
}
