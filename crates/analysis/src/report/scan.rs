//! Reading one Events chunk into cells.
//!
//! A chunk that lies in one slot needs its values only, and they are grouped by series: no row is looked at. A
//! chunk that is cut by a bound of the selection needs the end of each row as well, and so do gauges, whose mean
//! is one over time. A chunk is taken wholly or not at all: everything is decoded before anything is counted.

use std::collections::BTreeMap;

use perf_format::{
    Aggregate, ColumnId, CounterSummary, EventsChunk, FormatError, GaugeSummary, Rollup, Series,
    SeriesKey, Tag, TagClass,
};

use super::rows::Class;
use super::timeline::{Parts, SlotNumber};
use super::worker::Worker;

/// Decoded columns of one chunk, kept to be reused.
#[derive(Debug, Default)]
pub(crate) struct ChunkBuffers {
    grouped: Vec<u64>,
    ends: Vec<u64>,
    series_of: Vec<u16>,
    /// The part of each value of `grouped`.
    parts: Vec<u32>,
    next: Vec<usize>,
    /// Values of one series by part.
    buckets: Vec<Vec<u64>>,
}

/// Where a chunk's rows go.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// All to one slot.
    Whole(SlotNumber),
    /// By their ends, and without the rows of some ranges that another file holds too.
    ByRow {
        parts: Parts,
        /// By number of range: left out. Shorter than the ranges: the rest is kept.
        skipped: Vec<bool>,
    },
}

/// Rows of a chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Read, of whatever kind.
    pub(crate) rows: u64,
    /// Of a tag that this version does not know.
    pub(crate) unknown: u64,
}

/// The capture that a chunk is of, and the ns of its ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) capture: usize,
    pub(crate) scale: f64,
}

/// The columns that [`scan_chunk`] touches.
pub(crate) fn columns_needed(
    worker: &mut Worker<'_>,
    chunk: &EventsChunk<'_>,
    place: &Place,
) -> &'static [ColumnId] {
    let gauge = |key: SeriesKey| key.tag == Tag::GAUGE && worker.wants_gauges();
    match place {
        Place::Whole(_) if !chunk.series().iter().any(|series| gauge(series.key)) => {
            &[ColumnId::VALUE]
        }
        _ => &[ColumnId::VALUE, ColumnId::SERIES, ColumnId::END],
    }
}

/// Adds the rows of `chunk` to cells.
///
/// # Errors
/// A damaged column; no row was then added.
pub(crate) fn scan_chunk(
    worker: &mut Worker<'_>,
    chunk: &EventsChunk<'_>,
    origin: Origin,
    place: &Place,
) -> Result<Scanned, FormatError> {
    let mut buffers = std::mem::take(&mut worker.buffers);
    let result = match place {
        Place::Whole(slot) => whole(worker, chunk, origin, *slot, &mut buffers),
        Place::ByRow { parts, skipped } => {
            by_row(worker, chunk, origin, parts, skipped, &mut buffers)
        }
    };
    worker.buffers = buffers;
    result
}

fn is_unknown(key: SeriesKey) -> bool {
    key.tag.class() == TagClass::Unknown
}

fn whole(
    worker: &mut Worker<'_>,
    chunk: &EventsChunk<'_>,
    origin: Origin,
    slot: SlotNumber,
    buffers: &mut ChunkBuffers,
) -> Result<Scanned, FormatError> {
    let mut gauges = Rollup::default();
    let local = |series: &Series| {
        let local = worker.local(slot, origin.capture, series.key);
        local.filter(|_| series.key.tag != Tag::GAUGE)
    };
    let locals: Vec<Option<usize>> = chunk.series().iter().map(local).collect();
    chunk.values_where(|index| locals[index].is_some(), &mut buffers.grouped)?;
    if worker.wants_gauges()
        && chunk
            .series()
            .iter()
            .any(|series| series.key.tag == Tag::GAUGE)
    {
        chunk.roll_into(&mut gauges, |key| key.tag == Tag::GAUGE)?;
    }
    let mut values = buffers.grouped.as_slice();
    for (series, local) in chunk.series().iter().zip(locals) {
        if let Some(local) = local {
            let (mine, rest) = values.split_at(series.rows as usize);
            values = rest;
            add(worker, local, origin.scale, mine);
        }
    }
    for (key, aggregate) in &gauges.series {
        if let (Aggregate::Gauge(summary), Some(local)) =
            (aggregate, worker.local(slot, origin.capture, *key))
        {
            worker.gauge(local, summary);
        }
    }
    let unknown = chunk
        .series()
        .iter()
        .filter(|series| is_unknown(series.key))
        .map(|series| u64::from(series.rows));
    Ok(Scanned {
        rows: chunk.rows() as u64,
        unknown: unknown.sum(),
    })
}

/// Adds values of one series other than a gauge.
fn add(worker: &mut Worker<'_>, local: usize, scale: f64, values: &[u64]) {
    match worker.cell(local).class {
        Class::Ticks => worker.values(local, scale, values),
        Class::Values => worker.values(local, 1.0, values),
        Class::Counter => {
            let mut summary = CounterSummary::default();
            values
                .iter()
                .for_each(|delta| summary.record(*delta as i64));
            worker.counter(local, &summary);
        }
        Class::Gauge => {}
    }
}

/// A row that belongs to no part.
const NO_PART: u32 = u32::MAX;

fn by_row(
    worker: &mut Worker<'_>,
    chunk: &EventsChunk<'_>,
    origin: Origin,
    parts: &Parts,
    skipped: &[bool],
    buffers: &mut ChunkBuffers,
) -> Result<Scanned, FormatError> {
    chunk.series_indexes(&mut buffers.series_of)?;
    chunk.end_ticks(&mut buffers.ends)?;
    chunk.grouped_values(&mut buffers.grouped)?;
    let mut scanned = Scanned::default();
    let points = place_rows(chunk, parts, skipped, buffers, &mut scanned);
    buffers
        .buckets
        .resize_with(buffers.buckets.len().max(parts.len()), Vec::new);
    let mut start = 0;
    for series in chunk.series() {
        let rows = start..start + series.rows as usize;
        start = rows.end;
        if series.key.tag != Tag::GAUGE {
            let (values, part_of) = (&buffers.grouped[rows.clone()], &buffers.parts[rows]);
            add_by_part(
                worker,
                origin,
                series.key,
                parts,
                (values, part_of),
                &mut buffers.buckets,
            );
        }
    }
    for ((part, series), summary) in points {
        let slot = parts.slot_of_part(part as usize);
        let local = slot.and_then(|slot| {
            worker.local(
                slot,
                origin.capture,
                chunk.series()[usize::from(series)].key,
            )
        });
        if let Some(local) = local {
            worker.gauge(local, &summary);
        }
    }
    Ok(scanned)
}

/// Finds the part of each row, in the order of the grouped values; gauges are summed up at once.
fn place_rows(
    chunk: &EventsChunk<'_>,
    parts: &Parts,
    skipped: &[bool],
    buffers: &mut ChunkBuffers,
    scanned: &mut Scanned,
) -> BTreeMap<(u32, u16), GaugeSummary> {
    let keys: Vec<SeriesKey> = chunk.series().iter().map(|series| series.key).collect();
    buffers.next.clear();
    let mut start = 0;
    for series in chunk.series() {
        buffers.next.push(start);
        start += series.rows as usize;
    }
    buffers.parts.clear();
    buffers.parts.resize(chunk.rows(), NO_PART);
    let mut points = Vec::new();
    let mut row = 0;
    for (number, range) in chunk.ranges().iter().enumerate() {
        let skip = skipped.get(number).copied().unwrap_or(false);
        let mut finder = parts.finder();
        for _ in 0..range.rows {
            let (series, end) = (buffers.series_of[row], buffers.ends[row]);
            row += 1;
            let at = &mut buffers.next[usize::from(series)];
            let position = *at;
            *at += 1;
            let part = finder.part_of(end);
            if skip || parts.slot_of_part(part).is_none() {
                continue;
            }
            scanned.rows += 1;
            buffers.parts[position] = part as u32;
            let key = keys[usize::from(series)];
            scanned.unknown += u64::from(is_unknown(key));
            if key.tag == Tag::GAUGE {
                points.push((end, part as u32, series, buffers.grouped[position] as i64));
            }
        }
    }
    // In the order of ticks, equal ones in the order of rows: as the rollups were made.
    points.sort_by_key(|(end, ..)| *end);
    let mut gauges: BTreeMap<(u32, u16), GaugeSummary> = BTreeMap::new();
    for (end, part, series, value) in points {
        gauges.entry((part, series)).or_default().record(end, value);
    }
    gauges
}

fn add_by_part(
    worker: &mut Worker<'_>,
    origin: Origin,
    key: SeriesKey,
    parts: &Parts,
    (values, part_of): (&[u64], &[u32]),
    buckets: &mut [Vec<u64>],
) {
    let mut touched = Vec::new();
    for (value, part) in values
        .iter()
        .zip(part_of)
        .filter(|(_, part)| **part != NO_PART)
    {
        let bucket = &mut buckets[*part as usize];
        if bucket.is_empty() {
            touched.push(*part);
        }
        bucket.push(*value);
    }
    for part in touched {
        let slot = parts.slot_of_part(part as usize);
        if let Some(local) = slot.and_then(|slot| worker.local(slot, origin.capture, key)) {
            add(worker, local, origin.scale, &buckets[part as usize]);
        }
        buckets[part as usize].clear();
    }
}
