//! `metrics` with the registry of metrics-util, as its exporters use it: a histogram of durations between two readings of
//! `Instant`, emptied ten times a second. It keeps no single spans.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, histogram,
};
use metrics_util::registry::{AtomicStorage, Registry};
use metrics_util::storage::AtomicBucket;

use crate::peer::Peer;

const BETWEEN: Duration = Duration::from_millis(100);

pub(crate) struct Metrics {
    running: Option<(JoinHandle<()>, Arc<AtomicBool>, Arc<Store>)>,
}

struct Store {
    registry: Registry<Key, AtomicStorage>,
    values: AtomicU64,
}

struct ToStore(Arc<Store>);

impl Store {
    /// Takes the values out of the histograms, as an exporter does.
    fn empty(&self) {
        self.registry.visit_histograms(|_, histogram| {
            histogram.clear_with(|values| {
                self.values
                    .fetch_add(values.len() as u64, Ordering::Relaxed);
            });
        });
    }
}

impl Recorder for ToStore {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.0
            .registry
            .get_or_create_counter(key, |counter| counter.clone().into())
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.0
            .registry
            .get_or_create_gauge(key, |gauge| gauge.clone().into())
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let make = |histogram: &Arc<AtomicBucket<f64>>| Histogram::from_arc(histogram.clone());
        self.0.registry.get_or_create_histogram(key, make)
    }
}

impl Peer for Metrics {
    type Thread = ();

    fn start(_: &Path, on: bool) -> Result<Self> {
        if !on {
            return Ok(Self { running: None });
        }
        let store = Arc::new(Store {
            registry: Registry::new(AtomicStorage),
            values: AtomicU64::new(0),
        });
        metrics::set_global_recorder(ToStore(store.clone())).map_err(|error| anyhow!("{error}"))?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let exporter = thread::spawn({
            let (store, is_ending) = (store.clone(), is_ending.clone());
            move || {
                while !is_ending.load(Ordering::Relaxed) {
                    thread::sleep(BETWEEN);
                    store.empty();
                }
            }
        });
        Ok(Self {
            running: Some((exporter, is_ending, store)),
        })
    }

    fn thread(&self) {}

    #[inline]
    fn spans(&self, (): &mut (), count: usize) {
        for _ in 0..count {
            let start = Instant::now();
            histogram!("span").record(start.elapsed());
        }
    }

    fn finish(self) -> Result<Option<u64>> {
        if let Some((exporter, is_ending, store)) = self.running {
            is_ending.store(true, Ordering::Relaxed);
            exporter
                .join()
                .map_err(|_| anyhow!("the exporter panicked"))?;
            store.empty();
            crate::figure("values", store.values.load(Ordering::Relaxed) as f64);
        }
        Ok(None)
    }

    fn written(_: &Path) -> Result<Option<u64>> {
        Ok(None)
    }
}
