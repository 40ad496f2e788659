//! A stop while threads record: what they attempted is recorded or counted as lost, each record once.
//!
//! The contract: while a recorder is installed, and after it has stopped, each record that a thread attempts is in the
//! capture, or in `Stopped::lost`, or in `perf_probe::losses().after_shutdown`, and in one of them only. The record that
//! a thread was in the midst of is counted when the thread next records or ends, so the threads are joined first.
//!
//! The only test of its process, since the records after a stop are counted for the whole of it.

mod common;

use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use common::{Capture, child};
use perf_probe::{TraceId, events, measure, record_histogram, trace};
use perf_recorder::{Recorder, Stopped};

events! {
    NUMBER: observation("") = "number";
    WORK: span = "work";
}

const THREADS: u64 = 4;
/// Records that each thread attempts before the stop: more than the small rings hold.
const WARM: u64 = 5_000;

/// Threads that the signal holds, wherever in a record it met them.
static HELD: AtomicUsize = AtomicUsize::new(0);
static GO_ON: AtomicBool = AtomicBool::new(false);

extern "C" fn hold(_: libc::c_int) {
    HELD.fetch_add(1, Ordering::SeqCst);
    while !GO_ON.load(Ordering::SeqCst) {
        // SAFETY: no precondition, and allowed in a handler.
        unsafe { libc::usleep(100) };
    }
    HELD.fetch_sub(1, Ordering::SeqCst);
}

/// As a busy machine does it: takes the processor from threads in the midst of a record, until the recorder has stopped.
fn stop_without(threads: &[JoinHandle<u64>], recorder: Recorder) -> Stopped {
    GO_ON.store(false, Ordering::SeqCst);
    for thread in threads {
        // SAFETY: the thread runs until the test lets it end.
        let sent = unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(sent, 0);
    }
    let wait = |held| {
        while HELD.load(Ordering::SeqCst) != held {
            thread::yield_now();
        }
    };
    wait(threads.len());
    let stopped = recorder.stop().expect("a clean end");
    GO_ON.store(true, Ordering::SeqCst);
    wait(0);
    stopped
}

/// What the threads and the test tell each other.
#[derive(Default)]
struct Shared {
    warm: AtomicU64,
    done: AtomicBool,
}

/// What one thread does until it is told to end; returns how many records it attempted.
fn record(kind: u64, shared: &Shared) -> u64 {
    let mut count = 0;
    while !shared.done.load(Ordering::Relaxed) {
        match kind {
            0 => record_histogram(NUMBER, count),
            1 => drop(measure!(WORK)),
            // Of several slots each: a late one is one record all the same.
            2 => trace::annotate_id(
                TraceId::from_raw(7),
                "a key that is long enough for two slots",
                count.cast_signed(),
            ),
            // With pauses, so that a loss may have no record after it.
            _ => {
                record_histogram(NUMBER, count);
                if count % 3_000 == 2_999 {
                    thread::yield_now();
                }
            }
        }
        count += 1;
        if count == WARM {
            shared.warm.fetch_add(1, Ordering::Relaxed);
        }
    }
    count
}

#[test]
fn recorded_and_lost_are_all_that_was_attempted() {
    // SAFETY: the handler does what handlers may.
    unsafe { libc::signal(libc::SIGUSR1, hold as *const () as libc::sighandler_t) };
    let directory = child::memory_dir();
    let mut lost = 0;
    for round in 0..child::repeats(200) {
        let path = directory.path().join(format!("{round}.bin"));
        // Mostly so small that they are full at the stop.
        let ring_bytes = if round % 4 == 3 { 16 << 20 } else { 16 << 10 };
        let before = perf_probe::losses().after_shutdown;
        let recorder = Recorder::builder()
            .capture(&path)
            .ring_bytes(ring_bytes)
            .max_ring_bytes(ring_bytes)
            .start()
            .expect("the recorder starts");
        let shared = Arc::new(Shared::default());
        let threads: Vec<_> = (0..THREADS)
            .map(|kind| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || record(kind, &shared))
            })
            .collect();
        // Each has its ring by then, and takes no lock any more.
        while shared.warm.load(Ordering::Relaxed) < THREADS {
            thread::yield_now();
        }
        let stopped = if round % 2 == 0 {
            stop_without(&threads, recorder)
        } else {
            recorder.stop().expect("a clean end")
        };
        shared.done.store(true, Ordering::Relaxed);
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread"));
        let attempted: u64 = joined.sum();
        let after = perf_probe::losses().after_shutdown - before;
        assert_eq!(
            stopped.records + stopped.lost.total() + after,
            attempted,
            "round {round}: {} recorded, lost {}, {after} after the stop",
            stopped.records,
            stopped.lost
        );
        let capture = Capture::open(&path);
        assert_eq!(
            (capture.records(), capture.lost),
            (stopped.records, stopped.lost.total()),
            "round {round}"
        );
        lost += stopped.lost.total();
        std::fs::remove_file(&path).expect("removed");
    }
    assert!(lost > 0, "no ring was ever full");
}
