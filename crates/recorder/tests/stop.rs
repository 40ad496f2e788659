//! A stop while threads record: what they attempted is recorded or counted as lost, each record once.
//!
//! The only test of its process, since the records after a stop are counted for the whole of it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use perf_probe::{events, record_histogram};
use perf_recorder::{Recorder, Stopped};

events! {
    NUMBER: observation("") = "number";
}

const THREADS: usize = 4;
const ROUNDS: usize = 20;

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
fn stop_without(threads: &[libc::pthread_t], recorder: Recorder) -> Stopped {
    GO_ON.store(false, Ordering::SeqCst);
    for thread in threads {
        // SAFETY: the thread runs until the test lets it end.
        assert_eq!(unsafe { libc::pthread_kill(*thread, libc::SIGUSR1) }, 0);
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

#[test]
fn recorded_and_lost_are_all_that_was_attempted() {
    // SAFETY: the handler does what handlers may.
    unsafe { libc::signal(libc::SIGUSR1, hold as *const () as libc::sighandler_t) };
    let directory = tempfile::tempdir().expect("a temporary directory");
    for round in 0..ROUNDS {
        let before = perf_probe::losses().after_shutdown;
        let recorder = Recorder::builder().capture(directory.path().join(format!("{round}.bin")));
        // Room for all: what a full ring loses in the very moment of the end is another matter.
        let recorder = recorder.ring_bytes(16 << 20).max_ring_bytes(16 << 20);
        let recorder = recorder.start().expect("the recorder starts");
        let (attempted, done) = (AtomicU64::new(0), AtomicBool::new(false));
        let (threads, warm) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
        let stopped = thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    // SAFETY: no precondition.
                    let this = unsafe { libc::pthread_self() };
                    threads.lock().expect("nobody panics").push(this);
                    let mut count = 0;
                    while !done.load(Ordering::Relaxed) {
                        record_histogram(NUMBER, count);
                        count += 1;
                        (0..100).for_each(|_| std::hint::spin_loop());
                        if count == 10_000 {
                            warm.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    attempted.fetch_add(count, Ordering::Relaxed);
                });
            }
            // Each has its ring by then, and takes no lock any more.
            while warm.load(Ordering::Relaxed) < THREADS {
                thread::sleep(Duration::from_millis(1));
            }
            let threads = threads.lock().expect("nobody panics").clone();
            assert_eq!(threads.len(), THREADS);
            let stopped = stop_without(&threads, recorder);
            done.store(true, Ordering::Relaxed);
            stopped
        });
        let after = perf_probe::losses().after_shutdown - before;
        assert_eq!(
            stopped.records + stopped.lost.total() + after,
            attempted.into_inner(),
            "round {round}: {} recorded, lost {}, {after} after the stop",
            stopped.records,
            stopped.lost
        );
    }
}
