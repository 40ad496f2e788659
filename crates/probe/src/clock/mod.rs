//! The clock of every record: ticks of the time-stamp counter where that can be trusted, else nanoseconds of the
//! kernel's monotonic clock. Why it is the one or the other is a value, which the recorder writes into the capture.

mod anchor;
mod decide;
mod fake;
mod os;

use std::sync::atomic::{AtomicU8, Ordering};

pub use anchor::{Anchor, anchor};
pub use decide::{Reason, Source, Status, recheck, status};
pub use fake::FakeClock;

/// A reading of the clock: a number that only the capture's anchors turn into time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticks(pub u64);

/// Nothing is known yet, or a fake clock is about: ask.
const MODE_ASK: u8 = 0;
/// The hardware counter can be read right here.
const MODE_COUNTER: u8 = 1;

static MODE: AtomicU8 = AtomicU8::new(MODE_ASK);

/// Reads the clock. 8 ns or so with a time-stamp counter, 20 ns without.
#[inline(always)]
pub fn now() -> Ticks {
    if MODE.load(Ordering::Relaxed) == MODE_COUNTER {
        Ticks(os::counter())
    } else {
        ask()
    }
}

/// Reads the clock if that is one instruction.
#[inline(always)]
pub(crate) fn now_if_direct() -> Option<Ticks> {
    (MODE.load(Ordering::Relaxed) == MODE_COUNTER).then(|| Ticks(os::counter()))
}

/// Processor time that the calling thread has used, in ns; 0 where the kernel does not tell. For the recorder's books.
#[doc(hidden)]
pub fn thread_cpu_ns() -> u64 {
    os::nanos(libc::CLOCK_THREAD_CPUTIME_ID)
}

#[cold]
#[inline(never)]
fn ask() -> Ticks {
    if let Some(ticks) = crate::local::fake_ticks() {
        return ticks;
    }
    now_of(status().source)
}

/// Reads the clock of `source`, whatever the process uses.
fn now_of(source: Source) -> Ticks {
    Ticks(match source {
        Source::Tsc | Source::Cntvct => os::counter(),
        Source::MonotonicRaw => os::nanos(libc::CLOCK_MONOTONIC_RAW),
        Source::Monotonic => os::nanos(libc::CLOCK_MONOTONIC),
    })
}

/// Decides on a clock if that was not done yet, and opens the fast way to it. Called before anything is recorded.
pub(crate) fn prepare() {
    let counter = matches!(status().source, Source::Tsc | Source::Cntvct);
    let direct = counter && !fake::any();
    MODE.store(
        if direct { MODE_COUNTER } else { MODE_ASK },
        Ordering::Relaxed,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_goes_forward() {
        for source in [status().source, Source::MonotonicRaw, Source::Monotonic] {
            let first = now_of(source);
            let mut last = first;
            for _ in 0..10_000 {
                let next = now_of(source);
                assert!(next >= last, "{source:?} went from {last:?} to {next:?}");
                last = next;
            }
            assert!(last > first, "{source:?} stands still");
        }
    }
}
