//! What goes wrong in real systems now and then: a pause like a garbage collector's, a lock held for too long, a burst
//! of allocation. All three do real work; none of them only sleeps.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::thread;
use std::time::{Duration, Instant};

use perf_probe::{measure, record_histogram};

use crate::events::{GC_PAUSE, RISK_REPORT};
use crate::market::{Points, Rng};

/// What the stages share: a heap that a collection closes for everybody, and the position book.
#[derive(Default)]
pub(crate) struct Shared {
    heap: RwLock<()>,
    pub(crate) positions: Mutex<HashMap<&'static str, Position>>,
    stopped: AtomicBool,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Position {
    pub(crate) quantity: i64,
    pub(crate) cost: Points,
}

impl Shared {
    /// The right to touch the heap; waits while a collection runs.
    pub(crate) fn mutate(&self) -> RwLockReadGuard<'_, ()> {
        self.heap.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Sleeps in short steps; false once the pipeline stops.
    fn rest(&self, whole: Duration) -> bool {
        let until = Instant::now() + whole;
        while !self.stopped.load(Ordering::Relaxed) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(20)));
        }
        false
    }

    /// Every second or so, a collection: everybody waits while it marks and sweeps a graph of its own.
    pub(crate) fn collect_garbage(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut graph: Vec<u32> = (0..1u32 << 20).map(|_| rng.below(1 << 20) as u32).collect();
        while self.rest(Duration::from_millis(600 + rng.below(900))) {
            let steps = 40_000 + rng.below(400_000);
            let closed = self.heap.write().unwrap_or_else(PoisonError::into_inner);
            let start = Instant::now();
            let mut at = rng.below(1 << 20) as usize;
            for _ in 0..steps {
                let next = graph[at] as usize;
                graph[at] = graph[at].rotate_left(1) & ((1 << 20) - 1);
                at = next;
            }
            black_box(&graph);
            record_histogram(GC_PAUSE, start.elapsed().as_nanos() as u64);
            drop(closed);
        }
    }

    /// Every few seconds, a report that walks the book while it holds its lock: orders that fill meanwhile wait.
    pub(crate) fn report_risk(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        while self.rest(Duration::from_millis(1_500 + rng.below(2_000))) {
            let _span = measure!(RISK_REPORT);
            let book = self
                .positions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Value at risk by simulation: a few thousand walks of each position.
            let mut worst = 0.0_f64;
            for position in book.values() {
                for _ in 0..8_000 {
                    worst = worst.min(rng.normal() * position.cost as f64);
                }
            }
            black_box(worst);
        }
    }
}

/// A burst of allocation: some megabytes in many small pieces.
pub(crate) fn allocation_burst() {
    let pieces: Vec<Vec<u8>> = (0..20_000usize)
        .map(|size| vec![1; 64 + size % 512])
        .collect();
    black_box(pieces);
}
