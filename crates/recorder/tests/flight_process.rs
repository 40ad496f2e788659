//! The flight recorder of a process that ends badly, or that somebody sends a signal.

mod common;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child};
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Builder, Flight, Recorder};

events! {
    NUMBER: observation("") = "number";
    STEP: span = "step";
}

const LONG: Duration = Duration::from_secs(3_600);
/// What a loaded machine may take.
const PATIENCE: Duration = Duration::from_secs(60);
const NUMBERS: u64 = 50_000;

fn builder(dir: &Path) -> Builder {
    Recorder::builder()
        .capture(dir.join("flight.bin"))
        .arena_directory(dir.join("arena"))
        .patience(PATIENCE)
}

fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the children do, by role.
#[test]
fn child_main() {
    let Some(role) = child::role() else {
        return;
    };
    let dir = PathBuf::from(std::env::var("DIR").expect("a directory"));
    let flight = match role.as_str() {
        "signal" => Flight::last(LONG).on_signal(libc::SIGUSR2),
        "small" => Flight::last(Duration::from_millis(500))
            .after(Duration::ZERO)
            .max_bytes(256 << 10),
        "deaf" => Flight::last(LONG).on_panic(false),
        "panic twice" => Flight::last(LONG).quiet_for(Duration::ZERO),
        _ => Flight::last(LONG),
    };
    let recorder = builder(&dir)
        .flight(flight)
        .start()
        .expect("the recorder starts");
    // A thread that is gone when the window is written.
    let early = thread::Builder::new().name("early".to_owned());
    let early = early.spawn(|| (0..NUMBERS).for_each(|number| record_histogram(NUMBER, number)));
    early.expect("a thread").join().expect("it ends");
    let open = measure!(STEP);
    match role.as_str() {
        "kill" => {
            recorder.flush().expect("a flush");
            record_histogram(NUMBER, NUMBERS);
            child::die();
        }
        "small" => {
            // Over several windows, in time and in bytes: whatever was said of the clock at first is gone.
            let begun = Instant::now();
            let (mut number, mut noise) = (NUMBERS, 1_u64);
            while begun.elapsed() < Duration::from_secs(4) {
                for _ in 0..2_000 {
                    noise = noise
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    record_histogram(NUMBER, number << 24 | noise >> 40);
                    number += 1;
                }
                let idler = thread::Builder::new().name("idler".to_owned());
                idler
                    .spawn(|| record_histogram(NUMBER, 7))
                    .expect("a thread")
                    .join()
                    .expect("ends");
                thread::sleep(Duration::from_millis(1));
            }
            std::fs::write(dir.join("last"), number.to_string()).expect("a note");
            child::die();
        }
        "main panics" | "aborts" | "deaf" => {
            panic!("out of luck");
        }
        "panic twice" => {
            for _ in 0..2 {
                let worker = thread::Builder::new().name("worker".to_owned());
                let worker = worker.spawn(|| {
                    record_histogram(NUMBER, 1);
                    panic!("caught");
                });
                worker.expect("a thread").join().expect_err("it panics");
            }
            let flight = recorder.status().flight.expect("a flight recorder");
            assert_eq!(flight.snapshots, 2);
            recorder.stop().expect("a clean end");
        }
        "panics are limited" => {
            for _ in 0..5 {
                std::panic::catch_unwind(|| panic!("caught")).expect_err("it panics");
            }
            let flight = recorder.status().flight.expect("a flight recorder");
            assert_eq!((flight.snapshots, flight.suppressed), (1, 4));
        }
        "signal" => {
            std::fs::write(dir.join("ready"), "").expect("a note");
            until("the signal's part is there", || {
                recorder
                    .status()
                    .flight
                    .is_some_and(|flight| flight.snapshots == 1)
            });
            drop(open);
            recorder.stop().expect("a clean end");
        }
        "fork" => {
            // SAFETY: the child does nothing but panic, ask, and leave.
            let forked = unsafe { libc::fork() };
            if forked == 0 {
                let _ = std::panic::catch_unwind(|| panic!("in the child"));
                let refused = recorder.snapshot("in the child").is_err();
                let idle = !recorder.status().running;
                std::mem::forget(recorder);
                // SAFETY: no precondition.
                unsafe { libc::_exit(if refused && idle { 7 } else { 8 }) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for the call.
            unsafe { libc::waitpid(forked, &raw mut status, 0) };
            assert_eq!(libc::WEXITSTATUS(status), 7);
            assert!(
                common::child::captures_in(&dir).is_empty(),
                "the child wrote nothing"
            );
            recorder.snapshot("in the parent").expect("a snapshot");
            recorder.stop().expect("a clean end");
        }
        other => unreachable!("{other}"),
    }
}

/// Runs a child in a directory of its own, to its end.
fn run(role: &str) -> (tempfile::TempDir, ExitStatus) {
    let dir = child::memory_dir();
    let envs = [("DIR", dir.path().display().to_string())];
    let mut child = child::command("child_main", role);
    let status = child
        .envs(envs)
        .stderr(Stdio::null())
        .status()
        .expect("it runs");
    (dir, status)
}

/// Saves what the child left.
fn salvage(dir: &Path) -> Capture {
    builder(dir)
        .flight(Flight::last(LONG))
        .scoped()
        .start()
        .expect("a start")
        .stop()
        .expect("an end");
    Capture::open(&dir.join("flight.salvaged.bin"))
}

fn label<'c>(capture: &'c Capture, key: &str) -> Option<&'c str> {
    let header = capture.index.header.as_ref().expect("a header");
    let found = header.labels.iter().find(|label| label.key == key);
    found.map(|label| label.value.as_str())
}

fn assert_all_numbers(capture: &Capture) {
    let mut numbers = capture.values("number");
    numbers.sort_unstable();
    numbers.truncate(NUMBERS as usize);
    assert_eq!(numbers, (0..NUMBERS).collect::<Vec<_>>());
}

#[test]
fn a_killed_process_leaves_its_window() {
    let (dir, _) = run("kill");
    assert_eq!(child::captures_in(dir.path()), Vec::<PathBuf>::new());
    std::fs::write(dir.path().join("flight.bin.tmp"), "half a part").expect("a file");
    let capture = salvage(dir.path());
    assert_all_numbers(&capture);
    assert_eq!(capture.records(), NUMBERS + 1);
    assert_eq!(capture.index.open_spans.len(), 1);
    assert_eq!(
        label(&capture, "perf.trigger"),
        Some("killed the process died")
    );
    let (early, _) = capture.rows[0];
    assert_eq!(capture.thread_name(early), "early");
    assert!(
        !dir.path().join("flight.bin.tmp").exists(),
        "nobody will complete it"
    );
}

#[test]
fn what_was_dropped_long_ago_is_still_known_to_the_salvage() {
    let (dir, _) = run("small");
    let last: u64 = std::fs::read_to_string(dir.path().join("last"))
        .expect("a note")
        .parse()
        .expect("a number");
    let capture = salvage(dir.path());
    let kept: Vec<u64> = capture.values("number");
    let kept: Vec<u64> = kept
        .iter()
        .map(|value| value >> 24)
        .filter(|number| *number > 0)
        .collect();
    assert!(
        kept.len() > 1_000 && !kept.contains(&NUMBERS),
        "{}",
        kept.len()
    );
    assert_eq!(kept.last().copied(), Some(last - 1));
    // Names of events and of threads that are gone, and times.
    let gone = |name: &str| {
        let rows = capture.rows.iter();
        rows.filter(|(thread, _)| capture.thread_name(*thread) == name)
            .count()
    };
    assert!(gone("idler") > 0);
    assert_eq!(gone(""), 0);
    let header = capture.index.header.as_ref().expect("a header");
    let clock = perf_format::ClockMap::new(Some(header), &capture.index.anchors.anchors);
    let modified = std::fs::metadata(dir.path().join("last"))
        .expect("a note")
        .modified();
    let died = modified
        .expect("a time")
        .duration_since(std::time::UNIX_EPOCH)
        .expect("later");
    let died = i64::try_from(died.as_nanos()).expect("a time");
    for entry in capture.index.event_chunks() {
        let end = clock.unix_ns(entry.head.segment, entry.head.max_end);
        let ago = Duration::from_nanos(u64::try_from(died - end).unwrap_or(0));
        assert!(
            ago < Duration::from_secs(60),
            "a chunk ended {ago:?} before the kill"
        );
        assert!(end - died < 100_000_000, "{} ns after the kill", end - died);
    }
    // The note's time is that of a coarse clock, and the window that of the last moments.
    let reach = died - header.start_unix_ns;
    assert!(
        (-100_000_000..60_000_000_000).contains(&reach),
        "the window begins {reach} ns before the kill"
    );
}

#[test]
fn a_panic_is_written_before_it_takes_its_course() {
    for role in ["main panics", "aborts"] {
        let (dir, status) = run(role);
        assert!(!status.success(), "{role}");
        let capture = Capture::open(&dir.path().join("flight.00000.bin"));
        let trigger = label(&capture, "perf.trigger").expect("a trigger");
        assert!(trigger.starts_with("panic 'out of luck' at "), "{trigger}");
        assert!(trigger.contains("flight_process.rs:"), "{trigger}");
        assert!(trigger.contains(" in thread "), "{trigger}");
        assert_all_numbers(&capture);
    }
    let (dir, status) = run("deaf");
    assert!(!status.success());
    assert_eq!(child::captures_in(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn panics_that_are_caught_are_written_too_but_not_each_of_many() {
    let (dir, status) = run("panic twice");
    assert!(status.success());
    assert_eq!(child::captures_in(dir.path()).len(), 2);
    let (dir, status) = run("panics are limited");
    assert!(status.success());
    assert_eq!(child::captures_in(dir.path()).len(), 1);
}

#[test]
fn a_signal_writes_and_the_process_goes_on() {
    let dir = child::memory_dir();
    let envs = [("DIR", dir.path().display().to_string())];
    let mut child = child::spawn("child_main", "signal", &envs);
    until("the child is ready", || dir.path().join("ready").exists());
    let pid = libc::pid_t::try_from(child.id()).expect("a process id");
    // SAFETY: no precondition.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGUSR2) }, 0);
    assert!(child.wait().expect("it ends").success());
    let capture = Capture::open(&dir.path().join("flight.00000.bin"));
    assert_eq!(label(&capture, "perf.trigger"), Some("signal SIGUSR2"));
    assert_all_numbers(&capture);
}

#[test]
fn the_child_of_a_fork_writes_nothing_and_hinders_nobody() {
    let (dir, status) = run("fork");
    assert!(status.success());
    let capture = Capture::open(&dir.path().join("flight.00000.bin"));
    assert_eq!(
        label(&capture, "perf.trigger"),
        Some("snapshot in the parent")
    );
    assert_all_numbers(&capture);
}
