//! The keys of the file. Any other is refused: a misspelt one would be a setting that does nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::value::Text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) metrics: Option<Metrics>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) enabled: Option<Text>,
    pub(super) sampling: Option<SamplingKeys>,
    pub(super) buffer: Option<Buffer>,
    pub(super) aggregation: Option<Aggregation>,
    #[serde(rename = "export")]
    _export: Option<IgnoredAny>,
    pub(super) sla_thresholds: Option<BTreeMap<String, Text>>,
    #[serde(rename = "sla")]
    _sla: Option<IgnoredAny>,
    pub(super) recorder: Option<RecorderKeys>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SamplingKeys {
    pub(super) default_rate: Option<Text>,
    pub(super) adaptive: Option<Text>,
    pub(super) high_load_threshold: Option<Text>,
    pub(super) high_load_rate: Option<Text>,
    pub(super) events: Option<BTreeMap<String, Text>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Buffer {
    pub(super) size: Option<Text>,
    pub(super) overflow_strategy: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Aggregation {
    pub(super) interval_ms: Option<Text>,
    pub(super) percentiles: Option<Vec<Text>>,
}

/// What the builder can do besides.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecorderKeys {
    pub(super) capture: Option<Text>,
    pub(super) labels: Option<BTreeMap<String, Text>>,
    pub(super) sync: Option<Text>,
    pub(super) fork: Option<Text>,
    pub(super) salvage: Option<Text>,
    pub(super) drainer_nice: Option<Text>,
    pub(super) patience_ms: Option<Text>,
    pub(super) arena_directory: Option<Text>,
    pub(super) ring_bytes: Option<Text>,
    pub(super) max_memory_bytes: Option<Text>,
    pub(super) spool_bytes: Option<Text>,
    pub(super) control: Option<Text>,
    pub(super) flight: Option<FlightKeys>,
    pub(super) rotate_bytes: Option<Text>,
    pub(super) rotate_every_s: Option<Text>,
    pub(super) keep_bytes: Option<Text>,
    pub(super) keep_for_s: Option<Text>,
    pub(super) preallocate_bytes: Option<Text>,
    pub(super) compress_closed: Option<Text>,
}

/// A flight recorder.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FlightKeys {
    pub(super) window_ms: Option<Text>,
    pub(super) after_ms: Option<Text>,
    pub(super) quiet_ms: Option<Text>,
    pub(super) on_panic: Option<Text>,
    pub(super) on_signal: Option<Text>,
    pub(super) max_bytes: Option<Text>,
}
