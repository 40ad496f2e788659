//! The recorder: which series there are.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use perf_probe::{Event, Kind};

use crate::family::Family;
use crate::name;
use crate::series::{CounterSeries, GaugeSeries, HistogramSeries, Misfits};
use crate::unit::Scale;

/// Series that have an event of their own, unless [`Recorder::max_series`] says otherwise.
pub const DEFAULT_MAX_SERIES: usize = 1024;

/// Records what a program says through the `metrics` facade with `perf-probe`. The crate's page says what becomes of what.
///
/// Clones are the same recorder: keep one to ask it what it could not record.
#[derive(Clone)]
pub struct Recorder {
    known: Arc<Known>,
    max_series: usize,
}

#[derive(Default)]
struct Known {
    counters: Family<CounterSeries>,
    gauges: Family<GaugeSeries>,
    histograms: Family<HistogramSeries>,
    units: Mutex<HashMap<String, Unit>>,
    /// Series that have an event of their own.
    series: AtomicUsize,
    overflowed: AtomicU64,
    misfits: Misfits,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Recorder")
            .field("max_series", &self.max_series)
            .field("series", &self.known.series)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// A recorder of up to [`DEFAULT_MAX_SERIES`] series. [`metrics::set_global_recorder`] puts it in place.
    pub fn new() -> Self {
        Self {
            known: Arc::default(),
            max_series: DEFAULT_MAX_SERIES,
        }
    }

    /// How many series (a metric with one set of labels) may have an event of their own. All that come later share one event
    /// a kind, such as `(overflow: counters)`.
    pub fn max_series(mut self, series: usize) -> Self {
        self.max_series = series;
        self
    }

    /// How often a handle was asked for that had to share the overflow event: the limit was reached, the name with its labels has
    /// more than [`perf_probe::MAX_NAME_BYTES`] bytes, or it belongs to an event of another kind or unit.
    pub fn overflowed(&self) -> u64 {
        self.known.overflowed.load(Ordering::Relaxed)
    }

    /// Values that could not be recorded as they were: not a number (left out), or beyond what an integer of the capture's unit
    /// holds, as negative values of histograms are (recorded as the end of the range).
    pub fn misfits(&self) -> u64 {
        self.known.misfits.load(Ordering::Relaxed)
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>) {
        if let Some(unit) = unit {
            let mut units = self.units();
            // Names come from the program's code, but nothing says that they must.
            if units.len() < self.max_series || units.contains_key(name.as_str()) {
                units.insert(name.as_str().to_owned(), unit);
            }
        }
    }

    fn units(&self) -> std::sync::MutexGuard<'_, HashMap<String, Unit>> {
        { self.known.units.lock() }.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more series may have an event.
    fn admit(&self) -> bool {
        let one_more = |series| (series < self.max_series).then_some(series + 1);
        let order = Ordering::Relaxed;
        self.known
            .series
            .fetch_update(order, order, one_more)
            .is_ok()
    }

    fn scale(&self, key: &Key) -> Scale {
        let described = self.units().get(key.name()).copied();
        Scale::find(described, key.name())
    }

    fn event(key: &Key, kind: Kind, unit: &str) -> Event {
        Event::register(&name::of(key), kind, unit).unwrap_or_else(|_| Event::overflow(kind))
    }

    fn note_overflow(&self, event: Event) {
        if event == Event::overflow(event.kind()) {
            self.known.overflowed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl metrics::Recorder for Recorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, _: SharedString) {
        self.describe(&name, unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let series = |event, scale| CounterSeries {
            event,
            scale,
            reached: AtomicU64::new(0),
        };
        let make = || {
            let scale = self.scale(key);
            series(Self::event(key, Kind::Counter, scale.unit), scale)
        };
        let spare = || series(Event::overflow(Kind::Counter), Scale::PLAIN);
        let series = { &self.known.counters }.get(key, || self.admit(), make, spare);
        self.note_overflow(series.event);
        Counter::from_arc(series)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        let series = |event, scale| GaugeSeries {
            event,
            scale,
            level: AtomicU64::new(0),
            misfits: self.known.misfits.clone(),
        };
        let make = || {
            let scale = self.scale(key);
            series(Self::event(key, Kind::Gauge, scale.unit), scale)
        };
        let spare = || series(Event::overflow(Kind::Gauge), Scale::PLAIN);
        let series = { &self.known.gauges }.get(key, || self.admit(), make, spare);
        self.note_overflow(series.event);
        Gauge::from_arc(series)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let series = |event, scale| HistogramSeries {
            event,
            scale,
            misfits: self.known.misfits.clone(),
        };
        let make = || {
            let scale = self.scale(key);
            series(Self::event(key, Kind::Observation, scale.unit), scale)
        };
        let spare = || series(Event::overflow(Kind::Observation), Scale::PLAIN);
        let series = { &self.known.histograms }.get(key, || self.admit(), make, spare);
        self.note_overflow(series.event);
        Histogram::from_arc(series)
    }
}
