//! Parts in real files: their names, their sizes, and what happens when the next one cannot be created.

mod common;

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child, series};
use perf_format::{CloseReason, MAGIC};
use perf_probe::{events, record_histogram};
use perf_recorder::{Builder, Recorder, StartError, Storage, SyncPolicy};

events! {
    NUMBER: observation("") = "number";
}

const PART_BYTES: u64 = 16 << 10;
const DEADLINE: Duration = Duration::from_secs(60);

fn builder() -> Builder {
    Recorder::builder()
        .scoped()
        .salvage(false)
        .tiny_parts()
        .rotate_bytes(PART_BYTES)
        .spool_bytes(4 << 20)
}

fn noise(number: u64) -> u64 {
    number << 24 | number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

/// Records these numbers, with flushes in between.
fn record(recorder: &Recorder, numbers: std::ops::Range<u64>) {
    recorder.scope(|| {
        for number in numbers {
            record_histogram(NUMBER, noise(number));
            if number % 500 == 0 {
                recorder.flush().expect("flushed");
            }
        }
    });
}

/// All parts of `x`, each whole, with the numbers that they have.
fn numbers_in(directory: &Path) -> (Vec<Capture>, Vec<u64>) {
    let parts: Vec<_> = series::parts_of(directory, "x")
        .iter()
        .map(|path| Capture::open(path))
        .collect();
    let values = parts.iter().flat_map(|part| part.values("number"));
    let numbers = values.map(|value| value >> 24).collect();
    (parts, numbers)
}

#[test]
fn parts_are_files_of_one_size_that_follow_one_another() {
    const NUMBERS: u64 = 40_000;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let recorder = builder().capture(path.join("x.bin")).start();
    let recorder = recorder.expect("the recorder starts");
    assert_eq!(recorder.capture_path(), Some(&*path.join("x.00000.bin")));
    record(&recorder, 0..NUMBERS);
    let status = recorder.status();
    let current = format!("x.{:05}.bin", status.parts.begun - 1);
    assert_eq!(status.capture, Some(path.join(current)));
    assert_eq!(status.bytes, bytes_in(path));
    let newest = recorder.snapshot("of all").expect("a file");
    assert_eq!(Some(newest), recorder.status().capture);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (NUMBERS, 0));
    assert_eq!(stopped.bytes, bytes_in(path));
    assert_eq!(stopped.warnings, []);

    let (parts, numbers) = numbers_in(path);
    assert_eq!(numbers, (0..NUMBERS).collect::<Vec<u64>>());
    assert!(parts.len() > 5, "{} parts", parts.len());
    assert_eq!(stopped.parts.begun, parts.len() as u64);
    assert_eq!(stopped.parts.first, Some(path.join("x.00000.bin")));
    let last = format!("x.{:05}.bin", parts.len() - 1);
    assert_eq!(stopped.parts.last, Some(path.join(last)));
    for (number, part) in parts.iter().enumerate() {
        let is_last = number + 1 == parts.len();
        let reason = part.index.close.as_ref().expect("an end").reason;
        assert_eq!(reason == CloseReason::ROTATED, !is_last);
        assert_eq!(series::number(part) as usize, number);
        let events = part.index.event_chunks().last().map_or(0, |it| it.offset);
        assert!(events <= PART_BYTES, "a chunk begins at {events}");
        assert!(is_last || part.bytes.len() as u64 >= PART_BYTES);
    }
    let whole: Vec<u8> = parts.iter().flat_map(|part| part.bytes.clone()).collect();
    let whole = Capture::parse(whole).expect("one capture");
    assert_eq!(whole.records(), NUMBERS);
    assert!(whole.index.closed_cleanly());
    whole.assert_each_slot_once();
}

fn bytes_in(path: &Path) -> u64 {
    child::bytes_in(path)
}

#[test]
fn what_is_allocated_ahead_is_given_back() {
    const AHEAD: u64 = 1 << 20;
    for rotates in [true, false] {
        let directory = child::memory_dir();
        let path = directory.path().join("x.bin");
        let builder = Recorder::builder().scoped().salvage(false).tiny_parts();
        let builder = builder.capture(&path).preallocate_bytes(AHEAD);
        let builder = match rotates {
            true => builder.rotate_bytes(PART_BYTES),
            false => builder,
        };
        let recorder = builder.start().expect("the recorder starts");
        record(&recorder, 0..20_000);
        let current = recorder.status().capture.expect("a file");
        let status = fs::metadata(&current).expect("a file");
        assert!(status.blocks() * 512 >= AHEAD, "{status:?}");
        assert!(status.len() < AHEAD, "the file is not longer by that");
        recorder.stop().expect("a clean end");
        for name in series::names_in(directory.path()) {
            let status = fs::metadata(directory.path().join(&name)).expect("a file");
            let rounded = status.len().next_multiple_of(64 << 10);
            assert!(status.blocks() * 512 <= rounded, "{name}: {status:?}");
        }
    }
}

#[test]
fn each_sync_policy_works_over_parts() {
    for policy in [
        SyncPolicy::Every(Duration::from_millis(1)),
        SyncPolicy::AtStop,
        SyncPolicy::Never,
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("x.bin");
        let recorder = builder().capture(path).sync_policy(policy).start();
        let recorder = recorder.expect("the recorder starts");
        record(&recorder, 0..20_000);
        recorder.stop().expect("a clean end");
        let (parts, numbers) = numbers_in(directory.path());
        assert!(parts.len() > 2);
        assert_eq!(numbers, (0..20_000).collect::<Vec<u64>>(), "{policy:?}");
        assert!(parts.iter().all(|part| part.index.closed_cleanly()));
    }
}

#[test]
fn parts_of_another_capture_are_never_overwritten() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    fs::write(path.join("x.00007.bin"), "precious").expect("a file");
    let error = builder().capture(path.join("x.bin")).start();
    let error = error.expect_err("refused");
    assert!(matches!(error, StartError::CaptureExists { .. }), "{error}");
    assert_eq!(series::names_in(path), ["x.00007.bin"]);
}

#[test]
fn a_part_whose_name_is_taken_goes_behind_the_one_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let recorder = builder().capture(path.join("x.bin")).start();
    let recorder = recorder.expect("the recorder starts");
    let taken = path.join("x.00001.bin");
    fs::write(&taken, "precious").expect("a file");
    record(&recorder, 0..20_000);
    // It tries again after a while.
    let (mut number, started) = (20_000, Instant::now());
    while !path.join("x.00003.bin").exists() {
        record(&recorder, number..number + 500);
        number += 500;
        assert!(started.elapsed() < DEADLINE, "it never tries again");
        thread::sleep(Duration::from_millis(1));
    }
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (number, 0));
    assert_eq!(fs::read(&taken).expect("it is there"), b"precious");
    fs::remove_file(&taken).expect("removed");
    let (parts, numbers) = numbers_in(path);
    assert_eq!(numbers, (0..number).collect::<Vec<u64>>());
    let told = stopped.warnings.iter();
    let told = told.filter(|it| it.message.contains("could not be created"));
    assert!(told.count() >= 1, "{:?}", stopped.warnings);
    // Two parts in one file are one capture all the same.
    let headers = parts[0].bytes.windows(MAGIC.len());
    assert!(headers.filter(|it| *it == MAGIC).count() >= 2);
}

#[test]
fn a_directory_that_the_recorder_made_is_made_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let captures = directory.path().join("captures");
    let recorder = builder().capture(format!("{}/", captures.display()));
    let recorder = recorder.sync_policy(SyncPolicy::Every(Duration::from_millis(1)));
    let recorder = recorder.start().expect("the recorder starts");
    record(&recorder, 0..5_000);
    fs::remove_dir_all(&captures).expect("the directory goes");
    let (mut number, started) = (5_000, Instant::now());
    while !captures.exists() {
        record(&recorder, number..number + 100);
        number += 100;
        assert!(started.elapsed() < DEADLINE, "it is never made again");
        thread::sleep(Duration::from_millis(1));
    }
    record(&recorder, number..number + 5_000);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (number + 5_000, 0));
    let told = |word: &str| stopped.warnings.iter().any(|it| it.message.contains(word));
    assert!(told("was deleted while"), "{:?}", stopped.warnings);
    let names = series::names_in(&captures);
    let values: Vec<u64> = names
        .iter()
        .flat_map(|name| Capture::open(&captures.join(name)).values("number"))
        .map(|value| value >> 24)
        .collect();
    // Without a gap from the first part in the new directory on.
    assert_eq!(values.last(), Some(&(number + 4_999)));
    assert!(values.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(values.len() >= 5_000, "{}", values.len());
}

#[test]
fn without_its_directory_the_capture_waits_in_the_spool_and_nobody_else_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let captures = directory.path().join("captures");
    fs::create_dir(&captures).expect("a directory");
    let recorder = builder().capture(captures.join("x.bin"));
    let recorder = recorder.sync_policy(SyncPolicy::Every(Duration::from_millis(1)));
    let recorder = recorder.start().expect("the recorder starts");
    record(&recorder, 0..1_000);
    fs::remove_dir_all(&captures).expect("the directory goes");
    let started = Instant::now();
    let mut number = 1_000;
    while recorder.status().failing.is_none() {
        recorder.scope(|| record_histogram(NUMBER, noise(number)));
        number += 1;
        assert!(started.elapsed() < DEADLINE, "it does not fail");
        thread::sleep(Duration::from_millis(1));
    }
    // It waits now; what is recorded waits with it.
    let first_kept = number;
    recorder.scope(|| (number..number + 3_000).for_each(|it| record_histogram(NUMBER, noise(it))));
    number += 3_000;
    fs::create_dir(&captures).expect("the directory is back");
    recorder.flush().expect("flushed");
    record(&recorder, number..number + 3_000);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.lost.total(), 0);
    let (_, numbers) = numbers_in(&captures);
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(numbers[0] <= first_kept, "{} > {first_kept}", numbers[0]);
    assert_eq!(numbers.last(), Some(&(number + 2_999)));
    let told = |word: &str| stopped.warnings.iter().any(|it| it.message.contains(word));
    assert!(told("times over"), "{:?}", stopped.warnings);
}

#[test]
fn a_storage_of_ones_own_gets_all_parts_one_after_another() {
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);
    impl Storage for Memory {
        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            let mut all = self.0.lock().expect("nobody panicked");
            all.truncate(offset as usize);
            all.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let memory = Memory::default();
    let recorder = builder().storage(memory.clone()).start();
    let recorder = recorder.expect("the recorder starts");
    record(&recorder, 0..20_000);
    let stopped = recorder.stop().expect("a clean end");
    let whole = Capture::parse(memory.0.lock().expect("nobody panicked").clone());
    let whole = whole.expect("a capture");
    assert_eq!(whole.records(), 20_000);
    assert_eq!(stopped.bytes, whole.bytes.len() as u64);
    assert!(whole.bytes.windows(8).filter(|it| *it == MAGIC).count() > 3);
}
