//! fork: the child never touches the parent's arena or file, and nobody hangs.

mod common;

use std::path::Path;

use common::{Capture, child};
use perf_probe::{events, record_histogram};
use perf_recorder::{ForkPolicy, Recorder};

events! {
    NUMBER: observation("") = "number";
}

const EACH: u64 = 2_000;

/// A process of its own, since a fork copies only the thread that calls it.
fn run(role: &str) -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    let path = directory.path().display().to_string();
    let status = child::spawn("child_main", role, &[("DIRECTORY", path)])
        .wait()
        .expect("a child");
    assert!(status.success(), "{role}: {status}");
    assert_eq!(
        child::bytes_in(&directory.path().join("arena")),
        0,
        "both arenas are gone"
    );
    directory
}

#[test]
fn child_main() {
    let Some(role) = child::role() else { return };
    let directory = std::env::var("DIRECTORY").expect("a directory");
    let directory = Path::new(&directory);
    let builder = Recorder::builder()
        .capture(directory.join("x.bin"))
        .arena_directory(directory.join("arena"));
    let builder = match role.as_str() {
        "follow" | "follow twice" => builder.fork_policy(ForkPolicy::Follow),
        _ => builder,
    };
    let recorder = builder.start().expect("the recorder starts");
    record(0);
    let open = perf_probe::measure!(perf_probe::Event::overflow(perf_probe::Kind::Span));
    // SAFETY: the child calls functions that need other threads' locks (it allocates): glibc makes that work.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        forked(&role, recorder, directory);
        drop(open);
        // SAFETY: no precondition. The test's harness must not go on in the child.
        unsafe { libc::_exit(0) };
    }
    record(2);
    let mut status = 0;
    // SAFETY: `status` is valid for writing.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0, "the child's exit status");
    record(3);
    drop(open);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (3 * EACH + 1, 0));
}

fn record(part: u64) {
    (0..EACH).for_each(|number| record_histogram(NUMBER, part << 32 | number));
}

/// What the child of the fork does.
fn forked(role: &str, recorder: Recorder, directory: &Path) {
    assert!(!recorder.status().running);
    assert!(recorder.flush().is_err());
    match role {
        "off" => {
            record(1);
            assert!(recorder.stop().is_err());
        }
        "follow" => {
            record(1);
            // Ends the child's own recorder, too.
            drop(recorder);
        }
        "follow twice" => {
            record(1);
            // SAFETY: as above.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                // One that waits for ever is ended by the alarm.
                // SAFETY: plain system calls.
                unsafe { libc::alarm(30) };
                record(4);
                drop(recorder);
                // SAFETY: as above.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for writing.
            assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
            assert_eq!(status, 0, "the grandchild's exit status");
            record(1);
            drop(recorder);
        }
        "own" => {
            let path = directory.join("own.bin");
            let own = Recorder::builder()
                .capture(path)
                .arena_directory(directory.join("arena"))
                .start();
            let own = own.expect("a recorder of the child's own");
            record(1);
            assert_eq!(own.stop().expect("a clean end").records, EACH);
            drop(recorder);
        }
        other => panic!("no such role: {other}"),
    }
}

fn part(capture: &Capture, part: u64) -> u64 {
    capture
        .values("number")
        .into_iter()
        .filter(|value| value >> 32 == part)
        .count() as u64
}

fn check_parent(directory: &Path) {
    let parent = Capture::open(&directory.join("x.bin"));
    let parts = [0, 1, 2, 3].map(|number| part(&parent, number));
    assert_eq!(parts, [EACH, 0, EACH, EACH]);
    assert!(parent.index.closed_cleanly());
    parent.assert_each_slot_once();
}

#[test]
fn by_default_the_child_records_nothing() {
    let directory = run("off");
    check_parent(directory.path());
    assert_eq!(child::captures_in(directory.path()).len(), 1);
}

#[test]
fn a_child_can_follow_with_a_file_of_its_own() {
    let directory = run("follow");
    check_parent(directory.path());
    let captures = child::captures_in(directory.path());
    let own = captures
        .iter()
        .find(|path| !path.ends_with("x.bin"))
        .expect("the child's file");
    let name = own.file_name().expect("a name").to_string_lossy();
    assert!(name.starts_with("x-") && name.ends_with(".bin"), "{name}");
    let own = Capture::open(own);
    assert_eq!(own.records(), EACH);
    assert_eq!(part(&own, 1), EACH);
    assert!(own.index.closed_cleanly());
}

#[test]
fn a_grandchild_follows_its_parent_in_the_same_way() {
    let directory = run("follow twice");
    check_parent(directory.path());
    let captures = child::captures_in(directory.path());
    let captures: Vec<_> = captures.iter().map(|path| Capture::open(path)).collect();
    assert_eq!(captures.len(), 3);
    let with = |number, count| {
        captures
            .iter()
            .filter(|it| part(it, number) == count)
            .count()
    };
    assert_eq!((with(1, 2 * EACH), with(4, EACH)), (1, 1));
    assert!(captures.iter().all(|it| it.index.closed_cleanly()));
}

#[test]
fn a_child_can_start_a_recorder_itself() {
    let directory = run("own");
    check_parent(directory.path());
    assert_eq!(
        Capture::open(&directory.path().join("own.bin")).records(),
        EACH
    );
}
