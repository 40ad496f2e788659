//! Old parts are deleted, and nothing else: by several processes that share a directory, which are real ones here.

mod common;

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use common::{Capture, child, series};
use perf_format::{FileHeader, WarningCode};
use perf_probe::{events, record_histogram};
use perf_recorder::{Builder, Recorder, Stopped};

events! {
    NUMBER: observation("") = "number";
}

const PART_BYTES: u64 = 16 << 10;
const KEEP_BYTES: u64 = 12 * PART_BYTES;
/// Time after which something counts as never happening.
const DEADLINE: Duration = Duration::from_secs(60);

fn builder(captures: &Path) -> Builder {
    Recorder::builder()
        .capture(captures)
        .arena_directory(captures.with_file_name("arena"))
        .spool_bytes(1 << 20)
        .salvage(false)
        .tiny_parts()
        .rotate_bytes(PART_BYTES)
}

/// Records until `parts` more parts have begun. The file in writing is there all the time.
fn record_parts(recorder: &Recorder, parts: u64) {
    let begun = || recorder.status().parts.begun;
    let (until, started) = (begun() + parts, Instant::now());
    let mut number = 0_u64;
    while begun() < until {
        for _ in 0..200 {
            number += 1;
            record_histogram(NUMBER, number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
        }
        recorder.flush().expect("flushed");
        let current = recorder.status().capture.expect("a file");
        assert!(current.exists(), "{} is gone", current.display());
        assert!(started.elapsed() < DEADLINE, "no part ends");
    }
}

fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < DEADLINE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The children: what each does is its role.
#[test]
fn child_main() {
    let Some(role) = child::role() else {
        return;
    };
    let (role, directory) = role.split_once(':').expect("a role and a directory");
    let directory = Path::new(directory);
    let captures = directory.join("captures");
    let done = |name: &str| directory.join(name).exists();
    let tell = |name: &str| fs::write(directory.join(name), "").expect("told");
    match role {
        "worker" => {
            let recorder = builder(&captures).keep_bytes(KEEP_BYTES).start();
            let recorder = recorder.expect("the recorder starts");
            record_parts(&recorder, 40);
            // Perhaps the others have deleted all that had to go.
            recorder.stop().expect("a clean end");
        }
        "idle" => {
            let recorder = builder(&captures).start().expect("the recorder starts");
            record_histogram(NUMBER, 7);
            recorder.flush().expect("flushed");
            let path = recorder.status().capture.expect("a file");
            // As if it had been so for a day.
            age(&path, Duration::from_secs(86_400));
            fs::write(
                directory.join("idle.path"),
                path.to_string_lossy().as_bytes(),
            )
            .expect("told");
            tell("idle");
            wait_for("the end", || done("end"));
            recorder.stop().expect("a clean end");
        }
        "dying" => {
            let recorder = builder(&captures).start().expect("the recorder starts");
            record_parts(&recorder, 2);
            child::die();
        }
        "forking" => {
            let recorder = builder(&captures).keep_bytes(2 * PART_BYTES).start();
            let recorder = recorder.expect("the recorder starts");
            record_histogram(NUMBER, 1);
            recorder.flush().expect("flushed");
            let shared = recorder.status().capture.expect("a file");
            // SAFETY: the child only sleeps, until it is killed.
            let forked = unsafe { libc::fork() };
            if forked == 0 {
                for _ in 0..120 {
                    // SAFETY: no precondition.
                    unsafe { libc::sleep(1) };
                }
                // SAFETY: no precondition.
                unsafe { libc::_exit(0) };
            }
            record_parts(&recorder, 6);
            wait_for("that the part is gone that a child has open, too", || {
                !shared.exists()
            });
            // SAFETY: no precondition; the child is this process's own.
            unsafe { libc::kill(forked, libc::SIGKILL) };
            recorder.stop().expect("a clean end");
        }
        other => panic!("no role: {other}"),
    }
}

fn spawn(role: &str, directory: &Path) -> std::process::Child {
    let role = format!("{role}:{}", directory.display());
    child::spawn("child_main", &role, &[])
}

fn directory() -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    fs::create_dir(directory.path().join("captures")).expect("a directory");
    directory
}

/// Makes a file as old as this.
fn age(path: &Path, age: Duration) {
    let file = File::options().append(true).open(path).expect("a file");
    let times = FileTimes::new().set_modified(SystemTime::now() - age);
    file.set_times(times).expect("another time");
}

/// A file with the header of a capture that `command` recorded, a day old.
fn foreign(path: PathBuf, command: &str) -> PathBuf {
    let mut header = FileHeader::default();
    header.capture_id.0 = [7; 16];
    header.origin.command = command.to_owned();
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    bytes.resize(bytes.len() + 100_000, 0);
    fs::write(&path, bytes).expect("a file");
    age(&path, Duration::from_secs(86_400));
    path
}

/// The program's name, as it is in headers.
fn command() -> String {
    let path = std::env::current_exe().expect("a name");
    let name = path.file_name().expect("a name");
    name.to_string_lossy().into_owned()
}

/// Bytes of this program's parts.
fn bytes_of_parts(captures: &Path) -> u64 {
    let names = series::names_in(captures);
    let parts = names.iter().filter(|name| name.starts_with("20"));
    parts
        .map(|name| fs::metadata(captures.join(name)).map_or(0, |status| status.len()))
        .sum()
}

#[test]
fn several_processes_keep_to_the_bytes_together_and_leave_what_is_not_theirs() {
    let directory = directory();
    let path = directory.path();
    let captures = path.join("captures");
    let others = [
        foreign(captures.join("x.00000.bin"), "another-program"),
        foreign(captures.join("x.salvaged.bin"), "another-program"),
        // No part, by its name.
        foreign(captures.join("mine.bin"), &command()),
        foreign(captures.join("x.00000.bin.bak"), &command()),
    ];
    let garbage = captures.join("y.00000.bin");
    fs::write(&garbage, [0; 5_000]).expect("a file");
    let notes = captures.join("notes.txt");
    fs::write(&notes, "precious").expect("a file");
    let link = captures.join("z.00000.bin");
    let elsewhere = foreign(path.join("elsewhere.00000.bin"), &command());
    std::os::unix::fs::symlink(&elsewhere, &link).expect("a link");
    let own = [
        foreign(captures.join("w.00000.bin"), &command()),
        foreign(captures.join("w.salvaged.bin"), &command()),
    ];

    let mut idle = spawn("idle", path);
    wait_for("that the idle one records", || path.join("idle").exists());
    let idle_path = fs::read_to_string(path.join("idle.path")).expect("its path");
    let workers: Vec<_> = (0..3).map(|_| spawn("worker", path)).collect();
    for mut worker in workers {
        assert!(worker.wait().expect("a child").success());
    }
    assert!(Path::new(&idle_path).exists(), "a living process writes it");
    for path in others.iter().chain([&garbage, &notes, &link, &elsewhere]) {
        assert!(path.exists(), "{} is gone", path.display());
    }
    for path in &own {
        assert!(
            !path.exists(),
            "{} is old, and is still there",
            path.display()
        );
    }
    let bytes = bytes_of_parts(&captures);
    assert!(bytes <= KEEP_BYTES, "{bytes} bytes are left");
    // Not much more is deleted than has to be: the part in writing counts as full, and two may delete in turn.
    assert!(bytes >= KEEP_BYTES / 2, "only {bytes} bytes are left");
    for name in series::names_in(&captures) {
        if name.starts_with("20") && !idle_path.ends_with(&name) {
            let part = Capture::open(&captures.join(&name));
            assert!(part.index.closed_cleanly(), "{name}");
        }
    }
    fs::write(path.join("end"), "").expect("told");
    assert!(idle.wait().expect("a child").success());
}

/// Records some parts and stops.
fn run(builder: Builder, parts: u64) -> Stopped {
    let recorder = builder.scoped().start().expect("the recorder starts");
    recorder.scope(|| record_parts(&recorder, parts));
    recorder.stop().expect("a clean end")
}

#[test]
fn deletions_are_counted_and_told_at_most_once_a_part() {
    let directory = directory();
    let captures = directory.path().join("captures");
    let interval = Duration::from_millis(5);
    let recorder = builder(&captures).keep_bytes(KEEP_BYTES).interval(interval);
    let recorder = recorder.scoped().start().expect("the recorder starts");
    recorder.scope(|| record_parts(&recorder, 40));
    // Whoever deletes has the lowest priority, and may come late: what an early part told may be deleted by then.
    wait_for("the deletions", || bytes_of_parts(&captures) <= KEEP_BYTES);
    recorder.scope(|| record_parts(&recorder, 2));
    let stopped = recorder.stop().expect("a clean end");
    let left = series::names_in(&captures);
    assert_eq!(
        stopped.parts.begun,
        stopped.parts.deleted_files + left.len() as u64
    );
    assert!(stopped.parts.deleted_bytes >= stopped.parts.deleted_files * PART_BYTES);
    let mut told = 0;
    for name in &left {
        let part = Capture::open(&captures.join(name));
        let warnings = part.index.notes.warnings.iter();
        let of_it = warnings
            .filter(|it| it.code == WarningCode::RETENTION)
            .count();
        assert!(of_it <= 1, "{name} tells {of_it} times");
        told += of_it;
    }
    assert!(told > 0, "the capture does not tell");
    // The oldest went: those that are left are the last ones, without a gap.
    let last = stopped.parts.last.expect("a last part");
    assert_eq!(left.last().map(|name| captures.join(name)), Some(last));
    let numbers: Vec<u32> = left
        .iter()
        .map(|name| series::number(&Capture::open(&captures.join(name))))
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "{numbers:?}"
    );
}

#[test]
fn by_age_what_a_dead_process_left_goes_and_what_is_young_stays() {
    let directory = directory();
    let captures = directory.path().join("captures");
    let mut dying = spawn("dying", directory.path());
    assert!(!dying.wait().expect("a child").success());
    let of_dead = series::names_in(&captures);
    assert!(of_dead.len() >= 2, "{of_dead:?}");
    run(builder(&captures), 1);
    let before = series::names_in(&captures);
    assert!(
        of_dead.iter().all(|name| before.contains(name)),
        "nobody asked for it"
    );

    for name in &of_dead {
        age(&captures.join(name), Duration::from_secs(7_200));
    }
    let stopped = run(builder(&captures).keep_for(Duration::from_secs(3_600)), 1);
    let after = series::names_in(&captures);
    assert!(
        of_dead.iter().all(|name| !after.contains(name)),
        "{after:?}"
    );
    let young = before.iter().filter(|name| !of_dead.contains(name));
    assert!(young.clone().count() > 0);
    assert!({ young }.all(|name| after.contains(name)), "{after:?}");
    assert_eq!(stopped.parts.deleted_files, of_dead.len() as u64);
}

#[test]
fn a_child_of_a_fork_that_has_a_part_open_does_not_keep_it() {
    let directory = directory();
    let status = spawn("forking", directory.path()).wait();
    assert!(status.expect("a child").success());
}
