//! Arenas whose capture's directory is gone: they are saved elsewhere, or stay for a bounded time, and each is told of.

mod common;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{Capture, child};
use perf_format::WarningCode;
use perf_probe::{events, record_histogram};
use perf_recorder::Recorder;
use perf_recorder::salvage::{self, SalvageError, UNSAVED_ARENAS, UNSAVED_KEPT};

events! {
    NUMBER: observation("") = "number";
}

const NUMBERS: u64 = 500;

#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let _recorder = Recorder::builder()
        .capture(directory.join("gone/x.bin"))
        .arena_directory(directory.join("arena"))
        .start()
        .expect("the recorder starts");
    (0..NUMBERS).for_each(|number| record_histogram(NUMBER, number));
    child::die();
}

/// A directory with the arena of a capture that was killed and is gone with its directory.
fn orphaned() -> (tempfile::TempDir, PathBuf) {
    let directory = child::memory_dir();
    let arenas = child::private_dir(directory.path(), "arena");
    let gone = child::private_dir(directory.path(), "gone");
    let role = directory.path().display().to_string();
    let status = child::spawn("child_main", &role, &[]).wait();
    assert!(!status.expect("a child").success());
    std::fs::remove_dir_all(gone).expect("removed");
    assert_eq!(child::arenas_in(&arenas).len(), 1);
    (directory, arenas)
}

/// Starts and stops a recorder beside the arenas; returns what its capture warns of about salvage.
fn start_beside(arenas: &Path, capture: &Path) -> Vec<String> {
    let recorder = Recorder::builder()
        .capture(capture)
        .arena_directory(arenas)
        .scoped()
        .start()
        .expect("the recorder starts");
    let path = recorder.capture_path().expect("a file").to_owned();
    recorder.stop().expect("a clean end");
    let warnings = Capture::open(&path).index.notes.warnings;
    let of_salvage = warnings
        .into_iter()
        .filter(|warning| warning.code == WarningCode::SALVAGE);
    of_salvage.map(|warning| warning.message).collect()
}

fn age(file: &Path, age: Duration) {
    let file = OpenOptions::new().write(true).open(file).expect("a file");
    file.set_modified(SystemTime::now() - age).expect("aged");
}

#[test]
fn a_starting_recorder_saves_them_beside_its_own_capture() {
    let (directory, arenas) = orphaned();
    let captures = directory.path().join("captures");
    // It ends in a slash: the recorder makes the directory.
    let told = start_beside(&arenas, &captures.join(""));
    assert_eq!(child::arenas_in(&arenas), [] as [PathBuf; 0]);
    let [told] = told.as_slice() else {
        panic!("one warning: {told:?}")
    };
    let all = child::captures_in(&captures);
    let [remainder] = all
        .iter()
        .filter(|path| path.to_string_lossy().ends_with(".salvaged.bin"))
        .collect::<Vec<_>>()[..]
    else {
        panic!("one remainder: {all:?}")
    };
    for part in [remainder, &directory.path().join("gone/x.bin")] {
        assert!(told.contains(&part.display().to_string()), "{told}");
    }
    let saved = Capture::open(remainder);
    assert_eq!(saved.values("number"), (0..NUMBERS).collect::<Vec<u64>>());
    let id = saved.index.header.expect("a header").capture_id;
    let name = format!("x.{id}.salvaged.bin");
    assert_eq!(remainder.file_name(), Some(name.as_ref()));
}

#[test]
fn without_a_place_they_stay_for_a_week_and_are_given_up_aloud() {
    let (_directory, arenas) = orphaned();
    let salvage = || salvage::salvage_dead(Some(&arenas), None).expect("listed");
    let arena = child::arenas_in(&arenas).pop().expect("an arena");
    age(&arena, UNSAVED_KEPT - Duration::from_secs(3_600));
    let [dead] = &salvage()[..] else {
        panic!("one arena")
    };
    assert!(
        matches!(dead.saved, Err(SalvageError::NoPlace { .. })) && !dead.given_up,
        "{dead:?}"
    );
    let remark = dead.remark().expect("a remark");
    assert!(remark.contains("stays unsaved"), "{remark}");
    assert!(arena.exists());

    age(&arena, UNSAVED_KEPT + Duration::from_secs(3_600));
    let [dead] = &salvage()[..] else {
        panic!("one arena")
    };
    assert!(dead.given_up && !arena.exists(), "{dead:?}");
    let remark = dead.remark().expect("a remark");
    assert!(
        remark.contains("removed") && remark.contains("x.bin"),
        "{remark}"
    );
    assert_eq!(salvage().len(), 0);
}

#[test]
fn what_is_no_arena_stays_as_long_and_is_told_of_at_each_start() {
    let directory = child::memory_dir();
    let arenas = child::private_dir(directory.path(), "arena");
    let arena = arenas.join("1-2.arena");
    File::create(&arena)
        .and_then(|file| file.set_len(100_000))
        .expect("a file");
    let told = start_beside(&arenas, &directory.path().join("1.bin"));
    assert!(
        told.len() == 1 && told[0].contains("stays unsaved"),
        "{told:?}"
    );
    age(&arena, UNSAVED_KEPT + Duration::from_secs(60));
    let told = start_beside(&arenas, &directory.path().join("2.bin"));
    assert!(told.len() == 1 && told[0].contains("removed"), "{told:?}");
    assert!(!arena.exists());
    let told = start_beside(&arenas, &directory.path().join("3.bin"));
    assert_eq!(told, [] as [String; 0]);
}

/// The arena of a dead process, the remainder of which cannot be written: something is in its way.
fn blocked(directory: &Path, arenas: &Path, number: u64) -> PathBuf {
    let capture = directory.join(format!("{number}.bin"));
    let mut in_the_way = salvage::remainder_path(&capture).into_os_string();
    in_the_way.push(".tmp");
    std::fs::create_dir(&in_the_way).expect("a directory");
    let owner = perf_arena::create(&perf_arena::Config {
        directory: Some(arenas.to_owned()),
        ring_bytes: 16 << 10,
        max_ring_bytes: 16 << 10,
        data_bytes: 1 << 20,
        staging_bytes: 256 << 10,
        spool_bytes: 256 << 10,
        about: perf_arena::About {
            capture_path: capture,
            ..perf_arena::About::default()
        },
        ..perf_arena::Config::default()
    });
    let arena = owner.expect("an arena").path().expect("a file").to_owned();
    age(&arena, Duration::from_secs(60 * (100 - number)));
    arena
}

#[test]
fn a_program_that_crashes_on_a_full_disk_leaves_bounded_memory() {
    let directory = child::memory_dir();
    let arenas = child::private_dir(directory.path(), "arena");
    let all: Vec<PathBuf> = (0..UNSAVED_ARENAS as u64 + 3)
        .map(|number| blocked(directory.path(), &arenas, number))
        .collect();
    let (old, new) = all.split_at(3);
    let told = start_beside(&arenas, &directory.path().join("a.bin"));
    assert_eq!(told.len(), all.len(), "{told:#?}");
    let is_told = |arena: &PathBuf, what| {
        let arena = arena.display().to_string();
        told.iter()
            .any(|told| told.contains(&arena) && told.contains(what))
    };
    for arena in old {
        assert!(
            !arena.exists() && is_told(arena, "was removed"),
            "{told:#?}"
        );
    }
    for arena in new {
        assert!(
            arena.exists() && is_told(arena, "stays unsaved"),
            "{told:#?}"
        );
    }
    // With the way free again, those are saved.
    for entry in std::fs::read_dir(directory.path())
        .expect("listed")
        .flatten()
    {
        if entry.path().extension().is_some_and(|it| it == "tmp") {
            std::fs::remove_dir(entry.path()).expect("removed");
        }
    }
    assert_eq!(
        start_beside(&arenas, &directory.path().join("b.bin")),
        [] as [String; 0]
    );
    assert_eq!(child::arenas_in(&arenas), [] as [PathBuf; 0]);
}
