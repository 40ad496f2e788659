//! A clock that a test turns by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Ticks;

/// How many fake clocks exist: while one does, every reading must ask whose it is.
static FAKES: AtomicUsize = AtomicUsize::new(0);

pub(super) fn any() -> bool {
    FAKES.load(Ordering::Relaxed) > 0
}

/// A clock that stands until it is turned. Give it to [`Handle::with_clock`](crate::Handle::with_clock): threads
/// that record through the handle read it instead of the machine's clock. Clones show the same time.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Hands>);

#[derive(Debug)]
struct Hands(AtomicU64);

impl FakeClock {
    /// A clock that shows `start`. A span that starts at tick 0 could not be told from a free slot, so 0 shows as 1.
    pub fn new(start: Ticks) -> Self {
        FAKES.fetch_add(1, Ordering::Relaxed);
        super::prepare();
        Self(Arc::new(Hands(AtomicU64::new(start.0))))
    }

    /// What it shows.
    pub fn now(&self) -> Ticks {
        Ticks(self.0.0.load(Ordering::Relaxed).max(1))
    }

    /// Turns it to `ticks`, backwards too.
    pub fn set(&self, ticks: Ticks) {
        self.0.0.store(ticks.0, Ordering::Relaxed);
    }

    /// Turns it on by `ticks`.
    pub fn advance(&self, ticks: u64) {
        self.0.0.fetch_add(ticks, Ordering::Relaxed);
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        FAKES.fetch_sub(1, Ordering::Relaxed);
        super::prepare();
    }
}
