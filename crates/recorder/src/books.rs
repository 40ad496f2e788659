//! What recording itself costs, interval by interval.

use std::time::Duration;

use perf_arena::Drained;
use perf_format::SelfCost;

/// The counters that the books compare from interval to interval; each only rises.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) ticks: u64,
    pub(crate) rows: u64,
    pub(crate) file_bytes: u64,
    pub(crate) drainer_cpu_ns: u64,
    pub(crate) writer_cpu_ns: u64,
}

/// One interval's books.
#[derive(Debug)]
pub(crate) struct Books {
    interval: Duration,
    next: Duration,
    before: Totals,
    last_round: Option<Duration>,
    lag_max: Duration,
    /// The fullest ring: how full, and how large.
    fullest_permille: u32,
    fullest_slots: u64,
    ring_slots: u64,
    spool_high_bytes: u64,
    pub(crate) ns_per_record: f64,
    /// The interval before, for whoever asks in between.
    pub(crate) last: SelfCost,
}

impl Books {
    pub(crate) fn new(interval: Duration, ring_slots: u64) -> Self {
        Self {
            interval,
            next: interval,
            before: Totals::default(),
            last_round: None,
            lag_max: Duration::ZERO,
            fullest_permille: 0,
            fullest_slots: 0,
            ring_slots,
            spool_high_bytes: 0,
            ns_per_record: 0.0,
            last: SelfCost::default(),
        }
    }

    /// The first interval begins.
    pub(crate) fn open(&mut self, totals: Totals) {
        self.before = totals;
    }

    /// A round of draining begins.
    pub(crate) fn round(&mut self, now: Duration) {
        if let Some(last) = self.last_round.replace(now) {
            self.lag_max = self.lag_max.max(now.saturating_sub(last));
        }
    }

    pub(crate) fn drained(&mut self, drained: &Drained) {
        if drained.high_water_permille > self.fullest_permille {
            self.fullest_permille = drained.high_water_permille;
            self.fullest_slots = drained.high_water_slots;
            self.ring_slots = drained.high_water_of_slots;
        }
    }

    pub(crate) fn spooled(&mut self, used_bytes: u64) {
        self.spool_high_bytes = self.spool_high_bytes.max(used_bytes);
    }

    /// Whether the interval is over.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= self.next
    }

    /// Closes the interval and opens the next.
    pub(crate) fn close(&mut self, now: Duration, totals: Totals) -> SelfCost {
        self.next = now.saturating_add(self.interval);
        let before = std::mem::replace(&mut self.before, totals);
        self.fullest_permille = 0;
        self.last = SelfCost {
            from_ticks: before.ticks,
            to_ticks: totals.ticks,
            records: totals.rows.saturating_sub(before.rows),
            file_bytes: totals.file_bytes.saturating_sub(before.file_bytes),
            drainer_cpu_ns: totals.drainer_cpu_ns.saturating_sub(before.drainer_cpu_ns),
            writer_cpu_ns: totals.writer_cpu_ns.saturating_sub(before.writer_cpu_ns),
            drain_lag_max_ns: u64::try_from(std::mem::take(&mut self.lag_max).as_nanos())
                .unwrap_or(u64::MAX),
            ring_high_water_slots: std::mem::take(&mut self.fullest_slots),
            ring_slots: self.ring_slots,
            spool_high_water_bytes: std::mem::take(&mut self.spool_high_bytes),
            ns_per_record: self.ns_per_record,
        };
        self.last.clone()
    }
}
