//! Summaries of counters and gauges: exactly mergeable in chunk order.

/// A counter's steps: how many, and what they add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CounterSummary {
    /// Number of steps.
    pub count: u64,
    /// Sum of the steps.
    pub sum: i128,
    /// Smallest step; 0 if there is none.
    pub min: i64,
    /// Largest step; 0 if there is none.
    pub max: i64,
}

impl CounterSummary {
    /// Adds one step.
    pub fn record(&mut self, delta: i64) {
        self.merge(&CounterSummary {
            count: 1,
            sum: delta.into(),
            min: delta,
            max: delta,
        });
    }

    /// Adds all that `other` holds.
    pub fn merge(&mut self, other: &CounterSummary) {
        if other.count == 0 {
            return;
        }
        let first = self.count == 0;
        self.min = if first {
            other.min
        } else {
            self.min.min(other.min)
        };
        self.max = if first {
            other.max
        } else {
            self.max.max(other.max)
        };
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// A gauge's values over time. The value holds from its record to the next one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GaugeSummary {
    /// Number of values.
    pub count: u64,
    /// Sum of the values, for the plain mean.
    pub sum: i128,
    /// Smallest value; 0 if there is none.
    pub min: i64,
    /// Largest value; 0 if there is none.
    pub max: i64,
    /// When the first value was recorded, in ticks.
    pub first_ticks: u64,
    /// The first value.
    pub first: i64,
    /// When the last value was recorded, in ticks.
    pub last_ticks: u64,
    /// The last value.
    pub last: i64,
    /// Sum of value × ticks that it held, from the first to the last record.
    pub integral: i128,
}

impl GaugeSummary {
    /// Adds one value. Values of one chunk are to be added in the order of their ticks.
    pub fn record(&mut self, ticks: u64, value: i64) {
        self.merge(&GaugeSummary {
            count: 1,
            sum: value.into(),
            min: value,
            max: value,
            first_ticks: ticks,
            first: value,
            last_ticks: ticks,
            last: value,
            integral: 0,
        });
    }

    /// Appends `next`, which covers the chunks after those of `self`. The last
    /// value holds until the first of `next`. Chunks may overlap in time: then that
    /// stretch is negative, so that merging stays associative.
    pub fn merge(&mut self, next: &GaugeSummary) {
        if next.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *next;
            return;
        }
        let between = i128::from(next.first_ticks) - i128::from(self.last_ticks);
        let held = i128::from(self.last).saturating_mul(between);
        self.integral = self
            .integral
            .saturating_add(held)
            .saturating_add(next.integral);
        self.count = self.count.saturating_add(next.count);
        self.sum = self.sum.saturating_add(next.sum);
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.last_ticks = next.last_ticks;
        self.last = next.last;
    }

    /// Mean over time from the first to the last record; the plain mean if these
    /// are at the same instant. `None` without values.
    pub fn mean_over_time(&self) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let ticks = i128::from(self.last_ticks) - i128::from(self.first_ticks);
        Some(if ticks > 0 {
            self.integral as f64 / ticks as f64
        } else {
            self.sum as f64 / self.count as f64
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_holds_its_value_until_the_next() {
        let mut gauge = GaugeSummary::default();
        assert_eq!(gauge.mean_over_time(), None);
        gauge.record(100, 10);
        assert_eq!(gauge.mean_over_time(), Some(10.0));
        gauge.record(110, 0);
        gauge.record(140, 7);
        assert_eq!(gauge.mean_over_time(), Some(100.0 / 40.0));
        assert_eq!(
            (gauge.min, gauge.max, gauge.last, gauge.count),
            (0, 10, 7, 3)
        );
    }

    #[test]
    fn merging_gauges_is_associative_even_when_chunks_overlap() {
        let of = |values: &[(u64, i64)]| {
            let mut gauge = GaugeSummary::default();
            values
                .iter()
                .for_each(|&(ticks, value)| gauge.record(ticks, value));
            gauge
        };
        let parts = [
            of(&[(5, 3), (9, -2)]),
            of(&[(7, 8), (20, 1)]),
            GaugeSummary::default(),
            of(&[(19, 4)]),
        ];
        let mut left = parts[0];
        parts[1..].iter().for_each(|part| left.merge(part));
        let mut right = parts[2];
        right.merge(&parts[3]);
        let mut middle = parts[1];
        middle.merge(&right);
        let mut all = parts[0];
        all.merge(&middle);
        assert_eq!(left, all);
    }

    #[test]
    fn a_counter_adds_up() {
        let mut counter = CounterSummary::default();
        [i64::MAX, i64::MAX, -3]
            .iter()
            .for_each(|&delta| counter.record(delta));
        assert_eq!(counter.sum, 2 * i128::from(i64::MAX) - 3);
        assert_eq!((counter.min, counter.max, counter.count), (-3, i64::MAX, 3));
    }
}
