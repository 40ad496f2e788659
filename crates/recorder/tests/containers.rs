//! Shared memory as containers have it: none, none left, 64 MB, on a disk, gone with the container, kept on a volume, shared with
//! another process namespace. Each in namespaces of its own, where the system allows it.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child};
use perf_format::WarningCode;
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Builder, Recorder, salvage};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const EACH: u64 = 2_000;
const THREADS: u64 = 8;

#[test]
fn child_main() {
    let Some(role) = child::role() else { return };
    let directory = PathBuf::from(std::env::var("DIRECTORY").expect("a directory"));
    let mut builder = Recorder::builder().capture(directory.join("x.bin"));
    if let Some(arenas) = std::env::var_os("ARENAS") {
        builder = builder.arena_directory(arenas);
    }
    match role.as_str() {
        "records" => record_all(builder),
        "dies" => record_and_die(builder),
        "lives" => {
            let recorder = builder.start().expect("the recorder starts");
            (0..EACH).for_each(|number| record_histogram(NUMBER, number));
            std::fs::write(directory.join("recording"), []).expect("told");
            wait_for(&directory.join("looked"));
            recorder.stop().expect("a clean end");
        }
        other => panic!("no such role: {other}"),
    }
}

/// With the default place for shared memory, whatever that is here.
fn record_all(builder: Builder) {
    let recorder = builder.start().expect("the recorder starts");
    thread::scope(|threads| {
        for thread in 0..THREADS {
            threads.spawn(move || {
                for number in 0..EACH {
                    let _span = measure!(WORK);
                    record_histogram(NUMBER, thread << 32 | number);
                }
            });
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.records + stopped.lost.total(), 2 * THREADS * EACH);
}

/// The first half is in the file, the second in shared memory.
fn record_and_die(builder: Builder) {
    let recorder = builder.start().expect("the recorder starts");
    (0..EACH / 2).for_each(|number| record_histogram(NUMBER, number));
    recorder.flush().expect("flushed");
    (EACH / 2..EACH).for_each(|number| record_histogram(NUMBER, number));
    child::die();
}

fn wait_for(path: &Path) {
    let until = Instant::now() + Duration::from_secs(120);
    while !path.exists() {
        assert!(Instant::now() < until, "{} does not come", path.display());
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a role in namespaces of its own after `setup`, in which `$DIRECTORY` is a directory on the disk and `$VOLUME` one in
/// memory; both are seen from outside too. Gives them with the child; `None`, told loudly, where the system does not allow
/// that.
fn container(flags: &str, setup: &str, role: &str) -> Option<(Outside, Child)> {
    let outside = Outside {
        directory: tempfile::tempdir().expect("a temporary directory"),
        volume: child::memory_dir(),
    };
    child::private_dir(outside.volume.path(), "arena");
    let mut command = child::command_in_namespaces(flags, setup, "child_main", role)?;
    command
        .env("DIRECTORY", outside.directory.path())
        .env("VOLUME", outside.volume.path());
    Some((outside, command.spawn().expect("a child")))
}

/// What is left of a container.
struct Outside {
    directory: tempfile::TempDir,
    volume: tempfile::TempDir,
}

impl Outside {
    fn capture(&self) -> PathBuf {
        self.directory.path().join("x.bin")
    }

    fn arenas(&self) -> PathBuf {
        self.volume.path().join("arena")
    }
}

/// A child whose `/dev/shm` `setup` has arranged records: gives the capture.
fn recorded_with(setup: &str) -> Option<Capture> {
    let (outside, mut child) = container("-rm", setup, "records")?;
    let status = child.wait().expect("a child");
    assert!(status.success(), "{setup}: {status}");
    let capture = Capture::open(&outside.capture());
    assert!(capture.index.closed_cleanly());
    assert_eq!(capture.records() + capture.lost, 2 * THREADS * EACH);
    Some(capture)
}

fn has_warning(capture: &Capture, code: WarningCode) -> bool {
    let mut warnings = capture.index.notes.warnings.iter();
    warnings.any(|warning| warning.code == code)
}

/// Nothing was lost, and the capture says that a kill would have cost something.
fn assert_anonymous(capture: &Capture) {
    let warnings = &capture.index.notes.warnings;
    assert_eq!(capture.lost, 0);
    assert!(
        has_warning(capture, WarningCode::ANONYMOUS_ARENA),
        "{warnings:?}"
    );
}

#[test]
fn without_dev_shm() {
    // A /dev that has nothing but what any program needs.
    let setup = "set -e; mkdir $DIRECTORY/dev; mount -t tmpfs none $DIRECTORY/dev; \
        for each in null zero urandom; do touch $DIRECTORY/dev/$each; mount --bind /dev/$each $DIRECTORY/dev/$each; done; \
        mount --rbind $DIRECTORY/dev /dev";
    if let Some(capture) = recorded_with(setup) {
        assert_anonymous(&capture);
    }
}

#[test]
fn with_a_full_dev_shm() {
    let setup =
        "mount -t tmpfs -o size=64k none /dev/shm && head -c 64k /dev/zero > /dev/shm/ballast";
    if let Some(capture) = recorded_with(setup) {
        assert_anonymous(&capture);
    }
}

#[test]
fn with_a_dev_shm_that_may_not_be_written() {
    let setup = "mount -t tmpfs -o ro none /dev/shm";
    if let Some(capture) = recorded_with(setup) {
        assert_anonymous(&capture);
    }
}

#[test]
fn with_a_dev_shm_on_a_disk() {
    // Writeback would stall stores into a file on a disk.
    let setup = "mkdir -m 1777 $DIRECTORY/shm && mount --bind $DIRECTORY/shm /dev/shm";
    let file_system = Command::new("stat")
        .args(["-f", "-c", "%T"])
        .arg(std::env::temp_dir())
        .output();
    let file_system = file_system.expect("stat").stdout;
    if file_system.starts_with(b"tmpfs") {
        eprintln!("SKIPPED: with_a_dev_shm_on_a_disk needs a temporary directory on a disk");
    } else if let Some(capture) = recorded_with(setup) {
        assert_anonymous(&capture);
    }
}

#[test]
fn with_the_64_mb_that_docker_gives() {
    let setup = "mount -t tmpfs -o size=64m none /dev/shm";
    if let Some(capture) = recorded_with(setup) {
        // Smaller rings, which eight threads at full speed may fill, and the capture says so.
        assert!(has_warning(&capture, WarningCode::SMALL_MEMORY));
        assert!(!has_warning(&capture, WarningCode::ANONYMOUS_ARENA));
    }
}

#[test]
fn what_was_in_the_shared_memory_of_a_container_goes_with_it() {
    let setup = "mount -t tmpfs none /dev/shm";
    let Some((outside, mut child)) = container("-rm", setup, "dies") else {
        return;
    };
    assert!(!child.wait().expect("a child").success());
    let capture = Capture::open(&outside.capture());
    assert!(!capture.index.closed_cleanly());
    // What was written to the file is whole; of the rest nothing can be found, and nothing is made up.
    let numbers = capture.values("number");
    assert!(numbers.len() as u64 >= EACH / 2, "{}", numbers.len());
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<u64>>());
    let arena = capture.index.header.expect("a header").origin.arena;
    assert!(!arena.is_empty() && !Path::new(&arena).exists(), "{arena}");
}

#[test]
fn a_volume_in_memory_keeps_it() {
    let setup = "mkdir $DIRECTORY/arena && mount --bind $VOLUME/arena $DIRECTORY/arena \
        && mount -t tmpfs none /dev/shm && export ARENAS=$DIRECTORY/arena";
    let Some((outside, mut child)) = container("-rm", setup, "dies") else {
        return;
    };
    assert!(!child.wait().expect("a child").success());
    // Whoever saves it sees neither volume nor capture where the container saw them: it names both.
    let [arena] = &child::arenas_in(&outside.arenas())[..] else {
        panic!("one arena")
    };
    let out = outside.directory.path().join("recovered.bin");
    salvage::recover(&outside.capture(), Some(arena), &out).expect("recovered");
    let recovered = Capture::open(&out);
    assert_eq!(recovered.values("number"), (0..EACH).collect::<Vec<u64>>());
    recovered.assert_each_slot_once();
}

#[test]
fn the_living_of_another_process_namespace_are_left_alone() {
    let setup = "export ARENAS=$VOLUME/arena";
    let Some((outside, mut child)) = container("-rmpf", setup, "lives") else {
        return;
    };
    wait_for(&outside.directory.path().join("recording"));
    // Its process has an id there that is another one's here, or nobody's.
    let dead = salvage::salvage_dead(Some(&outside.arenas()), None);
    assert_eq!(dead.expect("the arenas are listed").len(), 0);
    std::fs::write(outside.directory.path().join("looked"), []).expect("told");
    assert!(child.wait().expect("a child").success());
    let capture = Capture::open(&outside.capture());
    assert_eq!(capture.values("number"), (0..EACH).collect::<Vec<u64>>());
}
