//! Signal handlers that record, in a storm of timer signals: nothing is torn, and every record is kept or counted.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::Recording;
use perf_probe::{
    LossCause, TraceId, events, install, losses, measure, record_counter, record_gauge, scope,
    trace,
};

events! {
    IN_THREAD: span = "IN_THREAD";
    THREADS_VALUE: gauge = "THREADS_VALUE";
    IN_HANDLER: span = "IN_HANDLER";
    HANDLERS_VALUE: counter = "HANDLERS_VALUE";
}

static SIGNALS: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: libc::c_int) {
    let number = SIGNALS.fetch_add(1, Ordering::Relaxed) + 1;
    let _trace = trace::enter(TraceId::from_raw(number));
    let _span = measure!(IN_HANDLER);
    record_counter(HANDLERS_VALUE, number.cast_signed());
}

fn start_timer(every: Duration) {
    let interval = libc::timeval {
        tv_sec: 0,
        tv_usec: i64::from(every.subsec_micros()),
    };
    let timer = libc::itimerval {
        it_interval: interval,
        it_value: interval,
    };
    // SAFETY: `timer` is valid, and no old value is asked for.
    let status =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    assert_eq!(status, 0);
}

/// Blocks the timer's signal in this thread, and in those that it starts.
fn block_signal() {
    change_mask(libc::SIG_BLOCK);
}

fn unblock_signal() {
    change_mask(libc::SIG_UNBLOCK);
}

fn change_mask(how: libc::c_int) {
    // SAFETY: the set is initialised before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGALRM);
        libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut());
    }
}

/// The timer's signals go to the main thread, so there is no test harness, which would keep that for itself. Threads that
/// have not recorded yet block them.
fn main() {
    let recording = Recording::new();
    let _installed = install(recording.handle().clone()).expect("the first");
    // A thread and its events record once before a handler may: the first time takes a lock and memory.
    record_counter(HANDLERS_VALUE, 0);
    drop(measure!(IN_HANDLER));
    block_signal();
    let action = libc::sigaction {
        sa_sigaction: handler as *const () as libc::sighandler_t,
        // SAFETY: an empty set of signals is all zeros.
        sa_mask: unsafe { std::mem::zeroed() },
        sa_flags: libc::SA_RESTART,
        sa_restorer: None,
    };
    // SAFETY: the handler only records and counts.
    let status = unsafe { libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()) };
    assert_eq!(status, 0);

    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut tally = Tally::default();
    let attempted = std::thread::scope(|threads| {
        let collector = threads.spawn(|| {
            let mut tally = Tally::default();
            while !stop.load(Ordering::Relaxed) {
                tally.take(&recording);
            }
            tally
        });
        // Scopes that come and go have every thread look anew at whom it records for, also in the midst of a record.
        let scopes = threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                scope(recording.handle(), || ());
                std::thread::sleep(Duration::from_micros(30));
            }
        });
        unblock_signal();
        start_timer(Duration::from_micros(20));
        let mut attempted = 0_u64;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(2) {
            for _ in 0..100 {
                attempted += 1;
                let _trace = trace::enter(TraceId::from_raw(1 << 63 | attempted));
                let _span = measure!(IN_THREAD);
                record_gauge(THREADS_VALUE, attempted.cast_signed());
            }
        }
        start_timer(Duration::ZERO);
        stop.store(true, Ordering::Relaxed);
        tally = collector.join().expect("the collector ends");
        scopes.join().expect("the scopes end");
        attempted
    });
    tally.take(&recording);

    let signals = SIGNALS.load(Ordering::Relaxed);
    assert!(signals > 1_000, "{signals} signals");
    assert_eq!(tally.torn, 0);
    // The two of the beginning; each signal makes a span and a value.
    let from_handlers = 2 + 2 * signals;
    assert_eq!(
        tally.kept + recording.lost() + losses().nested,
        2 * attempted + from_handlers
    );
    assert_eq!(
        recording.lost_to(LossCause::RingFull),
        recording.lost() - recording.lost_to(LossCause::NestedSignal)
    );
    assert_eq!(recording.open_spans(), []);
    println!(
        "{signals} signals, {} nested, {} kept",
        recording.lost_to(LossCause::NestedSignal),
        tally.kept
    );
}

#[derive(Default)]
struct Tally {
    kept: u64,
    /// Records whose words are of two different ones.
    torn: u64,
}

impl Tally {
    fn take(&mut self, recording: &Recording) {
        let (spans, values) = recording.take();
        for value in values {
            self.kept += 1;
            let whole = match value.event.as_str() {
                // Handlers count from 1, the thread from 1 with the top bit set in the trace.
                "HANDLERS_VALUE" => value.trace == value.value,
                "THREADS_VALUE" => value.trace == 1 << 63 | value.value,
                _ => false,
            };
            self.torn += u64::from(!whole);
        }
        for span in spans {
            self.kept += 1;
            let whole = match span.event.as_str() {
                "IN_HANDLER" => span.trace >> 63 == 0,
                "IN_THREAD" => span.trace >> 63 == 1,
                _ => false,
            };
            self.torn += u64::from(!whole || span.start > span.end);
        }
    }
}
