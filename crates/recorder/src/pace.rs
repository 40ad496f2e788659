//! How long the drainer sleeps between two rounds.

use std::time::Duration;

use crate::drainer::Round;

/// The first sleep.
const FIRST: Duration = Duration::from_millis(1);
/// The longest sleep while records come. In so long one thread that suddenly records at full speed does not quite fill what
/// its ring can grow to at once.
const LONGEST: Duration = Duration::from_millis(4);
/// Where so long a sleep, or a longer one, leaves the fullest ring this little full, it does: on a virtual machine every waking
/// takes 50 µs of a processor, and 250 of them a second are more than all that a program of ten thousand records a second pays
/// besides. A ring that is mostly free meets a thread that suddenly records ten times as much.
const LIGHT_FULL: f64 = 0.1;
/// Threads that begin between two rounds, above which no sleep is that long: each that ends leaves its ring to the drainer, and
/// a program that starts a thread for each request would fill the memory with them.
const MANY_NEW: u64 = 4;
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

/// Sleeps after which the fullest ring is as full as it shall be.
pub(crate) struct Pace {
    sleep: Duration,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { sleep: FIRST }
    }

    /// The sleep after a round.
    pub(crate) fn after(&mut self, round: &Round) -> Duration {
        let before = self.sleep.max(SHORTEST);
        let fullest = round.fullest;
        self.sleep = if round.slots == 0 {
            before.mul_f64(LONGER).clamp(FIRST, IDLE)
        } else {
            let change = (WANTED_FULL / fullest).clamp(SHORTER, LONGER);
            let busy = before.min(LONGEST).mul_f64(change).min(LONGEST);
            // A ring that is fuller may have filled up in any part of the sleep.
            let light = if fullest < WANTED_FULL && round.new_rings <= MANY_NEW {
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

    impl Pace {
        fn took(&mut self, slots: u64, fullest: f64) -> Duration {
            self.after(&Round {
                slots,
                fullest,
                ..Round::default()
            })
        }
    }

    /// The sleeps at a load that fills so much of a ring in a millisecond.
    fn settled(pace: &mut Pace, fills_a_ms: f64) -> Duration {
        let mut sleep = FIRST;
        for _ in 0..200 {
            let fullest = (fills_a_ms * sleep.as_secs_f64() * 1e3).min(1.0);
            sleep = pace.took(100, fullest);
        }
        sleep
    }

    #[test]
    fn idle_rounds_become_rare_and_work_wakes_them() {
        let mut pace = Pace::new();
        let idle = (0..100).map(|_| pace.took(0, 0.0)).last();
        assert_eq!(idle, Some(IDLE));
        // A trickle, twice as much as that sleep is good for, then a storm.
        assert_eq!(pace.took(1, 0.001), IDLE);
        assert_eq!(pace.took(1_600, 2.0 * LIGHT_FULL), IDLE / 2);
        assert_eq!(pace.took(8_000, 1.0), FIRST);
        assert_eq!(pace.took(0, 0.0), FIRST.mul_f64(LONGER));
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
    fn overload_leaves_no_time_to_sleep_and_ends() {
        let mut pace = Pace::new();
        let busy = (0..10).map(|_| pace.took(8_000, 1.0)).last();
        assert_eq!(busy, Some(Duration::ZERO));
        assert!(pace.took(8_000, 0.2) >= SHORTEST);
        let usual = (0..100).map(|_| pace.took(1_000, 0.24)).last();
        assert_eq!(usual, Some(LONGEST));
        let light = (0..100).map(|_| pace.took(10, 0.001)).last();
        assert_eq!(light, Some(IDLE));
    }

    #[test]
    fn threads_that_come_and_go_are_not_waited_for() {
        let mut pace = Pace::new();
        let round = |new_rings| Round {
            slots: 60,
            fullest: 0.001,
            new_rings,
            ..Round::default()
        };
        let few = (0..100).map(|_| pace.after(&round(MANY_NEW))).last();
        assert_eq!(few, Some(IDLE));
        assert_eq!(pace.after(&round(MANY_NEW + 1)), LONGEST);
    }
}
