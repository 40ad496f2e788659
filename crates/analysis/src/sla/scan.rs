//! The pass over all chunks that adds up what rules look at.
//!
//! The head of a chunk has for every series how many rows there are and the greatest value. A chunk that lies in one
//! window, and of which no series that a rule looks at goes beyond the rule's bound, is counted by its head alone. Of
//! the others the columns are read that are needed.

use std::collections::BTreeSet;

use perf_format::{ChunkEntry, ColumnId, EventsChunk, FormatError, Frame, Series};
use rayon::prelude::*;

use super::ledger::{Keeping, Ledger, Tally, Unknown};
use super::rule::Rule;
use super::series::{Running, head_tally, is_hot, is_told_by_head};
use super::watch::{Watch, Watcher, Watches};
use crate::capture::{Capture, CaptureFile};
use crate::chosen::chosen_rows;
use crate::error::Error;
use crate::report::survey::{KeptChunk, Survey};
use crate::report::timeline::{Parts, SlotNumber, Timeline};
use crate::warning::WarningKind;

/// What only chunks have of which a sample was kept.
const SAMPLING: [ColumnId; 2] = [ColumnId::WEIGHT, ColumnId::LONE];
/// Chunks that one task reads.
const CHUNKS_A_TASK: usize = 16;

/// What the pass runs over.
pub(super) struct Scan<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) captures: &'a [&'a Capture],
    pub(super) surveys: &'a [Survey],
    /// By capture: what is selected, without slots.
    pub(super) timelines: &'a [Timeline],
    /// The different windows of rules.
    pub(super) faces: &'a [Option<i64>],
    /// By rule: the place of its window among these.
    pub(super) face_of: &'a [usize],
    pub(super) watches: &'a Watches,
    pub(super) keeping: Keeping,
    pub(super) strict: bool,
}

/// One worker's buffers.
#[derive(Default)]
struct Seat {
    ledger: Ledger,
    bytes: Vec<u8>,
    series_of: Vec<u16>,
    ends: Vec<u64>,
    traces: Vec<u32>,
    trace_ids: Vec<u64>,
    values: Vec<u64>,
    /// The rows of series that a rule looks at.
    rows: Vec<u32>,
    weights: Vec<u32>,
    lone: Vec<bool>,
}

/// A chunk, and where it belongs.
pub(super) struct Site<'a> {
    pub(super) number: usize,
    pub(super) capture: &'a Capture,
    pub(super) kept: &'a KeptChunk,
    pub(super) file: &'a CaptureFile,
    pub(super) entry: &'a ChunkEntry,
}

impl<'a> Site<'a> {
    pub(super) fn new(number: usize, capture: &'a Capture, kept: &'a KeptChunk) -> Self {
        let file = &capture.files[kept.file as usize];
        let entry = &file.index.chunks[kept.entry as usize];
        Self {
            number,
            capture,
            kept,
            file,
            entry,
        }
    }

    pub(super) fn unix_ns(&self, ticks: u64) -> i64 {
        self.capture.clock.unix_ns(self.entry.head.segment, ticks)
    }

    /// The parts of `timeline` that its rows fall into.
    pub(super) fn parts(&self, timeline: &Timeline) -> Parts {
        let head = &self.entry.head;
        let (first, last) = (head.min_end, head.max_end.max(head.min_end));
        let breaks = self.capture.clock_breaks(head.segment, first, last);
        timeline.parts(first, last, breaks, |ticks| self.unix_ns(ticks))
    }
}

/// Reads `wanted` columns of the chunk, whose head lies in `bytes`.
pub(super) fn read_columns(
    site: &Site<'_>,
    wanted: &[ColumnId],
    bytes: &mut [u8],
) -> Result<Result<(), FormatError>, Error> {
    let columns = match Frame::parse(bytes, site.entry.offset) {
        Ok(frame) => frame.columns,
        Err(error) => return Ok(Err(error)),
    };
    for column in columns.iter().filter(|column| wanted.contains(&column.id)) {
        site.file
            .read_body(site.entry, column.offset, column.len, bytes)?;
    }
    Ok(Ok(()))
}

impl Scan<'_> {
    /// Reads everything.
    ///
    /// # Errors
    /// A file cut short; with `strict` damage.
    pub(super) fn run(&self) -> Result<Ledger, Error> {
        let tasks: Vec<(usize, &KeptChunk)> = self
            .surveys
            .iter()
            .enumerate()
            .flat_map(|(number, survey)| survey.chunks.iter().map(move |kept| (number, kept)))
            .collect();
        let read = |mut seat: Seat, task: &[(usize, &KeptChunk)]| {
            for (number, kept) in task {
                self.chunk(&mut seat, &Site::new(*number, self.captures[*number], kept))?;
            }
            Ok(seat)
        };
        let mut ledger = tasks
            .par_chunks(CHUNKS_A_TASK)
            .try_fold(Seat::default, read)
            .map(|seat| seat.map(|seat: Seat| seat.ledger))
            .try_reduce(Ledger::default, |one, two| Ok(one.merge(two, self.keeping)))?;
        ledger.finish(self.keeping);
        Ok(ledger)
    }

    fn chunk(&self, seat: &mut Seat, site: &Site<'_>) -> Result<(), Error> {
        let head = &site.entry.head;
        let Some(watch) = self.watches.of.get(&(site.number, head.segment)) else {
            return Ok(());
        };
        if head.record_count == 0 {
            return Ok(());
        }
        site.file.read_head(site.entry, &mut seat.bytes)?;
        let wanted = match EventsChunk::parse(&seat.bytes, site.entry.offset) {
            Ok(chunk) => self.needed(&chunk, watch, site),
            // The survey has read it, and says so.
            Err(_) => return Ok(()),
        };
        let (parts, wanted) = match wanted {
            None => return Ok(()),
            Some(needed) => needed,
        };
        if !wanted.is_empty()
            && let Err(error) = read_columns(site, &wanted, &mut seat.bytes)?
        {
            return self.damaged(seat, site, watch, &parts, error);
        }
        let bytes = std::mem::take(&mut seat.bytes);
        let chunk = EventsChunk::parse(&bytes, site.entry.offset);
        let counted = chunk.and_then(|chunk| match wanted.is_empty() {
            true => {
                self.by_head(&mut seat.ledger, &chunk, watch, &parts);
                Ok(())
            }
            false => self.by_row(seat, site, &chunk, watch, &parts),
        });
        seat.bytes = bytes;
        match counted {
            Ok(()) => Ok(()),
            Err(error) => self.damaged(seat, site, watch, &parts, error),
        }
    }

    /// The parts of each face, and the columns to be read; `None` if no row of the chunk is looked at.
    fn needed(
        &self,
        chunk: &EventsChunk<'_>,
        watch: &Watch,
        site: &Site<'_>,
    ) -> Option<(Vec<Parts>, Vec<ColumnId>)> {
        let watched = || {
            let series = chunk.series().iter();
            series.filter_map(|series| Some((series, watch.get(&series.key)?)))
        };
        watched().next()?;
        let base = self.timelines[site.number];
        let parts: Vec<Parts> = self
            .faces
            .iter()
            .map(|every| {
                site.parts(&Timeline {
                    every: *every,
                    ..base
                })
            })
            .collect();
        if parts.iter().all(|parts| parts.slots().next().is_none()) {
            return None;
        }
        let whole =
            site.kept.skipped.is_empty() && parts.iter().all(|parts| parts.single().is_some());
        let hot = |(series, watchers): (&Series, &Vec<Watcher>)| {
            let by_value = |watcher: &Watcher| is_hot(watcher, series.max_value);
            watchers.iter().any(by_value)
        };
        let sampled = SAMPLING.iter().any(|column| chunk.has_column(*column));
        if whole && !sampled && !watched().any(hot) {
            return Some((parts, Vec::new()));
        }
        let lists = watched().any(|(series, watchers)| {
            let lists = |watcher: &Watcher| watcher.lists && is_hot(watcher, series.max_value);
            watchers.iter().any(lists)
        });
        let mut wanted = vec![ColumnId::SERIES, ColumnId::END, ColumnId::VALUE];
        wanted.extend(SAMPLING);
        if lists && chunk.trace_count() > 0 {
            wanted.extend([ColumnId::TRACE, ColumnId::TRACE_RUNS, ColumnId::TRACE_DICT]);
        }
        Some((parts, wanted))
    }

    /// Counts a chunk of which no row needs to be looked at.
    fn by_head(
        &self,
        ledger: &mut Ledger,
        chunk: &EventsChunk<'_>,
        watch: &Watch,
        parts: &[Parts],
    ) {
        for series in chunk.series() {
            for watcher in watch.get(&series.key).into_iter().flatten() {
                let Some(Some(slot)) = parts[self.face_of[watcher.rule]].single() else {
                    continue;
                };
                ledger.tally((watcher.rule as u32, 0), slot, &head_tally(series, watcher));
            }
        }
    }

    /// Counts a chunk row by row. Everything is decoded before anything is counted.
    fn by_row(
        &self,
        seat: &mut Seat,
        site: &Site<'_>,
        chunk: &EventsChunk<'_>,
        watch: &Watch,
        parts: &[Parts],
    ) -> Result<(), FormatError> {
        chunk.series_indexes(&mut seat.series_of)?;
        chunk.end_ticks(&mut seat.ends)?;
        chunk.weights(&mut seat.weights)?;
        chunk.lone(&mut seat.lone)?;
        let mut running: Vec<Running<'_>> = Vec::new();
        // By series: its watchers, and where its next value lies.
        let mut places = Vec::with_capacity(chunk.series().len());
        let mut values = 0;
        let mut lists = false;
        for series in chunk.series() {
            let watchers = watch.get(&series.key).map_or(&[][..], Vec::as_slice);
            let first = running.len();
            running.extend(watchers.iter().map(|watcher| Running {
                watcher,
                key: series.key,
                slot: 0,
                tally: Tally::default(),
                has_rows: false,
                most: 0,
            }));
            lists |= watchers
                .iter()
                .any(|watcher| watcher.lists && is_hot(watcher, series.max_value));
            places.push((first..running.len(), values));
            if !watchers.is_empty() {
                values += series.rows as usize;
            }
        }
        chunk.values_where(|index| !places[index].0.is_empty(), &mut seat.values)?;
        let has_traces = lists && chunk.trace_count() > 0;
        seat.traces.clear();
        if has_traces {
            chunk.trace_indexes(&mut seat.traces)?;
            chunk.trace_ids(&mut seat.trace_ids)?;
        }
        let is_watched: Vec<bool> = places.iter().map(|(mine, _)| !mine.is_empty()).collect();
        let of_row = seat.series_of.iter();
        let of_row = of_row.map(|series| is_watched[usize::from(*series)]);
        chosen_rows(of_row, &mut seat.rows);
        let mut rows = seat.rows.iter().map(|row| *row as usize).peekable();
        let mut finders: Vec<_> = parts.iter().map(Parts::finder).collect();
        let mut until = 0;
        for (number, range) in chunk.ranges().iter().enumerate() {
            let skip = site.kept.skipped.get(number).copied().unwrap_or(false);
            until += range.rows as usize;
            while let Some(row) = rows.next_if(|row| *row < until) {
                let (series, end) = (usize::from(seat.series_of[row]), seat.ends[row]);
                let (mine, next) = &mut places[series];
                let value = seat.values[*next];
                *next += 1;
                if skip {
                    continue;
                }
                let weight = match seat.lone.get(row) {
                    Some(true) => 0,
                    _ => seat.weights.get(row).copied().unwrap_or(1),
                };
                for running in &mut running[mine.clone()] {
                    let face = self.face_of[running.watcher.rule];
                    let part = finders[face].part_of(end);
                    let Some(slot) = parts[face].slot_of_part(part) else {
                        continue;
                    };
                    if running.add(slot, (value, weight), &mut seat.ledger) {
                        let trace = seat.traces.get(row).and_then(|trace| {
                            seat.trace_ids.get((*trace as usize).checked_sub(1)?)
                        });
                        let kept = running.kept(site, row, (value, end), range.thread, trace);
                        let account = (running.watcher.rule as u32, 0);
                        seat.ledger.violation(account, kept, self.keeping);
                    }
                }
            }
        }
        for running in &mut running {
            running.flush(&mut seat.ledger);
        }
        Ok(())
    }

    /// Notes a chunk whose columns cannot be read. Its head still tells how many rows there are of each series.
    fn damaged(
        &self,
        seat: &mut Seat,
        site: &Site<'_>,
        watch: &Watch,
        parts: &[Parts],
        error: FormatError,
    ) -> Result<(), Error> {
        if self.strict {
            return Err(site.file.error(error));
        }
        let (offset, len) = (site.entry.offset, site.entry.head.chunk_len());
        let kind = WarningKind::Damage {
            offset,
            len,
            reason: error.to_string(),
        };
        let place = (site.number, site.kept.file, site.kept.entry);
        seat.ledger.damage.insert(place, site.file.warning(kind));
        let Ok(chunk) = EventsChunk::parse(&seat.bytes, offset) else {
            return Ok(());
        };
        for series in chunk.series() {
            for watcher in watch.get(&series.key).into_iter().flatten() {
                let account = (watcher.rule as u32, 0);
                let parts = &parts[self.face_of[watcher.rule]];
                let single = parts.single().filter(|_| site.kept.skipped.is_empty());
                match single {
                    Some(Some(slot)) if is_told_by_head(series, watcher) => {
                        seat.ledger
                            .tally(account, slot, &head_tally(series, watcher));
                    }
                    _ => {
                        let slots: BTreeSet<SlotNumber> = parts.slots().collect();
                        let rows = Unknown::Count(series.rows.into());
                        seat.ledger.unknown(account, slots, rows);
                    }
                }
            }
        }
        Ok(())
    }
}
