//! A rollup says what a scan of its chunks says, count for count.

use perf_format::load::Load;
use perf_format::{
    Aggregate, ChunkEncoder, ChunkStream, Coverage, EventId, EventsChunk, GaugeSummary, Histogram,
    Index, RingId, Rollup, RollupChunk, Row, RunHead, SegmentId, SeriesKey, Tag, ThreadId, TraceId,
    limits,
};
use proptest::prelude::*;

use crate::sample;

fn scan(bytes: &[u8], index: &Index, covered: &Coverage) -> Rollup {
    let mut rollup = Rollup::default();
    for entry in index
        .event_chunks()
        .filter(|entry| covered.contains(entry.head.chunk_seq))
    {
        let chunk = EventsChunk::parse(index.chunk_bytes(bytes, entry), entry.offset).unwrap();
        chunk.roll_into(&mut rollup, |_| true).unwrap();
        rollup.coverage.add(&entry.head);
    }
    rollup
}

#[test]
fn every_rollup_of_a_capture_equals_a_scan() {
    for bytes in [
        sample::capture(700),
        perf_format::load::write_capture(Vec::new(), 300_000, 3).unwrap(),
    ] {
        let index = Index::build(&bytes).unwrap();
        let mut rollups = 0;
        for (entry, coverage) in index.rollups() {
            let chunk = RollupChunk::parse(index.chunk_bytes(&bytes, entry), entry.offset).unwrap();
            let scanned = scan(&bytes, &index, coverage);
            assert_eq!(chunk.rollup().unwrap(), scanned);
            assert_eq!(chunk.coverage(), &scanned.coverage);
            rollups += 1;
        }
        let all: u64 = index.rollups().map(|(_, coverage)| coverage.rows).sum();
        assert!(rollups > 0 && all == index.close.as_ref().unwrap().rows);
    }
}

#[test]
fn a_series_that_is_not_wanted_is_left_out() {
    let bytes = sample::capture(100);
    let index = Index::build(&bytes).unwrap();
    let entry = index.event_chunks().next().unwrap();
    let chunk = EventsChunk::parse(index.chunk_bytes(&bytes, entry), entry.offset).unwrap();
    for tag in [Tag::GAUGE, Tag::COUNTER, Tag::SPAN_OK] {
        let mut rollup = Rollup::default();
        chunk.roll_into(&mut rollup, |key| key.tag == tag).unwrap();
        assert_eq!(rollup.series.len(), 1);
        assert_eq!(rollup.series.values().next().unwrap().count(), 20);
    }
}

#[test]
fn gauges_are_in_the_order_of_time_over_all_threads() {
    let gauge = |end_ticks, value: i64| Row {
        end_ticks,
        value: value as u64,
        trace: TraceId::NONE,
        event: EventId(3),
        tag: Tag::GAUGE,
    };
    let mut encoder = ChunkEncoder::new();
    let head = |ring| RunHead {
        ring: RingId(ring),
        thread: ThreadId(ring),
        first_seq: 0,
    };
    encoder.push_run(head(1), [gauge(20, 5), gauge(40, -1)]);
    encoder.push_run(head(0), [gauge(10, 3), gauge(30, 7)]);
    let mut rollup = Rollup::default();
    encoder.roll_into(&mut rollup);
    let mut expected = GaugeSummary::default();
    for (ticks, value) in [(10, 3), (20, 5), (30, 7), (40, -1)] {
        expected.record(ticks, value);
    }
    assert_eq!(expected.integral, 30 + 50 + 70);
    let key = SeriesKey {
        event: EventId(3),
        tag: Tag::GAUGE,
    };
    assert_eq!(rollup.series[&key], Aggregate::Gauge(expected));
    let mut bytes = Vec::new();
    encoder.encode(0, SegmentId(0), &mut bytes);
    let mut scanned = Rollup::default();
    EventsChunk::parse(&bytes, 0)
        .unwrap()
        .roll_into(&mut scanned, |_| true)
        .unwrap();
    assert_eq!(scanned, rollup);
}

#[test]
fn quantiles_of_the_load_are_near_those_of_the_sorted_values() {
    let mut load = Load::new(11);
    let mut encoder = ChunkEncoder::new();
    let mut rollup = Rollup::default();
    let mut values: Vec<u64> = Vec::new();
    for _ in 0..4 {
        encoder.clear();
        load.fill(&mut encoder, limits::MAX_CHUNK_ROWS);
        encoder.roll_into(&mut rollup);
        let mut bytes = Vec::new();
        encoder.encode(0, SegmentId(0), &mut bytes);
        let rows = EventsChunk::parse(&bytes, 0)
            .unwrap()
            .decode_rows()
            .unwrap();
        values.extend(
            rows.iter()
                .filter(|row| row.event == EventId(4))
                .map(|row| row.value),
        );
    }
    values.sort_unstable();
    let key = SeriesKey {
        event: EventId(4),
        tag: Tag::SPAN_OK,
    };
    let histogram = rollup.histogram(key).unwrap();
    assert_eq!(histogram.count(), values.len() as u64);
    for q in [0.0, 0.001, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0] {
        let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
        let truth = values[rank - 1];
        let got = histogram.quantile(q).unwrap();
        assert!(
            got >= truth && got - truth <= truth / 1000,
            "{q}: {got} and {truth}"
        );
    }
    assert_eq!(histogram.max(), values.last().copied());
}

#[test]
fn a_rollup_above_its_limits_is_not_written() {
    let mut rollup = Rollup::default();
    for event in 0..=(limits::MAX_ROLLUP_BINS / perf_format::bins::COUNT) as u32 {
        let key = SeriesKey {
            event: EventId(event),
            tag: Tag::SPAN_OK,
        };
        if let Some(Aggregate::Distribution(histogram)) = rollup.aggregate(key) {
            histogram.record(u64::MAX);
        }
    }
    let mut bytes = Vec::new();
    assert_eq!(perf_format::encode_rollup(&rollup, 0, &mut bytes), None);
    assert!(bytes.is_empty());
    rollup.series.pop_last();
    perf_format::encode_rollup(&rollup, 0, &mut bytes).unwrap();
    assert_eq!(
        RollupChunk::parse(&bytes, 0)
            .unwrap()
            .rollup()
            .unwrap()
            .series,
        rollup.series
    );
}

#[test]
fn live_statistics_are_the_sum_of_rollups() {
    let mut stream = ChunkStream::new();
    let (mut load, mut encoder, mut out) = (Load::new(2), ChunkEncoder::new(), Vec::new());
    let mut expected = Histogram::new();
    let key = SeriesKey {
        event: EventId(0),
        tag: Tag::SPAN_OK,
    };
    for round in 0..6 {
        load.fill(&mut encoder, 4000);
        let mut alone = Rollup::default();
        encoder.roll_into(&mut alone);
        expected.merge(alone.histogram(key).unwrap());
        stream.events(&mut encoder, &mut out);
        if round % 3 == 1 {
            assert!(stream.rollup(&mut out));
            assert!(stream.since_rollup().is_empty());
        }
        let live = stream.since_start();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].histogram(key), Some(&expected));
        assert_eq!(live[0].coverage.chunks, round + 1);
    }
}

proptest! {
    #[test]
    fn a_rollup_comes_back(
        values in proptest::collection::vec((0u32..6, any::<u64>(), 0u32..64), 0..300),
        seq in any::<u64>(),
    ) {
        let mut rollup = Rollup::new(SegmentId(9));
        rollup.coverage = Coverage { first_chunk: 3, last_chunk: 70, chunks: 60, rows: 1, digest: seq, ..Coverage::default() };
        for (event, value, shift) in values {
            let tags = [Tag::SPAN_OK, Tag::SPAN_PANICKED, Tag::OBSERVATION, Tag::COUNTER, Tag::GAUGE, Tag::DUE];
            let key = SeriesKey { event: EventId(event), tag: tags[event as usize] };
            match rollup.aggregate(key) {
                Some(Aggregate::Distribution(histogram)) => histogram.record(value >> shift),
                Some(Aggregate::Counter(counter)) => counter.record((value >> shift) as i64),
                Some(Aggregate::Gauge(gauge)) => gauge.record(value >> shift, value as i64),
                None => prop_assert_eq!(key.tag, Tag::DUE),
            }
        }
        let mut bytes = Vec::new();
        perf_format::encode_rollup(&rollup, seq, &mut bytes).unwrap();
        let chunk = RollupChunk::parse(&bytes, 0).unwrap();
        prop_assert_eq!(chunk.head().chunk_seq, seq);
        prop_assert_eq!(&chunk.rollup().unwrap(), &rollup);
        // Merging into what was there before adds up.
        let mut twice = rollup.clone();
        chunk.merge_into(&mut twice).unwrap();
        for (key, aggregate) in &rollup.series {
            prop_assert_eq!(twice.series[key].count(), 2 * aggregate.count());
        }
    }
}
