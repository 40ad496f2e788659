//! When the capture's clock is compared with the kernel's, and what follows when the two no longer agree.

use std::time::Duration;

use perf_format::{Anchor, SegmentId};
use perf_probe::clock;

/// The first anchors come early, so that even a short capture has two that lie apart.
const EARLY: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(10),
    Duration::from_millis(100),
];
/// The time between later anchors.
const INTERVAL: Duration = Duration::from_secs(1);
/// How much faster or slower than before a clock may seem to run before it counts as another clock: what the kernel's
/// own slewing may do to a monotonic clock.
const TOLERANCE_PPM: f64 = 500.0;
/// Anchors closer than this tell no rate: their own uncertainty is too large beside it.
const SHORTEST_BASE_NS: u64 = 1_000_000;

/// Keeps the time of the next anchor.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    taken: u32,
}

impl Schedule {
    /// Whether an anchor is due, this long after the start; if so it counts as taken.
    pub(crate) fn take(&mut self, since_start: Duration) -> bool {
        let due = match EARLY.get(self.taken as usize) {
            Some(early) => *early,
            None => INTERVAL * (self.taken - EARLY.len() as u32 + 1),
        };
        if since_start < due {
            return false;
        }
        // A drainer that was held up for seconds takes one anchor, not one for each second.
        let seconds = u32::try_from(since_start.as_secs()).unwrap_or(u32::MAX - 8);
        self.taken = (self.taken + 1).max(if since_start >= INTERVAL {
            EARLY.len() as u32 + seconds
        } else {
            0
        });
        true
    }
}

/// Reads the three clocks, in the form of the capture. The segment is still to be filled in.
pub(crate) fn read() -> Anchor {
    let read = clock::anchor();
    Anchor {
        ticks: read.ticks.0,
        monotonic_raw_ns: i64::try_from(read.monotonic_raw_ns).unwrap_or(i64::MAX),
        realtime_ns: i64::try_from(read.realtime_ns).unwrap_or(i64::MAX),
        uncertainty_ns: read.uncertainty_ns,
        segment: SegmentId(0),
    }
}

/// The rate of the ticks between two anchors, in Hz. `None` when they are too close, or time went backwards.
pub(crate) fn ticks_per_second(first: &Anchor, last: &Anchor) -> Option<f64> {
    let ns = u64::try_from(last.monotonic_raw_ns.checked_sub(first.monotonic_raw_ns)?).ok()?;
    let ticks = last.ticks.checked_sub(first.ticks)?;
    (ns >= SHORTEST_BASE_NS && ticks > 0).then(|| ticks as f64 * 1e9 / ns as f64)
}

/// Sorts anchors into segments: stretches through which one tick rate holds.
#[derive(Debug)]
pub(crate) struct Segments {
    segment: SegmentId,
    first: Anchor,
    last: Anchor,
}

/// The clock changed its rate or jumped.
#[derive(Debug, PartialEq)]
pub(crate) struct Break {
    /// What to tell the reader of the capture.
    pub(crate) message: String,
}

impl Segments {
    /// Starts segment 0 with this anchor.
    pub(crate) fn new(first: Anchor) -> Self {
        let first = Anchor {
            segment: SegmentId(0),
            ..first
        };
        Self {
            segment: SegmentId(0),
            first: first.clone(),
            last: first,
        }
    }

    pub(crate) fn current(&self) -> SegmentId {
        self.segment
    }

    /// The rate of the ticks in the current segment, in Hz, as far as it is known.
    pub(crate) fn rate(&self) -> Option<f64> {
        ticks_per_second(&self.first, &self.last)
    }

    /// Takes the next anchor; gives it its segment. A break starts a new segment, to which the anchor belongs.
    pub(crate) fn place(&mut self, mut anchor: Anchor) -> (Anchor, Option<Break>) {
        let broken = self.broken(&anchor);
        if broken.is_some() {
            self.segment.0 += 1;
        }
        anchor.segment = self.segment;
        if broken.is_some() {
            self.first = anchor.clone();
        }
        self.last = anchor.clone();
        (anchor, broken)
    }

    fn broken(&self, anchor: &Anchor) -> Option<Break> {
        if anchor.ticks < self.last.ticks {
            let back = self.last.ticks - anchor.ticks;
            return Some(Break {
                message: format!("the clock went back by {back} ticks"),
            });
        }
        let rate = ticks_per_second(&self.first, &self.last)?;
        let real_ns = anchor
            .monotonic_raw_ns
            .checked_sub(self.last.monotonic_raw_ns)? as f64;
        let shown_ns = (anchor.ticks - self.last.ticks) as f64 * 1e9 / rate;
        // A rate that rests on a short base is itself known only so well.
        let base_ns = (self.last.monotonic_raw_ns - self.first.monotonic_raw_ns) as f64;
        let doubt_ns = (self.first.uncertainty_ns + self.last.uncertainty_ns) as f64;
        let readings_ns = (self.last.uncertainty_ns + anchor.uncertainty_ns) as f64;
        let allowed_ns = real_ns * (TOLERANCE_PPM / 1e6 + doubt_ns / base_ns) + readings_ns;
        let off_ns = shown_ns - real_ns;
        (off_ns.abs() > allowed_ns).then(|| Break {
            message: format!(
                "the clock showed {:.0} µs while {:.0} µs went by",
                shown_ns / 1e3,
                real_ns / 1e3
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ticks: u64, raw_ns: i64) -> Anchor {
        Anchor {
            ticks,
            monotonic_raw_ns: raw_ns,
            realtime_ns: raw_ns,
            uncertainty_ns: 100,
            segment: SegmentId(0),
        }
    }

    #[test]
    fn the_schedule_starts_densely_and_skips_what_was_missed() {
        let mut schedule = Schedule::default();
        let mut taken = Vec::new();
        for ms in 0..5_000 {
            if schedule.take(Duration::from_millis(ms)) {
                taken.push(ms);
            }
        }
        assert_eq!(taken, [0, 10, 100, 1_000, 2_000, 3_000, 4_000]);
        assert!(schedule.take(Duration::from_millis(60_500)));
        assert!(!schedule.take(Duration::from_millis(60_600)));
        assert!(schedule.take(Duration::from_millis(61_000)));
    }

    #[test]
    fn a_steady_clock_stays_in_one_segment() {
        let mut segments = Segments::new(at(0, 0));
        for second in 1..100u64 {
            // 3 GHz, and 100 ppm of wander.
            let ticks = second * 3_000_000_000 + (second % 2) * 300_000;
            let (anchor, broken) = segments.place(at(ticks, second as i64 * 1_000_000_000));
            assert_eq!(
                (anchor.segment, broken),
                (SegmentId(0), None),
                "at second {second}"
            );
        }
    }

    #[test]
    fn another_rate_a_jump_and_a_step_back_each_start_a_segment() {
        let mut segments = Segments::new(at(0, 0));
        let mut place = |ticks, ns| {
            let (anchor, broken) = segments.place(at(ticks, ns));
            (anchor.segment.0, broken.is_some())
        };
        assert_eq!(place(3_000_000_000, 1_000_000_000), (0, false));
        assert_eq!(
            place(5_000_000_000, 2_000_000_000),
            (1, true),
            "2 GHz instead of 3"
        );
        assert_eq!(
            place(7_000_000_000, 3_000_000_000),
            (1, false),
            "the new rate holds"
        );
        assert_eq!(place(9_010_000_000, 4_000_000_000), (2, true), "5 ms ahead");
        assert_eq!(
            place(1_000, 5_000_000_000),
            (3, true),
            "back to the beginning"
        );
        assert_eq!(place(2_000_001_000, 6_000_000_000), (3, false));
    }
}
