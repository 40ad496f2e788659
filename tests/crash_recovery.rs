//! A program that is killed while it records, and what the command line and the next recorder make of what it left.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use perf_format::{EventsChunk, Index, Tag};
use perf_probe::{events, measure, record_histogram};
use perf_recorder::Recorder;
use perf_recorder::salvage::remainder_path;

use crate::cli::run::{Folder, row, warnings};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

/// Says to [`child_main`] which directory is its own, and what to do.
const DIRECTORY: &str = "PERF_PRODUCT_CHILD";
const ROLE: &str = "PERF_PRODUCT_ROLE";

const THREADS: u64 = 2;
const KILLS: usize = 12;

/// What the child does; nothing in the test process itself.
#[test]
fn child_main() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let role = std::env::var(ROLE).expect("a role");
    let recorder = Recorder::builder()
        .capture(directory.join(format!("{role}.bin")))
        .arena_directory(directory.join("arena"))
        .start()
        .expect("the recorder starts");
    if role == "next" {
        record_histogram(NUMBER, u64::MAX);
        let stopped = recorder.stop().expect("a clean end");
        assert_eq!(stopped.records, 1);
        return;
    }
    thread::scope(|scope| {
        (0..THREADS).for_each(|thread| drop(scope.spawn(move || record_for_good(thread))));
    });
}

/// Records numbers, and tells the parent of each few that are recorded.
fn record_for_good(thread: u64) {
    let _open = measure!(WORK);
    for number in 0.. {
        record_histogram(NUMBER, thread << 48 | number);
        if number % 16 == 15 {
            let told = format!("recorded {thread} {}\n", number + 1);
            // In one piece. Once the parent has closed its end there is nobody to tell.
            let _ = std::io::stdout().write_all(told.as_bytes());
            thread::sleep(Duration::from_micros(50));
        }
    }
}

fn spawn(directory: &Path, role: &str) -> Child {
    Command::new(std::env::current_exe().expect("the test's own binary"))
        .args(["--exact", "crash_recovery::child_main"])
        .args(["--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(ROLE, role)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test binary starts again")
}

/// A program that was killed: its directory, and how many numbers each thread had certainly recorded.
struct Killed {
    folder: Folder,
    recorded: [u64; THREADS as usize],
}

/// Lets a program record, and kills it some time after its first record.
fn killed(after: Duration) -> Killed {
    let folder = Folder::in_memory();
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(folder.path("arena"))
        .expect("a directory for arenas");
    let mut child = spawn(&folder.path(""), "dead");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.starts_with("recorded"));
    assert!(first.is_some(), "the child ended by itself");
    let reader = thread::spawn(move || {
        let mut recorded = [0; THREADS as usize];
        for line in first.into_iter().chain(lines.map_while(Result::ok)) {
            let mut words = line.split(' ').skip(1).map(str::parse::<u64>);
            if let (Some(Ok(thread)), Some(Ok(count))) = (words.next(), words.next()) {
                recorded[thread as usize] = count;
            }
        }
        recorded
    });
    thread::sleep(after);
    child.kill().expect("it was alive");
    assert!(!child.wait().expect("a child").success());
    let recorded = reader.join().expect("the reader");
    Killed { folder, recorded }
}

/// The numbers in a capture, each with how often it is there.
fn numbers_in(path: &Path) -> BTreeMap<u64, u64> {
    let bytes = std::fs::read(path).expect("a capture");
    let index = Index::build(&bytes).expect("a capture");
    let mut found = BTreeMap::new();
    for entry in index.event_chunks() {
        let chunk = EventsChunk::parse(index.chunk_bytes(&bytes, entry), entry.offset);
        let rows = chunk.and_then(|chunk| chunk.decode_rows());
        let rows = rows.expect("an intact chunk");
        for row in rows.iter().filter(|row| row.tag == Tag::OBSERVATION) {
            *found.entry(row.value).or_default() += 1;
        }
    }
    found
}

impl Killed {
    /// Each number that was recorded for certain is among `found`, and each number only once.
    fn assert_each_once(&self, found: &BTreeMap<u64, u64>) {
        let twice = found.iter().find(|(_, times)| **times != 1);
        assert_eq!(twice, None, "a record was found twice");
        for (thread, &count) in (0..).zip(&self.recorded) {
            let missing = (0..count).find(|number| !found.contains_key(&(thread << 48 | number)));
            assert_eq!(missing, None, "of {count} of thread {thread}");
        }
    }

    fn arenas(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path("arena")).expect("the arenas");
        let paths = entries.flatten().map(|entry| entry.path());
        // Beside them lies the socket by which the process could be asked.
        paths
            .filter(|path| path.extension().is_some_and(|it| it == "arena"))
            .collect()
    }
}

#[test]
fn what_a_killed_program_left_is_told_of_recovered_and_sound() {
    let mut seed = 0x2545_f491_u64;
    for round in 0..KILLS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Up to two seconds, so that some have chunks and rollups in the file and some have nothing there.
        let longest_us = if round % 3 == 0 { 2_000_000 } else { 50_000 };
        let killed = killed(Duration::from_micros((seed >> 33) % longest_us));
        let folder = &killed.folder;
        let arenas = killed.arenas();
        let [arena] = arenas.as_slice() else {
            panic!("one arena: {arenas:?}")
        };

        let page = folder.in_columns(200, &["report", "dead.bin"]);
        let told = format!("its process died and left records in {}", arena.display());
        assert!(page.contains(&told), "{page}");
        let how = "run `perf-analyze recover FILE -o OUT`";
        assert!(page.contains(how), "{page}");
        let report = folder.json(&["report", "dead.bin"]);
        assert!(warnings(&report).contains(&"salvage"), "{report:#}");

        let summary = folder.json(&["recover", "dead.bin", "-o", "recovered.bin"]);
        let found = numbers_in(&folder.path("recovered.bin"));
        killed.assert_each_once(&found);
        let verified = folder.run(&["verify", "recovered.bin"]);
        assert_eq!(verified.code, Some(0), "{verified:?}\n{summary:#}");

        let report = folder.json(&["report", "recovered.bin"]);
        assert_eq!(row(&report, "number", None)["count"], found.len());
        assert_eq!(report["captures"][0]["state"], "salvaged");
        assert!(!warnings(&report).contains(&"salvage"), "{report:#}");
        assert!(warnings(&report).contains(&"open_spans"), "{report:#}");
    }
}

#[test]
fn the_next_recorder_saves_what_the_dead_one_left() {
    let killed = killed(Duration::from_millis(20));
    let folder = &killed.folder;
    let mut next = spawn(&folder.path(""), "next");
    assert!(next.wait().expect("a child").success());
    assert_eq!(killed.arenas(), [] as [PathBuf; 0]);

    let remainder = remainder_path(&folder.path("dead.bin"));
    let mut found = numbers_in(&folder.path("dead.bin"));
    for (number, times) in numbers_in(&remainder) {
        *found.entry(number).or_default() += times;
    }
    killed.assert_each_once(&found);
    let name = remainder.file_name().expect("a name").to_string_lossy();
    let report = folder.json(&["report", "dead.bin", &name]);
    assert_eq!(row(&report, "number", None)["count"], found.len());
    assert!(!warnings(&report).contains(&"salvage"), "{report:#}");
    for capture in ["dead.bin", &name, "next.bin"] {
        let verified = folder.run(&["verify", capture]);
        assert_eq!(verified.code, Some(0), "{capture}: {verified:?}");
    }
}
