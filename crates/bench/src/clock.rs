//! The time-stamp counter, read bare.

use std::time::{Duration, Instant};

/// Reads the counter.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    // SAFETY: reads the time-stamp counter; every x86-64 has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Reads the clock, where no counter is known.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    use std::sync::LazyLock;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

/// How long a tick lasts, measured over a twentieth of a second.
pub(crate) fn ns_per_tick() -> f64 {
    let (first, start) = (ticks(), Instant::now());
    std::thread::sleep(Duration::from_millis(50));
    start.elapsed().as_nanos() as f64 / (ticks() - first) as f64
}
