//! A sampled capture beside one of everything, of the same records: what is left out, and what is told all the same.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use common::Capture;
use perf_format::{Aggregate, Columns, EventsChunk, SeriesKey, Tag, trace_hash};
use perf_probe::clock::{FakeClock, Ticks};
use perf_probe::{
    TraceId, events, measure, record_counter, record_end, record_gauge, record_histogram,
    record_start, trace,
};
use perf_recorder::{Recorder, Sampling};

events! {
    STAGE: span = "stage";
    ORDER: span = "order";
    HITS: counter("hits") = "hits";
    DEPTH: gauge("items") = "depth";
    SIZE: observation("bytes") = "size";
}

const TRACES: u64 = 20_000;
/// More ticks than the limit of a slow span has.
const SLOW: u64 = 1 << 40;
const LIMIT: Duration = Duration::from_millis(5);

fn id(number: u64) -> TraceId {
    TraceId::from_raw(number * 1_000_003)
}

/// Records the same each time. `drain` is called before a ring is full.
fn record(clock: &FakeClock, mut drain: impl FnMut()) {
    for number in 1..=TRACES {
        if number % 500 == 0 {
            drain();
        }
        {
            let _trace = trace::enter(id(number));
            trace::annotate("number", number.cast_signed());
            trace::due(number.cast_signed());
            for _ in 0..3 {
                let stage = measure!(STAGE);
                clock.advance(5 + number % 7);
                drop(stage);
            }
            let start = record_start(ORDER);
            clock.advance(if number % 1_000 == 0 { SLOW } else { 40 });
            record_end(ORDER, start);
            record_counter(HITS, 2);
        }
        record_gauge(DEPTH, (number % 50).cast_signed());
        record_histogram(SIZE, number);
    }
}

/// A capture of these records.
fn capture_of(sampling: Sampling) -> (Capture, u64) {
    let mut bytes = Vec::new();
    let clock = FakeClock::new(Ticks(1_000));
    let (handle, mut drainer) = Recorder::builder()
        .clock(clock.clone())
        .salvage(false)
        .sampling(sampling)
        .manual(&mut bytes)
        .expect("it starts");
    let drain = || while drainer.drain_once(&mut bytes).has_more {};
    perf_probe::scope(&handle, || record(&clock, drain));
    while !drainer.finish(&mut bytes) {}
    let capture = Capture::parse(bytes).expect("a capture");
    assert_eq!(capture.lost, 0);
    capture.assert_each_slot_once();
    let rows = capture.index.close.as_ref().expect("an end").rows;
    assert_eq!(rows, capture.records());
    let slots = capture.ranges.iter().map(|(_, _, slots)| slots).sum();
    (capture, slots)
}

/// One record with what sampling says of it.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    trace: u64,
    tag: Tag,
    value: u64,
    weight: u32,
    is_lone: bool,
}

fn said(capture: &Capture) -> Vec<Said> {
    let mut all = Vec::new();
    let mut columns = Columns::default();
    for entry in capture.index.event_chunks() {
        let bytes = capture.index.chunk_bytes(&capture.bytes, entry);
        let chunk = EventsChunk::parse(bytes, entry.offset).expect("a chunk");
        columns.decode(&chunk).expect("its columns");
        for at in 0..columns.len() {
            let row = columns.row(at);
            all.push(Said {
                trace: row.trace.0,
                tag: row.tag,
                value: row.value,
                weight: columns.weights.get(at).copied().unwrap_or(1),
                is_lone: columns.lone.get(at).copied().unwrap_or(false),
            });
        }
    }
    all
}

/// All rollups together.
fn totals(capture: &Capture) -> BTreeMap<SeriesKey, Aggregate> {
    let mut rollups = capture.rollups().into_iter();
    let mut sum = rollups.next().expect("a rollup");
    rollups.for_each(|rollup| sum.merge(&rollup));
    sum.series.into_iter().collect()
}

/// Whole traces have seven rows: an annotation, a due time, three stages, an order, a counter.
const ROWS: usize = 7;

#[test]
fn histograms_tell_of_everything_and_chunks_of_whole_traces() {
    let (all, slots) = capture_of(Sampling::new());
    let everything = said(&all);
    assert!(everything.iter().all(|row| row.weight == 1 && !row.is_lone));
    let mut kept_before: Option<HashSet<u64>> = None;
    for number in [10_u32, 100] {
        let sampling = Sampling::new()
            .rate(1.0 / f64::from(number))
            .keep_above("order", LIMIT);
        let (few, few_slots) = capture_of(sampling);
        assert_eq!(few_slots, slots, "all numbers are accounted for");
        assert_eq!(totals(&few), totals(&all), "1 in {number}");
        assert!(few.bytes.len() * 3 < all.bytes.len());

        let rows = said(&few);
        let limit = (1_u128 << 64) / u128::from(number);
        let is_kept = |trace: u64| u128::from(trace_hash(perf_format::TraceId(trace))) < limit;
        let mut whole: HashMap<u64, usize> = HashMap::new();
        let mut lone = 0;
        for row in &rows {
            match (row.trace, row.is_lone) {
                (_, true) => {
                    lone += 1;
                    assert_eq!(row.weight, 1);
                    assert!(row.trace == 0 || !is_kept(row.trace), "{row:?}");
                }
                (0, false) => assert_eq!(row.weight, number),
                (trace, false) => {
                    assert_eq!(row.weight, number);
                    *whole.entry(trace).or_default() += 1;
                }
            }
        }
        let expected: HashSet<u64> = (1..=TRACES)
            .map(|trace| id(trace).raw())
            .filter(|trace| is_kept(*trace))
            .collect();
        assert_eq!(whole.keys().copied().collect::<HashSet<_>>(), expected);
        assert!(whole.values().all(|rows| *rows == ROWS));
        if let Some(before) = kept_before.replace(expected.clone()) {
            assert!(expected.is_subset(&before));
        }
        // Slow ones all, and for each chunk its first and last record.
        let slow: Vec<_> = rows
            .iter()
            .filter(|row| row.tag.is_span() && row.value > SLOW / 2)
            .collect();
        assert_eq!(slow.len() as u64, TRACES / 1_000);
        let lone_slow = slow.iter().filter(|row| row.is_lone).count();
        let chunks = few.index.event_chunks().count();
        assert!(
            lone >= lone_slow && lone <= lone_slow + 2 * chunks,
            "{lone}"
        );
        // What they stand for is about everything.
        let stand_for: u64 = rows
            .iter()
            .filter(|row| row.tag == Tag::OBSERVATION && !row.is_lone)
            .map(|row| u64::from(row.weight))
            .sum();
        let off = (stand_for as f64 - TRACES as f64).abs();
        assert!(
            off < 5.0 * (TRACES as f64 * f64::from(number)).sqrt(),
            "{stand_for}"
        );
    }
}

#[test]
fn the_times_of_a_chunk_are_those_of_all_its_records() {
    let (all, _) = capture_of(Sampling::new());
    let (none, _) = capture_of(Sampling::new().rate(0.0));
    let times = |capture: &Capture| {
        let heads = || capture.index.event_chunks().map(|entry| entry.head);
        (
            heads().map(|head| head.min_end).min(),
            heads().map(|head| head.max_end).max(),
        )
    };
    assert_eq!(times(&none), times(&all));
    for rollup in none.rollups() {
        let coverage = rollup.coverage;
        assert!(coverage.rows >= 1 && coverage.min_end > 0, "{coverage:?}");
    }
    assert_eq!(totals(&none), totals(&all));
    assert!(none.records() <= 2 * none.index.event_chunks().count() as u64);
    assert!(none.bytes.len() < 20_000, "{}", none.bytes.len());
}

#[test]
fn a_recorder_tells_what_it_left_out() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = FakeClock::new(Ticks(1_000));
    let recorder = Recorder::builder()
        .capture(directory.path())
        .clock(clock.clone())
        .sampling(Sampling::new().rate(0.1))
        .scoped()
        .start()
        .expect("it starts");
    let flush = || recorder.flush().expect("flushed");
    recorder.scope(|| record(&clock, flush));
    flush();
    let status = recorder.status();
    assert!((status.sampling_rate - 0.1).abs() < 1e-9);
    let path = recorder.capture_path().expect("a file").to_owned();
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(
        (status.records, status.sampled_out),
        (stopped.records, stopped.sampled_out)
    );
    assert_eq!(stopped.lost.total(), 0);
    assert_eq!(
        stopped.records + stopped.sampled_out,
        TRACES * (ROWS as u64 + 2)
    );
    let capture = Capture::open(&path);
    assert_eq!(capture.records(), stopped.records);
    let header = capture.index.header.as_ref().expect("a header");
    assert_eq!(header.labels[0].value, "1 in 10");
}
