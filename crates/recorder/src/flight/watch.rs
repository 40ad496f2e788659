//! Looks at what the drainer takes out of the rings: spans that take longer than they may.

use std::collections::BTreeMap;
use std::time::Duration;

use perf_arena::{Record, StagedBlock};
use perf_format::{EventDescriptor, Tag};

/// Events with numbers from here on have no limits. An arena has room for far fewer.
const MAX_EVENTS: usize = 1 << 20;

/// The limits, by name and by number.
pub(super) struct Watch {
    by_name: BTreeMap<String, Duration>,
    ticks_per_ns: f64,
    /// By event, in ticks; those without a limit have the largest number there is.
    limits: Vec<u64>,
}

/// Spans that took too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slow {
    pub(super) count: u64,
    /// The one that was longest beyond its limit.
    pub(super) event: u32,
    pub(super) ticks: u64,
    excess: u64,
}

impl Watch {
    pub(super) fn new(by_name: BTreeMap<String, Duration>, ticks_per_second: f64) -> Self {
        Self {
            by_name,
            ticks_per_ns: ticks_per_second / 1e9,
            limits: Vec::new(),
        }
    }

    /// Whether there is anything to look for.
    pub(super) fn is_idle(&self) -> bool {
        self.by_name.is_empty()
    }

    /// An event has this number from now on.
    pub(super) fn meet(&mut self, event: &EventDescriptor) {
        let index = event.id.0 as usize;
        let Some(limit) = self.by_name.get(&event.name) else {
            return;
        };
        if index < MAX_EVENTS {
            if self.limits.len() <= index {
                self.limits.resize(index + 1, u64::MAX);
            }
            self.limits[index] = (limit.as_nanos() as f64 * self.ticks_per_ns) as u64;
        }
    }

    pub(super) fn limit(&self, name: &str) -> Duration {
        self.by_name.get(name).copied().unwrap_or_default()
    }

    pub(super) fn duration(&self, ticks: u64) -> Duration {
        Duration::from_nanos((ticks as f64 / self.ticks_per_ns) as u64)
    }

    /// The slow spans of some blocks.
    pub(super) fn look<'a>(&self, blocks: impl Iterator<Item = StagedBlock<'a>>) -> Slow {
        let mut slow = Slow::default();
        if self.limits.is_empty() {
            return slow;
        }
        for block in blocks {
            let mut at = 0;
            while let Some(record) = block.records.get(at) {
                at += 1 + record.payload_slots() as usize;
                self.weigh(record, &mut slow);
            }
        }
        slow
    }

    #[inline]
    fn weigh(&self, record: &Record, slow: &mut Slow) {
        let limit = self.limits.get(record.event() as usize);
        let (limit, ticks) = (limit.copied().unwrap_or(u64::MAX), record.value());
        // A clock that stepped back makes negative durations: with the top bit set.
        if ticks <= limit || ticks >> 63 != 0 || !Tag(record.tag()).is_span() {
            return;
        }
        slow.count += 1;
        if ticks - limit >= slow.excess {
            slow.excess = ticks - limit;
            slow.event = record.event();
            slow.ticks = ticks;
        }
    }
}
