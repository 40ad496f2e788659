//! Whatever becomes of the file, the disk and the drainer, the thread that records does not wait for it: its own calls are
//! timed before the fault and during it. And nothing is lost that is not counted.

mod common;

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::latency::Caller;
use common::{Capture, child};
use perf_format::WarningCode;
use perf_probe::{events, measure, record_histogram};
use perf_recorder::{Builder, Handoff, Recorder, Storage};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const HEALTHY: Duration = Duration::from_millis(300);

/// Every call is a span and a number that no encoding makes small.
fn call(number: u64) {
    let _span = measure!(WORK);
    record_histogram(NUMBER, noise(number));
}

fn noise(number: u64) -> u64 {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

/// Records through `builder` before and during the fault, which `begin` begins and which ends by itself when `is_over`, then
/// has `mend` mend it. Gives how many calls there were, and what the recorder said at its end.
fn through(
    builder: Builder,
    begin: impl FnOnce(),
    is_over: impl FnMut() -> bool,
    mend: impl FnOnce(),
) -> (u64, perf_recorder::Stopped) {
    let recorder = builder
        .patience(Duration::from_secs(60))
        .scoped()
        .start()
        .expect("the recorder starts");
    let mut caller = Caller::new(call);
    recorder.scope(|| {
        let healthy = caller.for_time(HEALTHY);
        begin();
        let faulty = caller.until(is_over);
        faulty.assert_unmoved_from(&healthy);
    });
    mend();
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.records + stopped.lost.total(), 2 * caller.calls);
    (caller.calls, stopped)
}

fn assert_all_there(capture: &Capture, calls: u64) {
    assert_eq!(
        capture.values("number"),
        (0..calls).map(noise).collect::<Vec<u64>>()
    );
    assert_eq!(capture.values("work").len() as u64, calls);
    assert!(capture.index.closed_cleanly());
    capture.assert_each_slot_once();
}

/// A disk in memory that can be made bad.
#[derive(Clone, Default)]
struct Disk(Arc<State>);

#[derive(Default)]
struct State {
    bytes: Mutex<Vec<u8>>,
    is_bad: AtomicBool,
    /// Calls that were bad, and have returned.
    bad_calls: AtomicU64,
    /// How long a bad call takes, and then fails or not.
    takes_ms: AtomicU64,
    fails_with: Mutex<Option<i32>>,
}

impl Disk {
    fn new(takes: Duration, fails_with: Option<i32>) -> Self {
        let disk = Self::default();
        let ms = takes.as_millis() as u64;
        disk.0.takes_ms.store(ms, Ordering::Relaxed);
        *disk.0.fails_with.lock().expect("nobody panicked") = fails_with;
        disk
    }

    fn is_bad(&self, is_bad: bool) {
        self.0.is_bad.store(is_bad, Ordering::Relaxed);
    }

    fn bad_calls(&self) -> u64 {
        self.0.bad_calls.load(Ordering::Relaxed)
    }

    fn act(&self) -> io::Result<()> {
        if !self.0.is_bad.load(Ordering::Relaxed) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(
            self.0.takes_ms.load(Ordering::Relaxed),
        ));
        self.0.bad_calls.fetch_add(1, Ordering::Relaxed);
        let error = *self.0.fails_with.lock().expect("nobody panicked");
        error.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }

    fn capture(&self) -> Capture {
        Capture::parse(self.0.bytes.lock().expect("nobody panicked").clone()).expect("a capture")
    }
}

impl Storage for Disk {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.act()?;
        let mut disk = self.0.bytes.lock().expect("nobody panicked");
        let (from, to) = (offset as usize, offset as usize + bytes.len());
        let length = disk.len().max(to);
        disk.resize(length, 0);
        disk[from..to].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.act()
    }
}

fn on_bad_disk(disk: &Disk, bad_calls: u64) {
    let (calls, stopped) = through(
        Recorder::builder().storage(disk.clone()),
        || disk.is_bad(true),
        || disk.bad_calls() >= bad_calls,
        || disk.is_bad(false),
    );
    assert_eq!(stopped.lost.total(), 0, "the spool has room for it");
    assert_all_there(&disk.capture(), calls);
}

#[test]
fn a_disk_that_takes_a_second_for_each_write() {
    on_bad_disk(&Disk::new(Duration::from_secs(1), None), 3);
}

#[test]
fn a_disk_that_fails() {
    on_bad_disk(&Disk::new(Duration::ZERO, Some(libc::EIO)), 6);
}

#[test]
fn a_disk_that_fails_after_a_second() {
    on_bad_disk(&Disk::new(Duration::from_secs(1), Some(libc::EIO)), 2);
}

/// A pipe: the kernel itself keeps its writer waiting when nobody reads.
struct Pipe {
    end: PipeWriter,
    written: AtomicU64,
    waiting_since: Arc<Mutex<Option<Instant>>>,
}

impl Storage for Pipe {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        assert_eq!(
            offset,
            self.written.load(Ordering::Relaxed),
            "one after another"
        );
        *self.waiting_since.lock().expect("nobody panicked") = Some(Instant::now());
        let count = (&self.end).write(bytes)?;
        *self.waiting_since.lock().expect("nobody panicked") = None;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads all that comes, but not while it `is_stuck`.
fn read_all(mut end: PipeReader, is_stuck: &AtomicBool) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        while is_stuck.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        match end.read(&mut piece).expect("a pipe") {
            0 => return bytes,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

#[test]
fn a_real_write_that_the_kernel_does_not_let_return() {
    let (reader, writer) = io::pipe().expect("a pipe");
    let waiting_since = Arc::new(Mutex::new(None));
    let pipe = Pipe {
        end: writer,
        written: AtomicU64::new(0),
        waiting_since: Arc::clone(&waiting_since),
    };
    let is_stuck = AtomicBool::new(false);
    let waits = || {
        let since = *waiting_since.lock().expect("nobody panicked");
        since.is_some_and(|since: Instant| since.elapsed() >= Duration::from_secs(2))
    };
    thread::scope(|threads| {
        let reading = threads.spawn(|| read_all(reader, &is_stuck));
        let (calls, stopped) = through(
            Recorder::builder().storage(pipe),
            || is_stuck.store(true, Ordering::Relaxed),
            waits,
            || is_stuck.store(false, Ordering::Relaxed),
        );
        assert_eq!(stopped.lost.total(), 0, "the spool has room for it");
        let bytes = reading.join().expect("a reader");
        assert_all_there(&Capture::parse(bytes).expect("a capture"), calls);
    });
}

#[test]
fn a_directory_that_is_removed() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_owned();
    let begun = Mutex::new(None);
    let (_, stopped) = through(
        Recorder::builder().capture(path.join("captures/")),
        || {
            std::fs::remove_dir_all(&path).expect("removed");
            *begun.lock().expect("nobody panicked") = Some(Instant::now());
        },
        || {
            let begun = *begun.lock().expect("nobody panicked");
            begun.is_some_and(|begun| begun.elapsed() >= Duration::from_secs(2))
        },
        || {},
    );
    assert_eq!(stopped.lost.total(), 0);
    let told = stopped.warnings.iter();
    let told = told.filter(|warning| warning.message.contains("deleted"));
    assert_eq!(told.count(), 1, "{:?}", stopped.warnings);
}

/// The drainer holds still for so long where it stops.
const HELD: Duration = Duration::from_secs(2);
static HOLD: AtomicBool = AtomicBool::new(false);
static WAS_HELD: AtomicBool = AtomicBool::new(false);

fn hold(handoff: Handoff) {
    if handoff == Handoff::Copied && HOLD.swap(false, Ordering::Relaxed) {
        thread::sleep(HELD);
        WAS_HELD.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_drainer_that_is_stuck() {
    let disk = Disk::default();
    let (calls, stopped) = through(
        Recorder::builder().storage(disk.clone()).on_handoff(hold),
        || HOLD.store(true, Ordering::Relaxed),
        || WAS_HELD.load(Ordering::Relaxed),
        || {},
    );
    assert_eq!(stopped.lost.total(), 0, "the ring has room for it");
    let capture = disk.capture();
    assert_all_there(&capture, calls);
    // It says itself how late it was.
    let costs = capture.index.notes.self_costs.iter();
    let lag = costs.map(|cost| cost.drain_lag_max_ns).max();
    assert!(lag >= Some(HELD.as_nanos() as u64), "{lag:?}");
}

/// A capture of so many KiB and no more.
const ROOM_KIB: u64 = 320;

#[test]
fn child_main() {
    let Some(role) = child::role() else { return };
    let directory = std::env::var("DIRECTORY").expect("a directory");
    let directory = Path::new(&directory);
    match role.as_str() {
        "full disk" => full_disk(directory),
        "file limit" => file_limit(directory),
        "limit before" => limit_before(directory),
        other => panic!("no such role: {other}"),
    }
}

/// Records until `full`, which `fill` fills, has not taken the capture for two seconds, then makes room.
fn until_full(
    directory: &Path,
    full: &Path,
    says: &str,
    fill: impl FnOnce(),
    make_room: impl FnOnce(),
) {
    let path = full.join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .arena_directory(child::private_dir(directory, "arena"))
        .patience(Duration::from_secs(60))
        .start()
        .expect("the recorder starts");
    let mut caller = Caller::new(call);
    let healthy = caller.for_time(HEALTHY);
    fill();
    let mut failing_since = None;
    let faulty = caller.until(|| {
        let failing = recorder.status().failing;
        let since = failing.as_ref().and(failing_since.or(Some(Instant::now())));
        failing_since = since;
        failing.is_none_or(|failing| failing.contains(says))
            && since.is_some_and(|since| since.elapsed() >= Duration::from_secs(2))
    });
    faulty.assert_unmoved_from(&healthy);
    make_room();
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.lost.total(), 0);
    assert_all_there(&Capture::open(&path), caller.calls);
}

#[test]
fn a_file_system_that_is_full() {
    let directory = child::memory_dir();
    let small = child::private_dir(directory.path(), "small");
    let command = child::command_on_tmpfs(&small, ROOM_KIB + 1_024, "child_main", "full disk");
    let Some(mut command) = command else { return };
    let status = command.env("DIRECTORY", directory.path()).status();
    assert!(status.expect("a child").success());
}

fn full_disk(directory: &Path) {
    let small = directory.join("small");
    let ballast = small.join("ballast");
    let fill = || std::fs::write(&ballast, vec![1u8; 1_024 << 10]).expect("room for the ballast");
    let make_room = || {
        let size = format!("remount,size={}k", 64 << 10);
        let mut command = std::process::Command::new("mount");
        let status = command.args(["-o", &size]).arg(&small).status();
        assert!(status.expect("mount").success());
    };
    until_full(directory, &small, "No space left", fill, make_room);
}

#[test]
fn a_file_that_may_not_grow() {
    let directory = child::memory_dir();
    let path = directory.path().display().to_string();
    let mut child = child::spawn("child_main", "file limit", &[("DIRECTORY", path)]);
    // By default the kernel ends a process that writes beyond its limit.
    assert!(child.wait().expect("a child").success());
}

/// Limits the files of this process.
fn set_limit(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: the struct is initialised and lives through the call.
    let status = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    assert_eq!(status, 0);
}

fn file_limit(directory: &Path) {
    let captures = directory.join("captures");
    std::fs::create_dir(&captures).expect("a directory");
    // The arena is a file, too, and has its size by then.
    let fill = || set_limit(ROOM_KIB << 10);
    let make_room = || set_limit(libc::RLIM_INFINITY);
    until_full(directory, &captures, "too large", fill, make_room);
}

#[test]
fn a_limit_that_no_arena_keeps_to() {
    let directory = child::memory_dir();
    let path = directory.path().display().to_string();
    let mut child = child::spawn("child_main", "limit before", &[("DIRECTORY", path)]);
    assert!(child.wait().expect("a child").success());
}

fn limit_before(directory: &Path) {
    set_limit(1 << 20);
    let path = directory.join("x.bin");
    let recorder = Recorder::builder()
        .capture(&path)
        .arena_directory(child::private_dir(directory, "arena"))
        .start()
        .expect("the recorder starts");
    (0..500).for_each(call);
    let stopped = recorder.stop().expect("a clean end");
    assert_eq!(stopped.lost.total(), 0);
    let capture = Capture::open(&path);
    assert_all_there(&capture, 500);
    let mut warnings = capture.index.notes.warnings.iter();
    let told = warnings.any(|warning| warning.code == WarningCode::ANONYMOUS_ARENA);
    assert!(told, "a kill would have cost something");
}
