//! One Events chunk: its rows grouped by trace.

use perf_format::limits::MAX_CHUNK_ROWS;
use perf_format::{
    AnnotationValue, ChunkEntry, Columns, EventsChunk, FormatError, SegmentId, Tag, TagClass,
};

use super::span::Span;
use super::trace::{Note, What};
use super::world::{Convert, World};
use crate::capture::{Capture, CaptureFile};
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
}

impl Grouped {
    /// Decodes a chunk and groups its rows.
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
        self.count();
        self.scatter(world, of);
        Ok(())
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

    fn scatter(&mut self, world: &World, of: &ChunkRef<'_>) {
        self.notes.clear();
        if world.domains[of.domain].convert == Convert::Same {
            self.scatter_at(of.rank, |start, end| (start, end));
        } else {
            self.scatter_at(of.rank, |start, end| {
                (of.units(world, start), of.units(world, end))
            });
        }
        self.notes.sort_unstable();
    }

    /// `times` makes units of a start and an end in ticks.
    fn scatter_at(&mut self, rank: u64, times: impl Fn(u64, u64) -> (u64, u64)) {
        let columns = &self.columns;
        // Slices are not read anew for each row.
        let (places, spans) = (self.places.as_mut_slice(), self.spans.as_mut_slice());
        let uses = self.uses.as_slice();
        for (thread, from, to) in &self.lanes {
            let rows = *from as usize..*to as usize;
            let traces = &columns.traces[rows.clone()];
            let series = &columns.series[rows.clone()][..traces.len()];
            let ends = &columns.end_ticks[rows.clone()][..traces.len()];
            let values = &columns.values[rows][..traces.len()];
            for at in 0..traces.len() {
                let trace = traces[at];
                if trace == 0 {
                    continue;
                }
                let row = *from + at as u32;
                match uses[usize::from(series[at])] {
                    Use::Nothing => {}
                    Use::Note => self.notes.push((trace, row)),
                    Use::Span { event, outcome } => {
                        let end = ends[at];
                        let times = times(end.saturating_sub(values[at]), end);
                        let order = rank << 16 | u64::from(row);
                        let place = &mut places[trace as usize];
                        spans[*place as usize] = Span::new(times, order, event, *thread, outcome);
                        *place += 1;
                    }
                }
            }
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
