//! The rate that fits the load: down at once, up again only when it has been calm for a while.

use std::time::Duration;

use super::OneIn;

/// Over so long the load is measured.
const WINDOW: Duration = Duration::from_secs(1);
/// It is calm below this share of the load from which on a level holds.
const CALM: f64 = 0.8;
/// It must be calm for so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The load, and the level that it has led to.
#[derive(Clone, Debug)]
pub(super) struct Load {
    levels: Vec<(f64, OneIn)>,
    rate: OneIn,
    /// How many of the levels are in force.
    level: usize,
    window_start: Option<Duration>,
    records: u64,
    calm_since: Option<Duration>,
}

impl Load {
    pub(super) fn new(rate: OneIn, levels: Vec<(f64, OneIn)>) -> Self {
        Self {
            levels,
            rate,
            level: 0,
            window_start: None,
            records: 0,
            calm_since: None,
        }
    }

    /// The rate at present.
    pub(super) fn rate(&self) -> OneIn {
        match self.level.checked_sub(1) {
            Some(last) => self.levels[last].1,
            None => self.rate,
        }
    }

    /// So many records came since the call before.
    pub(super) fn count(&mut self, records: u64, now: Duration) {
        if self.levels.is_empty() {
            return;
        }
        self.records = self.records.saturating_add(records);
        let start = *self.window_start.get_or_insert(now);
        let elapsed = now.saturating_sub(start);
        if elapsed >= WINDOW {
            let load = self.records as f64 / elapsed.as_secs_f64();
            self.records = 0;
            self.window_start = Some(now);
            self.settle(load, start, now);
        }
    }

    fn settle(&mut self, load: f64, from: Duration, now: Duration) {
        let reached = |share: f64| {
            let above = |(above, _): &&(f64, OneIn)| load > share * above;
            self.levels.iter().take_while(above).count()
        };
        let (higher, lower) = (reached(1.0), reached(CALM));
        if higher > self.level {
            self.level = higher;
            self.calm_since = None;
        } else if lower < self.level {
            let since = *self.calm_since.get_or_insert(from);
            if now.saturating_sub(since) >= PATIENCE {
                self.level = lower;
                self.calm_since = None;
            }
        } else {
            self.calm_since = None;
        }
    }
}
