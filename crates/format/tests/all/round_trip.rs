//! Rows in, the same rows out.

use std::collections::BTreeMap;

use perf_format::{
    ChunkEncoder, ChunkFull, EventId, EventsChunk, Frame, RingId, Row, RunHead, SegmentId, Tag,
    ThreadId, TraceId, limits,
};
use proptest::prelude::*;

fn head(ring: u32, first_seq: u64) -> RunHead {
    RunHead {
        ring: RingId(ring),
        thread: ThreadId(ring + 100),
        first_seq,
    }
}

fn encode(encoder: &mut ChunkEncoder) -> Vec<u8> {
    let mut bytes = vec![1, 2, 3];
    let head = encoder.encode(5, SegmentId(2), &mut bytes);
    let chunk = bytes.split_off(3);
    // What `encode` returns is what a reader finds.
    assert_eq!(Frame::parse(&chunk, 0).unwrap().head, head);
    assert_eq!(head.chunk_len(), chunk.len() as u64);
    chunk
}

fn any_row() -> impl Strategy<Value = Row> {
    let tag = prop_oneof![
        Just(Tag::SPAN_OK),
        Just(Tag::SPAN_ERROR),
        Just(Tag::COUNTER),
        Just(Tag::GAUGE),
        Just(Tag::OBSERVATION),
        Just(Tag::DUE),
        any::<u8>().prop_map(Tag),
    ];
    let number = (any::<u64>(), 0u32..64).prop_map(|(value, shift)| value >> shift);
    let trace = prop_oneof![Just(0), 1u64..5, any::<u64>()];
    (number.clone(), number, trace, 0u32..6, tag).prop_map(
        |(end_ticks, value, trace, event, tag)| Row {
            end_ticks,
            value,
            trace: TraceId(trace),
            event: EventId(event),
            tag,
        },
    )
}

/// Runs of a few rings: ring and rows. Sequence numbers follow, with a gap now and then.
fn any_runs() -> impl Strategy<Value = Vec<(u32, bool, Vec<Row>)>> {
    let rows = proptest::collection::vec(any_row(), 0..200);
    proptest::collection::vec((0u32..4, any::<bool>(), rows), 0..8)
}

proptest! {
    #[test]
    fn runs_come_back_by_ring_in_recorded_order(runs in any_runs()) {
        let mut encoder = ChunkEncoder::new();
        let mut expected: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
        let mut seqs = [u64::MAX - 3; 4];
        for (ring, gap, rows) in &runs {
            let seq = &mut seqs[*ring as usize];
            *seq = seq.wrapping_add(u64::from(*gap) * 5);
            let taken = encoder.push_run(head(*ring, *seq), rows.iter().copied());
            prop_assert_eq!(taken, rows.len());
            *seq = seq.wrapping_add(taken as u64);
            expected.entry(*ring).or_default().extend(rows);
        }
        let bytes = encode(&mut encoder);
        let chunk = EventsChunk::parse(&bytes, 0).unwrap();
        let rows = chunk.decode_rows().unwrap();
        let mut by_ring: BTreeMap<u32, Vec<Row>> = BTreeMap::new();
        let mut rest = rows.as_slice();
        for range in chunk.ranges() {
            let (mine, after) = rest.split_at(range.rows as usize);
            rest = after;
            by_ring.entry(range.ring.0).or_default().extend(mine);
            prop_assert_eq!(range.thread.0, range.ring.0 + 100);
            prop_assert_eq!(range.slots, range.rows);
        }
        expected.retain(|_, rows| !rows.is_empty());
        prop_assert_eq!(by_ring, expected);
        check_head(&chunk, &rows);
    }

    #[test]
    fn one_run_comes_back_as_it_was(rows in proptest::collection::vec(any_row(), 0..500)) {
        let mut encoder = ChunkEncoder::new();
        encoder.push_run(head(0, 7), rows.iter().copied());
        let bytes = encode(&mut encoder);
        let chunk = EventsChunk::parse(&bytes, 0).unwrap();
        prop_assert_eq!(chunk.decode_rows().unwrap(), rows);
    }
}

fn check_head(chunk: &EventsChunk<'_>, rows: &[Row]) {
    let head = chunk.head();
    let least = |f: fn(&Row) -> u64| rows.iter().map(f).min().unwrap_or(0);
    assert_eq!(head.min_start, least(Row::start_ticks));
    assert_eq!(head.min_end, least(|row| row.end_ticks));
    assert_eq!(
        head.max_end,
        rows.iter().map(|row| row.end_ticks).max().unwrap_or(0)
    );
    for series in chunk.series() {
        let values = rows
            .iter()
            .filter(|row| (row.event, row.tag) == (series.key.event, series.key.tag))
            .map(|row| row.value);
        let tag = series.key.tag;
        let expected = if tag.is_span() || tag == Tag::OBSERVATION {
            values.max().unwrap()
        } else if tag.is_signed() {
            values.map(|value| value as i64).max().unwrap() as u64
        } else {
            0
        };
        assert_eq!(series.max_value, expected, "{:?}", series.key);
    }
}

fn span(end_ticks: u64) -> Row {
    Row {
        end_ticks,
        value: 5,
        trace: TraceId(1),
        event: EventId(1),
        tag: Tag::SPAN_OK,
    }
}

/// Runs across the end of the slot numbers.
#[test]
fn slot_numbers_wrap() {
    let mut encoder = ChunkEncoder::new();
    let runs = [(u64::MAX - 20, 4u64), (u64::MAX - 2, 3), (0, 2), (2, 5)];
    for (first_seq, rows) in runs {
        let rows = (0..rows).map(|slot| span(first_seq.wrapping_add(slot)));
        encoder.push_run(head(0, first_seq), rows);
    }
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    let ranges: Vec<_> = chunk
        .ranges()
        .iter()
        .map(|range| (range.first_seq, range.slots))
        .collect();
    assert_eq!(ranges, [(u64::MAX - 20, 4), (u64::MAX - 2, 10)]);
    let ends: Vec<u64> = chunk
        .decode_rows()
        .unwrap()
        .iter()
        .map(|row| row.end_ticks.wrapping_add(21))
        .collect();
    let expected: Vec<u64> = (0..4).chain(18..28).collect();
    assert_eq!(ends, expected);
}

#[test]
fn runs_that_follow_one_another_are_one_range() {
    let mut encoder = ChunkEncoder::new();
    encoder.push_run(head(1, 0), [span(90)]);
    encoder.push_run(head(2, 10), [span(100), span(110)]);
    encoder.push_run(head(2, 12), [span(120)]);
    // Nothing at all, and the range goes on.
    encoder.push_run(head(2, 13), []);
    // A gap of one slot, and then a run of a record that is no row, and a row.
    encoder.push_run(head(2, 14), [span(130)]);
    encoder.begin_run(head(2, 15)).unwrap();
    encoder.end_run(3);
    encoder.push_run(head(2, 18), [span(140)]);
    // A thread that comes back gets a range of its own.
    encoder.push_run(head(1, 1), [span(95)]);
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    let found: Vec<_> = chunk
        .ranges()
        .iter()
        .map(|range| {
            (
                range.ring.0,
                range.first_seq,
                range.slots,
                range.rows,
                range.first_end,
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (1, 0, 1, 1, 90),
            (2, 10, 3, 3, 100),
            (2, 14, 5, 2, 130),
            (1, 1, 1, 1, 95)
        ]
    );
    let ends: Vec<u64> = chunk
        .decode_rows()
        .unwrap()
        .iter()
        .map(|row| row.end_ticks)
        .collect();
    assert_eq!(ends, [90, 100, 110, 120, 130, 140, 95]);
}

#[test]
fn an_encoder_is_used_again() {
    let mut encoder = ChunkEncoder::new();
    let mut fresh = ChunkEncoder::new();
    for round in 0..5u64 {
        let rows: Vec<Row> = (0..1000 * round)
            .map(|number| Row {
                trace: TraceId(number * round % 77),
                event: EventId((number % (round + 1)) as u32),
                ..span(number * 10)
            })
            .collect();
        encoder.push_run(head(0, 0), rows.iter().copied());
        fresh.push_run(head(0, 0), rows.iter().copied());
        assert_eq!(encode(&mut encoder), encode(&mut fresh));
        encoder.clear();
        fresh = ChunkEncoder::new();
    }
}

#[test]
fn a_full_chunk_refuses_the_next_row_and_keeps_the_others() {
    let mut encoder = ChunkEncoder::new();
    let taken = encoder.push_run(head(0, 0), (0..).map(span));
    assert_eq!(
        (taken, encoder.remaining_rows()),
        (limits::MAX_CHUNK_ROWS, 0)
    );
    encoder.begin_run(head(0, taken as u64)).unwrap();
    assert_eq!(encoder.push(&span(0)), Err(ChunkFull));
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    assert_eq!(chunk.decode_rows().unwrap().len(), taken);
    assert_eq!(chunk.ranges().len(), 1);
}

#[test]
fn a_chunk_takes_no_more_series_than_its_limit() {
    let mut encoder = ChunkEncoder::new();
    encoder.begin_run(head(0, 0)).unwrap();
    for event in 0..limits::MAX_CHUNK_SERIES as u32 {
        encoder
            .push(&Row {
                event: EventId(event),
                ..span(1)
            })
            .unwrap();
    }
    for _ in 0..3 {
        assert_eq!(
            encoder.push(&Row {
                event: EventId(u32::MAX),
                ..span(1)
            }),
            Err(ChunkFull)
        );
        encoder.push(&span(1)).unwrap();
    }
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    assert_eq!(
        chunk.decode_rows().unwrap().len(),
        limits::MAX_CHUNK_SERIES + 3
    );
    assert_eq!(chunk.series()[1].rows, 4);
}

#[test]
fn every_row_its_own_trace() {
    let mut encoder = ChunkEncoder::new();
    let rows = (0..limits::MAX_CHUNK_ROWS as u64).map(|n| Row {
        trace: TraceId(n + 1),
        ..span(n)
    });
    encoder.push_run(head(0, 0), rows.clone());
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    assert_eq!(chunk.trace_count(), limits::MAX_CHUNK_ROWS);
    assert!(rows.eq(chunk.decode_rows().unwrap()));
}

#[test]
fn rows_outside_a_run_are_refused() {
    let mut encoder = ChunkEncoder::new();
    assert_eq!(encoder.push(&span(1)), Err(ChunkFull));
    encoder.push_run(head(0, 0), [span(1)]);
    assert_eq!(encoder.push(&span(2)), Err(ChunkFull));
    encode(&mut encoder);
    assert_eq!(encoder.begin_run(head(0, 1)), Err(ChunkFull));
    assert_eq!(encoder.rows(), 1);
}

#[test]
fn an_empty_chunk_with_a_loss_is_a_chunk() {
    let mut encoder = ChunkEncoder::new();
    assert!(encoder.is_empty());
    encoder.push_loss(crate::sample::loss(12)).unwrap();
    assert!(!encoder.is_empty());
    let bytes = encode(&mut encoder);
    let chunk = EventsChunk::parse(&bytes, 0).unwrap();
    assert_eq!(chunk.losses(), [crate::sample::loss(12)]);
    assert!(chunk.decode_rows().unwrap().is_empty());
}
