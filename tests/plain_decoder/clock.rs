//! FORMAT.md, "Ticks to nanoseconds".

use super::metadata::{Anchor, Header};

/// One segment's conversion.
pub(super) struct Clock {
    anchors: Vec<Anchor>,
    scale: f64,
    start: i64,
}

impl Clock {
    pub(super) fn new(header: Option<&Header>, anchors: &[Anchor], segment: u32) -> Clock {
        let rate = header.map_or(0.0, |header| header.clock.ticks_per_second);
        let mut scale = 1.0;
        if rate.is_finite() && rate >= 1.0 {
            scale = 1e9 / rate;
        }
        let mut anchors: Vec<Anchor> = anchors
            .iter()
            .filter(|anchor| anchor.segment == segment)
            .cloned()
            .collect();
        anchors.sort_by_key(|anchor| anchor.ticks);
        if let (Some(first), Some(last)) = (anchors.first(), anchors.last()) {
            let raw = last.raw.saturating_sub(first.raw);
            if raw >= 1_000_000 && last.ticks > first.ticks {
                scale = raw as f64 / (last.ticks - first.ticks) as f64;
            }
        }
        Clock {
            anchors,
            scale,
            start: header.map_or(0, |header| header.start_unix_ns),
        }
    }

    pub(super) fn duration_ns(&self, ticks: u64) -> u64 {
        (ticks as f64 * self.scale).round() as u64
    }

    pub(super) fn unix_ns(&self, ticks: u64) -> i64 {
        let Some(first) = self.anchors.first() else {
            return self.advance(self.start, 0, ticks);
        };
        let Some(index) = self
            .anchors
            .iter()
            .rposition(|anchor| anchor.ticks <= ticks)
        else {
            return self.advance(first.realtime, first.ticks, ticks);
        };
        let before = &self.anchors[index];
        let plain = self.advance(before.realtime, before.ticks, ticks);
        let Some(after) = self.anchors.get(index + 1) else {
            return plain;
        };
        if self.step(before, after).is_some() {
            return plain;
        }
        let share = (ticks - before.ticks) as f64 / (after.ticks - before.ticks) as f64;
        plain.saturating_add((self.drift(before, after) as f64 * share).round() as i64)
    }

    /// Steps of the wall clock: ticks before, ticks after, by how much.
    pub(super) fn steps(&self) -> Vec<(u64, u64, i64)> {
        let mut steps = Vec::new();
        for pair in self.anchors.windows(2) {
            if let Some(step) = self.step(&pair[0], &pair[1]) {
                steps.push((pair[0].ticks, pair[1].ticks, step));
            }
        }
        steps
    }

    fn step(&self, before: &Anchor, after: &Anchor) -> Option<i64> {
        let drift = self.drift(before, after);
        let elapsed = ((after.ticks - before.ticks) as f64 * self.scale) as i64;
        let slack = (elapsed / 2000).saturating_add(1_000_000);
        (drift.saturating_abs() > slack).then_some(drift)
    }

    fn drift(&self, before: &Anchor, after: &Anchor) -> i64 {
        let expected = self.advance(before.realtime, before.ticks, after.ticks);
        after.realtime.saturating_sub(expected)
    }

    fn advance(&self, time: i64, from: u64, to: u64) -> i64 {
        if to < from {
            return time.saturating_sub(((from - to) as f64 * self.scale).round() as i64);
        }
        time.saturating_add(((to - from) as f64 * self.scale).round() as i64)
    }
}
