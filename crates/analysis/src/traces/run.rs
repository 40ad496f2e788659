//! One analysis from beginning to end.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use perf_format::{EventsChunk, FormatError};
use rayon::prelude::*;

use super::ahead::{Ahead, look_ahead};
use super::analyst::{Analyst, Closing, Scene};
use super::brief;
use super::chunk::{ChunkRef, Grouped, first_starts};
use super::extras::Extras;
use super::neighbours::{Choice, Neighbours};
use super::options::{MAX_SLOWEST, TraceOptions};
use super::result::Traces;
use super::stitch::{Fragments, Leaving, OwnedNote, Stitcher};
use super::summary::Summary;
use super::table::Ends;
use super::trace::{FlowId, Note, TraceSink};
use super::world::{Builder, World, selection};
use crate::capture::{Capture, CaptureSet};
use crate::error::{Error, ErrorKind};
use crate::report::survey::Survey;
use crate::report::window::{Lifetime, surveyed};
use crate::report::{Selected, integrity};
use crate::value::UnixNs;
use crate::warning::{Warning, WarningKind};

/// Chunks that are read between two looks at the waiting room. The same at any number of threads, since what is closed early
/// depends on it.
const ROUND: usize = 32;

/// Bytes of the cells of all workers together, at most: beyond, they are put together before more is read.
const MAX_BYTES: usize = 512 << 20;

/// Everything that is known before any row is read.
pub(crate) struct Run<'a> {
    set: &'a CaptureSet,
    options: &'a TraceOptions,
    captures: Vec<&'a Capture>,
    surveys: Vec<Survey>,
    lifetimes: Vec<Option<Lifetime>>,
    world: World,
}

/// A worker with its buffers.
struct Seat<S> {
    analyst: Analyst<S>,
    bytes: Vec<u8>,
    grouped: Grouped,
    /// By trace of the chunk: whether it may lie in others as well.
    repeats: Vec<bool>,
}

type ChunkResult = Result<Result<Fragments, FormatError>, Error>;

impl<'a> Run<'a> {
    pub(crate) fn new(set: &'a CaptureSet, options: &'a TraceOptions) -> Result<Self, Error> {
        let captures: Vec<&Capture> = set.captures().iter().collect();
        let (surveys, lifetimes) = surveyed(&captures)?;
        let world = Builder {
            captures: &captures,
            surveys: &surveys,
            lifetimes: &lifetimes,
            options,
        }
        .build();
        Ok(Self {
            set,
            options,
            captures,
            surveys,
            lifetimes,
            world,
        })
    }

    /// The analysis, with what the sink saw, and what its flows are called.
    pub(crate) fn run<S: TraceSink>(
        &self,
        make: &(impl Fn(&World) -> S + Sync),
    ) -> Result<(Traces, S, Vec<Option<String>>), Error> {
        let chunks = self.chunks();
        let ahead = look_ahead(&self.world, &chunks, self.options.context)?;
        let records = chunks.iter().map(|chunk| chunk.records()).sum();
        let scene = self.scene(&ahead, records);
        let mut warnings = Vec::new();
        let mut stitcher = Stitcher::new();
        let seats: Mutex<Vec<Seat<S>>> = Mutex::new(Vec::new());
        let sit = || {
            let free = seats.lock().unwrap_or_else(PoisonError::into_inner).pop();
            free.unwrap_or_else(|| Seat {
                analyst: Analyst::new(&scene, make(&self.world)),
                bytes: Vec::new(),
                grouped: Grouped::default(),
                repeats: Vec::new(),
            })
        };
        let leave = |seat| {
            seats
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(seat);
        };
        let to_come = first_starts(&chunks);
        for (number, round) in chunks.chunks(ROUND).enumerate() {
            let read = |chunk: &ChunkRef<'_>| {
                let mut seat = sit();
                let result = self.chunk(&mut seat, &scene, &ahead, chunk);
                leave(seat);
                result
            };
            let results: Vec<ChunkResult> = round.par_iter().map(read).collect();
            let fragments = self.collect(round, results, &mut warnings)?;
            stitcher.take(&fragments);
            let next = (number + 1) * ROUND;
            let over = |domain: usize, id: u64, last: u64| {
                let Some(start) = chunks
                    .get(next)
                    .filter(|chunk| chunk.domain <= domain)
                    .map(|_| to_come[next])
                else {
                    return true;
                };
                let domain = &self.world.domains[domain];
                // A span that is still open may get company at any time.
                start > last.saturating_add(domain.idle) && !domain.opens.contains_key(&id)
            };
            stitcher.close(over, |leaving: &mut Vec<Leaving>| {
                let mut seat = sit();
                leaving
                    .iter_mut()
                    .for_each(|each| close(&mut seat, &scene, each));
                leave(seat);
            });
            let mut idle = seats.lock().unwrap_or_else(PoisonError::into_inner);
            idle.par_iter_mut()
                .for_each(|seat| seat.analyst.flows.bound_cells());
            let bytes = idle.iter().map(|seat| seat.analyst.flows.bytes());
            if bytes.sum::<usize>() > MAX_BYTES {
                // What the flows have in common is then held once.
                let rest = idle.split_off(1);
                rest.into_iter()
                    .for_each(|seat| idle[0].analyst.merge(seat.analyst));
            }
        }
        let seats = seats.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut analysts = seats.into_iter().map(|seat| seat.analyst);
        let first = analysts.next();
        let mut sums = first.unwrap_or_else(|| Analyst::new(&scene, make(&self.world)));
        analysts.for_each(|more| sums.merge(more));
        sums.close_unseen(&scene);
        sums.totals.reused += stitcher.reused();
        self.summarise(sums, &ahead, stitcher.early, warnings)
    }

    fn summarise<S: TraceSink>(
        &self,
        sums: Analyst<S>,
        ahead: &Ahead,
        early: u64,
        damage: Vec<Warning>,
    ) -> Result<(Traces, S, Vec<Option<String>>), Error> {
        let options = selection(self.options);
        let mut warnings = self.set.warnings().to_vec();
        let mut summaries = Vec::new();
        for ((capture, survey), lifetime) in
            self.captures.iter().zip(&self.surveys).zip(&self.lifetimes)
        {
            let summary = integrity::summary(capture, survey, *lifetime);
            if let Some(life) = lifetime {
                let timeline = life.timeline(&options);
                warnings.extend(integrity::warnings(capture, &summary, survey, &timeline));
            }
            summaries.push(summary);
        }
        warnings.extend(damage);
        let summary = Summary {
            world: &self.world,
            captures: &self.captures,
            options: self.options,
            selected: self.selected(),
            ahead,
            early,
        };
        Ok(summary.finish(sums, summaries, warnings))
    }

    fn selected(&self) -> Option<Selected> {
        let options = selection(self.options);
        let stretches: Vec<(i64, i64)> = self
            .lifetimes
            .iter()
            .flatten()
            .map(|life| life.selected(&life.timeline(&options)))
            .collect();
        Some(Selected {
            start_unix_ns: UnixNs(stretches.iter().map(|(from, _)| *from).min()?),
            end_unix_ns: UnixNs(stretches.iter().map(|(_, to)| *to).max()?),
            covered_ns: crate::cover::covered_ns(stretches),
        })
    }

    /// All chunks, by domain and time.
    fn chunks(&self) -> Vec<ChunkRef<'_>> {
        let mut chunks = Vec::new();
        for (domain, of) in self.world.domains.iter().enumerate() {
            for (number, segment) in &of.streams {
                let capture = self.captures[*number];
                let units = |ticks| of.convert.units(capture, *segment, ticks);
                for kept in &self.surveys[*number].chunks {
                    let file = &capture.files[kept.file as usize];
                    let entry = &file.index.chunks[kept.entry as usize];
                    if entry.head.segment == *segment && entry.head.record_count > 0 {
                        chunks.push(ChunkRef {
                            domain,
                            number: *number,
                            capture,
                            file,
                            entry,
                            kept,
                            rank: 0,
                            min_start: units(entry.head.min_start),
                            min_end: units(entry.head.min_end),
                        });
                    }
                }
            }
        }
        chunks.sort_by_key(|chunk| (chunk.number, chunk.entry.head.chunk_seq, chunk.kept.file));
        for (rank, chunk) in chunks.iter_mut().enumerate() {
            chunk.rank = rank as u64;
        }
        chunks.sort_by_key(|chunk| (chunk.domain, chunk.min_end, chunk.rank));
        chunks
    }

    fn scene<'s>(&'s self, ahead: &Ahead, records: u64) -> Scene<'s> {
        let rules = self
            .options
            .flows
            .iter()
            .enumerate()
            .filter_map(|(rule, ends)| {
                Some(Ends {
                    rule,
                    first: self.world.event_of_name(&ends.first)?,
                    last: self.world.event_of_name(&ends.last)?,
                })
            });
        Scene {
            world: &self.world,
            captures: &self.captures,
            background: ahead.background.clone(),
            by: self.options.by.as_ref().map(|key| key.clone().into_bytes()),
            asked: self.options.ids.iter().map(|id| id.0).collect(),
            rules: rules.collect(),
            slowest: self.options.slowest.min(MAX_SLOWEST),
            dissects: self.options.dissects(),
            choice: Choice::of(records),
        }
    }

    /// What the chunks of a round hold of traces to be put together; damage becomes a warning, or with `strict` an error.
    fn collect(
        &self,
        round: &[ChunkRef<'_>],
        results: Vec<ChunkResult>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Vec<Fragments>, Error> {
        let mut all = Vec::with_capacity(round.len());
        for (chunk, result) in round.iter().zip(results) {
            match result? {
                Ok(fragments) => all.push(fragments),
                Err(error) if self.options.strict => {
                    return Err(Error::new(
                        Path::new(&chunk.file.path),
                        ErrorKind::Damaged(error),
                    ));
                }
                Err(error) => warnings.push(chunk.file.warning(WarningKind::Damage {
                    offset: chunk.entry.offset,
                    len: chunk.entry.head.chunk_len(),
                    reason: error.to_string(),
                })),
            }
        }
        Ok(all)
    }

    /// Reads one chunk, closes the traces that lie in it alone, and gives back what belongs to others.
    fn chunk<S: TraceSink>(
        &self,
        seat: &mut Seat<S>,
        scene: &Scene<'_>,
        ahead: &Ahead,
        of: &ChunkRef<'_>,
    ) -> ChunkResult {
        of.file.read_chunk(of.entry, &mut seat.bytes)?;
        let chunk = match EventsChunk::parse(&seat.bytes, of.entry.offset) {
            Ok(chunk) => chunk,
            Err(error) => return Ok(Err(error)),
        };
        let grouped = &mut seat.grouped;
        if let Err(error) = grouped.read(&self.world, of, &chunk) {
            return Ok(Err(error));
        }
        let opens = &self.world.domains[of.domain].opens;
        let (ids, repeats) = (&grouped.columns.trace_ids, &mut seat.repeats);
        ahead.repeats.mark(of.domain as u32, ids, opens, repeats);
        brief::group(grouped, &mut seat.analyst, scene, of, &seat.repeats);
        let strings = match grouped.notes().is_empty() {
            true => Vec::new(),
            false => match chunk.strings() {
                Ok(strings) => strings,
                Err(error) => return Ok(Err(error)),
            },
        };
        let mut fragments = Fragments {
            domain: of.domain,
            ..Fragments::default()
        };
        let mut spans = std::mem::take(&mut grouped.spans);
        let mut rows = grouped.notes().iter().peekable();
        let mut notes: Vec<Note<'_>> = Vec::new();
        let ids = &grouped.columns.trace_ids;
        let extras = Extras::of_chunk(&grouped.columns);
        let mut from = 0;
        for (at, (id, to)) in ids.iter().zip(grouped.ends()).enumerate() {
            let mine = &mut spans[from..*to as usize];
            from = *to as usize;
            notes.clear();
            while let Some((_, row)) = rows.next_if(|(trace, _)| *trace == at as u32 + 1) {
                notes.extend(grouped.note(&self.world, of, &strings, *row));
            }
            if *id == 0 || (mine.is_empty() && notes.is_empty()) {
                continue;
            }
            if seat.repeats[at] {
                fragments
                    .ids
                    .push((*id, mine.len() as u32, notes.len() as u32));
                fragments.spans.extend_from_slice(mine);
                fragments.extras.extend(extras.said(mine));
                fragments.notes.extend(notes.iter().map(OwnedNote::of));
                continue;
            }
            let neighbours = Neighbours {
                world: &self.world,
                of,
                columns: &grouped.columns,
                uses: &grouped.uses,
                lanes: &grouped.lanes,
                trace: at as u32 + 1,
            };
            let closing = Closing {
                domain: of.domain,
                id: *id,
                early: false,
                neighbours: self.options.context.then_some(neighbours),
                extras,
            };
            seat.analyst.close(scene, closing, mine, &notes);
        }
        seat.grouped.spans = spans;
        Ok(Ok(fragments))
    }
}

fn close<S: TraceSink>(seat: &mut Seat<S>, scene: &Scene<'_>, each: &mut Leaving) {
    let mut spans = std::mem::take(&mut each.trace.spans);
    each.trace.extras.sort_unstable_by_key(|(order, _)| *order);
    let notes: Vec<Note<'_>> = each.trace.notes.iter().map(OwnedNote::note).collect();
    let closing = Closing {
        domain: each.domain,
        id: each.id,
        early: each.early,
        neighbours: None,
        extras: match each.trace.extras.as_slice() {
            [] => Extras::None,
            extras => Extras::Stitched(extras),
        },
    };
    seat.analyst.close(scene, closing, &mut spans, &notes);
}

/// What a sink's flows are called, by [`FlowId`].
pub(crate) type FlowNames = Vec<Option<String>>;

/// Keeps the type in one place.
pub(crate) fn name_of(names: &FlowNames, flow: FlowId) -> Option<&str> {
    names.get(flow.0 as usize)?.as_deref()
}
