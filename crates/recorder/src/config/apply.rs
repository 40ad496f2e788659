//! From keys to the builder's settings.

use std::collections::BTreeMap;
use std::time::Duration;

use perf_arena::RECORD_BYTES;

use super::flight;
use super::keys::{Aggregation, Buffer, Metrics, RecorderKeys, SamplingKeys};
use super::value::{Text, Wrong, number, one_of, refused};
use crate::backend::ForkPolicy;
use crate::builder::Builder;
#[cfg(feature = "zstd")]
use crate::parts::COMPRESSION_LEVELS;
use crate::parts::SMALLEST_PART;
use crate::sampling::Sampling;
use crate::writer::SyncPolicy;

/// Records of a ring: from a few pages to a GiB.
const RING_RECORDS: std::ops::RangeInclusive<u64> = 1..=(1 << 30) / RECORD_BYTES as u64;
/// Bytes of the smallest ring that there is.
const SMALLEST_RING: u64 = 16 << 10;
/// What a high load is where the file only says that sampling is adaptive, in records a second, and what is kept then.
const HIGH_LOAD: f64 = 1e6;
const HIGH_LOAD_RATE: f64 = 0.1;
const DAY_MS: u64 = 86_400_000;
/// Ten years.
const MOST_SECONDS: u64 = 3_660 * 86_400;
const MOST_BYTES: u64 = 1 << 50;
const MOST_AHEAD: u64 = 1 << 30;
const BYTES: &str = "a number of bytes";

pub(super) const SWITCH: [(&str, bool); 2] = [("true", true), ("false", false)];

/// What a full ring shall do.
#[derive(Clone, Copy)]
enum Overflow {
    DropNewest,
    Overwrite,
}

const STRATEGIES: [(&str, Overflow); 5] = [
    ("drop_newest", Overflow::DropNewest),
    ("drop", Overflow::DropNewest),
    ("overwrite", Overflow::Overwrite),
    ("overwrite_oldest", Overflow::Overwrite),
    ("drop_oldest", Overflow::Overwrite),
];

/// The builder that the keys ask for; `None` if they say that nothing shall be recorded. Everything is checked in both cases.
pub(super) fn apply(metrics: Metrics) -> Result<Option<Builder>, Wrong> {
    let limits = limits(metrics.sla_thresholds.unwrap_or_default())?;
    let enabled = metrics
        .enabled
        .map_or(Ok(true), |text| one_of("enabled", &text, &SWITCH))?;
    let mut builder = Builder::default();
    if let Some(mut keys) = metrics.recorder {
        let flight = keys.flight.take();
        builder = recorder(builder, keys)?;
        if let Some(keys) = flight {
            builder = builder.flight(flight::of_keys(&keys, &limits)?);
        }
    }
    if let Some(keys) = metrics.buffer {
        builder = buffer(builder, keys)?;
    }
    if let Some(keys) = metrics.aggregation {
        builder = aggregation(builder, keys)?;
    }
    let sampling = sampling(metrics.sampling.unwrap_or_default(), limits)?;
    Ok(enabled.then_some(builder.sampling(sampling)))
}

/// What spans may take.
fn limits(limits: BTreeMap<String, Text>) -> Result<BTreeMap<String, Duration>, Wrong> {
    let limit = |(event, text)| {
        let what = "a whole number of ns for each event";
        let ns = number("sla_thresholds", &text, 0..=u64::MAX, what)?;
        Ok((event, Duration::from_nanos(ns)))
    };
    limits.into_iter().map(limit).collect()
}

fn sampling(keys: SamplingKeys, limits: BTreeMap<String, Duration>) -> Result<Sampling, Wrong> {
    let mut sampling = Sampling::new();
    if let Some(text) = keys.default_rate {
        sampling = sampling.rate(share("default_rate", &text)?);
    }
    let adaptive = keys
        .adaptive
        .map_or(Ok(false), |text| one_of("adaptive", &text, &SWITCH))?;
    let above = keys.high_load_threshold.map_or(Ok(HIGH_LOAD), |text| {
        let what = "a number of records a second";
        number("high_load_threshold", &text, 1.0..=1e12, what)
    })?;
    let rate = keys
        .high_load_rate
        .map_or(Ok(HIGH_LOAD_RATE), |text| share("high_load_rate", &text))?;
    if adaptive {
        sampling = sampling.high_load(above, rate);
    }
    for (event, text) in keys.events.unwrap_or_default() {
        sampling = sampling.event_rate(event, share("events", &text)?);
    }
    for (event, limit) in limits {
        sampling = sampling.keep_above(event, limit);
    }
    Ok(sampling)
}

fn share(name: &str, text: &Text) -> Result<f64, Wrong> {
    number(name, text, 0.0..=1.0, "a share")
}

fn buffer(mut builder: Builder, keys: Buffer) -> Result<Builder, Wrong> {
    if let Some(text) = keys.size {
        let what = "a number of records that one thread can have waiting";
        let records = number("size", &text, RING_RECORDS, what)?;
        let bytes = (records * RECORD_BYTES as u64).next_power_of_two();
        builder = builder.max_ring_bytes(bytes.max(SMALLEST_RING));
    }
    let strategy = keys.overflow_strategy;
    if let Some(text) = strategy
        && let Overflow::Overwrite = one_of("overflow_strategy", &text, &STRATEGIES)?
        // Its window drops the oldest, which is what is asked for.
        && builder.settings.flight.is_none()
    {
        builder.settings.remarks.push(format!(
            "overflow_strategy is `{}`, and a ring that is full drops the newest records all the same",
            text.value
        ));
    }
    Ok(builder)
}

fn aggregation(mut builder: Builder, keys: Aggregation) -> Result<Builder, Wrong> {
    if let Some(text) = keys.interval_ms {
        builder = builder.interval(milliseconds("interval_ms", &text)?);
    }
    for text in keys.percentiles.unwrap_or_default() {
        number("percentiles", &text, 0.0..=100.0, "a list of percentiles")?;
    }
    Ok(builder)
}

fn recorder(builder: Builder, keys: RecorderKeys) -> Result<Builder, Wrong> {
    let mut builder = parts(builder, &keys)?;
    if let Some(text) = keys.capture {
        builder = builder.capture(path("capture", &text)?);
    }
    for (key, text) in keys.labels.unwrap_or_default() {
        builder = builder.label(key, text.value);
    }
    if let Some(text) = keys.sync {
        builder = builder.sync_policy(sync(&text)?);
    }
    if let Some(text) = keys.fork {
        let words = [("off", ForkPolicy::Off), ("follow", ForkPolicy::Follow)];
        builder = builder.fork_policy(one_of("fork", &text, &words)?);
    }
    if let Some(text) = keys.salvage {
        builder = builder.salvage(one_of("salvage", &text, &SWITCH)?);
    }
    if let Some(text) = keys.control {
        builder = builder.control(one_of("control", &text, &SWITCH)?);
    }
    if let Some(text) = keys.drainer_nice {
        builder = builder.drainer_nice(number("drainer_nice", &text, -20..=19, "a nice value")?);
    }
    if let Some(text) = keys.patience_ms {
        builder = builder.patience(milliseconds("patience_ms", &text)?);
    }
    if let Some(text) = keys.arena_directory {
        builder = builder.arena_directory(path("arena_directory", &text)?);
    }
    if let Some(text) = keys.ring_bytes {
        builder = builder.ring_bytes(bytes("ring_bytes", &text)?.next_power_of_two());
    }
    if let Some(text) = keys.max_memory_bytes {
        builder = builder.max_memory_bytes(bytes("max_memory_bytes", &text)?);
    }
    if let Some(text) = keys.spool_bytes {
        builder = builder.spool_bytes(bytes("spool_bytes", &text)?);
    }
    Ok(builder)
}

/// Whether they fit together is seen at the start, which knows where the capture goes.
fn parts(mut builder: Builder, keys: &RecorderKeys) -> Result<Builder, Wrong> {
    if let Some(text) = &keys.rotate_bytes {
        let bytes = number("rotate_bytes", text, SMALLEST_PART..=MOST_BYTES, BYTES)?;
        builder = builder.rotate_bytes(bytes);
    }
    if let Some(text) = &keys.rotate_every_s {
        builder = builder.rotate_every(seconds("rotate_every_s", text)?);
    }
    if let Some(text) = &keys.keep_bytes {
        let bytes = number("keep_bytes", text, 2 * SMALLEST_PART..=MOST_BYTES, BYTES)?;
        builder = builder.keep_bytes(bytes);
    }
    if let Some(text) = &keys.keep_for_s {
        builder = builder.keep_for(seconds("keep_for_s", text)?);
    }
    if let Some(text) = &keys.preallocate_bytes {
        let bytes = number("preallocate_bytes", text, 0..=MOST_AHEAD, BYTES)?;
        builder = builder.preallocate_bytes(bytes);
    }
    match &keys.compress_closed {
        Some(text) => compress(builder, text),
        None => Ok(builder),
    }
}

#[cfg(feature = "zstd")]
fn compress(builder: Builder, text: &Text) -> Result<Builder, Wrong> {
    let what = "a level of compression";
    let level = number("compress_closed", text, COMPRESSION_LEVELS, what)?;
    Ok(builder.compress_closed(level))
}

#[cfg(not(feature = "zstd"))]
fn compress(_: Builder, text: &Text) -> Result<Builder, Wrong> {
    let message = "`compress_closed` needs the cargo feature `zstd` of perf-recorder, without which this program was built";
    Err(Wrong::at(text.defined, message))
}

fn sync(text: &Text) -> Result<SyncPolicy, Wrong> {
    match text.value.as_str() {
        "at_stop" => Ok(SyncPolicy::AtStop),
        "never" => Ok(SyncPolicy::Never),
        _ => number("sync", text, 1..=DAY_MS, "")
            .map(|ms| SyncPolicy::Every(Duration::from_millis(ms)))
            .map_err(|_| refused("sync", text, "`at_stop`, `never` or a number of ms")),
    }
}

fn path<'t>(name: &str, text: &'t Text) -> Result<&'t str, Wrong> {
    let wanted = match text.value.as_str() {
        "" => "a path",
        // Of quoted values the parser expands none.
        quoted if quoted.contains("${") => "a path, without quotes if there is a variable in it",
        path => return Ok(path),
    };
    Err(refused(name, text, wanted))
}

pub(super) fn milliseconds(name: &str, text: &Text) -> Result<Duration, Wrong> {
    number(name, text, 1..=DAY_MS, "a whole number of ms").map(Duration::from_millis)
}

fn seconds(name: &str, text: &Text) -> Result<Duration, Wrong> {
    number(name, text, 1..=MOST_SECONDS, "a whole number of seconds").map(Duration::from_secs)
}

pub(super) fn bytes(name: &str, text: &Text) -> Result<u64, Wrong> {
    number(name, text, SMALLEST_RING..=1 << 40, BYTES)
}
