//! An arena that does not get the memory it asks for: smaller parts, then anonymous memory, each with a warning, and never
//! a fatal store into a page that the file system could not back.

mod common;

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{config, directory, drain, span};
use perf_arena::{Config, LossCause, Owner, Producer, Record, Warning, create};

/// Which part the child has, and the directory of its arena.
const ROLE: &str = "PERF_ARENA_LITTLE_MEMORY_ROLE";
const PLACE: &str = "PERF_ARENA_LITTLE_MEMORY_PLACE";

/// The part of the children that the other tests start.
#[test]
fn child_process() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let place = PathBuf::from(std::env::var_os(PLACE).unwrap());
    match role.as_str() {
        "tiny" => too_little_for_all_that_was_asked(&place),
        "none" => too_little_for_anything(&place),
        "filled up" => memory_runs_out_later(&place, &fill_up),
        "file size" => memory_runs_out_later(&place, &|_| limit_file_size(true)),
        "no file" => {
            limit_file_size(false);
            too_little_for_anything(&place);
        }
        other => panic!("no such role: {other}"),
    }
}

fn child(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_process", "--nocapture"]);
    command.env(ROLE, role).env(PLACE, place);
    command
}

fn run(command: &mut Command, role: &str) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{role}: {}: {said}", output.status);
}

/// Runs a role with its arena in a tmpfs of this size, in a mount namespace of its own. False where the system does not
/// allow that.
fn on_tmpfs(role: &str, size: &str) -> bool {
    let directory = directory();
    let place = directory.path().join("small");
    fs::DirBuilder::new().mode(0o700).create(&place).unwrap();
    let mount = format!(
        "mount -t tmpfs -o size={size},mode=700 none '{}'",
        place.display()
    );
    let unshare = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", &format!("{mount}{then}")]);
        command
    };
    if !unshare("")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!(
            "SKIPPED: {role} on {size}: a tmpfs cannot be mounted here; the file size limit stands in for it"
        );
        return false;
    }
    let inner = child(role, &place);
    let mut command = unshare(" && exec \"$0\" \"$@\"");
    command.arg(inner.get_program()).args(inner.get_args());
    run(command.env(ROLE, role).env(PLACE, &place), role);
    true
}

fn mib() -> Config {
    Config {
        ring_bytes: 64 << 10,
        max_ring_bytes: 64 << 10,
        staging_bytes: 4 << 20,
        spool_bytes: 32 << 20,
        data_bytes: 512 << 20,
        ..Config::default()
    }
}

/// Records through `threads` rings, each more than once, and has every record back or counted.
fn record_and_drain(owner: &mut Owner, threads: u64) {
    let arena = owner.arena();
    let producers: Vec<_> = (0..threads)
        .filter_map(|_| {
            let producer = Producer::detached();
            arena
                .attach(&producer, "one of many")
                .is_ok()
                .then_some(producer)
        })
        .collect();
    assert!(!producers.is_empty());
    let lost_before = owner.lost(LossCause::RingFull);
    let (mut attempts, mut kept) = (0, 0);
    for round in 0..3 {
        for producer in &producers {
            for n in 0..600 {
                let _ = producer.push(span(round * 1000 + n));
                attempts += 1;
            }
        }
        // A staging area of 256 KiB takes more than one round.
        loop {
            let rings = drain(owner);
            let slots: Vec<Record> = rings.into_values().flatten().collect();
            if slots.is_empty() {
                break;
            }
            let spans = slots.iter().filter(|it| it.tag() != perf_arena::tag::LOSS);
            kept += spans
                .inspect(|it| assert_eq!(**it, Record(span(it.end_ticks()))))
                .count() as u64;
        }
    }
    assert_eq!(
        kept + owner.lost(LossCause::RingFull) - lost_before,
        attempts
    );
    producers.iter().for_each(Producer::detach);
    // What they lost last is told first, then the rings are freed.
    while !owner.rings().is_empty() {
        drain(owner);
    }
}

fn too_little_for_all_that_was_asked(place: &Path) {
    let mut owner = create(&Config {
        directory: Some(place.to_owned()),
        ..mib()
    })
    .unwrap();
    assert!(owner.path().is_some(), "there is room for a file");
    record_and_drain(&mut owner, 4);
    let warnings = owner.take_warnings();
    let smaller = |it: &Warning| matches!(it, Warning::SmallerSpool { wanted_bytes, got_bytes } if got_bytes < wanted_bytes);
    assert!(warnings.iter().any(smaller), "{warnings:?}");
    let smaller = |it: &Warning| matches!(it, Warning::SmallerSegment { .. });
    assert!(warnings.iter().any(smaller), "{warnings:?}");
    assert!(
        !warnings
            .iter()
            .any(|it| matches!(it, Warning::AnonymousArena { .. }))
    );
    owner.close().unwrap();
    assert_eq!(fs::read_dir(place).unwrap().count(), 0);
}

fn too_little_for_anything(place: &Path) {
    let mut owner = create(&Config {
        directory: Some(place.to_owned()),
        ..mib()
    })
    .unwrap();
    assert_eq!(owner.path(), None);
    let warnings = owner.take_warnings();
    let [Warning::AnonymousArena { reason }] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert!(!reason.is_empty());
    record_and_drain(&mut owner, 4);
    owner.close().unwrap();
    assert_eq!(
        fs::read_dir(place).unwrap().count(),
        0,
        "no file was left behind"
    );
}

/// Takes all that is left of the file system.
fn fill_up(place: &Path) {
    let error = fs::write(place.join("ballast"), vec![1; 64 << 20]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

/// Has every allocation beyond the bytes that files have now fail, or beyond 64 KiB.
fn limit_file_size(at_what_is_there: bool) {
    let longest = || {
        let place = PathBuf::from(std::env::var_os(PLACE).unwrap());
        let files = fs::read_dir(place)
            .unwrap()
            .map(|it| it.unwrap().metadata().unwrap().len());
        files.max().unwrap()
    };
    let bytes = if at_what_is_there {
        longest()
    } else {
        64 << 10
    };
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: ignoring a signal has no precondition, and the limit is a valid one. It holds for this process alone.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
    }
}

/// The arena was made with all that it wants; then there is no more.
fn memory_runs_out_later(place: &Path, run_out: &dyn Fn(&Path)) {
    let config = Config {
        ring_bytes: 16 << 10,
        max_ring_bytes: 64 << 10,
        ..config(place)
    };
    let mut owner = create(&config).unwrap();
    record_and_drain(&mut owner, 2);
    assert_eq!(owner.take_warnings(), []);
    run_out(place);
    // More threads than what is there already serves.
    record_and_drain(&mut owner, 300);
    let warnings = owner.take_warnings();
    let anonymous = warnings
        .iter()
        .filter(|it| matches!(it, Warning::AnonymousSegment { .. }));
    assert_eq!(anonymous.count(), 1, "told once: {warnings:?}");
    assert!(owner.memory().anonymous_bytes > 0);
    assert!(owner.memory().anonymous_bytes <= config.data_bytes);
    // What is anonymous is reused as well.
    let before = owner.memory();
    record_and_drain(&mut owner, 100);
    assert_eq!(owner.memory().anonymous_bytes, before.anonymous_bytes);
    owner.close().unwrap();
}

#[test]
fn with_little_memory_all_is_smaller() {
    for size in ["1m", "2m", "8m"] {
        on_tmpfs("tiny", size);
    }
}

#[test]
fn with_next_to_none_all_is_anonymous() {
    // The last has memory, and no inode for a file.
    for size in ["4k", "64k", "300k", "64m,nr_inodes=1"] {
        on_tmpfs("none", size);
    }
}

#[test]
fn a_file_system_that_fills_up_later_gives_way_to_anonymous_memory() {
    on_tmpfs("filled up", "8m");
}

/// The same without a mount, so everywhere.
#[test]
fn a_limit_to_the_size_of_files_gives_way_to_anonymous_memory() {
    for role in ["file size", "no file"] {
        let directory = directory();
        run(&mut child(role, directory.path()), role);
    }
}
