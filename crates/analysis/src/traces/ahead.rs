//! The first pass, over a few columns: which ids repeat, and what ran in the background of traces.

use std::collections::BTreeMap;

use perf_format::{ColumnId, EventsChunk, FormatError, Frame, Tag};
use rayon::prelude::*;

use super::chunk::ChunkRef;
use super::intervals::{Intervals, Longest};
use super::repeats::Repeats;
use super::world::World;
use crate::error::Error;

/// Chunks that are in memory together.
const BATCH: usize = 64;
/// Background events that are looked at in one domain: the first by name.
const MAX_BACKGROUND: usize = 64;

/// What is known before the second pass.
#[derive(Debug)]
pub(crate) struct Ahead {
    pub(crate) repeats: Repeats,
    /// By domain, by event.
    pub(crate) background: Vec<Vec<(u32, Intervals)>>,
    /// Whether intervals were left out, because there were too many.
    pub(crate) background_cut: bool,
}

/// Of one chunk: its ids, and intervals of no trace by event.
#[derive(Debug, Default)]
struct Look {
    ids: Vec<u64>,
    background: Vec<(u32, u64, u64)>,
}

/// Reads ahead.
///
/// # Errors
/// A file cut short. What is damaged is left for the second pass to report.
pub(crate) fn look_ahead(world: &World, chunks: &[ChunkRef<'_>]) -> Result<Ahead, Error> {
    let mut repeats = None;
    let mut longest: BTreeMap<(usize, u32), Longest> = BTreeMap::new();
    for batch in chunks.chunks(BATCH) {
        let looks: Vec<_> = batch.par_iter().map(|chunk| look(world, chunk)).collect();
        let mut ids: Vec<Vec<u64>> = Vec::with_capacity(batch.len());
        for (chunk, look) in batch.iter().zip(looks) {
            let look = look?.unwrap_or_default();
            for (event, from, to) in look.background {
                longest
                    .entry((chunk.domain, event))
                    .or_default()
                    .push(from, to);
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
            repeats.note(same[0].domain as u32, &ids[at..at + same.len()]);
            at += same.len();
        }
    }
    let mut ahead = Ahead {
        repeats: repeats.unwrap_or_else(|| Repeats::new(0)),
        background: vec![Vec::new(); world.domains.len()],
        background_cut: false,
    };
    for ((domain, event), longest) in longest {
        let events = &mut ahead.background[domain];
        if events.len() < MAX_BACKGROUND {
            ahead.background_cut |= longest.cut;
            events.push((event, longest.finish()));
        } else {
            ahead.background_cut = true;
        }
    }
    Ok(ahead)
}

fn rows(chunks: &[ChunkRef<'_>]) -> u64 {
    let rows = |chunk: &ChunkRef<'_>| u64::from(chunk.entry.head.record_count);
    chunks.iter().map(rows).sum()
}

fn look(world: &World, of: &ChunkRef<'_>) -> Result<Result<Look, FormatError>, Error> {
    let mut bytes = Vec::new();
    of.file.read_head(of.entry, &mut bytes)?;
    let fetch =
        |bytes: &mut Vec<u8>, wanted: &[ColumnId]| -> Result<Result<(), FormatError>, Error> {
            let columns = match Frame::parse(bytes, of.entry.offset) {
                Ok(frame) => frame.columns,
                Err(error) => return Ok(Err(error)),
            };
            for column in columns.iter().filter(|column| wanted.contains(&column.id)) {
                of.file
                    .read_body(of.entry, column.offset, column.len, bytes)?;
            }
            Ok(Ok(()))
        };
    let traces = [ColumnId::TRACE_DICT, ColumnId::TRACE, ColumnId::TRACE_RUNS];
    if let Err(error) = fetch(&mut bytes, &traces)? {
        return Ok(Err(error));
    }
    let mut look = Look::default();
    let untraced = match ids(of, &bytes, &mut look.ids) {
        Ok(untraced) => untraced,
        Err(error) => return Ok(Err(error)),
    };
    if untraced {
        let rows = [ColumnId::SERIES, ColumnId::END, ColumnId::VALUE];
        if let Err(error) = fetch(&mut bytes, &rows)? {
            return Ok(Err(error));
        }
        if let Err(error) = background(world, of, &bytes, &mut look.background) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(look))
}

/// The ids of a chunk; true if it has intervals of no trace.
fn ids(of: &ChunkRef<'_>, bytes: &[u8], ids: &mut Vec<u64>) -> Result<bool, FormatError> {
    let chunk = EventsChunk::parse(bytes, of.entry.offset)?;
    chunk.trace_ids(ids)?;
    let mut untraced = 0;
    chunk.trace_runs(|trace, rows| {
        if trace == 0 {
            untraced += rows;
        }
    })?;
    Ok(untraced > 0
        && chunk
            .series()
            .iter()
            .any(|series| is_interval(of, series.key)))
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
    found: &mut Vec<(u32, u64, u64)>,
) -> Result<(), FormatError> {
    let chunk = EventsChunk::parse(bytes, of.entry.offset)?;
    let mut columns = perf_format::Columns::default();
    columns.decode(&chunk)?;
    let ns_per_tick = of.capture.clock.ns_per_tick(of.segment());
    let events: Vec<Option<(u32, bool)>> = columns
        .keys
        .iter()
        .map(|key| {
            let event = world.event(of.number, key.event)?;
            is_interval(of, *key).then_some((event, key.tag.is_span()))
        })
        .collect();
    for row in 0..columns.len() {
        let Some((event, in_ticks)) = events[usize::from(columns.series[row])] else {
            continue;
        };
        if columns.traces[row] != 0 {
            continue;
        }
        let (end, value) = (columns.end_ticks[row], columns.values[row]);
        let ticks = match in_ticks {
            true => value,
            false => (value as f64 / ns_per_tick).round() as u64,
        };
        let start = of.units(world, end.saturating_sub(ticks));
        found.push((event, start, of.units(world, end)));
    }
    Ok(())
}
