//! Numbers that no two traces share.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{clock, fork};

/// Ids that a thread takes at a time, so that threads do not fight over the counter.
const BLOCK: u64 = 1024;

/// Where this process begins; 0 = not drawn yet.
static SEED: AtomicU64 = AtomicU64::new(0);
/// How many numbers have been given to threads.
static GIVEN: AtomicU64 = AtomicU64::new(0);

/// A thread's numbers: the first, and the one after the last.
pub(crate) fn block() -> (u64, u64) {
    let first = seed().wrapping_add(GIVEN.fetch_add(BLOCK, Ordering::Relaxed));
    (first, first.wrapping_add(BLOCK))
}

fn seed() -> u64 {
    let drawn = SEED.load(Ordering::Relaxed);
    if drawn != 0 {
        return drawn;
    }
    // A child must draw one of its own.
    fork::hook();
    let fresh = draw();
    match SEED.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => fresh,
        Err(earlier) => earlier,
    }
}

fn draw() -> u64 {
    let mut seed = 0_u64;
    // SAFETY: the pointer and the length are those of `seed`.
    let got = unsafe {
        libc::getrandom(
            (&raw mut seed).cast(),
            size_of::<u64>(),
            libc::GRND_NONBLOCK,
        )
    };
    if got != size_of::<u64>() as isize {
        // Early at boot the kernel has no entropy yet. The time and the process tell ids apart well enough.
        let anchor = clock::anchor();
        let process = u64::from(std::process::id()) << 40;
        seed = super::fmix64(anchor.realtime_ns ^ process) ^ super::fmix64(anchor.ticks.0);
    }
    seed.max(1)
}

/// In the child, within `fork`.
pub(crate) fn forget_parent() {
    SEED.store(0, Ordering::Relaxed);
}
