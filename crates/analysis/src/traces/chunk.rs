//! One Events chunk: its rows grouped by trace.

use perf_format::{
    AnnotationValue, ChunkEntry, Columns, EventsChunk, FormatError, SegmentId, Tag, TagClass,
};

use super::span::Span;
use super::trace::{Note, What};
use super::world::World;
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

impl ChunkRef<'_> {
    pub(crate) fn segment(&self) -> SegmentId {
        self.entry.head.segment
    }

    pub(crate) fn units(&self, world: &World, ticks: u64) -> u64 {
        world.domains[self.domain]
            .convert
            .units(self.capture, self.segment(), ticks)
    }
}

/// What the rows of a series are to traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    Span { event: u32, outcome: u8 },
    Note,
}

/// The rows of one chunk by trace; kept to be used again.
#[derive(Debug, Default)]
pub(crate) struct Grouped {
    pub(crate) columns: Columns,
    uses: Vec<Use>,
    is_span: Vec<u8>,
    /// By trace index: where its spans begin.
    starts: Vec<u32>,
    /// By trace index.
    pub(crate) spans: Vec<Span>,
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
        self.notes.clear();
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
        self.count();
        self.scatter(world, of, chunk);
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

    fn count(&mut self) {
        let traces = self.columns.trace_ids.len();
        self.starts.clear();
        // One more, so that after scattering each trace's place is the end of it.
        self.starts.resize(traces + 2, 0);
        for (trace, series) in self.columns.traces.iter().zip(&self.columns.series) {
            self.starts[*trace as usize + 1] += u32::from(self.is_span[usize::from(*series)]);
        }
        // Those of no trace are not kept.
        self.starts[1] = 0;
        let mut sum = 0;
        for start in &mut self.starts {
            sum += *start;
            *start = sum;
        }
        let empty = Span::new((0, 0), 0, 0, 0, 0);
        self.spans.clear();
        self.spans.resize(sum as usize, empty);
    }

    fn scatter(&mut self, world: &World, of: &ChunkRef<'_>, chunk: &EventsChunk<'_>) {
        let convert = world.domains[of.domain].convert;
        let same = convert == super::world::Convert::Same;
        let columns = &self.columns;
        let mut row = 0;
        for range in chunk.ranges() {
            let thread = world.thread(of.number, range.thread);
            for row in row..row + range.rows as usize {
                let trace = columns.traces[row];
                if trace == 0 {
                    continue;
                }
                match self.uses[usize::from(columns.series[row])] {
                    Use::Nothing => {}
                    Use::Note => self.notes.push((trace, row as u32)),
                    Use::Span { event, outcome } => {
                        let end = columns.end_ticks[row];
                        let start = end.saturating_sub(columns.values[row]);
                        let times = match same {
                            true => (start, end),
                            false => (of.units(world, start), of.units(world, end)),
                        };
                        let order = of.rank << 16 | row as u64;
                        let place = &mut self.starts[trace as usize];
                        self.spans[*place as usize] =
                            Span::new(times, order, event, thread, outcome);
                        *place += 1;
                    }
                }
            }
            row += range.rows as usize;
        }
        self.notes.sort_unstable();
    }

    /// The traces, by index from 1: where their spans end. They begin where those of the one before end.
    pub(crate) fn ends(&self) -> &[u32] {
        &self.starts[1..=self.columns.trace_ids.len()]
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
