//! SIGKILL while a capture of many parts is recorded, at random moments and at every hand-off, those between two parts and those
//! of the compression as well: each record that was acknowledged before is found exactly once.

mod common;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use common::acknowledged::Acknowledged;
use common::{Capture, child, killed, series};
use perf_format::CloseReason;
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Handoff, Recorder};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const THREADS: u64 = 2;
/// Bytes of a part: some five chunks as they are cut here.
const PART_BYTES: u64 = 8 << 10;

/// The child: records numbers, acknowledges each, and dies.
#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let acknowledged = Acknowledged::open(directory, THREADS);
    let mut builder = Recorder::builder().tiny_parts().rotate_bytes(PART_BYTES);
    if std::env::var_os("COMPRESS").is_some() {
        builder = builder.compress_closed(1);
    }
    let recorder = killed::recorder(builder, directory);
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
        // Nothing that packs well: parts shall be full soon.
        let noise = (thread << 32 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        record_histogram(NUMBER, thread << 63 | number << 24 | noise);
        acknowledged.store(number + 1, Ordering::Release);
        if number % 64 == 0 {
            thread::sleep(Duration::from_micros(50));
        }
    }
}

/// Every acknowledged number is there once, or counted as lost; parts follow one another without a gap. Returns how many parts there
/// were.
fn check(captures: &[Capture], acknowledged: &Acknowledged) -> u64 {
    let (remainder, parts) = captures.split_last().expect("a remainder");
    let mut seen = HashSet::new();
    for value in captures.iter().flat_map(|capture| capture.values("number")) {
        let number = (value >> 63, value << 1 >> 25);
        assert!(seen.insert(number), "{number:?} was found twice");
    }
    let mut missing = 0;
    for thread in 0..THREADS {
        let count = acknowledged.of(thread).load(Ordering::Acquire);
        let is_missing = |number: &u64| !seen.contains(&(thread, *number));
        missing += (0..count).filter(is_missing).count() as u64;
        let beyond = (count + 1..count + 4).find(|number| seen.contains(&(thread, *number)));
        assert_eq!(beyond, None, "thread {thread} had recorded {count}");
    }
    let lost: u64 = captures.iter().map(|capture| capture.lost).sum();
    assert!(
        missing <= lost,
        "{missing} are missing, {lost} told as lost"
    );
    assert!(
        lost == 0 || missing > 0 || lost < 1_000,
        "{lost} are told to be lost, all numbers are there"
    );

    let mut next_seq = 0;
    for (number, part) in parts.iter().enumerate() {
        assert_eq!(series::number(part) as usize, number);
        let is_last = number + 1 == parts.len();
        let close = part.index.close.as_ref().map(|close| close.reason);
        assert!(
            close == Some(CloseReason::ROTATED) || (is_last && close.is_none()),
            "part {number}: {close:?}"
        );
        for chunk in &part.index.chunks {
            assert_eq!(chunk.head.chunk_seq, next_seq, "part {number}");
            next_seq += 1;
        }
    }
    let close = remainder.index.close.as_ref().expect("an end");
    assert_eq!(close.reason, CloseReason::SALVAGED);
    assert!(
        remainder
            .index
            .chunks
            .iter()
            .all(|it| it.head.chunk_seq >= next_seq)
    );
    let last = parts.last().map_or(0, series::number);
    let number = series::number(remainder);
    assert_eq!(number, last + 1);
    for (thread, _) in &remainder.rows {
        assert!(remainder.index.tables.thread(*thread).is_some());
    }
    parts.len() as u64
}

#[test]
fn at_random_moments() {
    let mut parts = 0;
    killed::at_random_moments(THREADS, 120, 0x2545_f491, |killed| {
        parts += check(&killed.captures, &killed.acknowledged);
    });
    println!("{parts} parts");
    assert!(parts > 200, "{parts} parts");
}

#[test]
fn at_every_handoff() {
    let all = [Handoff::ALL.as_slice(), &Handoff::OF_PARTS].concat();
    killed::at_each(&all, &[], THREADS, 12, |killed| {
        check(&killed.captures, &killed.acknowledged);
    });
}

#[test]
fn while_parts_are_compressed() {
    let compress = [("COMPRESS", "1".to_owned())];
    killed::at_each(&Handoff::OF_COMPRESSED, &compress, THREADS, 12, |killed| {
        check(&killed.captures, &killed.acknowledged);
    });
}
