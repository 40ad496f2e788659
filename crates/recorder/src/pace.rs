//! How long the drainer sleeps between two rounds.

use std::time::Duration;

/// The first sleep.
const FIRST: Duration = Duration::from_millis(1);
/// The longest sleep while records come. In so long one thread that suddenly records at full speed does not quite fill what
/// its ring can grow to at once.
const LONGEST: Duration = Duration::from_millis(4);
/// Where so long a sleep, or a longer one, leaves the fullest ring this little full, it does: on a virtual machine every waking
/// takes 50 µs of a processor, and 250 of them a second are more than all that a program of ten thousand records a second pays
/// besides. A ring that is mostly free meets a thread that suddenly records ten times as much.
const LIGHT_FULL: f64 = 0.1;
/// The sleep while nothing is recorded. Thirteen rounds a second stay below a thousandth of a core, also on a virtual
/// machine on which waking a thread takes 60 µs of its time.
const IDLE: Duration = Duration::from_millis(75);
/// A shorter sleep than this is not worth its two switches.
const SHORTEST: Duration = Duration::from_micros(100);
/// How full the fullest ring shall be when the drainer comes: seldom enough that a round has something to do, and early
/// enough that it may come four times as late.
const WANTED_FULL: f64 = 0.25;
/// By how much one sleep is longer than the one before, at most; and shorter, at least.
const LONGER: f64 = 1.25;
const SHORTER: f64 = 0.25;

/// So many threads that are new in a round count as a full ring: those that end meanwhile leave their rings, of 256 KiB each, to
/// the drainer.
const NEW_THREADS_FULL: f64 = 160.0;

/// How full the fullest ring was, or, where that is more, how much room the rings of new threads took.
pub(crate) fn pressure(fullest: f64, new_threads: usize) -> f64 {
    fullest.max((new_threads as f64 / NEW_THREADS_FULL).min(1.0))
}

/// Sleeps after which the fullest ring is as full as it shall be.
pub(crate) struct Pace {
    sleep: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { sleep: FIRST }
    }

    /// The sleep after a round that took `records` out of the rings, of which the fullest was `fullest` (0 to 1) full.
    pub(crate) fn after(&mut self, records: u64, fullest: f64) -> Duration {
        let before = self.sleep.max(SHORTEST);
        self.sleep = if records == 0 {
            before.mul_f64(LONGER).clamp(FIRST, IDLE)
        } else {
            let change = (WANTED_FULL / fullest).clamp(SHORTER, LONGER);
            let busy = before.min(LONGEST).mul_f64(change).min(LONGEST);
            // A ring that is fuller may have filled up in any part of the sleep.
            let light = if fullest < WANTED_FULL {
                before.mul_f64((LIGHT_FULL / fullest).min(LONGER)).min(IDLE)
            } else {
                Duration::ZERO
            };
            let sleep = busy.max(light);
            if sleep < SHORTEST {
                Duration::ZERO
            } else {
                sleep
            }
        };
        self.sleep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sleeps at a load that fills so much of a ring in a millisecond.
    fn settled(pace: &mut Pace, fills_a_ms: f64) -> Duration {
        let mut sleep = FIRST;
        for _ in 0..200 {
            let fullest = (fills_a_ms * sleep.as_secs_f64() * 1e3).min(1.0);
            sleep = pace.after(100, fullest);
        }
        sleep
    }

    #[test]
    fn idle_rounds_become_rare_and_work_wakes_them() {
        let mut pace = Pace::new();
        let idle = (0..100).map(|_| pace.after(0, 0.0)).last();
        assert_eq!(idle, Some(IDLE));
        // A trickle, twice as much as that sleep is good for, then a storm.
        assert_eq!(pace.after(1, 0.001), IDLE);
        assert_eq!(pace.after(1_600, 2.0 * LIGHT_FULL), IDLE / 2);
        assert_eq!(pace.after(8_000, 1.0), FIRST);
        assert_eq!(pace.after(0, 0.0), FIRST.mul_f64(LONGER));
    }

    #[test]
    fn the_fullest_ring_is_as_full_as_it_shall_be() {
        let mut pace = Pace::new();
        for (fills_a_ms, expected_ms) in [
            (0.001, 75.0),
            (0.005, 20.0),
            (0.03, 4.0),
            (0.1, 2.5),
            (0.5, 0.5),
        ] {
            let sleep = settled(&mut pace, fills_a_ms).as_secs_f64() * 1e3;
            assert!(
                (sleep - expected_ms).abs() < 0.3 * expected_ms,
                "{sleep} ms at {fills_a_ms} a ms"
            );
        }
    }

    #[test]
    fn threads_that_come_and_go_are_met_before_they_are_many() {
        let mut pace = Pace::new();
        let mut sleep = FIRST;
        // Ten thousand a second, each with hardly a record.
        for _ in 0..200 {
            let new_threads = (10.0 * sleep.as_secs_f64() * 1e3) as usize;
            sleep = pace.after(30, pressure(0.001, new_threads));
        }
        assert!(sleep <= LONGEST, "{sleep:?}");
        // A few cost no waking.
        let few = (0..100).map(|_| pace.after(30, pressure(0.001, 1))).last();
        assert_eq!(few, Some(IDLE));
    }

    #[test]
    fn overload_leaves_no_time_to_sleep_and_ends() {
        let mut pace = Pace::new();
        let busy = (0..10).map(|_| pace.after(8_000, 1.0)).last();
        assert_eq!(busy, Some(Duration::ZERO));
        assert!(pace.after(8_000, 0.2) >= SHORTEST);
        let usual = (0..100).map(|_| pace.after(1_000, 0.24)).last();
        assert_eq!(usual, Some(LONGEST));
        let light = (0..100).map(|_| pace.after(10, 0.001)).last();
        assert_eq!(light, Some(IDLE));
    }
}
