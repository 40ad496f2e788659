//! Storage that fails: nothing is torn, nothing is there twice, and what happened is in the capture.

mod common;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use common::{Capture, child};
use perf_format::WarningCode;
use perf_probe::{events, record_histogram};
use perf_recorder::{Builder, Recorder, Refused, Sink, StartError, StopError, Storage, SyncPolicy};

events! {
    NUMBER: observation("") = "number";
    STORM: observation("") = "storm";
}

/// What a disk does with a write: how much of it, or why not.
type Write = fn(call: u64, length: usize) -> Result<usize, i32>;

/// A disk in memory, with a fault.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    write: Write,
    sync: fn(call: u64) -> Result<(), i32>,
    calls: Arc<Mutex<(u64, u64)>>,
}

impl Disk {
    fn new(write: Write) -> Self {
        Self {
            bytes: Arc::default(),
            write,
            sync: |_| Ok(()),
            calls: Arc::default(),
        }
    }

    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("nobody panicked")
    }
}

impl Storage for Disk {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let mut calls = self.calls.lock().expect("nobody panicked");
        calls.0 += 1;
        // The header is written at the start, which may fail; the faults are for later.
        let count = if offset == 0 {
            Ok(bytes.len())
        } else {
            (self.write)(calls.0, bytes.len())
        };
        drop(calls);
        let count = count.map_err(io::Error::from_raw_os_error)?;
        let (mut disk, from) = (self.bytes(), offset as usize);
        assert!(from <= disk.len(), "a hole before offset {offset}");
        let end = disk.len().max(from + count);
        disk.resize(end, 0);
        disk[from..from + count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        let mut calls = self.calls.lock().expect("nobody panicked");
        calls.1 += 1;
        (self.sync)(calls.1).map_err(io::Error::from_raw_os_error)
    }
}

fn builder(disk: &Disk) -> Builder {
    Recorder::builder().storage(disk.clone()).scoped()
}

/// Records numbers, with flushes in between so that there are many chunks; returns the capture.
fn record(recorder: Recorder, disk: &Disk, count: u64) -> Capture {
    recorder.scope(|| {
        for number in 0..count {
            record_histogram(NUMBER, number);
            if number % 500 == 0 {
                recorder.flush().expect("flushed");
            }
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (count, 0));
    assert_eq!(stopped.bytes, disk.bytes().len() as u64);
    let capture = Capture::parse(disk.bytes().clone()).expect("a capture");
    assert_eq!(capture.values("number"), (0..count).collect::<Vec<u64>>());
    assert!(capture.index.closed_cleanly());
    capture.assert_each_slot_once();
    capture.assert_rollups_equal_scan();
    capture
}

fn warnings(capture: &Capture, code: WarningCode) -> Vec<&str> {
    let all = &capture.index.notes.warnings;
    all.iter()
        .filter(|warning| warning.code == code)
        .map(|warning| warning.message.as_str())
        .collect()
}

#[test]
fn short_writes_and_interruptions_are_nothing_special() {
    let disk = Disk::new(|call, length| {
        if call % 3 == 0 {
            Err(libc::EINTR)
        } else {
            Ok(length.min(100))
        }
    });
    let capture = record(
        builder(&disk).start().expect("the recorder starts"),
        &disk,
        5_000,
    );
    assert_eq!(
        warnings(&capture, WarningCode::WRITE_FAILED),
        [] as [&str; 0]
    );
}

#[test]
fn a_full_disk_is_written_to_again_and_told_of() {
    // Every fourth chunk or so breaks off in the middle, twice.
    let disk = Disk::new(|call, length| match call % 8 {
        5 => Ok(length.div_ceil(2)),
        6 | 7 => Err(if call % 16 < 8 {
            libc::ENOSPC
        } else {
            libc::EIO
        }),
        _ => Ok(length),
    });
    let capture = record(
        builder(&disk).start().expect("the recorder starts"),
        &disk,
        5_000,
    );
    let told = warnings(&capture, WarningCode::WRITE_FAILED);
    assert!(!told.is_empty());
    assert!(
        told[0].contains("failed 2 times") && told[0].contains("No space left"),
        "{told:?}"
    );
}

#[test]
fn a_failed_sync_is_told_with_its_bytes_and_not_asked_again() {
    let mut disk = Disk::new(|_, length| Ok(length));
    disk.sync = |call| if call == 3 { Err(libc::EIO) } else { Ok(()) };
    let recorder = builder(&disk)
        .interval(Duration::from_millis(20))
        .start()
        .expect("the recorder starts");
    recorder.scope(|| {
        for number in 0..6 {
            record_histogram(NUMBER, number);
            recorder
                .flush()
                .expect("flushed: what could be done was done");
            thread::sleep(Duration::from_millis(30));
        }
    });
    recorder.stop().expect("a clean end");
    let capture = Capture::parse(disk.bytes().clone()).expect("a capture");
    let told = warnings(&capture, WarningCode::SYNC_FAILED);
    let [told] = told.as_slice() else {
        panic!("one warning: {told:?}")
    };
    let numbers: Vec<u64> = told
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [.., from, to] = numbers.as_slice() else {
        panic!("two offsets: {told}")
    };
    assert!(from < to && *to < disk.bytes().len() as u64, "{told}");
}

#[test]
fn the_stop_waits_for_a_slow_sync_as_long_as_it_may() {
    let mut disk = Disk::new(|_, length| Ok(length));
    disk.sync = |_| {
        thread::sleep(Duration::from_millis(1_500));
        Ok(())
    };
    let recorder = builder(&disk)
        .patience(Duration::from_secs(60))
        .sync_policy(SyncPolicy::AtStop)
        .start()
        .expect("the recorder starts");
    recorder.scope(|| record_histogram(NUMBER, 1));
    recorder.stop().expect("a clean end");
    // Held by a sync that is under way.
    let calls = disk.calls.try_lock().expect("no sync is under way");
    assert_eq!(calls.1, 1);
}

#[test]
fn never_to_sync_is_a_policy() {
    let disk = Disk::new(|_, length| Ok(length));
    let recorder = builder(&disk)
        .sync_policy(SyncPolicy::Never)
        .start()
        .expect("the recorder starts");
    record(recorder, &disk, 2_000);
    assert_eq!(disk.calls.lock().expect("nobody panicked").1, 0);
}

#[test]
fn a_slow_disk_costs_records_only_when_the_spool_is_full_and_each_is_counted() {
    let disk = Disk::new(|_, length| {
        thread::sleep(Duration::from_millis(30));
        Ok(length)
    });
    let recorder = builder(&disk)
        .spool_bytes(256 << 10)
        .max_ring_bytes(64 << 10)
        .patience(Duration::from_secs(60))
        .start()
        .expect("the recorder starts");
    let mut attempted = 0;
    recorder.scope(|| {
        let until = Instant::now() + Duration::from_millis(400);
        while Instant::now() < until {
            for _ in 0..1_000 {
                // Numbers that no encoding makes small.
                record_histogram(
                    NUMBER,
                    attempted | 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(attempted) << 24,
                );
                attempted += 1;
            }
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    let capture = Capture::parse(disk.bytes().clone()).expect("a capture");
    assert!(stopped.lost.total() > 0, "the disk was fast enough");
    assert_eq!(stopped.records + stopped.lost.total(), attempted);
    assert_eq!(
        (capture.records(), capture.lost),
        (stopped.records, stopped.lost.total())
    );
    let spool = capture
        .index
        .notes
        .self_costs
        .iter()
        .map(|cost| cost.spool_high_water_bytes)
        .max();
    assert!(spool.is_some_and(|bytes| bytes <= 256 << 10), "{spool:?}");
}

#[test]
fn a_dead_disk_does_not_keep_the_program_from_ending() {
    let disk = Disk::new(|_, _| Err(libc::ENOSPC));
    let recorder = builder(&disk)
        .patience(Duration::from_millis(100))
        .start()
        .expect("the recorder starts");
    recorder.scope(|| record_histogram(NUMBER, 1));
    assert!(recorder.flush().is_err());
    let failing = recorder.status().failing.expect("the status says why");
    assert!(failing.contains("No space left"), "{failing}");
    let error = recorder.stop().expect_err("it did not write everything");
    let StopError::Unwritten { bytes, error } = &error else {
        panic!("{error}")
    };
    assert!(
        *bytes > 0 && error.contains("No space left"),
        "{bytes} {error}"
    );
}

/// A file that takes its header, and does not return from any further write.
struct Hanging(std::fs::File);

impl Storage for Hanging {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if offset > 0 {
            loop {
                thread::park();
            }
        }
        Storage::write_at(&self.0, bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn child_main() {
    let Some(directory) = child::role() else {
        return;
    };
    let directory = Path::new(&directory);
    let capture = std::fs::File::create(directory.join("x.bin")).expect("a file");
    let recorder = Recorder::builder()
        .storage(Hanging(capture))
        .arena_directory(directory.join("arena"))
        .patience(Duration::from_millis(100))
        .scoped()
        .start()
        .expect("the recorder starts");
    recorder.scope(|| (0..500).for_each(|number| record_histogram(NUMBER, number)));
    let error = recorder.stop().expect_err("it did not write everything");
    let StopError::Unwritten { bytes, error } = &error else {
        panic!("{error}")
    };
    assert!(
        *bytes > 0 && error.contains("not return"),
        "{bytes} {error}"
    );
}

#[test]
fn a_disk_that_hangs_keeps_nobody_from_ending_and_the_arena_has_the_rest() {
    let directory = child::memory_dir();
    let arenas = child::private_dir(directory.path(), "arena");
    let role = directory.path().display().to_string();
    let mut process = child::spawn("child_main", &role, &[]);
    let until = Instant::now() + Duration::from_secs(60);
    let status = loop {
        if let Some(status) = process.try_wait().expect("a child") {
            break status;
        }
        if Instant::now() >= until {
            process.kill().expect("killed");
            panic!("the stop hangs");
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
    let [arena] = &child::arenas_in(&arenas)[..] else {
        panic!("one arena")
    };
    let (capture, out) = (
        directory.path().join("x.bin"),
        directory.path().join("r.bin"),
    );
    perf_recorder::salvage::recover(&capture, Some(arena), &out).expect("recovered");
    let recovered = Capture::open(&out);
    assert_eq!(recovered.values("number"), (0..500).collect::<Vec<u64>>());
    recovered.assert_each_slot_once();
}

#[test]
fn a_flush_ends_while_others_record_without_a_pause() {
    let disk = Disk::new(|_, length| Ok(length));
    // Small rings and a small spool: what three storms write while the flush lasts stays within a few megabytes.
    let recorder = builder(&disk)
        .max_ring_bytes(64 << 10)
        .spool_bytes(1 << 20)
        .patience(Duration::from_secs(30))
        .start()
        .expect("the recorder starts");
    let is_done = AtomicBool::new(false);
    let storm = || {
        recorder.scope(|| {
            while !is_done.load(Ordering::Relaxed) {
                record_histogram(STORM, 1);
            }
        });
    };
    let (flushed, bytes) = thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(storm);
        }
        while recorder.status().records == 0 {
            thread::yield_now();
        }
        recorder.scope(|| record_histogram(NUMBER, 7));
        let flushed = recorder.flush();
        let bytes = disk.bytes().len();
        is_done.store(true, Ordering::Relaxed);
        (flushed, bytes)
    });
    flushed.expect("flushed");
    let capture = Capture::parse(disk.bytes()[..bytes].to_vec()).expect("a capture");
    assert_eq!(capture.values("number"), [7]);
    recorder.stop().expect("a clean end");
}

#[test]
fn whoever_waits_without_end_gets_everything() {
    let disk = Disk::new(|_, length| Ok(length));
    let recorder = builder(&disk)
        .patience(Duration::MAX)
        .interval(Duration::MAX)
        .start()
        .expect("the recorder starts");
    record(recorder, &disk, 1_000);
}

#[test]
fn a_sink_that_often_has_no_room_gets_everything_in_order() {
    #[derive(Clone, Default)]
    struct Moody(Arc<Mutex<(u64, Vec<u8>)>>);
    impl Sink for Moody {
        fn accept(&mut self, piece: &[u8]) -> Result<(), Refused> {
            let mut mine = self.0.lock().expect("nobody panicked");
            mine.0 += 1;
            if mine.0.is_multiple_of(3) || mine.0 == 1 {
                mine.1.extend_from_slice(piece);
                Ok(())
            } else {
                Err(Refused)
            }
        }
    }
    let sink = Moody::default();
    let recorder = Recorder::builder()
        .sink(sink.clone())
        .scoped()
        .start()
        .expect("the recorder starts");
    recorder.scope(|| {
        for number in 0..50_000 {
            record_histogram(NUMBER, number);
            if number % 2_000 == 0 {
                recorder.flush().expect("flushed");
            }
        }
    });
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!((stopped.records, stopped.lost.total()), (50_000, 0));
    let bytes = sink.0.lock().expect("nobody panicked").1.clone();
    let capture = Capture::parse(bytes).expect("a capture");
    assert_eq!(capture.values("number"), (0..50_000).collect::<Vec<u64>>());
    assert!(capture.index.closed_cleanly());
}

#[test]
fn a_directory_that_vanishes_is_told_of_and_harms_nobody() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let recorder = Recorder::builder()
        .capture(directory.path().join("x.bin"))
        .scoped();
    let recorder = recorder.start().expect("the recorder starts");
    recorder.scope(|| {
        record_histogram(NUMBER, 1);
        recorder.flush().expect("flushed");
        directory.close().expect("the directory goes");
        record_histogram(NUMBER, 2);
        recorder
            .flush()
            .expect("flushed into the file without a name");
    });
    let stopped = recorder.stop().expect("an end");
    assert_eq!(stopped.records, 2);
    assert!(
        stopped
            .warnings
            .iter()
            .any(|warning| warning.message.contains("deleted")),
        "{:?}",
        stopped.warnings
    );
}

#[test]
fn a_start_that_fails_leaves_nothing_in_shared_memory() {
    struct Full;
    impl Storage for Full {
        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        }
        fn sync(&self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Closed;
    impl Sink for Closed {
        fn accept(&mut self, _: &[u8]) -> Result<(), Refused> {
            Err(Refused)
        }
    }
    let directory = child::memory_dir();
    let arena = child::private_dir(directory.path(), "arena");
    let builder = || Recorder::builder().arena_directory(&arena).salvage(false);
    let error = builder().storage(Full).start().expect_err("no room");
    assert!(
        matches!(error, StartError::CreateCapture { .. }),
        "{error:?}"
    );
    let error = builder().sink(Closed).start().expect_err("refused");
    assert!(matches!(error, StartError::System { .. }), "{error:?}");
    assert!(builder().manual(&mut Closed).is_err());
    let left = std::fs::read_dir(&arena).expect("the directory");
    let left: Vec<_> = left.flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}
