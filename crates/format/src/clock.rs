//! Ticks to nanoseconds, by the anchors of a capture.

use crate::round::{round_i64, round_u64};
use crate::{Anchor, FileHeader, SegmentId};

/// Anchors of one segment closer together than this give no rate: the
/// uncertainty of a reading would weigh too much.
pub const MIN_RATE_SPAN_NS: i64 = 1_000_000;
/// A wall clock that moved against the monotonic clock by more than this plus
/// [`STEP_PPM`] of the time between two anchors was stepped, not slewed.
pub const STEP_NS: i64 = 1_000_000;
/// Largest slew of a wall clock that is not taken for a step: NTP's limit.
pub const STEP_PPM: i64 = 500;

/// A step of the wall clock between two anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockStep {
    /// Segment of both anchors.
    pub segment: SegmentId,
    /// Ticks of the anchor before.
    pub from_ticks: u64,
    /// Ticks of the anchor after.
    pub to_ticks: u64,
    /// By how much the wall clock moved, in ns; negative is backward.
    pub step_ns: i64,
}

/// A stretch of ticks on which the wall clock is one straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockLine {
    from: u64,
    /// The first tick that is not on it; `u64::MAX` is on every line that reaches it.
    until: u64,
    base_ticks: u64,
    base_ns: i64,
    ns_per_tick: f64,
    /// By how much the wall clock leaves the rate over `drift_ticks`.
    drift_ns: f64,
    drift_ticks: f64,
}

impl ClockLine {
    fn endless(base_ns: i64, base_ticks: u64, ns_per_tick: f64) -> Self {
        Self {
            from: 0,
            until: u64::MAX,
            base_ticks,
            base_ns,
            ns_per_tick,
            drift_ns: 0.0,
            drift_ticks: 1.0,
        }
    }

    /// Whether `ticks` lies on it.
    #[inline]
    pub fn holds(&self, ticks: u64) -> bool {
        ticks >= self.from && (ticks < self.until || self.until == u64::MAX)
    }

    /// As [`ClockMap::unix_ns`], of ticks that it holds.
    #[inline]
    pub fn unix_ns(&self, ticks: u64) -> i64 {
        let plain = advance(self.base_ns, ticks, self.base_ticks, self.ns_per_tick);
        if self.drift_ns == 0.0 {
            return plain;
        }
        let share = ticks.saturating_sub(self.base_ticks) as f64 / self.drift_ticks;
        plain.saturating_add(round_i64(self.drift_ns * share))
    }
}

/// One clock segment: a single rate, and the anchors that place it in time.
#[derive(Debug, Clone, PartialEq)]
struct Segment {
    id: SegmentId,
    ns_per_tick: f64,
    /// True if the rate comes from anchors, not from the header's estimate.
    measured: bool,
    /// In the order of their ticks; never empty.
    anchors: Vec<Anchor>,
}

/// Converts ticks of a capture into durations and wall-clock times.
///
/// A duration is ticks × one scale per segment, never a difference of two
/// converted instants: so a report from rollups equals a report from a scan.
#[derive(Debug, Clone, PartialEq)]
pub struct ClockMap {
    /// In the order of their ids.
    segments: Vec<Segment>,
    fallback_ns_per_tick: f64,
    start_unix_ns: i64,
    steps: Vec<ClockStep>,
}

impl ClockMap {
    /// Builds the map of a capture. Without a header and anchors a tick counts as
    /// one ns.
    pub fn new(header: Option<&FileHeader>, anchors: &[Anchor]) -> Self {
        let rate = header.map_or(0.0, |header| header.clock.ticks_per_second);
        let fallback = if rate.is_finite() && rate >= 1.0 {
            1e9 / rate
        } else {
            1.0
        };
        let mut sorted: Vec<&Anchor> = anchors.iter().collect();
        sorted.sort_by_key(|anchor| (anchor.segment, anchor.ticks));
        let mut map = ClockMap {
            segments: Vec::new(),
            fallback_ns_per_tick: fallback,
            start_unix_ns: header.map_or(0, |header| header.start_unix_ns),
            steps: Vec::new(),
        };
        for group in sorted.chunk_by(|a, b| a.segment == b.segment) {
            map.add_segment(group, fallback);
        }
        map
    }

    fn add_segment(&mut self, group: &[&Anchor], fallback: f64) {
        let (first, last) = (group[0], group[group.len() - 1]);
        let elapsed = last.monotonic_raw_ns.saturating_sub(first.monotonic_raw_ns);
        let ticks = last.ticks - first.ticks;
        let measured = elapsed >= MIN_RATE_SPAN_NS && ticks > 0;
        let ns_per_tick = if measured {
            elapsed as f64 / ticks as f64
        } else {
            fallback
        };
        for pair in group.windows(2) {
            self.note_step(pair[0], pair[1], ns_per_tick);
        }
        let anchors = group.iter().map(|anchor| (*anchor).clone()).collect();
        self.segments.push(Segment {
            id: first.segment,
            ns_per_tick,
            measured,
            anchors,
        });
    }

    fn note_step(&mut self, before: &Anchor, after: &Anchor, ns_per_tick: f64) {
        let step_ns = wall_drift(before, after, ns_per_tick);
        let elapsed = ((after.ticks - before.ticks) as f64 * ns_per_tick) as i64;
        let slack = STEP_NS.saturating_add(elapsed / (1_000_000 / STEP_PPM));
        if step_ns.saturating_abs() > slack {
            let (from_ticks, to_ticks) = (before.ticks, after.ticks);
            self.steps.push(ClockStep {
                segment: before.segment,
                from_ticks,
                to_ticks,
                step_ns,
            });
        }
    }

    fn segment(&self, id: SegmentId) -> Option<&Segment> {
        let index = self
            .segments
            .binary_search_by_key(&id, |segment| segment.id)
            .ok()?;
        self.segments.get(index)
    }

    /// Nanoseconds of one tick in `segment`.
    pub fn ns_per_tick(&self, segment: SegmentId) -> f64 {
        self.segment(segment)
            .map_or(self.fallback_ns_per_tick, |segment| segment.ns_per_tick)
    }

    /// True if the rate of `segment` was measured between anchors; else it is the
    /// header's estimate, or 1.
    pub fn is_measured(&self, segment: SegmentId) -> bool {
        self.segment(segment)
            .is_some_and(|segment| segment.measured)
    }

    /// The segments that have anchors, in order.
    pub fn segments(&self) -> impl Iterator<Item = SegmentId> + '_ {
        self.segments.iter().map(|segment| segment.id)
    }

    /// True if all segments have the same rate, so that histograms of ticks add up directly.
    pub fn one_scale(&self) -> bool {
        self.segments
            .windows(2)
            .all(|pair| pair[0].ns_per_tick == pair[1].ns_per_tick)
    }

    /// A duration in ns, rounded to the nearest; saturates.
    pub fn duration_ns(&self, segment: SegmentId, ticks: u64) -> u64 {
        round_u64(ticks as f64 * self.ns_per_tick(segment))
    }

    /// The wall-clock time of `ticks` in ns since 1970-01-01 UTC; saturates.
    ///
    /// Between two anchors it is interpolated, so that it meets both. Over a step of the wall
    /// clock, and outside the anchors, it runs on from the nearest anchor before
    /// (or, before the first, back from it) at the segment's rate. A segment
    /// without anchors counts from the header's start.
    pub fn unix_ns(&self, segment: SegmentId, ticks: u64) -> i64 {
        self.line(segment, ticks).unix_ns(ticks)
    }

    /// The straight line that [`ClockMap::unix_ns`] follows around `ticks`: whoever converts many instants that lie near
    /// each other looks the anchors up once.
    pub fn line(&self, segment: SegmentId, ticks: u64) -> ClockLine {
        let Some(found) = self.segment(segment) else {
            return ClockLine::endless(self.start_unix_ns, 0, self.fallback_ns_per_tick);
        };
        let rate = found.ns_per_tick;
        let next = found
            .anchors
            .partition_point(|anchor| anchor.ticks <= ticks);
        let Some(before) = next.checked_sub(1).map(|index| &found.anchors[index]) else {
            let first = &found.anchors[0];
            let line = ClockLine::endless(first.realtime_ns, first.ticks, rate);
            return ClockLine {
                until: first.ticks,
                ..line
            };
        };
        let plain = ClockLine {
            from: before.ticks,
            ..ClockLine::endless(before.realtime_ns, before.ticks, rate)
        };
        let Some(after) = found.anchors.get(next) else {
            return plain;
        };
        let plain = ClockLine {
            until: after.ticks,
            ..plain
        };
        if self.is_stepped(before, after) {
            return plain;
        }
        ClockLine {
            drift_ns: wall_drift(before, after, rate) as f64,
            drift_ticks: (after.ticks - before.ticks) as f64,
            ..plain
        }
    }

    fn is_stepped(&self, before: &Anchor, after: &Anchor) -> bool {
        // The steps are in the order of segments and ticks, as the anchors were.
        let key = (before.segment, before.ticks, after.ticks);
        self.steps
            .binary_search_by_key(&key, |step| (step.segment, step.from_ticks, step.to_ticks))
            .is_ok()
    }

    /// Ticks of the anchors of `segment`, ascending: between two of them, before the
    /// first and after the last, [`ClockMap::unix_ns`] is a straight line.
    pub fn anchor_ticks(&self, segment: SegmentId) -> impl Iterator<Item = u64> + '_ {
        self.segment(segment)
            .into_iter()
            .flat_map(|segment| segment.anchors.iter().map(|anchor| anchor.ticks))
    }

    /// Steps of the wall clock between anchors.
    pub fn steps(&self) -> &[ClockStep] {
        &self.steps
    }

    /// Largest uncertainty of an anchor, in ns; `None` without anchors.
    pub fn uncertainty_ns(&self) -> Option<u64> {
        self.segments
            .iter()
            .flat_map(|segment| &segment.anchors)
            .map(|anchor| anchor.uncertainty_ns)
            .max()
    }
}

/// By how much the wall clock left the segment's rate between two anchors, in ns.
fn wall_drift(before: &Anchor, after: &Anchor, ns_per_tick: f64) -> i64 {
    let expected = advance(before.realtime_ns, after.ticks, before.ticks, ns_per_tick);
    after.realtime_ns.saturating_sub(expected)
}

/// `from_ns` moved on by the ticks from `from` to `to`, which may be negative.
fn advance(from_ns: i64, to: u64, from: u64, ns_per_tick: f64) -> i64 {
    let ns = to.abs_diff(from) as f64 * ns_per_tick;
    let ns = round_i64(ns);
    if to >= from {
        from_ns.saturating_add(ns)
    } else {
        from_ns.saturating_sub(ns)
    }
}

#[cfg(test)]
mod tests;
