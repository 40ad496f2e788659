//! Parts as the drainer makes them: each is a capture that can be read alone, and all one after another are the capture.

mod common;

use std::time::Duration;

use common::Capture;
use perf_format::{CloseReason, MAGIC};
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Builder, Recorder, Refused, Sink, StartError};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
    LATE: observation("") = "late";
}

/// Keeps parts apart.
#[derive(Default)]
struct Parts(Vec<Vec<u8>>);

impl Sink for Parts {
    fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
        if piece.starts_with(&MAGIC) {
            self.0.push(Vec::new());
        }
        self.0
            .last_mut()
            .expect("a header")
            .extend_from_slice(piece);
        Ok(())
    }
}

fn builder() -> Builder {
    Recorder::builder().spool_bytes(1 << 20).tiny_parts()
}

/// Records numbers in rounds, and finishes; in the midst an event comes up that was not there before.
fn record(builder: Builder, rounds: u64, each: u64, pause: Duration) -> Vec<Vec<u8>> {
    let mut parts = Parts::default();
    let (handle, mut drainer) = builder.manual(&mut parts).expect("an arena");
    perf_probe::scope(&handle, || {
        for round in 0..rounds {
            let _open = measure!(WORK);
            for number in 0..each {
                record_histogram(NUMBER, round * each + number);
            }
            if round == rounds / 2 {
                record_histogram(LATE, 1);
            }
            drainer.drain_once(&mut parts);
            std::thread::sleep(pause);
        }
    });
    handle.close();
    while !drainer.finish(&mut parts) {}
    parts.0
}

fn check(parts: &[Vec<u8>], rounds: u64, each: u64) {
    let mut numbers = Vec::new();
    let mut next_seq = 0;
    for (number, bytes) in parts.iter().enumerate() {
        let part = Capture::parse(bytes.clone()).expect("a capture");
        let header = part.index.header.as_ref().expect("a header");
        assert_eq!(header.part as usize, number);
        assert!(part.index.closed_cleanly(), "part {number}");
        let close = part.index.close.as_ref().expect("an end");
        let is_last = number + 1 == parts.len();
        let reason = if is_last {
            CloseReason::STOPPED
        } else {
            CloseReason::ROTATED
        };
        assert_eq!(close.reason, reason, "part {number}");
        assert_eq!(close.rows, part.records(), "part {number}");
        assert_eq!(close.event_chunks, part.index.event_chunks().count() as u64);
        assert_eq!(close.lost, part.lost);
        assert_eq!(part.index.chunks[0].head.chunk_seq, next_seq);
        next_seq += part.index.chunks.len() as u64;
        // Names, threads and times come from the part alone.
        part.assert_rollups_equal_scan();
        numbers.extend(part.values("number"));
        for (thread, _) in &part.rows {
            assert!(part.index.tables.thread(*thread).is_some(), "part {number}");
        }
        let anchors = part.index.anchors.anchors.len();
        assert!(anchors > usize::from(number > 0), "part {number}");
    }
    assert_eq!(numbers, (0..rounds * each).collect::<Vec<u64>>());
    let whole = Capture::parse(parts.concat()).expect("one capture");
    assert_eq!(whole.records(), rounds * (each + 1) + 1);
    assert!(whole.index.closed_cleanly());
    assert_eq!(whole.index.missing_chunks(), 0);
    whole.assert_each_slot_once();
    whole.assert_rollups_equal_scan();
}

#[test]
fn by_size_each_part_is_longer_by_no_more_than_a_chunk_and_its_end() {
    const LIMIT: usize = 16 << 10;
    let parts = record(
        builder().ring_bytes(1 << 20).rotate_bytes(LIMIT as u64),
        60,
        5_000,
        Duration::ZERO,
    );
    assert!(parts.len() > 3, "{} parts", parts.len());
    check(&parts, 60, 5_000);
    for part in &parts[..parts.len() - 1] {
        let index = perf_format::Index::build(part).expect("a capture");
        let last = index.event_chunks().last().expect("a chunk");
        assert!(part.len() >= LIMIT);
        assert!((last.offset as usize) < LIMIT, "{last:?}");
    }
}

#[test]
fn by_time_parts_end_though_little_is_recorded() {
    let parts = record(
        builder().rotate_every(Duration::from_millis(20)),
        30,
        3,
        Duration::from_millis(5),
    );
    assert!((4..=30).contains(&parts.len()), "{} parts", parts.len());
    check(&parts, 30, 3);
}

#[test]
fn without_it_there_is_one_part() {
    let parts = record(builder(), 3, 100, Duration::ZERO);
    assert_eq!(parts.len(), 1);
    check(&parts, 3, 100);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let to = || {
        Recorder::builder()
            .capture(dir.path().join("x.bin"))
            .scoped()
    };
    let sink = || Recorder::builder().sink(Vec::new()).scoped();
    let second = Duration::from_secs(1);
    for (builder, word) in [
        (
            to().rotate_bytes(1_000),
            "`rotate_bytes` is at least 65536, not 1000",
        ),
        (
            to().rotate_every(second / 2),
            "`rotate_every` is at least 1s, not 500ms",
        ),
        (to().keep_bytes(1 << 30), "need `rotate_bytes`"),
        (to().keep_for(second), "need `rotate_bytes`"),
        (
            to().rotate_bytes(1 << 20).keep_bytes(1 << 20),
            "at least twice",
        ),
        (
            sink().rotate_bytes(1 << 20).keep_bytes(1 << 30),
            "into files",
        ),
    ] {
        let error = builder.start().expect_err(word);
        assert!(matches!(error, StartError::Setting { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0);
}
