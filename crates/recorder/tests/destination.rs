//! Where captures go, and what does not start.

mod common;

use std::sync::{Arc, Mutex};

use common::Capture;
use perf_probe::{events, measure};
use perf_recorder::{FlushError, Recorder, StartError};

events! {
    WORK: span = "work";
}

#[test]
fn an_existing_capture_is_never_overwritten() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("mine.bin");
    std::fs::write(&path, "precious").expect("a file");
    let error = Recorder::builder()
        .capture(&path)
        .scoped()
        .start()
        .expect_err("refused");
    assert!(matches!(error, StartError::CaptureExists { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("mine.bin exists and is not overwritten"),
        "{error}"
    );
    assert_eq!(std::fs::read(&path).expect("still there"), b"precious");
}

#[test]
fn a_directory_is_made_and_each_start_has_a_file_of_its_own() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let asked = format!("{}/deep/captures/", dir.path().display());
    let start = || {
        Recorder::builder()
            .capture(&asked)
            .scoped()
            .start()
            .expect("the recorder starts")
    };
    let (first, second) = (start(), start());
    assert_ne!(first.capture_path(), second.capture_path());
    let name = first
        .capture_path()
        .and_then(|path| path.file_name())
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    // 20261124T142233Z-1234.bin
    let (stamp, rest) = name.split_at(16);
    assert!(
        stamp.ends_with('Z') && stamp.as_bytes()[8] == b'T',
        "{name}"
    );
    assert_eq!(rest, format!("-{}.bin", std::process::id()));
}

#[test]
fn without_a_destination_nothing_starts() {
    assert!(matches!(
        Recorder::builder().start(),
        Err(StartError::NoDestination)
    ));
}

#[test]
fn a_missing_directory_of_a_file_is_an_error() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let error = Recorder::builder()
        .capture(dir.path().join("no/such.bin"))
        .scoped()
        .start()
        .expect_err("refused");
    assert!(matches!(error, StartError::CreateCapture { .. }), "{error}");
}

/// The only test of this file that installs a recorder for the whole process.
#[test]
fn one_recorder_is_installed_at_a_time() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let first = Recorder::builder()
        .capture(dir.path().join("1.bin"))
        .start()
        .expect("the first starts");
    let refused = dir.path().join("2.bin");
    let error = Recorder::builder()
        .capture(&refused)
        .start()
        .expect_err("a second is refused");
    assert!(matches!(error, StartError::AlreadyInstalled(_)), "{error}");
    assert!(!refused.exists(), "a refused start leaves no file");

    drop(measure!(WORK));
    let open = measure!(WORK);
    first.disable();
    assert!(!first.status().enabled);
    drop(measure!(WORK));
    let begun_while_off = measure!(WORK);
    // Begun while it was on, it is recorded.
    drop(open);
    first.enable();
    assert!(first.status().enabled);
    drop(begun_while_off);
    drop(measure!(WORK));
    let stopped = first.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (3, 0));
    assert_eq!(stopped.open_spans, 0);

    // After the stop, records are counted and go nowhere; the place is free again.
    let before = perf_probe::losses().after_shutdown;
    drop(measure!(WORK));
    drop(measure!(WORK));
    assert_eq!(perf_probe::losses().after_shutdown - before, 2);
    let again = Recorder::builder()
        .capture(dir.path().join("3.bin"))
        .start()
        .expect("it starts again");
    drop(measure!(WORK));
    assert_eq!(again.stop().expect("a clean end").records, 1);
    assert_eq!(Capture::open(&dir.path().join("1.bin")).records(), 3);
    assert_eq!(Capture::open(&dir.path().join("3.bin")).records(), 1);
}

#[test]
fn a_sink_gets_a_whole_capture() {
    let bytes = Arc::new(Mutex::new(Vec::new()));
    let recorder = Recorder::builder()
        .sink(Arc::clone(&bytes))
        .scoped()
        .start()
        .expect("the recorder starts");
    recorder.scope(|| (0..1_000).for_each(|_| drop(measure!(WORK))));
    recorder.flush().expect("flushed");
    let half = bytes.lock().expect("nobody panicked").clone();
    assert_eq!(
        Capture::parse(half).expect("a capture so far").records(),
        1_000
    );
    let stopped = recorder.stop().expect("a clean end");
    let capture = bytes.lock().expect("nobody panicked").clone();
    assert_eq!(stopped.bytes, capture.len() as u64);
    let capture = Capture::parse(capture).expect("a capture");
    assert_eq!(capture.records(), 1_000);
    assert!(capture.index.closed_cleanly());
}

#[test]
fn a_drainer_without_threads_is_drained_by_hand() {
    let mut bytes = Vec::new();
    let (handle, mut drainer) = Recorder::builder()
        .max_ring_bytes(256 << 10)
        .manual(&mut bytes)
        .expect("the drainer is made");
    perf_probe::scope(&handle, || (0..100_000).for_each(|_| drop(measure!(WORK))));
    // Nobody drained meanwhile: the ring is full, the rest is counted.
    let mut slots = 0;
    loop {
        let round = drainer.drain_once(&mut bytes);
        slots += round.slots;
        if round.slots == 0 {
            break;
        }
    }
    perf_probe::scope(&handle, || drop(measure!(WORK)));
    drainer.drain_once(&mut bytes);
    drainer.finish(&mut bytes);
    let capture = Capture::parse(bytes).expect("a capture");
    assert!(slots >= 8_192, "{slots}");
    assert!(capture.records() < 100_000, "{}", capture.records());
    assert_eq!(capture.records() + capture.lost, 100_001);
    assert!(capture.index.closed_cleanly());
}

/// The nice values of this process's threads of one name.
fn nice_values(name: &str) -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists threads");
    let of = |task: std::io::Result<std::fs::DirEntry>| {
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (before, after) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        before.ends_with(name).then(|| fields[16].parse().ok())?
    };
    tasks.filter_map(of).collect()
}

#[test]
fn the_drainer_gets_the_priority_that_was_asked_for() {
    let recorder = Recorder::builder()
        .sink(Vec::new())
        .drainer_nice(17)
        .scoped()
        .start()
        .expect("it starts");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !nice_values("perf-drainer").contains(&17) {
        let drainers = nice_values("perf-drainer");
        assert!(std::time::Instant::now() < deadline, "{drainers:?}");
        std::thread::yield_now();
    }
    recorder.stop().expect("it stops");
}

#[test]
fn a_flush_in_vain_says_so() {
    struct Never;
    impl perf_recorder::Sink for Never {
        fn accept(&mut self, piece: &[u8]) -> Result<(), perf_recorder::Refused> {
            // The header is taken, nothing else.
            if piece.starts_with(&perf_format::MAGIC) {
                Ok(())
            } else {
                Err(perf_recorder::Refused)
            }
        }
    }
    let recorder = Recorder::builder()
        .sink(Never)
        .patience(std::time::Duration::from_millis(30))
        .scoped()
        .start()
        .expect("the recorder starts");
    recorder.scope(|| drop(measure!(WORK)));
    assert_eq!(recorder.flush(), Err(FlushError::TimedOut));
    assert!(recorder.stop().is_err());
}
