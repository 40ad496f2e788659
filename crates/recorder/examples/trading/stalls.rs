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

    /// Every second or so, a collection: everybody waits while it marks and sweeps a heap of its own.
    pub(crate) fn collect_garbage(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut heap = Heap::new(&mut rng);
        while self.rest(Duration::from_millis(600 + rng.below(900))) {
            // Small collections are common, whole ones rare.
            let objects = if rng.below(8) == 0 {
                OBJECTS
            } else {
                OBJECTS / 64
            };
            let closed = self.heap.write().unwrap_or_else(PoisonError::into_inner);
            let start = Instant::now();
            black_box(heap.collect(objects, &mut rng));
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

/// Objects of the collected heap.
const OBJECTS: usize = 1 << 19;

/// A heap to collect: each object refers to two others.
struct Heap {
    references: Vec<[u32; 2]>,
    marks: Vec<bool>,
    stack: Vec<u32>,
}

impl Heap {
    fn new(rng: &mut Rng) -> Self {
        let mut any = || rng.below(OBJECTS as u64) as u32;
        let references = (0..OBJECTS).map(|_| [any(), any()]).collect();
        Self {
            references,
            marks: vec![false; OBJECTS],
            stack: Vec::new(),
        }
    }

    /// Marks what the first object reaches among the first `objects`, and fills the places of the others anew. Returns how many.
    fn collect(&mut self, objects: usize, rng: &mut Rng) -> usize {
        self.marks[..objects].fill(false);
        self.stack.push(0);
        while let Some(object) = self.stack.pop() {
            if std::mem::replace(&mut self.marks[object as usize], true) {
                continue;
            }
            let references = self.references[object as usize];
            self.stack
                .extend(references.into_iter().map(|other| other % objects as u32));
        }
        let mut swept = 0;
        for (references, _) in self.references[..objects]
            .iter_mut()
            .zip(&self.marks)
            .filter(|(_, marked)| !**marked)
        {
            *references = [
                rng.below(objects as u64) as u32,
                rng.below(OBJECTS as u64) as u32,
            ];
            swept += 1;
        }
        swept
    }
}
