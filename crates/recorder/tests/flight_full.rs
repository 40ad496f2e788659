//! A flight recorder whose disk is full when something triggers it.

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child};
use perf_probe::{events, record_histogram};
use perf_recorder::{Flight, Recorder, SnapshotError};

events! {
    NUMBER: observation("") = "number";
}

const NUMBERS: u64 = 60_000;
/// What a loaded machine may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the child does, in a mount namespace in which `DIR/small` is a file system of 1 MiB.
#[test]
fn child_main() {
    if child::role().is_none() {
        return;
    }
    let dir = PathBuf::from(std::env::var("DIR").expect("a directory"));
    let small = dir.join("small");
    let recorder = Recorder::builder()
        .capture(small.join("flight.bin"))
        .arena_directory(dir.join("arena"))
        .patience(Duration::from_millis(500))
        .flight(Flight::last(Duration::from_secs(3_600)))
        .start()
        .expect("the recorder starts");
    let mut noise = 1_u64;
    let mut values: Vec<u64> = Vec::new();
    let mut record = |count: u64| {
        for _ in 0..count {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            record_histogram(NUMBER, noise >> 8);
            values.push(noise >> 8);
        }
    };
    record(NUMBERS);
    // There is room for the beginning of a part, and not for the rest.
    std::fs::write(small.join("filler"), vec![1; 900 << 10]).expect("a file");
    let error = recorder.snapshot("in vain").expect_err("no room");
    let is_told = match &error {
        SnapshotError::Write { error, .. } => error.contains("No space left"),
        // The attempts may end a moment after the patience.
        other => *other == SnapshotError::TimedOut,
    };
    assert!(is_told, "{error}");
    let begun = Instant::now();
    while recorder
        .status()
        .flight
        .is_some_and(|flight| flight.failing.is_none())
    {
        assert!(begun.elapsed() < PATIENCE, "it is not told");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(names_in(&small), ["filler"], "nothing half is left");

    record(NUMBERS / 10);
    std::fs::remove_file(small.join("filler")).expect("there is room again");
    let path = recorder.snapshot("again").expect("a snapshot");
    let capture = Capture::open(&path);
    assert!(capture.values("number") == values, "all is there, in order");
    assert_eq!(capture.lost, 0);
    assert_eq!(names_in(&small), ["flight.00000.bin"]);
    recorder.stop().expect("a clean end");
    std::fs::write(dir.join("done"), "").expect("a note");
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("the directory").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_leaves_the_window_alone_and_no_half_part() {
    let dir = child::memory_dir();
    let small = dir.path().join("small");
    std::fs::create_dir(&small).expect("a directory");
    let Some(mut command) = child::command_on_tmpfs(&small, 1_024, "child_main", "full") else {
        return;
    };
    let status = command
        .env("DIR", dir.path())
        .stderr(Stdio::inherit())
        .status();
    assert!(status.expect("it runs").success());
    assert!(dir.path().join("done").exists());
}
