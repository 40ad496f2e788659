//! A program that crashes and is restarted over and over: each start saves what the one before left, so shared memory
//! stays bounded and no record is missing.

mod common;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use common::acknowledged::Acknowledged;
use common::{Capture, child};
use perf_probe::{events, record_histogram};
use perf_recorder::{Recorder, salvage};

events! {
    NUMBER: observation("") = "number";
}

const RESTARTS: u64 = 1_000;
/// Numbers that a child records before it dies.
const NUMBERS: u64 = 300;

#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let number: u64 = std::env::var("NUMBER")
        .expect("a number")
        .parse()
        .expect("a number");
    let acknowledged = Acknowledged::open(directory, RESTARTS);
    // Some die early, perhaps while they save what the one before them left.
    if number % 4 == 3 {
        let when = Duration::from_micros(number * 7_919 % 9_000);
        thread::spawn(move || {
            thread::sleep(when);
            child::die();
        });
    }
    let _recorder = Recorder::builder()
        .capture(format!("{}/captures/", directory.display()))
        .arena_directory(directory.join("arena"))
        .spool_bytes(512 << 10)
        .start()
        .expect("the recorder starts");
    for value in 0..NUMBERS {
        record_histogram(NUMBER, number << 32 | value);
        acknowledged.of(number).store(value + 1, Ordering::Release);
        if value % 100 == 99 {
            thread::sleep(Duration::from_micros(number % 5 * 400));
        }
    }
    child::die();
}

#[test]
fn a_thousand_crashes_lose_nothing_and_leave_nothing() {
    let directory = child::memory_dir();
    let path = directory.path();
    let arenas = child::private_dir(path, "arena");
    let acknowledged = Acknowledged::open(path, RESTARTS);
    let mut most = 0;
    for number in 0..RESTARTS {
        let envs = [("NUMBER", number.to_string())];
        let status = child::spawn("child_main", &path.display().to_string(), &envs)
            .wait()
            .expect("a child");
        assert!(!status.success(), "child {number} ended by itself");
        most = most.max(child::arenas_in(&arenas).len());
    }
    // One that just died, and one or two that a child was killed over while it saved them.
    assert!(most <= 4, "{most} arenas lay in shared memory");
    let dead = salvage::salvage_dead(Some(&arenas), None).expect("the last are saved");
    assert!(dead.iter().all(|dead| dead.saved.is_ok()), "{dead:?}");
    assert_eq!(child::arenas_in(&arenas).len(), 0);

    let mut seen = HashSet::new();
    for capture in child::captures_in(&path.join("captures")) {
        // A child that was killed before it had written its file's header left an empty one.
        if std::fs::metadata(&capture).expect("a file").len() == 0 {
            continue;
        }
        for value in Capture::open(&capture).values("number") {
            assert!(seen.insert(value), "{value:x} was found twice");
        }
    }
    let mut records = 0;
    for number in 0..RESTARTS {
        let count = acknowledged.of(number).load(Ordering::Acquire);
        records += count;
        let missing = (0..count).find(|value| !seen.contains(&(number << 32 | value)));
        assert_eq!(missing, None, "child {number} had acknowledged {count}");
    }
    assert!(records > RESTARTS / 2 * NUMBERS, "{records} records");
}
