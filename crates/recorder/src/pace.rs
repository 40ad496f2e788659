//! How long the drainer sleeps between two rounds.

use std::time::Duration;

/// The sleep after a round that found much.
const SHORTEST: Duration = Duration::from_millis(1);
/// The sleep of an idle program. A hundred rounds a second, at some microseconds each, stay below a thousandth of a core.
const LONGEST: Duration = Duration::from_millis(10);

/// Short sleeps while records come, longer ones while none do.
pub(crate) struct Pace {
    sleep: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { sleep: SHORTEST }
    }

    /// The sleep after a round that took `records` out of the rings, of which the fullest held
    /// `fullest` (0 to 1) of what it can.
    pub(crate) fn after(&mut self, records: u64, fullest: f64) -> Duration {
        self.sleep = if fullest > 0.25 {
            // A ring that fills a quarter in one round could be full in the next but two.
            Duration::ZERO
        } else if records > 0 {
            SHORTEST
        } else {
            (self.sleep * 5 / 4).clamp(SHORTEST, LONGEST)
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
        assert_eq!(idle, Some(LONGEST));
        assert_eq!(pace.after(1, 0.0), SHORTEST);
        assert_eq!(pace.after(8_000, 0.9), Duration::ZERO);
        assert_eq!(pace.after(0, 0.0), SHORTEST);
    }
}
