//! How long the drainer sleeps between two rounds.

use std::time::Duration;

/// The sleep while the rings fill at an ordinary pace.
const BUSY: Duration = Duration::from_millis(1);
/// The sleep while they hardly fill. In so long one thread at full speed does not quite fill what its ring can grow to.
const QUIET: Duration = Duration::from_millis(4);
/// The sleep while nothing is recorded. Twenty rounds a second stay below a thousandth of a core, also on a virtual machine
/// that takes 20 µs to wake a thread.
const IDLE: Duration = Duration::from_millis(50);
/// A shorter sleep than this is not worth its two switches.
const SHORTEST: Duration = Duration::from_micros(100);
/// How full the fullest ring may be when the drainer comes.
const WANTED_FULL: f64 = 0.4;
/// A ring that is no fuller than this hardly fills.
const QUIET_FULL: f64 = 0.05;

/// Short sleeps while records come, longer ones while few or none do.
pub(crate) struct Pace {
    sleep: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { sleep: BUSY }
    }

    /// The sleep after a round that took `records` out of the rings, of which the fullest was `fullest` (0 to 1) full.
    pub(crate) fn after(&mut self, records: u64, fullest: f64) -> Duration {
        let longer = (self.sleep * 5 / 4).max(SHORTEST);
        self.sleep = if records == 0 {
            longer.clamp(BUSY, IDLE)
        } else if fullest <= QUIET_FULL {
            longer.min(QUIET)
        } else if fullest <= WANTED_FULL {
            longer.min(BUSY)
        } else {
            let shorter = self.sleep.min(BUSY).mul_f64(WANTED_FULL / fullest);
            if shorter < SHORTEST {
                Duration::ZERO
            } else {
                shorter
            }
        };
        self.sleep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_rounds_become_rare_and_work_wakes_them() {
        let mut pace = Pace::new();
        let idle = (0..100).map(|_| pace.after(0, 0.0)).last();
        assert_eq!(idle, Some(IDLE));
        assert_eq!(pace.after(1, 0.001), QUIET);
        assert_eq!(pace.after(900, 0.1), BUSY);
        assert_eq!(pace.after(0, 0.0), BUSY * 5 / 4);
        let quiet = (0..100).map(|_| pace.after(10, 0.01)).last();
        assert_eq!(quiet, Some(QUIET));
    }

    #[test]
    fn full_rings_shorten_the_sleep_and_empty_ones_restore_it() {
        let mut pace = Pace::new();
        assert_eq!(pace.after(8_000, 0.8), BUSY / 2);
        assert_eq!(pace.after(8_000, 0.8), BUSY / 4);
        assert_eq!(pace.after(8_000, 1.0), SHORTEST);
        assert_eq!(pace.after(8_000, 1.0), Duration::ZERO);
        assert_eq!(pace.after(8_000, 0.2), SHORTEST);
        let usual = (0..100).map(|_| pace.after(100, 0.2)).last();
        assert_eq!(usual, Some(BUSY));
    }
}
