//! Records that were lost where no ring could count them.

use std::sync::atomic::{AtomicU64, Ordering};

use perf_arena::{LossCause, process_loss};

use crate::registry;

/// What this process has lost, beyond what its captures say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Losses {
    /// Records after the recorder was stopped, in destructors of threads and at exit.
    pub after_shutdown: u64,
    /// Records in signal handlers that interrupted the first record of a thread or of an event. Those that interrupt a
    /// later one are counted in the capture.
    pub nested: u64,
    /// Events that could not have an id of their own: their records are those of the overflow event.
    pub events_refused: u64,
}

/// What this process has lost so far, beyond what its captures say.
pub fn losses() -> Losses {
    let stopped: u64 = STOPPED
        .iter()
        .map(|shard| shard.0.load(Ordering::Relaxed))
        .sum();
    Losses {
        after_shutdown: stopped + process_loss(LossCause::AfterShutdown),
        nested: process_loss(LossCause::NestedSignal),
        events_refused: registry::refused(),
    }
}

/// A counter in a cache line of its own.
#[repr(align(128))]
struct Shard(AtomicU64);

/// A program may go on for long after its recorder has stopped: its threads must not fight over one counter.
static STOPPED: [Shard; 16] = [const { Shard(AtomicU64::new(0)) }; 16];

/// Counts a record that came after its recorder had stopped.
pub(crate) fn count_stopped() {
    thread_local!(static SHARD: u8 = const { 0 });
    // Threads have their local storage in places of their own, at least a page apart.
    let place = SHARD.with(|shard| (&raw const *shard).addr() >> 12);
    let mixed = crate::trace::fmix64(place as u64) as usize;
    STOPPED[mixed % STOPPED.len()]
        .0
        .fetch_add(1, Ordering::Relaxed);
}

/// Counts a record of a signal handler that interrupted the cold path, where the thread's ring may be half exchanged.
pub(crate) fn count_nested() {
    perf_arena::count_process_loss(LossCause::NestedSignal, 1);
}
