//! Little memory and little disk: a small tmpfs for the arena, a full one for the capture, many threads.

mod common;

use std::cell::Cell;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use common::{Capture, child};
use perf_format::WarningCode;
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Recorder, StopError, salvage};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

/// Runs the role in a child that has an empty tmpfs of `kib` KiB at `<directory>/small`. Panics if that fails.
fn on_tmpfs(role: &str, kib: u64) {
    let directory = child::memory_dir();
    let small = child::private_dir(directory.path(), "small");
    let Some(mut command) = child::command_on_tmpfs(&small, kib, "child_main", role) else {
        return;
    };
    let status = command
        .env("DIRECTORY", directory.path())
        .status()
        .expect("a child");
    assert!(status.success(), "{role} on {kib} KiB: {status}");
}

#[test]
fn child_main() {
    let Some(role) = child::role() else { return };
    let directory = std::env::var("DIRECTORY").expect("a directory");
    let directory = Path::new(&directory);
    match role.as_str() {
        "many threads" => many_threads(directory),
        "tiny arena" => tiny_arena(directory),
        "full disk" => full_disk(directory),
        "disk stays full" => disk_stays_full(directory),
        other => panic!("no such role: {other}"),
    }
}

#[test]
fn a_thousand_threads_record_at_once_in_64_mb() {
    on_tmpfs("many threads", 64 << 10);
}

fn many_threads(directory: &Path) {
    const THREADS: u64 = 1_000;
    const EACH: u64 = 500;
    let recorder = Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("small"));
    let recorder = recorder.start().expect("the recorder starts");
    let barrier = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let barrier = &barrier;
            let work = move || {
                record_histogram(NUMBER, number << 32);
                // All have a ring, or none to get, before any goes on.
                barrier.wait();
                for value in 1..EACH {
                    record_histogram(NUMBER, number << 32 | value);
                }
            };
            thread::Builder::new()
                .stack_size(64 << 10)
                .spawn_scoped(scope, work)
                .expect("a thread starts");
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::open(&directory.join("x.bin"));
    assert_eq!(stopped.records + stopped.lost.total(), THREADS * EACH);
    assert_eq!(
        (capture.records(), capture.lost),
        (stopped.records, stopped.lost.total())
    );
    println!("{} of {} lost", capture.lost, THREADS * EACH);
    let mut values = capture.values("number");
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len() as u64, stopped.records);
}

#[test]
fn tiny_arenas_make_do_and_say_so() {
    for kib in [4, 64, 300, 600, 1_024, 4_096, 4_096, 4_096] {
        on_tmpfs("tiny arena", kib);
    }
}

fn tiny_arena(directory: &Path) {
    let recorder = Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("small"));
    let recorder = recorder.start().expect("the recorder starts");
    const THREADS: u64 = 20;
    const EACH: u64 = 2_000;
    thread::scope(|scope| {
        for number in 0..THREADS {
            scope.spawn(move || {
                for value in 0..EACH {
                    record_histogram(NUMBER, number << 32 | value);
                    let _span = measure!(WORK);
                }
            });
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::open(&directory.join("x.bin"));
    assert_eq!(stopped.records + stopped.lost.total(), 2 * THREADS * EACH);
    assert_eq!(
        (capture.records(), capture.lost),
        (stopped.records, stopped.lost.total())
    );
    let codes = [WarningCode::SMALL_MEMORY, WarningCode::ANONYMOUS_ARENA];
    assert!(
        capture
            .index
            .notes
            .warnings
            .iter()
            .any(|warning| codes.contains(&warning.code))
    );
}

#[test]
fn a_full_disk_costs_time_and_no_record() {
    on_tmpfs("full disk", 1_024);
}

/// Fills the rest of the file system, but for a few KiB.
fn ballast(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("ballast");
    std::fs::write(&path, vec![1u8; 1_000 << 10]).expect("room for the ballast");
    path
}

/// How often this thread has given up its processor to wait for something.
fn waits() -> i64 {
    // SAFETY: all zeros is a value of the struct, and the call only writes into it.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage), 0);
        usage.ru_nvcsw
    }
}

/// Numbers that no encoding makes small.
fn noise(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn full_disk(directory: &Path) {
    let arena = child::private_dir(directory, "arena");
    let small = directory.join("small");
    let recorder = Recorder::builder()
        .capture(small.join("x.bin"))
        .arena_directory(arena);
    let recorder = recorder
        .patience(Duration::from_millis(200))
        .start()
        .expect("the recorder starts");
    let ballast = ballast(&small);
    const EACH: u64 = 20_000;
    (0..EACH).for_each(|number| record_histogram(NUMBER, noise(number)));
    assert!(recorder.flush().is_err(), "160 KB do not fit");
    let failing = recorder.status().failing.expect("the status says why");
    assert!(failing.contains("No space left"), "{failing}");
    // The application goes on, and waits for nothing. What the kernel may count is a fault in new memory of the ring.
    let before = waits();
    (EACH..2 * EACH).for_each(|number| record_histogram(NUMBER, noise(number)));
    let waited = waits() - before;
    assert!(waited < 10, "the thread waited {waited} times");
    std::fs::remove_file(ballast).expect("room again");
    while recorder.flush().is_err() {}
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (2 * EACH, 0));
    let capture = Capture::open(&small.join("x.bin"));
    assert_eq!(
        capture.values("number"),
        (0..2 * EACH).map(noise).collect::<Vec<u64>>()
    );
    capture.assert_each_slot_once();
    let told = capture
        .index
        .notes
        .warnings
        .iter()
        .find(|warning| warning.code == WarningCode::WRITE_FAILED);
    assert!(
        told.is_some_and(|told| told.message.contains("No space left")),
        "{told:?}"
    );
}

#[test]
fn what_a_full_disk_did_not_take_is_saved_later() {
    on_tmpfs("disk stays full", 1_024);
}

fn disk_stays_full(directory: &Path) {
    let arena = child::private_dir(directory, "arena");
    let small = directory.join("small");
    let recorder = Recorder::builder()
        .capture(small.join("x.bin"))
        .arena_directory(&arena);
    let recorder = recorder
        .patience(Duration::from_millis(100))
        .start()
        .expect("the recorder starts");
    let ballast = ballast(&small);
    const COUNT: u64 = 30_000;
    (0..COUNT).for_each(|number| record_histogram(NUMBER, noise(number)));
    std::mem::forget(measure!(WORK));
    let error = recorder.stop().expect_err("the disk is full");
    assert!(matches!(error, StopError::Unwritten { .. }), "{error}");

    // Not even the remainder has room: the arena stays.
    let dead = salvage::salvage_dead(Some(&arena), None).expect("the arenas are listed");
    let [failed] = dead.as_slice() else {
        panic!("one arena: {dead:?}")
    };
    assert!(failed.saved.is_err() && failed.arena.exists(), "{failed:?}");
    std::fs::remove_file(ballast).expect("room again");
    let dead = salvage::salvage_dead(Some(&arena), None).expect("the arenas are listed");
    let [saved] = dead.as_slice() else {
        panic!("one arena: {dead:?}")
    };
    assert!(!saved.arena.exists());
    let (remainder, _) = saved
        .saved
        .as_ref()
        .expect("saved")
        .as_ref()
        .expect("something");
    let captures = [
        Capture::open(&small.join("x.bin")),
        Capture::open(remainder),
    ];
    let mut values: Vec<u64> = captures
        .iter()
        .flat_map(|capture| capture.values("number"))
        .collect();
    values.sort_unstable();
    let mut expected: Vec<u64> = (0..COUNT).map(noise).collect();
    expected.sort_unstable();
    assert_eq!(values.len(), expected.len());
    assert_eq!(values, expected);
    assert_eq!(captures[1].index.open_spans.len(), 1);
    assert_eq!(child::captures_in(&small).len(), 2);
}

#[test]
fn ten_thousand_short_threads_leave_their_records_and_no_memory() {
    const THREADS: u64 = 10_000;
    const AT_ONCE: u64 = 20;
    let directory = child::memory_dir();
    let arena = child::private_dir(directory.path(), "arena");
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .arena_directory(arena)
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    let mut most = 0;
    for batch in 0..THREADS / AT_ONCE {
        thread::scope(|scope| {
            for number in batch * AT_ONCE..(batch + 1) * AT_ONCE {
                let handle = recorder.handle();
                scope.spawn(move || {
                    perf_probe::scope(handle, || {
                        (0..3).for_each(|value| {
                            record_histogram(NUMBER, number << 8 | value);
                        })
                    })
                });
            }
        });
        most = most.max(recorder.status().memory_bytes);
    }
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.records + stopped.lost.total(), 3 * THREADS);
    assert_eq!(stopped.lost.total(), 0, "{}", stopped.lost);
    // Rings of 256 KiB: that of each living thread, and of those that the drainer has not met since they ended.
    assert!(most <= 256 << 20, "{most} bytes of rings");
    let capture = Capture::open(&path);
    let mut values = capture.values("number");
    values.sort_unstable();
    assert_eq!(
        values,
        (0..THREADS)
            .flat_map(|number| (0..3).map(move |value| number << 8 | value))
            .collect::<Vec<_>>()
    );
    assert_eq!(capture.index.tables.threads.len() as u64, THREADS);
}

#[test]
fn records_at_the_very_end_of_a_thread_are_kept_or_counted() {
    struct Last;
    impl Drop for Last {
        fn drop(&mut self) {
            drop(measure!(WORK));
        }
    }
    thread_local!(static LAST: Cell<Option<Last>> = const { Cell::new(None) });
    const THREADS: u64 = 200;
    let directory = child::memory_dir();
    let path = directory.path().join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .scoped()
        .start()
        .expect("the recorder starts");
    for number in 0..THREADS {
        let handle = recorder.handle();
        thread::scope(|scope| {
            scope.spawn(move || {
                if number % 2 == 0 {
                    // Set up before the probe's own thread-local is: it is dropped after it.
                    LAST.with(|last| last.set(Some(Last)));
                }
                perf_probe::scope(handle, || record_histogram(NUMBER, number));
                LAST.with(|last| last.set(Some(Last)));
            });
        });
    }
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::open(&path);
    assert_eq!(capture.values("number").len() as u64, THREADS);
    assert_eq!(
        (capture.records(), capture.lost),
        (stopped.records, stopped.lost.total())
    );
    // Outside of the scope nobody is installed: the destructors' records go nowhere, and nothing breaks.
    assert_eq!(stopped.records, THREADS);
}
