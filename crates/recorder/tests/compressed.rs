//! Closed parts, compressed: what is in them is what was recorded, and readers need no more of a file than the frame that they want.

mod common;

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{child, series};
use perf_format::{CloseReason, Index};
use perf_probe::{events, record_histogram};
use perf_recorder::{Builder, Recorder, Stopped};

events! {
    NUMBER: observation("") = "number";
}

const NUMBERS: u64 = 30_000;
/// Time after which something counts as never happening.
const DEADLINE: Duration = Duration::from_secs(60);

fn builder(captures: &Path) -> Builder {
    Recorder::builder()
        .capture(captures.join("x.bin"))
        .arena_directory(captures.join("arena"))
        .salvage(false)
        .scoped()
        .tiny_parts()
}

fn directory() -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    directory
}

fn noise(number: u64) -> u64 {
    number << 24 | number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn record(builder: Builder, numbers: u64) -> Stopped {
    record_with(builder.start().expect("the recorder starts"), numbers)
}

fn record_with(recorder: Recorder, numbers: u64) -> Stopped {
    recorder.scope(|| {
        for number in 0..numbers {
            record_histogram(NUMBER, noise(number));
            if number % 500 == 0 {
                recorder.flush().expect("flushed");
            }
        }
    });
    recorder.stop().expect("a clean end")
}

/// All parts together have each number once.
fn check(directory: &Path, numbers: u64) -> usize {
    let parts = series::parts_of(directory, "x");
    let mut values = Vec::new();
    for (number, path) in parts.iter().enumerate() {
        let part = series::open(path);
        assert_eq!(series::number(&part) as usize, number);
        assert!(part.index.closed_cleanly());
        values.extend(part.values("number"));
    }
    assert_eq!(values, (0..numbers).map(noise).collect::<Vec<u64>>());
    parts.len()
}

#[test]
fn what_was_recorded_is_in_compressed_parts() {
    let directory = directory();
    let path = directory.path();
    let patience = Duration::from_secs(60);
    let builder = builder(path).rotate_bytes(16 << 10).patience(patience);
    let stopped = record(builder.compress_closed(3), NUMBERS);
    let names = series::names_in(path);
    let parts: Vec<_> = names.iter().filter(|name| name.starts_with("x.")).collect();
    assert!(
        parts.iter().all(|name| name.ends_with(".bin.zst")),
        "{parts:?}"
    );
    assert_eq!(parts.len() as u64, stopped.parts.begun);
    assert!(check(path, NUMBERS) > 5);
    assert_eq!(stopped.warnings, []);
}

/// The frames of a file, by its table: bytes, compressed and plain.
fn table_of(file: &mut File) -> Vec<(u64, u64)> {
    let word = |bytes: &[u8]| u64::from(u32::from_le_bytes(bytes.try_into().expect("four bytes")));
    let length = file.metadata().expect("its length").len();
    let mut footer = [0; 9];
    file.seek(SeekFrom::Start(length - 9)).expect("a place");
    file.read_exact(&mut footer).expect("a footer");
    assert_eq!(footer[4..], [0, 0xb1, 0xea, 0x92, 0x8f]);
    let frames = word(&footer[..4]);
    let bytes = frames * 8 + 9;
    let mut table = vec![0; bytes as usize + 8];
    file.seek(SeekFrom::Start(length - bytes - 8))
        .expect("a place");
    file.read_exact(&mut table).expect("a table");
    assert_eq!(table[..4], [0x5e, 0x2a, 0x4d, 0x18]);
    assert_eq!(word(&table[4..8]), bytes);
    table[8..8 + frames as usize * 8]
        .chunks(8)
        .map(|entry| (word(&entry[..4]), word(&entry[4..])))
        .collect()
}

#[test]
fn each_frame_of_the_table_holds_whole_chunks() {
    let directory = directory();
    let path = directory.path();
    let patience = Duration::from_secs(60);
    // Large enough for several frames.
    let builder = builder(path).rotate_bytes(8 << 20).patience(patience);
    let recorder = builder.compress_closed(1).start().expect("it starts");
    recorder.scope(|| {
        let mut number = 0;
        while recorder.status().parts.begun < 2 {
            for _ in 0..20_000 {
                number += 1;
                // Wide values, so that a chunk has many bytes.
                record_histogram(
                    NUMBER,
                    (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1,
                );
            }
            recorder.flush().expect("flushed");
        }
    });
    recorder.stop().expect("a clean end");
    let name = path.join("x.00000.bin.zst");
    let plain = zstd::decode_all(File::open(&name).expect("a file")).expect("zstd");
    let index = Index::build(&plain).expect("a capture");
    assert_eq!(index.damage, []);
    let mut starts: Vec<u64> = index.chunks.iter().map(|chunk| chunk.offset).collect();
    starts.extend([0, plain.len() as u64]);

    let mut file = File::open(&name).expect("a file");
    let table = table_of(&mut file);
    assert!(table.len() > 2, "{table:?}");
    let (mut at, mut stored) = (0_u64, 0);
    for (compressed, bytes) in table {
        assert!(starts.contains(&at), "a frame begins at {at}");
        assert!(bytes <= 4 << 20, "{bytes} bytes in a frame");
        file.seek(SeekFrom::Start(stored)).expect("a place");
        let frame = zstd::decode_all((&file).take(compressed)).expect("a frame");
        assert_eq!(frame, plain[at as usize..(at + bytes) as usize]);
        at += bytes;
        stored += compressed;
    }
    assert_eq!(at, plain.len() as u64);
}

#[test]
fn the_plain_one_is_as_old_as_the_compressed_one() {
    let directory = directory();
    let path = directory.path();
    let before = SystemTime::now();
    let patience = Duration::from_secs(60);
    let builder = builder(path).rotate_bytes(16 << 10).patience(patience);
    record(builder.compress_closed(1), 3_000);
    let status = fs::metadata(path.join("x.00000.bin.zst")).expect("a file");
    let modified = status.modified().expect("a time");
    assert!(modified <= SystemTime::now() && modified + Duration::from_secs(1) >= before);
}

#[test]
fn what_a_stop_does_not_wait_for_stays_plain() {
    let directory = directory();
    let path = directory.path();
    // Some hundred KiB a part at the slowest level: the last ones are not done at once.
    let builder = builder(path)
        .rotate_bytes(256 << 10)
        .patience(Duration::from_millis(1));
    // A stop may also be refused for want of patience; the parts are whole in any case.
    let recorder = builder.compress_closed(19).start().expect("it starts");
    recorder.scope(|| {
        for number in 0..200_000 {
            record_histogram(NUMBER, noise(number));
        }
    });
    let _ = recorder.stop();
    // On a busy machine whoever compresses notices that only after the stop.
    let started = Instant::now();
    while series::names_in(path).iter().any(|it| it.ends_with(".tmp")) {
        assert!(started.elapsed() < DEADLINE, "it is never removed");
        thread::sleep(Duration::from_millis(5));
    }
    for part in series::parts_of(path, "x") {
        let part = series::open(&part);
        let close = part.index.close.as_ref().map(|close| close.reason);
        assert!(close != Some(CloseReason::SALVAGED));
    }
}

#[test]
fn what_a_dead_one_left_half_done_is_removed() {
    let directory = directory();
    let path = directory.path();
    let left = path.join("y.00003.bin.zst.tmp");
    fs::write(&left, [1; 1_000]).expect("a file");
    let in_use = path.join("y.00004.bin.zst.tmp");
    fs::write(&in_use, [1; 1_000]).expect("a file");
    let held = File::open(&in_use).expect("a file");
    held.lock().expect("a lock");
    let others = path.join("y.tmp");
    fs::write(&others, "precious").expect("a file");
    record(
        builder(path).rotate_bytes(16 << 10).compress_closed(1),
        1_000,
    );
    assert!(!left.exists());
    assert!(in_use.exists() && others.exists());
}

#[test]
fn a_part_that_cannot_be_compressed_stays_and_is_told_of() {
    let directory = directory();
    let path = directory.path();
    let patience = Duration::from_secs(60);
    let builder = builder(path).rotate_bytes(16 << 10).patience(patience);
    let recorder = builder.compress_closed(1).start().expect("it starts");
    fs::create_dir(path.join("x.00001.bin.zst")).expect("a directory in its way");
    let stopped = record_with(recorder, NUMBERS);
    assert!(path.join("x.00001.bin").exists(), "{stopped:?}");
    assert!(
        stopped
            .warnings
            .iter()
            .any(|it| it.message.contains("could not be compressed")),
        "{:?}",
        stopped.warnings
    );
    assert!(check(path, NUMBERS) > 5);
}

#[test]
fn levels_that_are_none_are_refused() {
    for level in [0, -1, 20] {
        let directory = directory();
        let builder = builder(directory.path()).rotate_bytes(1 << 20);
        let error = builder.compress_closed(level).start().expect_err("refused");
        assert!(error.to_string().contains("from 1 to 19"), "{error}");
    }
    let directory = directory();
    let error = builder(directory.path()).compress_closed(3).start();
    let error = error.expect_err("there are no parts");
    assert!(error.to_string().contains("rotate_bytes"), "{error}");
}
