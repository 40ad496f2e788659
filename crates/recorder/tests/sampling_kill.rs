//! SIGKILL while a recorder samples: what the capture should keep is there once, and the histograms tell of every record.

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use common::acknowledged::Acknowledged;
use common::{Capture, child, killed};
use perf_format::{Columns, EventsChunk, Tag, trace_hash};
use perf_probe::{TraceId, events, record_histogram, trace};
use perf_recorder::{Recorder, Sampling};

events! {
    NUMBER: observation("") = "number";
}

const THREADS: u64 = 2;
const ONE_IN: u32 = 20;

/// The trace of a number.
fn trace_of(number: u64) -> u64 {
    number + 1
}

/// The child: records numbers, each in a trace of its own, acknowledges each, and dies.
#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let acknowledged = Acknowledged::open(directory, THREADS);
    let sampling = Sampling::new().rate(1.0 / f64::from(ONE_IN));
    let recorder = killed::recorder(Recorder::builder().sampling(sampling), directory);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let acknowledged = acknowledged.of(thread);
            scope.spawn(move || {
                for number in 0_u64.. {
                    let value = thread << 48 | number;
                    let _trace = trace::enter(TraceId::from_raw(trace_of(value)));
                    record_histogram(NUMBER, value);
                    acknowledged.store(number + 1, Ordering::Release);
                    if number % 64 == 0 {
                        thread::sleep(Duration::from_micros(50));
                    }
                }
            });
        }
        killed::flush_forever(&recorder)
    });
}

/// Returns how many numbers the chunks have.
fn check(captures: &[Capture], acknowledged: &Acknowledged) -> u64 {
    let lost: u64 = captures.iter().map(|capture| capture.lost).sum();
    // By number, the weight and whether it stands for itself only.
    let mut seen: HashMap<u64, (u32, bool)> = HashMap::new();
    for capture in captures {
        capture.assert_each_slot_once();
        for (value, weight, is_lone) in numbers(capture) {
            let twice = seen.insert(value, (weight, is_lone));
            assert_eq!(twice, None, "{value} was found twice");
        }
    }
    let limit = (1_u128 << 64) / u128::from(ONE_IN);
    let is_kept = |value| u128::from(trace_hash(perf_format::TraceId(trace_of(value)))) < limit;
    for (value, (weight, is_lone)) in &seen {
        let whole = (*weight, *is_lone) == (ONE_IN, false);
        assert!(
            (whole && is_kept(*value)) || (*weight, *is_lone) == (1, true),
            "{value}: weight {weight}, lone {is_lone}"
        );
    }
    let mut attempted = 0;
    let mut missing = 0;
    for thread in 0..THREADS {
        let count = acknowledged.of(thread).load(Ordering::Acquire);
        attempted += count;
        let of_thread = (0..count).map(|number| thread << 48 | number);
        missing += of_thread
            .filter(|value| is_kept(*value) && !seen.contains_key(value))
            .count() as u64;
    }
    assert!(missing <= lost, "{missing} are missing, {lost} lost");

    let counted: u64 = captures
        .iter()
        .flat_map(Capture::rollups)
        .flat_map(|rollup| rollup.series.into_iter())
        .filter(|(key, _)| key.tag == Tag::OBSERVATION)
        .map(|(_, aggregate)| aggregate.count())
        .sum();
    // Of each thread one more may be recorded and not acknowledged.
    assert!(
        (attempted..=attempted + THREADS).contains(&(counted + lost)),
        "{attempted} were recorded, the histograms have {counted}, {lost} were lost"
    );
    seen.len() as u64
}

/// The numbers in the chunks, each with its weight, and whether it is lone.
fn numbers(capture: &Capture) -> Vec<(u64, u32, bool)> {
    let mut found = Vec::new();
    let mut columns = Columns::default();
    for entry in capture.index.event_chunks() {
        let bytes = capture.index.chunk_bytes(&capture.bytes, entry);
        let chunk = EventsChunk::parse(bytes, entry.offset).expect("a chunk");
        columns.decode(&chunk).expect("its columns");
        for (at, row) in columns.rows().enumerate() {
            if row.tag == Tag::OBSERVATION {
                let weight = columns.weights.get(at).copied().unwrap_or(1);
                let is_lone = columns.lone.get(at).copied().unwrap_or(false);
                found.push((row.value, weight, is_lone));
            }
        }
    }
    found
}

#[test]
fn at_random_moments() {
    let mut kept = 0;
    killed::at_random_moments(THREADS, 60, 0x51_7cc1_b727, |killed| {
        kept += check(&killed.captures, &killed.acknowledged);
    });
    println!("{kept} records were compared");
    assert!(kept > 0);
}

#[test]
fn at_every_handoff() {
    killed::at_every_handoff(THREADS, 12, |killed| {
        check(&killed.captures, &killed.acknowledged);
    });
}
