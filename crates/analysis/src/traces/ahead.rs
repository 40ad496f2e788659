//! The first pass, over a few columns: which ids repeat, and what ran in the background of traces.

use std::collections::BTreeMap;

use perf_format::{ColumnId, EventsChunk, FormatError, Frame, Tag};
use rayon::prelude::*;

use super::chunk::{ChunkRef, first_starts};
use super::intervals::{Intervals, Longest};
use super::levels::Levels;
use super::met::Met;
use super::repeats::{Ids, Repeats};
use super::world::World;
use crate::error::Error;

/// Chunks that are in memory together.
const BATCH: usize = 64;
/// Gauges that are looked at: the first that are met.
const MAX_GAUGES: usize = 16;
/// Background events that are looked at in one domain: the first by name.
const MAX_BACKGROUND: usize = 64;

/// What is known before the second pass.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) repeats: Repeats,
    /// By domain: what went on, and when.
    pub(crate) background: Vec<Vec<(Met, Intervals)>>,
    /// By event of a gauge: the least and the greatest of its usual levels.
    pub(crate) usual: BTreeMap<u32, (i64, i64)>,
    /// Whether intervals were left out, because there were too many.
    pub(crate) background_cut: bool,
}

/// Of one chunk: its ids, and intervals of no trace by event.
#[derive(Debug, Default)]
struct Look {
    ids: Vec<u64>,
    background: Vec<(u32, u64, u64)>,
    /// Event, time and value of gauges.
    gauges: Vec<(u32, u64, i64)>,
}

/// Reads ahead; with `context` also what went on around traces.
///
/// # Errors
/// A file cut short. What is damaged is left for the second pass to report.
pub(crate) fn look_ahead(
    world: &World,
    chunks: &[ChunkRef<'_>],
    context: bool,
) -> Result<Ahead, Error> {
    let mut repeats = None;
    let mut longest: BTreeMap<(usize, u32), Longest> = BTreeMap::new();
    let mut levels: BTreeMap<(usize, u32), Levels> = BTreeMap::new();
    let to_come = first_starts(chunks);
    for (number, batch) in chunks.chunks(BATCH).enumerate() {
        let look = |chunk: &ChunkRef<'_>| look(world, chunk, context);
        let looks: Vec<_> = batch.par_iter().map(look).collect();
        let mut ids: Vec<Vec<u64>> = Vec::with_capacity(batch.len());
        for (chunk, look) in batch.iter().zip(looks) {
            let look = look?.unwrap_or_default();
            for (event, from, to) in look.background {
                longest
                    .entry((chunk.domain, event))
                    .or_default()
                    .push(from, to);
            }
            for (event, time, value) in look.gauges {
                let key = (chunk.domain, event);
                if levels.len() < MAX_GAUGES || levels.contains_key(&key) {
                    levels.entry(key).or_default().extend([(time, value)]);
                }
            }
            ids.push(look.ids);
        }
        // As many ids a row as in the first chunks.
        let repeats = repeats.get_or_insert_with(|| {
            let ids: usize = ids.iter().map(Vec::len).sum();
            let share = ids as f64 / rows(batch).max(1) as f64;
            Repeats::new((rows(chunks) as f64 * share) as u64)
        });
        let mut at = 0;
        for same in batch.chunk_by(|a, b| a.domain == b.domain) {
            let ends = same.iter();
            let ends = ends.map(|chunk| chunk.units(world, chunk.entry.head.max_end));
            repeats.note(Ids {
                domain: same[0].domain as u32,
                lists: &ids[at..at + same.len()],
                first_start: to_come[number * BATCH + at],
                last_end: ends.max().unwrap_or(u64::MAX),
                idle: world.domains[same[0].domain].idle,
            });
            at += same.len();
        }
    }
    let mut ahead = Ahead {
        repeats: repeats.unwrap_or_else(|| Repeats::new(0)),
        background: vec![Vec::new(); world.domains.len()],
        usual: BTreeMap::new(),
        background_cut: false,
    };
    for ((domain, event), longest) in longest {
        let events = &mut ahead.background[domain];
        if events.len() < MAX_BACKGROUND {
            ahead.background_cut |= longest.cut;
            events.push((Met::Ran(event), longest.finish()));
        } else {
            ahead.background_cut = true;
        }
    }
    for ((domain, event), levels) in levels {
        if let Some((usual, high)) = levels.finish() {
            let (least, most) = ahead.usual.entry(event).or_insert((usual, usual));
            (*least, *most) = (usual.min(*least), usual.max(*most));
            ahead.background[domain].push((Met::High(event), high));
        }
    }
    Ok(ahead)
}

fn rows(chunks: &[ChunkRef<'_>]) -> u64 {
    chunks.iter().map(ChunkRef::records).sum()
}

fn look(
    world: &World,
    of: &ChunkRef<'_>,
    context: bool,
) -> Result<Result<Look, FormatError>, Error> {
    let mut bytes = Vec::new();
    of.file.read_head(of.entry, &mut bytes)?;
    let fetch = |bytes: &mut Vec<u8>,
                 wanted: &dyn Fn(ColumnId) -> bool|
     -> Result<Result<(), FormatError>, Error> {
        let columns = match Frame::parse(bytes, of.entry.offset) {
            Ok(frame) => frame.columns,
            Err(error) => return Ok(Err(error)),
        };
        for column in columns.iter().filter(|column| wanted(column.id)) {
            of.file
                .read_body(of.entry, column.offset, column.len, bytes)?;
        }
        Ok(Ok(()))
    };
    let traces = [ColumnId::TRACE_DICT, ColumnId::TRACE, ColumnId::TRACE_RUNS];
    if let Err(error) = fetch(&mut bytes, &|id| traces.contains(&id))? {
        return Ok(Err(error));
    }
    let mut look = Look::default();
    let worth = match ids(of, &bytes, &mut look.ids) {
        Ok(worth) => worth,
        Err(error) => return Ok(Err(error)),
    };
    if worth && context {
        // What the rows cannot tell is for the second pass to report; the ids count all the same.
        let rest = |id| !traces.contains(&id);
        if fetch(&mut bytes, &rest)?.is_ok() && background(world, of, &bytes, &mut look).is_err() {
            look.background.clear();
            look.gauges.clear();
        }
    }
    Ok(Ok(look))
}

/// The ids of a chunk; true if it has intervals of no trace, or gauges.
fn ids(of: &ChunkRef<'_>, bytes: &[u8], ids: &mut Vec<u64>) -> Result<bool, FormatError> {
    let chunk = EventsChunk::parse(bytes, of.entry.offset)?;
    chunk.trace_ids(ids)?;
    let mut untraced = 0;
    chunk.trace_runs(|trace, rows| {
        if trace == 0 {
            untraced += rows;
        }
    })?;
    let mut series = chunk.series().iter().map(|series| series.key);
    Ok(series.any(|key| key.tag == Tag::GAUGE || untraced > 0 && is_interval(of, key)))
}

/// Spans, and observations in ns, which end when they are recorded.
fn is_interval(of: &ChunkRef<'_>, key: perf_format::SeriesKey) -> bool {
    key.tag.is_span()
        || key.tag == Tag::OBSERVATION
            && of
                .capture
                .events
                .get(&key.event)
                .is_some_and(|named| named.unit == "ns")
}

fn background(
    world: &World,
    of: &ChunkRef<'_>,
    bytes: &[u8],
    look: &mut Look,
) -> Result<(), FormatError> {
    let chunk = EventsChunk::parse(bytes, of.entry.offset)?;
    let mut columns = perf_format::Columns::default();
    columns.decode(&chunk)?;
    let ns_per_tick = of.capture.clock.ns_per_tick(of.segment());
    let events: Vec<Option<(u32, Tag)>> = columns
        .keys
        .iter()
        .map(|key| {
            let event = world.event(of.number, key.event)?;
            let wanted = key.tag == Tag::GAUGE || is_interval(of, *key);
            wanted.then_some((event, key.tag))
        })
        .collect();
    for row in 0..columns.len() {
        let Some((event, tag)) = events[usize::from(columns.series[row])] else {
            continue;
        };
        let (end, value) = (columns.end_ticks[row], columns.values[row]);
        if tag == Tag::GAUGE {
            let time = of.units(world, end);
            look.gauges.push((event, time, value as i64));
            continue;
        }
        if columns.traces[row] != 0 {
            continue;
        }
        let ticks = match tag.is_span() {
            true => value,
            false => perf_format::round_u64(value as f64 / ns_per_tick),
        };
        let start = of.units(world, end.saturating_sub(ticks));
        look.background.push((event, start, of.units(world, end)));
    }
    Ok(())
}
