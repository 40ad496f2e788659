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
    seal(chunk);
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

/// Three distributions, of events 0, 1 and 2, the first with more bins than a block has.
fn three() -> Rollup {
    let mut three = Rollup::default();
    for (event, values) in [(0, 300), (1, 7), (2, 130)] {
        let key = SeriesKey {
            event: EventId(event),
            tag: Tag::SPAN_OK,
        };
        if let Some(Aggregate::Distribution(histogram)) = three.aggregate(key) {
            histogram.record_all(&(0..values).map(|value| 3 * value).collect::<Vec<_>>());
        }
    }
    three
}

#[test]
fn series_of_an_unknown_tag_are_skipped_with_their_bins() {
    let chunk = encoded(&three());
    // 5 is no tag; 16 is one that is not rolled up; 255 is no tag either.
    for (number, tag) in [(0, 5), (1, 16), (2, 255)] {
        let mut chunk = chunk.clone();
        forge(
            &mut chunk,
            ColumnId::SUMMARIES,
            number * SUMMARY_BYTES + 4,
            &[tag],
        );
        // What its numbers mean is not known, so they contradict nothing.
        forge(
            &mut chunk,
            ColumnId::SUMMARIES,
            number * SUMMARY_BYTES + 8,
            &[0xFF; 40],
        );
        let mut expected = three().series;
        expected.retain(|key, _| key.event.0 as usize != number);
        let decoded = RollupChunk::parse(&chunk, 0).unwrap().rollup().unwrap();
        assert_eq!(decoded.series, expected, "tag {tag}");
    }
}

#[test]
fn an_unknown_tag_with_bins_that_are_not_there_is_refused() {
    for bins in [301u32, 20_000, 56_321, u32::MAX] {
        let mut chunk = encoded(&three());
        let last = 2 * SUMMARY_BYTES;
        forge(&mut chunk, ColumnId::SUMMARIES, last + 4, &[200]);
        forge(
            &mut chunk,
            ColumnId::SUMMARIES,
            last + 48,
            &bins.to_le_bytes(),
        );
        let error = RollupChunk::parse(&chunk, 0).unwrap().rollup().unwrap_err();
        let too_many = matches!(error, FormatError::Limit { .. });
        assert_eq!(too_many, bins as usize > crate::bins::COUNT, "{error}");
    }
}

/// Makes the sum of the head right again.
fn seal(chunk: &mut [u8]) {
    let head_len = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize;
    let crc = crc32c::crc32c(&chunk[..head_len - 4]);
    chunk[head_len - 4..head_len].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn a_column_in_another_encoding_is_refused() {
    for column in 0..3 {
        let mut chunk = encoded(&rollup());
        chunk[72 + 16 * column + 2] ^= 1;
        seal(&mut chunk);
        let error = RollupChunk::parse(&chunk, 0).unwrap().rollup().unwrap_err();
        assert!(error.to_string().contains("encoding"), "{error}");
    }
}

#[test]
fn another_kind_of_chunk_is_no_rollup() {
    let mut chunk = encoded(&rollup());
    chunk[8] = 1;
    seal(&mut chunk);
    let error = RollupChunk::parse(&chunk, 0).unwrap_err();
    assert!(error.to_string().contains("expected rollup"), "{error}");
}
