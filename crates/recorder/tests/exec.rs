//! exec: a recording process becomes another program, or itself again. What it had recorded is found, and the new program
//! has nothing of the old one's recorder.

mod common;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Capture, child};
use perf_probe::{events, record_histogram};
use perf_recorder::{Recorder, salvage};

events! {
    NUMBER: observation("") = "number";
}

const BEFORE: u64 = 1_000;
const ALL: u64 = 1_500;

fn recorder(directory: &Path) -> Recorder {
    Recorder::builder()
        .capture(directory.join("captures/"))
        .arena_directory(directory.join("arena"))
        .start()
        .expect("the recorder starts")
}

#[test]
fn child_main() {
    let Some(role) = child::role() else { return };
    let directory = std::env::var("DIRECTORY").expect("a directory");
    let directory = Path::new(&directory);
    match role.as_str() {
        "becomes itself" => {
            let _recorder = recorder(directory);
            (0..BEFORE).for_each(|number| record_histogram(NUMBER, number));
            let error = child::command("child_main", "itself again").exec();
            panic!("exec: {error}");
        }
        "itself again" => {
            assert_none_of_ours(directory);
            let recorder = recorder(directory);
            (BEFORE..ALL).for_each(|number| record_histogram(NUMBER, number));
            let stopped = recorder.stop().expect("a clean end");
            assert_eq!((stopped.records, stopped.lost.total()), (ALL - BEFORE, 0));
        }
        "becomes another" => {
            let _recorder = recorder(directory);
            (0..BEFORE).for_each(|number| record_histogram(NUMBER, number));
            // It lists what it has open.
            let list = format!("ls -l /proc/self/fd > {}/list", directory.display());
            let error = Command::new("sh").args(["-c", &list]).exec();
            panic!("exec: {error}");
        }
        "has children" => {
            let recorder = recorder(directory);
            for number in 0..BEFORE {
                record_histogram(NUMBER, number);
                if number % 100 == 0 {
                    let status = Command::new("true").status();
                    assert!(status.expect("a child").success());
                }
            }
            let stopped = recorder.stop().expect("a clean end");
            assert_eq!((stopped.records, stopped.lost.total()), (BEFORE, 0));
        }
        other => panic!("no such role: {other}"),
    }
}

/// No file of the recorder's is open in this process.
fn assert_none_of_ours(directory: &Path) {
    let open = fs::read_dir("/proc/self/fd").expect("the descriptors");
    let targets: Vec<PathBuf> = open
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .collect();
    assert!(
        targets.iter().all(|target| !target.starts_with(directory)),
        "{targets:?}"
    );
}

fn run(role: &str) -> tempfile::TempDir {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    let path = directory.path().display().to_string();
    let status = child::spawn("child_main", role, &[("DIRECTORY", path)]).wait();
    let status = status.expect("a child");
    assert!(status.success(), "{role}: {status}");
    directory
}

/// The numbers of all captures, in order.
fn numbers(directory: &Path) -> Vec<u64> {
    let captures = child::captures_in(&directory.join("captures"));
    let mut numbers: Vec<u64> = captures
        .iter()
        .flat_map(|path| Capture::open(path).values("number"))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_program_that_becomes_itself_finds_what_it_had_recorded() {
    let directory = run("becomes itself");
    // The process id is the same: that its first life is over, the lock on the arena says.
    assert_eq!(numbers(directory.path()), (0..ALL).collect::<Vec<u64>>());
    assert_eq!(child::arenas_in(&directory.path().join("arena")).len(), 0);
}

#[test]
fn a_program_that_becomes_another_leaves_it_nothing_and_is_saved_later() {
    let directory = run("becomes another");
    let list = fs::read_to_string(directory.path().join("list")).expect("its descriptors");
    let ours: Vec<_> = list
        .lines()
        .filter(|line| line.contains("arena") || line.contains("captures"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
    let dead = salvage::salvage_dead(Some(&directory.path().join("arena")), None);
    assert_eq!(dead.expect("the arenas are listed").len(), 1);
    assert_eq!(numbers(directory.path()), (0..BEFORE).collect::<Vec<u64>>());
}

#[test]
fn a_program_that_runs_others_goes_on_recording() {
    let directory = run("has children");
    assert_eq!(numbers(directory.path()), (0..BEFORE).collect::<Vec<u64>>());
}
