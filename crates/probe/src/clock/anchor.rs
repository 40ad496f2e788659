//! One instant on three clocks.

use super::{Ticks, now_of, os, status};

/// One instant, as three clocks show it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Anchor {
    /// The clock of the records.
    pub ticks: Ticks,
    /// `CLOCK_MONOTONIC_RAW`, nanoseconds.
    pub monotonic_raw_ns: u64,
    /// `CLOCK_REALTIME`, nanoseconds since 1970.
    pub realtime_ns: u64,
    /// The kernel's clocks were read within this time; the true offset lies inside. Nanoseconds.
    pub uncertainty_ns: u64,
}

/// How often the three clocks are read; the closest reading is kept.
const ATTEMPTS: usize = 16;

/// Reads the three clocks as closely together as the machine lets us. About 2 µs.
///
/// The two kernel clocks are read between two readings of the ticks; the middle of these is the anchor's tick.
pub fn anchor() -> Anchor {
    let source = status().source;
    let mut best = Anchor {
        ticks: Ticks(0),
        monotonic_raw_ns: 0,
        realtime_ns: 0,
        uncertainty_ns: u64::MAX,
    };
    for _ in 0..ATTEMPTS {
        let raw_before = os::nanos(libc::CLOCK_MONOTONIC_RAW);
        let before = now_of(source).0;
        let realtime_ns = os::nanos(libc::CLOCK_REALTIME);
        let after = now_of(source).0;
        let raw_after = os::nanos(libc::CLOCK_MONOTONIC_RAW);
        let uncertainty_ns = raw_after.saturating_sub(raw_before);
        if uncertainty_ns < best.uncertainty_ns {
            best = Anchor {
                ticks: Ticks(before + after.saturating_sub(before) / 2),
                monotonic_raw_ns: raw_before + uncertainty_ns / 2,
                realtime_ns,
                uncertainty_ns,
            };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_bound_the_time_between_them() {
        let first = anchor();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let second = anchor();
        assert!(second.ticks > first.ticks);
        let raw_ns = second.monotonic_raw_ns - first.monotonic_raw_ns;
        assert!(raw_ns >= 4_900_000, "{raw_ns} ns");
        assert!(first.uncertainty_ns < 1_000_000_000);
        assert!(first.realtime_ns > 1_577_836_800_000_000_000, "after 2020");
    }
}
