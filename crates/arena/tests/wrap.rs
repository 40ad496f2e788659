//! Sequence numbers that pass 2³² and wrap at 2⁶⁴, where more than one ring segment, a salvager, or an open span looks at
//! them. (That a ring alone does is tested in `ring`.)

mod common;

use std::fs::{self, File};

use common::{SLOTS, attached, config, directory, drain_one, span};
use perf_arena::reader::Reader;
use perf_arena::{Config, Mode, Owner, Record, create};

/// First numbers such that the wrap comes before, within and after the first segment of [`SLOTS`] slots.
fn first_numbers() -> impl Iterator<Item = u64> {
    let steps = [
        1,
        2,
        SLOTS / 2,
        SLOTS - 1,
        SLOTS,
        SLOTS + 1,
        SLOTS + 700,
        3 * SLOTS,
    ];
    let before = move |wrap: u64| steps.map(|step| wrap.wrapping_sub(step));
    [1 << 16, 1 << 32, 1 << 63, 0].into_iter().flat_map(before)
}

/// An arena whose rings begin with this number and grow.
fn growing(directory: &tempfile::TempDir, first_seq: u64, mode: Mode) -> Owner {
    create(&Config {
        mode,
        first_seq,
        max_ring_bytes: 64 << 10,
        ..config(directory.path())
    })
    .unwrap()
}

/// What a salvager finds in the ring of an arena whose process is gone: the number of the first slot, and the records.
fn salvaged(owner: Owner) -> (u64, Vec<Record>) {
    let path = owner.path().unwrap().to_owned();
    drop(owner);
    // Not read as a whole: most of it is a hole.
    let file = File::open(&path).unwrap();
    fs::remove_file(path).unwrap();
    let mut reader = Reader::from_file(&file).unwrap();
    let ring = reader.rings().swap_remove(0);
    let records = reader.records(&ring);
    assert_eq!((records.damaged_slots, records.volatile_slots), (0, 0));
    let mut next = records.runs[0].first_seq;
    for run in &records.runs {
        assert_eq!(run.first_seq, next, "runs follow one another");
        next = next.wrapping_add(run.records.len() as u64);
    }
    assert_eq!(reader.damage(), []);
    let all = records.runs.iter().flat_map(|run| run.records.clone());
    (records.runs[0].first_seq, all.collect())
}

fn spans(numbers: std::ops::Range<u64>) -> Vec<Record> {
    numbers.map(|n| Record(span(n))).collect()
}

#[test]
fn a_ring_grows_and_is_drained_across_a_wrap() {
    for first_seq in first_numbers() {
        let directory = directory();
        let mut owner = growing(&directory, first_seq, Mode::DropNewest);
        let producer = attached(&owner);
        let mut pushed = 0;
        // The first rounds are too much for the first segment.
        for count in [100, SLOTS + 900, 1500, 2000, 3] {
            for n in pushed..pushed + count {
                producer.push(span(n)).unwrap();
            }
            assert_eq!(
                drain_one(&mut owner),
                spans(pushed..pushed + count),
                "{first_seq:#x}"
            );
            pushed += count;
        }
        assert_eq!(owner.rings()[0].segment_slots, 2048);
        assert_eq!(owner.rings()[0].write_index, first_seq.wrapping_add(pushed));
    }
}

#[test]
fn a_salvager_finds_all_segments_across_a_wrap() {
    for first_seq in first_numbers() {
        for drained in [0, 1, 300] {
            let directory = directory();
            let mut owner = growing(&directory, first_seq, Mode::DropNewest);
            let producer = attached(&owner);
            for n in 0..drained {
                producer.push(span(n)).unwrap();
            }
            assert_eq!(drain_one(&mut owner).len() as u64, drained);
            let end = drained + SLOTS + 1000;
            for n in drained..end {
                producer.push(span(n)).unwrap();
            }
            let (first, records) = salvaged(owner);
            assert_eq!(first, first_seq.wrapping_add(drained));
            assert_eq!(
                records,
                spans(drained..end),
                "{first_seq:#x}, {drained} drained"
            );
        }
    }
}

#[test]
fn a_salvager_finds_the_newest_of_a_flight_recorder_across_a_wrap() {
    for first_seq in first_numbers() {
        let directory = directory();
        let owner = growing(&directory, first_seq, Mode::Overwrite);
        let producer = attached(&owner);
        let end = 3 * 2048 + 77;
        for n in 0..end {
            producer.push(span(n)).unwrap();
        }
        let (first, records) = salvaged(owner);
        assert!(records.len() as u64 >= 2048 * 3 / 4);
        let from = end - records.len() as u64;
        assert_eq!(first, first_seq.wrapping_add(from));
        assert_eq!(records, spans(from..end), "{first_seq:#x}");
    }
}

#[test]
fn spans_are_open_or_ended_across_a_wrap() {
    for first_seq in [u64::MAX - 3, (1 << 32) - 3, (1 << 16) - 3] {
        let directory = directory();
        let owner = growing(&directory, first_seq, Mode::DropNewest);
        let producer = attached(&owner);
        for n in 0..8 {
            let ended = producer.begin(n + 1, n, 1);
            let open = producer.begin(n + 1, n, 2);
            producer.end(ended, span(n)).unwrap();
            assert_eq!(owner.open_spans().len() as u64, n + 1);
            assert!(!open.is_none());
        }
        assert!(owner.open_spans().iter().all(|it| it.event == 2));
    }
}
