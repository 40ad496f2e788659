//! Captures of several parts in the places where one file was tested: what is left of a dead process is one file again, the child of
//! a fork has parts of its own, and a disk that is full is written to the end.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child, series};
use perf_format::CloseReason;
use perf_probe::{events, record_histogram};
use perf_recorder::salvage::{self, recover};
use perf_recorder::{Builder, ForkPolicy, Recorder, SyncPolicy};

events! {
    NUMBER: observation("") = "number";
}

const NUMBERS: u64 = 20_000;
const DEADLINE: Duration = Duration::from_secs(60);
/// Size of the disk that gets full, in KiB.
const DISK_KIB: u64 = 256;

fn builder(directory: &Path) -> Builder {
    Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("arena"))
        .spool_bytes(4 << 20)
        .tiny_parts()
        .rotate_bytes(16 << 10)
}

/// A number that no encoding makes small, and from which it can be told.
fn noise(number: u64) -> u64 {
    number << 24 | number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn record(recorder: &Recorder, numbers: std::ops::Range<u64>) {
    for number in numbers {
        record_histogram(NUMBER, noise(number));
        if number % 500 == 0 {
            recorder.flush().expect("flushed");
        }
    }
}

fn numbers(captures: &[Capture]) -> Vec<u64> {
    let values = captures.iter().flat_map(|it| it.values("number"));
    values.map(|value| value >> 24).collect()
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn child_main() {
    let Some(role) = child::role() else {
        return;
    };
    let (role, directory) = role.split_once(':').expect("a role and a directory");
    let directory = Path::new(directory);
    match role {
        "dying" => {
            let recorder = builder(directory).start().expect("the recorder starts");
            record(&recorder, 0..NUMBERS);
            child::die();
        }
        "compressing" => {
            let recorder = builder(directory).compress_closed(1).start();
            let recorder = recorder.expect("the recorder starts");
            record(&recorder, 0..NUMBERS);
            let packed = directory.join("x.00002.bin.zst");
            wait_for("a compressed part", || packed.exists());
            child::die();
        }
        "forking" => fork(directory),
        "filling" => fill(directory),
        other => panic!("no role: {other}"),
    }
}

fn fork(directory: &Path) {
    let every = Duration::from_millis(20);
    let builder = builder(directory).rotate_every(every);
    let recorder = builder.fork_policy(ForkPolicy::Follow).start();
    let recorder = recorder.expect("the recorder starts");
    record(&recorder, 0..NUMBERS);
    // SAFETY: the child calls functions that need other threads' locks (it allocates): glibc makes that work.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        for number in NUMBERS..2 * NUMBERS {
            record_histogram(NUMBER, noise(number));
            if number % 5_000 == 0 {
                // Longer than the drainer ever sleeps, and a part lasts.
                thread::sleep(Duration::from_millis(200));
            }
        }
        drop(recorder);
        // SAFETY: no precondition. The test's harness must not go on in the child.
        unsafe { libc::_exit(0) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0, "the child's exit status");
    record(&recorder, 2 * NUMBERS..3 * NUMBERS);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (2 * NUMBERS, 0));
}

/// Records until the disk is full, and until it has room again.
fn fill(directory: &Path) {
    let captures = directory.join("small");
    let recorder = Recorder::builder()
        .capture(captures.join("x.bin"))
        .arena_directory(directory.join("arena"))
        .spool_bytes(4 << 20)
        .tiny_parts()
        .rotate_bytes(64 << 10)
        // More at a time than there is: that must not keep it from the last page.
        .preallocate_bytes((2 * DISK_KIB) << 10)
        .sync_policy(SyncPolicy::AtStop)
        .start()
        .expect("the recorder starts");
    let started = Instant::now();
    let mut number = 0;
    while recorder.status().failing.is_none() {
        (0..200).for_each(|_| {
            record_histogram(NUMBER, noise(number));
            number += 1;
        });
        assert!(started.elapsed() < DEADLINE, "the disk does not get full");
        thread::sleep(Duration::from_millis(1));
    }
    let full = child::bytes_in(&captures);
    assert!(full >= (DISK_KIB << 10) * 9 / 10, "full with {full} bytes");
    let oldest = captures.join("x.00000.bin");
    let first = Capture::open(&oldest).values("number");
    fs::remove_file(oldest).expect("room again");
    recorder.flush().expect("flushed");
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (number, 0));
    let rest = series::parts_of(&captures, "x");
    let rest: Vec<_> = rest.iter().map(|path| Capture::open(path)).collect();
    let mut all: Vec<u64> = first.iter().map(|value| value >> 24).collect();
    all.extend(numbers(&rest));
    assert_eq!(all, (0..number).collect::<Vec<u64>>());
    let told = |word: &str| stopped.warnings.iter().any(|it| it.message.contains(word));
    assert!(told("No space left"), "{:?}", stopped.warnings);
}

fn directory() -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    directory
}

fn run(role: &str, directory: &Path) -> std::process::ExitStatus {
    let role = format!("{role}:{}", directory.display());
    child::spawn("child_main", &role, &[])
        .wait()
        .expect("a child")
}

/// Everything that a dead process left becomes one file, from whichever part one begins.
fn recovered(role: &str, from: &str) {
    let directory = directory();
    let path = directory.path();
    assert!(!run(role, path).success());
    let names = series::names_in(path);
    let out = path.join("all.recovered");
    let recovered = recover(&path.join(from), None, &out).expect("recovered");
    assert_eq!(recovered.damage, [] as [String; 0], "{names:?}");
    assert!(recovered.arena.is_some());
    let parts = series::parts_of(path, "x");
    assert_eq!(recovered.files, parts);
    assert!(parts.len() > 3, "{parts:?}");
    let all = Capture::open(&out);
    assert_eq!(numbers(&[all]), (0..NUMBERS).collect::<Vec<u64>>());
    let all = Capture::open(&out);
    assert_eq!(all.index.missing_chunks(), 0);
    all.assert_each_slot_once();
    let close = all.index.close.as_ref().expect("an end");
    assert_eq!(close.reason, CloseReason::SALVAGED);
    // Nothing is left of what was unpacked.
    let left: BTreeSet<_> = series::names_in(path).into_iter().collect();
    let before: BTreeSet<_> = names.into_iter().chain(["all.recovered".into()]).collect();
    assert_eq!(left, before);

    // What a starting recorder saves completes the parts.
    let dead = salvage::salvage_dead(Some(&path.join("arena")), None).expect("listed");
    assert!(dead.iter().all(|dead| dead.saved.is_ok()), "{dead:?}");
    let remainder = path.join("x.salvaged.bin");
    let mut captures: Vec<_> = parts.iter().map(|part| series::open(part)).collect();
    if remainder.exists() {
        let remainder = Capture::open(&remainder);
        assert_eq!(series::number(&remainder) as usize, parts.len());
        captures.push(remainder);
    }
    assert_eq!(numbers(&captures), (0..NUMBERS).collect::<Vec<u64>>());
}

#[test]
fn all_parts_and_the_arena_become_one_file() {
    recovered("dying", "x.00000.bin");
    recovered("dying", "x.00002.bin");
}

#[test]
fn compressed_parts_become_one_file_too() {
    recovered("compressing", "x.00001.bin.zst");
}

#[test]
fn without_its_first_parts_a_dead_capture_is_saved_all_the_same() {
    let directory = directory();
    let path = directory.path();
    assert!(!run("dying", path).success());
    for name in ["x.00000.bin", "x.00001.bin"] {
        fs::remove_file(path.join(name)).expect("removed");
    }
    let dead = salvage::salvage_dead(Some(&path.join("arena")), None).expect("listed");
    let [dead] = dead.as_slice() else {
        panic!("one arena: {dead:?}")
    };
    assert!(dead.saved.is_ok(), "{dead:?}");
    let mut captures: Vec<_> = series::parts_of(path, "x")
        .iter()
        .map(|part| Capture::open(part))
        .collect();
    let remainder = path.join("x.salvaged.bin");
    captures.extend(remainder.exists().then(|| Capture::open(&remainder)));
    assert_eq!(captures.iter().map(|it| it.lost).sum::<u64>(), 0);
    let numbers = numbers(&captures);
    assert!(numbers[0] > 0 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert_eq!(numbers.last(), Some(&(NUMBERS - 1)));
}

#[test]
fn the_child_of_a_fork_follows_with_parts_of_its_own() {
    let directory = directory();
    let path = directory.path();
    assert!(run("forking", path).success());
    let names = series::names_in(path);
    let stem = names.iter().find_map(|name| {
        let (stem, _) = name.split_once(".00000.bin")?;
        stem.starts_with("x-").then(|| stem.to_owned())
    });
    let stem = stem.unwrap_or_else(|| panic!("the child's parts: {names:?}"));
    let open = |stem: &str| -> Vec<_> {
        let parts = series::parts_of(path, stem);
        parts.iter().map(|part| Capture::open(part)).collect()
    };
    let (parent, child) = (open("x"), open(&stem));
    assert!(parent.len() > 3 && child.len() > 1, "{names:?}");
    let own: Vec<u64> = (0..NUMBERS).chain(2 * NUMBERS..3 * NUMBERS).collect();
    assert_eq!(numbers(&parent), own);
    assert_eq!(
        numbers(&child),
        (NUMBERS..2 * NUMBERS).collect::<Vec<u64>>()
    );
    assert!(
        parent
            .iter()
            .chain(&child)
            .all(|it| it.index.closed_cleanly())
    );
    let id = |capture: &Capture| capture.index.header.as_ref().expect("a header").capture_id;
    assert!(child.iter().all(|part| id(part) != id(&parent[0])));
}

#[test]
fn a_disk_is_written_until_it_is_really_full_and_again_when_it_has_room() {
    let directory = directory();
    let path = directory.path();
    let small = path.join("small");
    fs::create_dir(&small).expect("a directory");
    let role = format!("filling:{}", path.display());
    let Some(mut command) = child::command_on_tmpfs(&small, DISK_KIB, "child_main", &role) else {
        return;
    };
    let status = command.status().expect("a child");
    assert!(status.success(), "{status}");
}
