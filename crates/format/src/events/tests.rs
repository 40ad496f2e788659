//! What only the inside can tell: bytes of columns, and hostile ones with right sums.

use super::*;
use crate::chunk::{ColumnId, Frame};
use crate::{EventId, FormatError, RingId, Row, SegmentId, Tag, ThreadId, TraceId, limits};

fn chunk_of(rows: impl IntoIterator<Item = Row>) -> Vec<u8> {
    let mut encoder = ChunkEncoder::new();
    let head = RunHead {
        ring: RingId(0),
        thread: ThreadId(0),
        first_seq: 0,
    };
    encoder.push_run(head, rows);
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    bytes
}

fn span(number: u64) -> Row {
    let event = EventId((number % 3) as u32);
    let trace = TraceId(number / 4);
    Row {
        end_ticks: 10 * number,
        value: number,
        trace,
        event,
        tag: Tag::SPAN_OK,
    }
}

/// Bytes of a column, and where in the chunk they are.
fn column(chunk: &[u8], id: ColumnId) -> std::ops::Range<usize> {
    let frame = Frame::parse(chunk, 0).unwrap();
    let column = frame.column(id).unwrap();
    let start = frame.head.head_len as usize + column.offset as usize;
    start..start + column.len as usize
}

/// Overwrites bytes of a column and makes all sums right again.
fn forge(chunk: &mut [u8], id: ColumnId, at: usize, bytes: &[u8]) {
    let range = column(chunk, id);
    chunk[range.start + at..range.start + at + bytes.len()].copy_from_slice(bytes);
    let index = Frame::parse(chunk, 0)
        .unwrap()
        .columns
        .iter()
        .position(|c| c.id == id)
        .unwrap();
    let crc = crc32c::crc32c(&chunk[range]);
    let entry = 72 + 16 * index + 12;
    chunk[entry..entry + 4].copy_from_slice(&crc.to_le_bytes());
    let end = u32::from_le_bytes(chunk[12..16].try_into().unwrap()) as usize - 4;
    let crc = crc32c::crc32c(&chunk[..end]);
    chunk[end..end + 4].copy_from_slice(&crc.to_le_bytes());
}

fn decode(chunk: &[u8]) -> crate::Result<Vec<Row>> {
    EventsChunk::parse(chunk, 0)?.decode_rows()
}

#[test]
fn one_series_without_traces_takes_three_columns() {
    let chunk = chunk_of((0..1000).map(|n| Row {
        trace: TraceId::NONE,
        event: EventId(1),
        ..span(n)
    }));
    let ids: Vec<u16> = Frame::parse(&chunk, 0)
        .unwrap()
        .columns
        .iter()
        .map(|c| c.id.0)
        .collect();
    assert_eq!(
        ids,
        [ColumnId::VALUE.0, ColumnId::SERIES.0, ColumnId::END.0]
    );
    assert_eq!(column(&chunk, ColumnId::SERIES).len(), 2 * 8);
}

#[test]
fn a_series_index_beyond_the_table_is_refused() {
    let mut chunk = chunk_of((0..40).map(span));
    // Two bits an index; 3 is none of the three series.
    forge(&mut chunk, ColumnId::SERIES, 5, &[0xFF]);
    let error = decode(&chunk).unwrap_err();
    assert!(error.to_string().contains("below 3"), "{error}");
}

#[test]
fn a_series_with_other_rows_than_its_table_says_is_refused() {
    let mut chunk = chunk_of((0..40).map(span));
    forge(&mut chunk, ColumnId::SERIES, 5, &[0]);
    let error = decode(&chunk).unwrap_err();
    assert!(
        error.to_string().contains("the rows of a series"),
        "{error}"
    );
}

#[test]
fn trace_runs_that_do_not_add_up_are_refused() {
    let good = chunk_of((4..40).map(span));
    let range = column(&good, ColumnId::TRACE_RUNS);
    // All runs have four rows: one block of width 0 and base 4.
    assert_eq!(good[range], [0, 8]);
    for length in [3, 5, -4, i64::from(i32::MAX)] {
        let mut forged = Vec::new();
        crate::packed::put_varint(length, &mut forged);
        if forged.len() == 1 {
            let mut chunk = good.clone();
            forge(&mut chunk, ColumnId::TRACE_RUNS, 1, &forged);
            assert!(
                matches!(decode(&chunk), Err(FormatError::Malformed { .. })),
                "{length}"
            );
        }
    }
}

#[test]
fn a_trace_beyond_the_dictionary_is_refused() {
    let mut chunk = chunk_of((4..40).map(span));
    let range = column(&chunk, ColumnId::TRACE);
    // Runs number the traces 1, 2, 3 …: 4 bits above the base 1.
    assert_eq!(chunk[range][..2], [4, 2]);
    forge(&mut chunk, ColumnId::TRACE, 1, &[60]);
    let error = decode(&chunk).unwrap_err();
    assert!(error.to_string().contains("trace column"), "{error}");
}

#[test]
fn columns_of_a_refused_chunk_hold_no_rows() {
    let mut columns = Columns::default();
    let good = chunk_of((0..40).map(span));
    columns
        .decode(&EventsChunk::parse(&good, 0).unwrap())
        .unwrap();
    assert_eq!((columns.len(), columns.row(7)), (40, span(7)));
    let mut bad = good.clone();
    let at = column(&bad, ColumnId::END).start;
    bad[at + 3] ^= 4;
    let error = columns
        .decode(&EventsChunk::parse(&bad, 0).unwrap())
        .unwrap_err();
    assert!(matches!(error, FormatError::Checksum { offset, .. } if offset == at as u64));
    assert!(columns.is_empty() && columns.rows().next().is_none());
}

#[test]
fn a_scan_of_values_reads_no_other_column() {
    let mut chunk = chunk_of((0..400).map(span));
    let values = column(&chunk, ColumnId::VALUE);
    let head_len = Frame::parse(&chunk, 0).unwrap().head.head_len as usize;
    for (at, byte) in chunk.iter_mut().enumerate().skip(head_len) {
        if !values.contains(&at) {
            *byte = !*byte;
        }
    }
    let chunk = EventsChunk::parse(&chunk, 0).unwrap();
    for index in 0..3 {
        let mut found = Vec::new();
        chunk
            .values_of(index, |values| found.extend_from_slice(values))
            .unwrap();
        assert_eq!(found, (index as u64..400).step_by(3).collect::<Vec<_>>());
    }
    assert!(chunk.decode_rows().is_err() && chunk.verify().is_err());
}

#[test]
fn a_refused_first_row_leaves_no_trace() {
    let head = |ring, first_seq| RunHead {
        ring: RingId(ring),
        thread: ThreadId(ring),
        first_seq,
    };
    let of_event = |event, number| Row {
        event: EventId(event),
        ..span(number)
    };
    let all = limits::MAX_CHUNK_SERIES as u32;
    let mut encoder = ChunkEncoder::new();
    let mut rows: Vec<Row> = (0..all).map(|n| of_event(n, n.into())).collect();
    assert_eq!(
        encoder.push_run(head(1, 0), rows.iter().copied()),
        rows.len()
    );
    // A series too many; the run stays empty, and the one before goes on.
    let refused = of_event(all, 1 << 40);
    assert_eq!(encoder.push_run(head(2, 0), [refused]), 0);
    rows.push(of_event(7, u64::from(all)));
    assert_eq!(
        encoder.push_run(head(1, all.into()), rows.last().copied()),
        1
    );
    // The same where something else took a slot before: a range without rows.
    encoder.begin_run(head(2, 0)).unwrap();
    encoder.push(&refused).unwrap_err();
    encoder.end_run(1);
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    assert_eq!(chunk.decode_rows().unwrap(), rows);
    let [_, empty] = chunk.ranges() else {
        panic!("two ranges")
    };
    assert_eq!((empty.slots, empty.rows, empty.first_end), (1, 0, 0));
}
