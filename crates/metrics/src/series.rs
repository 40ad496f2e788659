//! The handles that a program holds: what each call records.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{CounterFn, GaugeFn, HistogramFn};
use perf_probe::{Event, record_counter, record_gauge, record_histogram};

use crate::unit::Scale;

/// Values that could not be recorded as they were.
pub(crate) type Misfits = Arc<AtomicU64>;

pub(crate) struct CounterSeries {
    pub(crate) event: Event,
    pub(crate) scale: Scale,
    /// The greatest that `absolute` has set.
    pub(crate) reached: AtomicU64,
}

impl CounterFn for CounterSeries {
    fn increment(&self, value: u64) {
        record_counter(self.event, self.scale.counted(value));
    }

    fn absolute(&self, value: u64) {
        let before = self.reached.fetch_max(value, Ordering::Relaxed);
        // A call that comes late, with less, adds nothing.
        if value > before {
            self.increment(value - before);
        }
    }
}

pub(crate) struct GaugeSeries {
    pub(crate) event: Event,
    pub(crate) scale: Scale,
    /// The level, as the bits of an `f64`.
    pub(crate) level: AtomicU64,
    pub(crate) misfits: Misfits,
}

impl GaugeSeries {
    fn change(&self, change: impl Fn(f64) -> f64) {
        let next = |bits| Some(change(f64::from_bits(bits)).to_bits());
        let order = Ordering::Relaxed;
        let before = self.level.fetch_update(order, order, next);
        let level = change(f64::from_bits(before.unwrap_or_else(|bits| bits)));
        self.record(level);
    }

    fn record(&self, level: f64) {
        let level = self.scale.signed(level);
        note_misfit(&self.misfits, level.map(|(_, fits)| fits));
        if let Some((level, _)) = level {
            record_gauge(self.event, level);
        }
    }
}

impl GaugeFn for GaugeSeries {
    fn increment(&self, value: f64) {
        self.change(|level| level + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|level| level - value);
    }

    fn set(&self, value: f64) {
        self.level.store(value.to_bits(), Ordering::Relaxed);
        self.record(value);
    }
}

pub(crate) struct HistogramSeries {
    pub(crate) event: Event,
    pub(crate) scale: Scale,
    pub(crate) misfits: Misfits,
}

impl HistogramFn for HistogramSeries {
    fn record(&self, value: f64) {
        let value = self.scale.unsigned(value);
        note_misfit(&self.misfits, value.map(|(_, fits)| fits));
        if let Some((value, _)) = value {
            record_histogram(self.event, value);
        }
    }
}

fn note_misfit(misfits: &Misfits, fits: Option<bool>) {
    if fits != Some(true) {
        misfits.fetch_add(1, Ordering::Relaxed);
    }
}
