//! One chunk, of any kind: everything in it is decoded.

use std::cell::RefCell;

use perf_format::{
    Aggregate, ChunkEncoder, Columns, EventsChunk, Frame, Histogram, Rollup, RollupChunk, Row,
    RunHead, SegmentId, SparseRollup, encode_rollup, limits,
};

use super::repair;

/// Reads the bytes as one chunk.
pub fn chunk(bytes: &[u8]) {
    read(bytes, 0);
    let mut mended = bytes.to_vec();
    if let Some(len) = repair::chunk(&mut mended) {
        read(&mended[..len], u64::from(u32::MAX));
        let frame = Frame::parse(&mended[..len], 0);
        assert!(
            frame.is_err() || frame.unwrap().check_body(&mended).is_ok(),
            "the mended sums are right"
        );
    }
}

/// Reads the chunk at the start of `bytes`, which lies at `offset` in its file, whatever it says that it is.
fn read(bytes: &[u8], offset: u64) {
    let Ok(frame) = Frame::parse(bytes, offset) else {
        return;
    };
    let intact = frame.check_body(bytes).is_ok();
    if let Ok(chunk) = EventsChunk::parse(bytes, offset) {
        assert_eq!(chunk.verify().is_ok(), intact, "two ways to the same sums");
        events(&chunk);
    }
    if let Ok(chunk) = RollupChunk::parse(bytes, offset) {
        rollup(&chunk);
    }
}

/// Decodes the chunk without writing it again: what it takes to read a file of many.
pub(super) fn decode(bytes: &[u8], offset: u64) {
    if let Ok(chunk) = EventsChunk::parse(bytes, offset) {
        let _ = chunk.strings();
        if let Ok(rows) = chunk.decode_rows() {
            assert_eq!(rows.len(), chunk.rows());
        }
    }
    if let Ok(chunk) = RollupChunk::parse(bytes, offset) {
        let mut sparse = SparseRollup::default();
        let _ = chunk.decode_sparse(&mut sparse);
    }
}

fn events(chunk: &EventsChunk<'_>) {
    let rows = chunk.rows();
    assert!(rows <= limits::MAX_CHUNK_ROWS && chunk.series().len() <= limits::MAX_CHUNK_SERIES);
    assert_eq!(
        chunk
            .ranges()
            .iter()
            .map(|range| range.rows as usize)
            .sum::<usize>(),
        rows
    );

    let mut grouped = Vec::new();
    let all_values = chunk.grouped_values(&mut grouped).is_ok();
    let mut one_by_one = Vec::new();
    for (number, series) in chunk.series().iter().enumerate() {
        let before = one_by_one.len();
        if chunk
            .values_of(number, |values| one_by_one.extend_from_slice(values))
            .is_ok()
        {
            assert_eq!(
                one_by_one.len() - before,
                series.rows as usize,
                "the rows of a series"
            );
        }
    }
    if all_values {
        assert_eq!(grouped, one_by_one, "a column at once and series by series");
    }

    if let Ok(strings) = chunk.strings() {
        assert!(
            strings.iter().map(|string| string.len()).sum::<usize>()
                <= limits::MAX_CHUNK_STRING_BYTES
        );
    }
    let mut cpus = Vec::new();
    if chunk.cpus(&mut cpus).is_ok() {
        assert!(cpus.is_empty() || cpus.len() == chunk.ranges().len());
    }
    let mut columns = Columns::default();
    if columns.decode(chunk).is_ok() {
        let decoded: Vec<Row> = columns.rows().collect();
        assert_eq!(decoded.len(), rows, "as many rows as the head says");
        assert_eq!(chunk.decode_rows().as_ref(), Ok(&decoded));
        written_again(&decoded);
        rolled_up(chunk, &decoded);
    }
}

/// Lends an empty encoder. Its buffers are for a full chunk: to make them for every input takes longer than the rest.
pub(super) fn with_encoder<T>(f: impl FnOnce(&mut ChunkEncoder) -> T) -> T {
    thread_local! {
        static ENCODER: RefCell<ChunkEncoder> = RefCell::new(ChunkEncoder::new());
    }
    ENCODER.with_borrow_mut(|encoder| {
        encoder.clear();
        f(encoder)
    })
}

/// What was decoded can be encoded, and decodes to the same rows.
fn written_again(rows: &[Row]) {
    let mut bytes = Vec::new();
    let head = with_encoder(|encoder| {
        let taken = encoder.push_run(RunHead::default(), rows.iter().copied());
        assert_eq!(taken, rows.len());
        encoder.encode(0, SegmentId(0), &mut bytes)
    });
    assert_eq!(head.chunk_len(), bytes.len() as u64);
    let chunk = EventsChunk::parse(&bytes, 0).expect("a chunk that was just encoded");
    assert_eq!(chunk.decode_rows().as_deref(), Ok(rows));
}

/// The histograms of a chunk hold as many values as the chunk has rows for them.
fn rolled_up(chunk: &EventsChunk<'_>, rows: &[Row]) {
    let mut rollup = Rollup::new(chunk.head().segment);
    chunk
        .roll_into(&mut rollup, |_| true)
        .expect("every column was decoded before");
    let counted: u64 = rollup.series.values().map(Aggregate::count).sum();
    let expected = rows
        .iter()
        .filter(|row| Aggregate::for_tag(row.tag).is_some())
        .count();
    assert_eq!(counted, expected as u64, "rows that are rolled up");
    rollup.coverage.add(chunk.head());
    rollup_again(&rollup);
}

fn rollup(chunk: &RollupChunk<'_>) {
    let mut sparse = SparseRollup::default();
    let sparse_ok = chunk.decode_sparse(&mut sparse).is_ok();
    assert!(
        sparse_ok || sparse.series().is_empty(),
        "nothing is left of a failed attempt"
    );
    let Ok(dense) = chunk.rollup() else { return };
    assert!(sparse_ok, "dense and sparse agree on what can be read");
    assert_eq!(dense.series.len(), sparse.series().len());
    for (key, aggregate) in &dense.series {
        if let Aggregate::Distribution(histogram) = aggregate {
            assert_eq!(dense.histogram(*key), Some(histogram));
            self::histogram(histogram);
        }
    }
    rollup_again(&dense);
    let mut twice = dense.clone();
    twice.merge(&dense);
    assert_eq!(twice.series.len(), dense.series.len());
}

/// A rollup that was read can be written, and reads the same.
fn rollup_again(rollup: &Rollup) {
    let mut bytes = Vec::new();
    if encode_rollup(rollup, 1, &mut bytes).is_some() {
        let chunk = RollupChunk::parse(&bytes, 0).expect("a rollup that was just encoded");
        let again = chunk.rollup().expect("a rollup that was just encoded");
        assert_eq!(again.series, rollup.series);
        assert_eq!(again.coverage, rollup.coverage);
    }
}

fn histogram(histogram: &Histogram) {
    assert_eq!(
        histogram.nonempty().map(|(_, count)| count).sum::<u64>(),
        histogram.count()
    );
    let (Some(min), Some(max)) = (histogram.min(), histogram.max()) else {
        return;
    };
    let mut last = min;
    for q in [0.0, 0.001, 0.5, 0.95, 0.99, 0.999, 1.0] {
        let value = histogram.quantile(q).expect("values");
        assert!(
            (last..=max).contains(&value),
            "quantile {q} is {value}, after {last}, at most {max}"
        );
        last = value;
    }
    assert_eq!(last, max);
    assert!(histogram.mean().is_some_and(f64::is_finite));
    assert!(histogram.stddev().is_some_and(|stddev| stddev >= 0.0));
}
