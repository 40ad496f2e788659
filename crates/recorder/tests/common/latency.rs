//! What recording costs the thread that records, call by call, while something goes wrong elsewhere.
//!
//! The machine may be busy, and stops threads, or all of the process, now and then. So the calls of a stretch in which all is
//! well are what those of the faulty stretch are held against; and a thread that never records says how long the machine
//! kept a thread waiting for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// By how much a call may be longer than the machine's own longest stop. The faults take a second and more.
const ALLOWED: Duration = Duration::from_millis(250);
/// Calls between two rests: fewer a second than any ring or drainer minds.
const CALLS_AT_ONCE: u64 = 32;
const REST: Duration = Duration::from_millis(1);

/// The times of all calls of a stretch, the shortest first.
pub(crate) struct Stretch {
    took: Vec<Duration>,
    /// How long the machine kept a thread waiting meanwhile, at most.
    stopped: Duration,
}

impl Stretch {
    fn at(&self, share: f64) -> Duration {
        self.took[(self.took.len() as f64 * share) as usize]
    }

    fn worst(&self) -> Duration {
        self.took[self.took.len() - 1]
    }

    /// The recording thread noticed nothing of the fault.
    pub(crate) fn assert_unmoved_from(&self, healthy: &Stretch) {
        let told = format!(
            "median {:?} and {:?}, p99 {:?} and {:?}, worst {:?} and {:?}, machine {:?}",
            healthy.at(0.5),
            self.at(0.5),
            healthy.at(0.99),
            self.at(0.99),
            healthy.worst(),
            self.worst(),
            self.stopped
        );
        println!("{told}");
        assert!(self.took.len() > 500, "{} calls", self.took.len());
        let few = Duration::from_micros(2);
        assert!(self.at(0.5) <= 4 * healthy.at(0.5) + few, "{told}");
        let some = Duration::from_micros(200);
        assert!(self.at(0.99) <= 10 * healthy.at(0.99) + some, "{told}");
        assert!(self.worst() <= self.stopped + ALLOWED, "{told}");
    }
}

/// Records, and times its own calls.
pub(crate) struct Caller<F> {
    record: F,
    /// How many calls there were.
    pub(crate) calls: u64,
}

impl<F: FnMut(u64)> Caller<F> {
    /// `record` is one call, which is given its number.
    pub(crate) fn new(record: F) -> Self {
        Self { record, calls: 0 }
    }

    /// Calls for as long.
    pub(crate) fn for_time(&mut self, length: Duration) -> Stretch {
        let until = Instant::now() + length;
        self.while_it(|| Instant::now() < until)
    }

    /// Calls until what is waited for has come.
    pub(crate) fn until(&mut self, mut is_over: impl FnMut() -> bool) -> Stretch {
        let deadline = Instant::now() + Duration::from_secs(120);
        self.while_it(|| {
            assert!(Instant::now() < deadline, "the fault does not come or go");
            !is_over()
        })
    }

    fn while_it(&mut self, mut lasts: impl FnMut() -> bool) -> Stretch {
        let canary = Canary::start();
        let mut took = Vec::new();
        while lasts() {
            for _ in 0..CALLS_AT_ONCE {
                let begin = Instant::now();
                (self.record)(self.calls);
                took.push(begin.elapsed());
                self.calls += 1;
            }
            thread::sleep(REST);
        }
        took.sort_unstable();
        let stopped = canary.stop();
        Stretch { took, stopped }
    }
}

/// A thread that only sleeps, and knows how late it was woken.
struct Canary {
    is_over: Arc<AtomicBool>,
    worst_ns: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Canary {
    fn start() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let worst_ns = Arc::new(AtomicU64::new(0));
        let (over, worst) = (Arc::clone(&is_over), Arc::clone(&worst_ns));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                thread::sleep(REST);
                let late = begin.elapsed().saturating_sub(REST);
                worst.fetch_max(late.as_nanos() as u64, Ordering::Relaxed);
            }
        });
        Self {
            is_over,
            worst_ns,
            thread,
        }
    }

    fn stop(self) -> Duration {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the canary lives");
        Duration::from_nanos(self.worst_ns.load(Ordering::Relaxed))
    }
}
