//! SIGKILL, at random moments and at every hand-off: each record that was acknowledged before is found exactly once.

mod common;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::acknowledged::Acknowledged;
use common::{Capture, child, killed};
use perf_format::Tag;
use perf_probe::{TraceId, events, measure, record_histogram, trace};
use perf_recorder::Recorder;

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const THREADS: u64 = 3;

/// The child: records numbers, acknowledges each, and dies.
#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let acknowledged = Acknowledged::open(directory, THREADS);
    let recorder = killed::recorder(Recorder::builder(), directory);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let acknowledged = acknowledged.of(number);
            scope.spawn(move || record_numbers(number, acknowledged));
        }
        killed::flush_forever(&recorder)
    });
}

fn record_numbers(thread: u64, acknowledged: &AtomicU64) {
    let _open = measure!(WORK);
    for number in 0.. {
        record_histogram(NUMBER, thread << 48 | number);
        acknowledged.store(number + 1, Ordering::Release);
        match number % 64 {
            0 => thread::sleep(Duration::from_micros(50)),
            7 => drop(measure!(WORK)),
            13 => trace::annotate_id(
                TraceId::from_raw(thread + 1),
                "number",
                number.cast_signed(),
            ),
            _ => {}
        }
    }
}

/// Every acknowledged number is there once, or counted as lost. Returns how many there are.
fn check(captures: &[Capture], acknowledged: &Acknowledged) -> u64 {
    let mut seen: HashMap<u64, u64> = HashMap::new();
    for capture in captures {
        for value in capture.values("number") {
            *seen.entry(value).or_default() += 1;
        }
    }
    let twice = seen.iter().find(|(_, times)| **times > 1);
    assert_eq!(twice, None, "a record was found twice");
    let mut missing = 0;
    for thread in 0..THREADS {
        let count = acknowledged.of(thread).load(Ordering::Acquire);
        missing += (0..count)
            .filter(|number| !seen.contains_key(&(thread << 48 | number)))
            .count() as u64;
        let beyond =
            (count + 1..count + 4).find(|number| seen.contains_key(&(thread << 48 | number)));
        assert_eq!(
            beyond, None,
            "thread {thread} had recorded {count}, and one that may not be acknowledged yet"
        );
    }
    let lost: u64 = captures.iter().map(|capture| capture.lost).sum();
    assert!(
        missing <= lost,
        "{missing} acknowledged records are missing, {lost} are told to be lost"
    );
    // Lost besides: spans, annotations, and one number of each thread that was not acknowledged.
    assert!(
        lost == 0 || missing > 0 || lost < 1_000,
        "{lost} are told to be lost, all numbers are there"
    );

    let remainder = captures.last().expect("a remainder");
    assert!(remainder.index.closed_cleanly());
    let names: Vec<_> = remainder
        .index
        .open_spans
        .iter()
        .map(|span| {
            remainder
                .index
                .tables
                .event(span.event)
                .map_or("?", |event| event.name.as_str())
        })
        .collect();
    // Each thread that has recorded has one span open all the time, and perhaps a second one.
    let recording = (0..THREADS)
        .filter(|thread| acknowledged.of(*thread).load(Ordering::Acquire) > 0)
        .count();
    let expected = recording..=2 * THREADS as usize;
    assert!(
        expected.contains(&names.len()) && names.iter().all(|name| *name == "work"),
        "{names:?}"
    );
    for (_, key, value) in captures.iter().flat_map(|capture| &capture.annotations) {
        assert!(
            key == "number" && value.parse::<u64>().is_ok_and(|number| number % 64 == 13),
            "{key} = {value}"
        );
    }
    captures
        .iter()
        .flat_map(|capture| &capture.rows)
        .filter(|(_, row)| row.tag == Tag::OBSERVATION)
        .count() as u64
}

#[test]
fn at_random_moments() {
    let mut records = 0;
    killed::at_random_moments(THREADS, 250, 0x9e37_79b9, |killed| {
        records += check(&killed.captures, &killed.acknowledged);
    });
    println!("{records} records were compared");
    assert!(records > 0);
}

#[test]
fn at_every_handoff() {
    killed::at_every_handoff(THREADS, 24, |killed| {
        check(&killed.captures, &killed.acknowledged);
    });
}
