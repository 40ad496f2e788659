//! How much memory recording takes: the rings, as many bytes as were allowed for them, and 64 MiB for all else. With a
//! thousand threads at full speed, and every record accounted for.

mod common;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, OnceLock};
use std::thread;
use std::time::Duration;

use common::{Capture, child};
use perf_probe::{TraceId, events, measure, record_histogram, trace};
use perf_recorder::{Recorder, Status};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const THREADS: u64 = 1_000;
const RINGS_BYTES: u64 = 96 << 20;
const ALL_ELSE_BYTES: u64 = 64 << 20;
/// Spans of each thread. All together take the processors a second or so.
const SPANS: u64 = 10_000;

#[test]
fn a_thousand_threads_at_full_speed_stay_within_their_memory() {
    let directory = child::memory_dir();
    child::private_dir(directory.path(), "arena");
    let path = directory.path().display().to_string();
    // In a process of its own, whose memory is all the test's.
    let status = child::spawn("child_main", "threads", &[("DIRECTORY", path)]).wait();
    assert!(status.expect("a child").success());
}

/// Memory of this process, in bytes: what it has now, and the most that it has had.
fn resident_bytes() -> [u64; 2] {
    let text = std::fs::read_to_string("/proc/self/status").expect("the status");
    ["VmRSS:", "VmHWM:"].map(|name| {
        let line = { text.lines() }.find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.expect("a number of KiB") << 10
    })
}

/// Bytes of shared memory that the files of a directory really have.
fn shared_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = std::fs::read_dir(directory).expect("the arenas");
    let metadata = files.flatten().filter_map(|file| file.metadata().ok());
    metadata.map(|metadata| metadata.blocks() * 512).sum()
}

#[test]
fn child_main() {
    if child::role().is_none() {
        return;
    }
    let directory = std::env::var("DIRECTORY").expect("a directory");
    let directory = Path::new(&directory);
    let arenas = directory.join("arena");
    let path = directory.join("x.bin");
    let recorder: OnceLock<Recorder> = OnceLock::new();
    let (attempted, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let [ready, start, end] = [(); 3].map(|()| Barrier::new(THREADS as usize + 1));
    let mut largest = (0, 0, Status::default());
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (ready, start, end) = (&ready, &start, &end);
            let (attempted, done) = (&attempted, &done);
            let work = move || {
                ready.wait();
                start.wait();
                attempted.fetch_add(record(thread), Ordering::Relaxed);
                done.fetch_add(1, Ordering::Relaxed);
                // Whoever ends gives its ring back.
                end.wait();
            };
            let builder = thread::Builder::new().stack_size(64 << 10);
            builder.spawn_scoped(scope, work).expect("a thread starts");
        }
        ready.wait();
        // All the threads are there, and nothing records.
        let [before, _] = resident_bytes();
        let builder = Recorder::builder()
            .capture(&path)
            .arena_directory(&arenas)
            .max_memory_bytes(RINGS_BYTES)
            .patience(Duration::from_secs(60));
        let recorder = recorder.get_or_init(|| builder.start().expect("the recorder starts"));
        start.wait();
        loop {
            // Asked first: what is seen last is seen when all have recorded, and live.
            let is_last = done.load(Ordering::Relaxed) == THREADS;
            let status = recorder.status();
            largest.0 = largest.0.max(shared_bytes(&arenas));
            largest.2.memory_bytes = largest.2.memory_bytes.max(status.memory_bytes);
            if is_last {
                largest.2.rings = status.rings;
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let [_, peak] = resident_bytes();
        largest.1 = peak - before;
        end.wait();
    });
    let recorder = recorder.into_inner().expect("it was started");
    let stopped = recorder.stop().expect("a clean end");
    let (shared, resident, status) = largest;
    let attempted = attempted.into_inner();
    println!(
        "{attempted} attempted, {} lost; shared {shared}, resident {resident}, rings {}",
        stopped.lost.total(),
        status.memory_bytes
    );
    assert_eq!(stopped.records + stopped.lost.total(), attempted);
    assert!(stopped.records > THREADS);
    assert!(shared > 0 && shared <= RINGS_BYTES + ALL_ELSE_BYTES);
    assert!(resident <= RINGS_BYTES + ALL_ELSE_BYTES);
    assert!(status.memory_bytes <= RINGS_BYTES);
    // Those for whom there is no room have none, and lose what they attempt.
    let rings = status.rings.len() as u64;
    assert!(rings > 100 && rings <= THREADS, "{rings} rings");

    let capture = Capture::open(&path);
    assert_eq!(
        (capture.records(), capture.lost),
        (stopped.records, stopped.lost.total())
    );
    capture.assert_each_slot_once();
}

/// As fast as it goes. Gives the records that it attempted.
fn record(thread: u64) -> u64 {
    for number in 0..SPANS {
        let _trace = trace::enter(TraceId::from_key("thread", (thread << 32 | number) as i64));
        let _span = measure!(WORK);
        record_histogram(NUMBER, thread << 32 | number);
    }
    2 * SPANS
}
