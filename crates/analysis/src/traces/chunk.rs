//! One Events chunk: its rows grouped by trace.

use perf_format::limits::MAX_CHUNK_ROWS;
use perf_format::{
    AnnotationValue, ChunkEntry, Columns, EventsChunk, FormatError, SegmentId, Tag, TagClass,
};

use super::extent::Extent;
use super::span::Span;
use super::trace::{Note, What};
use super::world::{Convert, World};
use crate::capture::{Capture, CaptureFile};
use crate::chosen::chosen_rows;
use crate::report::survey::KeptChunk;

/// A chunk that is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkRef<'a> {
    pub(crate) domain: usize,
    pub(crate) number: usize,
    pub(crate) capture: &'a Capture,
    pub(crate) file: &'a CaptureFile,
    pub(crate) entry: &'a ChunkEntry,
    pub(crate) kept: &'a KeptChunk,
    /// Its place among the chunks of its capture: what was recorded later has a greater one.
    pub(crate) rank: u64,
    /// First start and first end, in units.
    pub(crate) min_start: u64,
    pub(crate) min_end: u64,
}

/// A row's number stands below the rank of its chunk.
const _: () = assert!(MAX_CHUNK_ROWS <= 1 << 16);

impl ChunkRef<'_> {
    pub(crate) fn segment(&self) -> SegmentId {
        self.entry.head.segment
    }

    pub(crate) fn records(&self) -> u64 {
        self.entry.head.record_count.into()
    }

    pub(crate) fn units(&self, world: &World, ticks: u64) -> u64 {
        world.domains[self.domain]
            .convert
            .units(self.capture, self.segment(), ticks)
    }
}

/// What the rows of a series are to traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Nothing,
    Span { event: u32, outcome: u8 },
    Note,
}

/// The rows of one chunk by trace; kept to be used again.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    pub(crate) columns: Columns,
    /// By series.
    pub(crate) uses: Vec<Use>,
    is_span: Vec<u8>,
    /// By trace index: where its spans begin; after grouping, where they end.
    places: Vec<u32>,
    /// By trace, thread by thread, each in the order recorded. Longer than there are spans, rather than to be cleared.
    pub(crate) spans: Vec<Span>,
    /// Ranges by thread, as they are walked: the thread, the first row, and the one after the last.
    pub(crate) lanes: Vec<(u32, u32, u32)>,
    /// Trace index and row, sorted.
    notes: Vec<(u32, u32)>,
    /// By trace index: what its spans are together, and whether its rows are wanted.
    extents: Vec<Extent>,
    is_wanted: Vec<bool>,
    /// The rows that are wanted.
    rows: Vec<u32>,
}

impl Grouped {
    /// Decodes a chunk; its rows are then grouped by [`Grouped::group`] or [`Grouped::group_some`].
    ///
    /// # Errors
    /// A damaged column.
    pub(crate) fn read(
        &mut self,
        world: &World,
        of: &ChunkRef<'_>,
        chunk: &EventsChunk<'_>,
    ) -> Result<(), FormatError> {
        self.columns.decode(chunk)?;
        self.uses.clear();
        let uses = chunk
            .series()
            .iter()
            .map(|series| match series.key.tag.class() {
                TagClass::Span(outcome) => {
                    let event = world.event(of.number, series.key.event);
                    event.map_or(Use::Nothing, |event| Use::Span {
                        event,
                        outcome: outcome as u8,
                    })
                }
                TagClass::Annotation | TagClass::Due => Use::Note,
                _ => Use::Nothing,
            });
        self.uses.extend(uses);
        self.is_span.clear();
        let spans = self
            .uses
            .iter()
            .map(|each| u8::from(matches!(each, Use::Span { .. })));
        self.is_span.extend(spans);
        self.leave_out(of, chunk);
        self.line_up(world, of, chunk);
        Ok(())
    }

    /// Groups all rows by trace.
    pub(crate) fn group(&mut self, world: &World, of: &ChunkRef<'_>) {
        self.count();
        self.scatter(world, of, true);
    }

    /// Groups the rows of the traces for which `wants` says so, by its index and extent; all others then have none.
    pub(crate) fn group_some(
        &mut self,
        world: &World,
        of: &ChunkRef<'_>,
        mut wants: impl FnMut(usize, u64, &Extent) -> bool,
    ) {
        match world.domains[of.domain].convert {
            Convert::Same => self.extend(|start, end| (start, end)),
            _ => self.extend(|start, end| (of.units(world, start), of.units(world, end))),
        }
        let ids = &self.columns.trace_ids;
        for (at, id) in ids.iter().enumerate() {
            let (extent, is_wanted) = (&self.extents[at + 1], &mut self.is_wanted[at + 1]);
            *is_wanted = *is_wanted || extent.spans > 0 && wants(at, *id, extent);
        }
        self.is_wanted[0] = false;
        let of_row = self.columns.traces.iter();
        let of_row = of_row.map(|trace| self.is_wanted[*trace as usize]);
        chosen_rows(of_row, &mut self.rows);
        self.places.clear();
        self.places.push(0);
        let counts = self.extents.iter().zip(&self.is_wanted);
        let counts = counts.map(|(extent, is_wanted)| match is_wanted {
            true => extent.spans,
            false => 0,
        });
        self.places.extend(counts);
        self.place();
        self.scatter(world, of, false);
    }

    /// The extent of each trace, and which have notes.
    fn extend(&mut self, times: impl Fn(u64, u64) -> (u64, u64)) {
        let columns = &self.columns;
        let traces = columns.trace_ids.len() + 1;
        self.extents.clear();
        self.extents.resize(traces, Extent::NONE);
        self.is_wanted.clear();
        self.is_wanted.resize(traces, false);
        let (extents, uses) = (self.extents.as_mut_slice(), self.uses.as_slice());
        let marks = uses.iter().map(|each| match each {
            Use::Span { event, outcome } => Extent::mark(*event, 1 << (outcome & 3)),
            _ => Extent::NONE,
        });
        let marks: Vec<Extent> = marks.collect();
        let of_row = columns.traces.iter().zip(&columns.series);
        let times_of_row = columns.end_ticks.iter().zip(&columns.values);
        for ((trace, series), (end, value)) in of_row.zip(times_of_row) {
            let mark = marks[usize::from(*series)];
            if mark.spans > 0 {
                let (start, end) = times(end.saturating_sub(*value), *end);
                extents[*trace as usize].add(Extent { start, end, ..mark });
            } else if uses[usize::from(*series)] == Use::Note {
                self.is_wanted[*trace as usize] = true;
            }
        }
    }

    /// Rows that another file holds belong to no trace here.
    fn leave_out(&mut self, of: &ChunkRef<'_>, chunk: &EventsChunk<'_>) {
        let mut row = 0;
        for (number, range) in chunk.ranges().iter().enumerate() {
            let rows = row..row + range.rows as usize;
            row = rows.end;
            if of.kept.skipped.get(number).copied().unwrap_or(false) {
                self.columns.traces[rows].fill(0);
            }
        }
    }

    /// Orders the ranges by thread, so that the spans of a trace come thread by thread.
    fn line_up(&mut self, world: &World, of: &ChunkRef<'_>, chunk: &EventsChunk<'_>) {
        self.lanes.clear();
        let mut row = 0;
        for range in chunk.ranges() {
            let (thread, end) = (world.thread(of.number, range.thread), row + range.rows);
            self.lanes.push((thread, row, end));
            row = end;
        }
        self.lanes.sort_by_key(|(thread, ..)| *thread);
    }

    fn count(&mut self) {
        let traces = self.columns.trace_ids.len();
        self.places.clear();
        // One more, so that after scattering each trace's place is the end of it.
        self.places.resize(traces + 2, 0);
        let (places, is_span) = (self.places.as_mut_slice(), self.is_span.as_slice());
        for (trace, series) in self.columns.traces.iter().zip(&self.columns.series) {
            places[*trace as usize + 1] += u32::from(is_span[usize::from(*series)]);
        }
        self.place();
    }

    /// From counts by trace, two further on, to where each begins.
    fn place(&mut self) {
        // Those of no trace are not kept.
        self.places[1] = 0;
        let mut sum = 0;
        for place in &mut self.places {
            sum += *place;
            *place = sum;
        }
        let long = self.spans.len().max(sum as usize);
        self.spans.resize(long, Span::new((0, 0), 0, 0, 0, 0));
    }

    /// Puts the spans in their places: of all rows, or of the wanted ones.
    fn scatter(&mut self, world: &World, of: &ChunkRef<'_>, all: bool) {
        self.notes.clear();
        let every = |_: &[u32], from: u32, to: u32| from as usize..to as usize;
        let is_same = world.domains[of.domain].convert == Convert::Same;
        let units = |start, end| (of.units(world, start), of.units(world, end));
        match (all, is_same) {
            (true, true) => self.scatter_at(of.rank, every, |start, end| (start, end)),
            (true, false) => self.scatter_at(of.rank, every, units),
            (false, true) => self.scatter_at(of.rank, within, |start, end| (start, end)),
            (false, false) => self.scatter_at(of.rank, within, units),
        }
        self.notes.sort_unstable();
    }

    /// `stretch` gives the rows from one to before another, `times` makes units of a start and an end in ticks.
    #[inline(always)]
    fn scatter_at<R: Iterator<Item = usize>>(
        &mut self,
        rank: u64,
        stretch: impl Fn(&[u32], u32, u32) -> R,
        times: impl Fn(u64, u64) -> (u64, u64),
    ) {
        let columns = &self.columns;
        let (rows, notes) = (self.rows.as_slice(), &mut self.notes);
        // Slices are not read anew for each row.
        let (places, spans) = (self.places.as_mut_slice(), self.spans.as_mut_slice());
        let uses = self.uses.as_slice();
        let put = &mut |thread: u32, row: usize| {
            let trace = columns.traces[row];
            if trace == 0 {
                return;
            }
            match uses[usize::from(columns.series[row])] {
                Use::Nothing => {}
                Use::Note => notes.push((trace, row as u32)),
                Use::Span { event, outcome } => {
                    let end = columns.end_ticks[row];
                    let times = times(end.saturating_sub(columns.values[row]), end);
                    let order = rank << 16 | row as u64;
                    let place = &mut places[trace as usize];
                    spans[*place as usize] = Span::new(times, order, event, thread, outcome);
                    *place += 1;
                }
            }
        };
        for (thread, from, to) in &self.lanes {
            stretch(rows, *from, *to).for_each(|row| put(*thread, row));
        }
    }

    /// The traces, by index from 1: where their spans end. They begin where those of the one before end.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.places[1..=self.columns.trace_ids.len()]
    }

    /// The notes of each trace, in the order of traces.
    pub(crate) fn notes(&self) -> &[(u32, u32)] {
        &self.notes
    }

    /// A note; `None` if its strings are not there.
    pub(crate) fn note<'c>(
        &self,
        world: &World,
        of: &ChunkRef<'_>,
        strings: &[&'c [u8]],
        row: u32,
    ) -> Option<Note<'c>> {
        let row = self.columns.row(row as usize);
        let what = match row.tag {
            Tag::DUE => What::Due(row.value as i64),
            tag => {
                let key = *strings.get(row.event.0 as usize)?;
                let value = match tag {
                    Tag::ANNOTATION_STR => {
                        AnnotationValue::Str(strings.get(usize::try_from(row.value).ok()?)?)
                    }
                    Tag::ANNOTATION_INT => AnnotationValue::Int(row.value as i64),
                    _ => AnnotationValue::Float(f64::from_bits(row.value)),
                };
                What::Pair(key, value)
            }
        };
        Some(Note {
            at: of.units(world, row.end_ticks),
            what,
        })
    }
}

/// Those of `rows`, which ascend, that lie in a stretch.
fn within(rows: &[u32], from: u32, to: u32) -> std::vec::IntoIter<usize> {
    let first = rows.partition_point(|row| *row < from);
    let mine = rows[first..].iter().take_while(|row| **row < to);
    mine.map(|row| *row as usize)
        .collect::<Vec<_>>()
        .into_iter()
}

/// By chunk: the first start in it and all later ones of its domain.
pub(crate) fn first_starts(chunks: &[ChunkRef<'_>]) -> Vec<u64> {
    let mut starts = vec![u64::MAX; chunks.len()];
    for at in (0..chunks.len()).rev() {
        starts[at] = chunks[at].min_start;
        if let Some(next) = chunks
            .get(at + 1)
            .filter(|next| next.domain == chunks[at].domain)
        {
            starts[at] = starts[at].min(starts[at + 1]);
            debug_assert!(next.min_end >= chunks[at].min_end);
        }
    }
    starts
}
